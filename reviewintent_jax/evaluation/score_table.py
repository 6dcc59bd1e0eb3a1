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
from reviewintent_jax.evaluation.calibration import answers, probabilities
from reviewintent_jax.evaluation.scoring import ScoreStep, score_reviews
from reviewintent_jax.schema import NO_LABEL, RawRow, Rejected

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
      classes: names of the classes.
      temperature: calibrates the logits.
      threshold: the probability from which class 1 of two is answered; None = the most
        probable class.
      source: which columns hold title and text; its other columns are not needed.
      check: what makes a row unusable.
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

    def added_columns(self) -> dict[str, type]:
        """Columns that scoring adds, and their types.

        ``problem`` says why a row has no answer, or that its text was cut; it is empty
        otherwise.
        """
        numbers = {f"probability_{name}": float for name in self.classes}
        return {"predicted": str, **numbers, "problem": str}


class Scored(NamedTuple):
    """What scoring a table came to.

    Attributes:
      rows: rows read, and so rows written.
      unanswered: reason -> rows that have no answer for it.
      cut: rows whose text was longer than the model reads.
      predicted: class -> rows.
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


def score_table(
    scorer: TableScorer, rows: Iterable[RawRow], writer: ScoredWriter
) -> Scored:
    """Scores all rows and writes one output row for each, in the order of input."""
    total = Scored(0, Counter(), 0, Counter())
    with Progress("Scoring") as bar:
        for chunk in prefetch(_chunks(scorer, rows), 2):
            added, cut = _answers(scorer, chunk)
            writer.write(chunk.rows, added)
            total.unanswered.update(p for p in chunk.problems if p)
            total.predicted.update(p for p in added["predicted"] if p is not None)
            total = total._replace(
                rows=total.rows + len(chunk.rows), cut=total.cut + cut
            )
            bar.update(len(chunk.rows))
    return total


def _chunks(scorer: TableScorer, rows: Iterable[RawRow]) -> Iterator[_Chunk]:
    numbered = enumerate(rows)
    while part := list(itertools.islice(numbered, _CHUNK)):
        texts, answered, problems = [], [], []
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
        ids = scorer.tokenizer.encode(texts)
        raws = [raw for _, raw in part]
        yield _Chunk(raws, np.array(answered, np.int64), ids, problems)


def _answers(scorer: TableScorer, chunk: _Chunk) -> tuple[dict[str, list], int]:
    """Added columns of a chunk, and how many of its texts were cut."""
    n, count = len(chunk.rows), len(chunk.ids)
    columns: dict[str, list] = {name: [None] * n for name in scorer.added_columns()}
    columns["problem"] = [problem or None for problem in chunk.problems]
    if not count:
        return columns, 0
    store = TokenList(chunk.ids)
    nothing = ReviewFields(np.full(count, NO_LABEL), np.ones(count, np.float32))
    source = PageSource(store, nothing, scorer.tokenizer.special, scorer.pages)
    reviews = np.arange(count)
    batches = eval_batches(source, reviews, batch_pages=scorer.batch_pages)
    logits = score_reviews(scorer.score, scorer.params, batches, reviews)
    prob_ny = probabilities(logits.astype(np.float64), scorer.temperature)
    answer_n = answers(prob_ny, scorer.threshold)
    lengths, most = store.lengths(), slot_lengths(store.lengths(), scorer.pages).kept_n
    for i, at in enumerate(chunk.answered.tolist()):
        columns["predicted"][at] = scorer.classes[answer_n[i]]
        for y, name in enumerate(scorer.classes):
            columns[f"probability_{name}"][at] = float(prob_ny[i, y])
        if lengths[i] > most[i]:
            columns["problem"][at] = f"only the first {most[i]} tokens were read"
    return columns, int((lengths > most).sum())
