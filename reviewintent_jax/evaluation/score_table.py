"""Scores a table of any length: rows in, the same rows with answers out.

Rows are read, checked, cleaned and tokenised a chunk at a time, ahead of the device;
each chunk is packed into pages, scored, put back in order and written. Memory does not
grow with the table.
"""

import itertools
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

import numpy as np

from reviewintent_jax.data.batches import PageSource, eval_batches, prefetch
from reviewintent_jax.data.checks import CheckSpec, check_row
from reviewintent_jax.data.clean import Cleaner
from reviewintent_jax.data.pages import PageSpec, ReviewFields, slot_lengths
from reviewintent_jax.data.progress import Progress
from reviewintent_jax.data.scored import ScoredWriter
from reviewintent_jax.data.sources import SourceSpec
from reviewintent_jax.data.tokens import ReviewTokenizer, TokenList
from reviewintent_jax.data.words import WordLookup
from reviewintent_jax.evaluation.calibration import answers, probabilities
from reviewintent_jax.evaluation.row_intention import (
    RowIntention,
    RowNumbers,
    read_numbers,
    row_histories,
)
from reviewintent_jax.evaluation.scoring import (
    ScoreStep,
    score_reviews,
    split_logits,
)
from reviewintent_jax.schema import NO_LABEL, RawRow, Rejected, Review

_CHUNK = 2048  # rows handled together; bounds memory, does not change answers


class TableScorer(NamedTuple):
    """What scoring needs.

    Attributes:
      score: from :func:`~reviewintent_jax.evaluation.scoring.make_score_step`.
      params: the model's parameters.
      tokenizer: of its encoder.
      cleaner: the repairs that its training texts went through.
      pages: sizes of a page.
      batch_pages: pages scored at a time.
      classes: names of the classes of sentiment; none where it was not learned.
      temperature: calibrates the logits.
      threshold: the probability from which class 1 of two is answered; None = the most
        probable class.
      source: which columns hold title and text; its other columns are not needed.
      check: what makes a row unusable.
      intention: where single rows are asked about their intention, too; else None.
      words: makes words of tokens; None where the model reads none.
    """

    score: ScoreStep
    params: Any
    tokenizer: ReviewTokenizer
    cleaner: Cleaner
    pages: PageSpec
    batch_pages: int
    classes: tuple[str, ...]
    temperature: float
    threshold: float | None
    source: SourceSpec
    check: CheckSpec
    intention: RowIntention | None
    words: WordLookup | None = None

    def added_columns(self) -> dict[str, type]:
        """Columns that scoring adds, and their types.

        ``problem`` says why a row has no answer, or that its text was cut; it is empty
        otherwise.
        """
        numbers = {f"probability_{name}": float for name in self.classes}
        said: dict[str, type] = {"predicted": str, **numbers} if self.classes else {}
        said |= {} if self.intention is None else self.intention.columns()
        return {**said, "problem": str}


class Scored(NamedTuple):
    """What scoring a table came to.

    Attributes:
      rows: rows read, and so rows written.
      unanswered: reason -> rows that have no answer for it.
      cut: rows whose text was longer than the model reads.
      predicted: class -> rows; of intention where there is no sentiment.
    """

    rows: int
    unanswered: Counter[str]
    cut: int
    predicted: Counter[str]


class _Chunk(NamedTuple):
    """Rows made ready: ids of those that have a text, problems of the rest."""

    rows: list[RawRow]
    answered: np.ndarray
    ids: list[np.ndarray]
    problems: list[str]
    numbers: RowNumbers | None  # beside the texts, where intention is asked about


def score_table(
    scorer: TableScorer, rows: Iterable[RawRow], writer: ScoredWriter
) -> Scored:
    """Scores all rows and writes one output row for each, in the order of input."""
    total = Scored(0, Counter(), 0, Counter())
    answer = "predicted" if scorer.classes else "intention"
    with Progress("Scoring") as bar:
        for chunk in prefetch(_chunks(scorer, rows), 2):
            added, cut = _answers(scorer, chunk)
            writer.write(chunk.rows, added)
            total.unanswered.update(p for p in chunk.problems if p)
            total.predicted.update(p for p in added[answer] if p is not None)
            total = total._replace(
                rows=total.rows + len(chunk.rows), cut=total.cut + cut
            )
            bar.update(len(chunk.rows))
    return total


def _chunks(scorer: TableScorer, rows: Iterable[RawRow]) -> Iterator[_Chunk]:
    numbered = enumerate(rows)
    while part := list(itertools.islice(numbered, _CHUNK)):
        texts, answered, problems = [], [], []
        reviews: list[Review] = []
        for at, (number, raw) in enumerate(part):
            review = check_row(raw, number, scorer.source, scorer.check)
            if isinstance(review, Rejected):
                problems.append(review.reason)
                continue
            text = scorer.cleaner(review.text)
            problems.append("" if text else "no text left after cleaning")
            if text:
                texts.append(text)
                answered.append(at)
                reviews.append(review)
        ids = scorer.tokenizer.encode(texts)
        raws, numbers = [raw for _, raw in part], None
        if scorer.intention is not None:
            own = [raws[at] for at in answered]
            numbers = read_numbers(scorer.intention.spec, own, reviews, texts)
        yield _Chunk(raws, np.array(answered, np.int64), ids, problems, numbers)


def _answers(scorer: TableScorer, chunk: _Chunk) -> tuple[dict[str, list], int]:
    """Added columns of a chunk, and how many of its texts were cut."""
    n, count = len(chunk.rows), len(chunk.ids)
    columns: dict[str, list] = {name: [None] * n for name in scorer.added_columns()}
    columns["problem"] = [problem or None for problem in chunk.problems]
    if not count:
        return columns, 0
    source, asked = _source(scorer, chunk), scorer.intention
    reviews = np.arange(count)
    batches = eval_batches(source, reviews, batch_pages=scorer.batch_pages)
    logits = score_reviews(scorer.score, scorer.params, batches, reviews)
    intents = 0 if asked is None else len(asked.classes)
    said = split_logits(logits.astype(np.float64), len(scorer.classes), intents)
    answered = chunk.answered
    if scorer.classes:
        prob_ny = probabilities(said.sentiment_ny, scorer.temperature)
        chosen = answers(prob_ny, scorer.threshold)
        _fill(columns, answered, "predicted", scorer.classes, prob_ny, chosen)
    if asked is not None:
        prob_ny = probabilities(said.intent_ny, asked.temperature)
        chosen = answers(prob_ny, asked.threshold)
        _fill(columns, answered, "intention", asked.classes, prob_ny, chosen)
    lengths = source.store.lengths()
    most = slot_lengths(lengths, scorer.pages).kept_n
    for i, at in enumerate(answered.tolist()):
        if lengths[i] > most[i]:
            columns["problem"][at] = f"only the first {most[i]} tokens were read"
    return columns, int((lengths > most).sum())


def _source(scorer: TableScorer, chunk: _Chunk) -> PageSource:
    """What pages of the rows of a chunk are made from."""
    count, store = len(chunk.ids), TokenList(chunk.ids)
    nothing = ReviewFields(np.full(count, NO_LABEL), np.ones(count, np.float32))
    special, pages, words = scorer.tokenizer.special, scorer.pages, scorer.words
    if scorer.intention is None or chunk.numbers is None:
        return PageSource(store, nothing, special, pages, words=words)
    history, planner = row_histories(scorer.intention, chunk.numbers)
    fields = nothing._replace(history=history)
    return PageSource(store, fields, special, pages, planner, words)


def _fill(
    columns: dict[str, list],
    answered: np.ndarray,
    answer: str,
    classes: tuple[str, ...],
    prob_ny: np.ndarray,
    chosen_n: np.ndarray,
) -> None:
    """Writes the answers of some rows of a chunk into its columns."""
    prefix = "" if answer == "predicted" else f"{answer}_"
    for i, at in enumerate(answered.tolist()):
        columns[answer][at] = classes[chosen_n[i]]
        for y, name in enumerate(classes):
            columns[f"{prefix}probability_{name}"][at] = float(prob_ny[i, y])
