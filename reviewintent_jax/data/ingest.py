"""One pass over raw rows: stages 1 to 3 and 6 on each chunk as it comes.

In: a source. Out: texts and token ids on disk, and :class:`Taken`, the few numbers per
review that the later stages (labels, duplicates, splits) decide on.
"""

import dataclasses
import time
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from reviewintent_jax.data.checks import CheckSpec, RejectionLog, check_row
from reviewintent_jax.data.clean import Cleaner
from reviewintent_jax.data.duplicates import DuplicateIndex
from reviewintent_jax.data.events import Event, EventColumns, Events, read_event
from reviewintent_jax.data.intention import IntentionKind, IntentionSpec
from reviewintent_jax.data.progress import Progress
from reviewintent_jax.data.sources import SourceKind, SourceSpec, read_rows
from reviewintent_jax.data.splits import NO_GROUP, NO_TIME
from reviewintent_jax.data.tokens import ReviewTokenizer, TokenWriter
from reviewintent_jax.schema import InputError, RawRow, Rejected, Review

_CHUNK = 4096  # reviews handled together; bounds memory, does not change results
_TEXTS = pa.schema([("text", pa.string())])
_EVENTS = pa.schema([*_TEXTS, ("subject", pa.string()), ("stars", pa.float32())])


@dataclasses.dataclass(frozen=True)
class Taken:
    """Numbers per accepted review, in the order of the source.

    Attributes:
      rows: rows read, rejected ones included.
      files: names of the files; ``file_n`` indexes them.
      raw_labels: distinct labels as written; ``raw_label_n`` indexes them.
      given_splits: distinct names of splits; ``given_split_n`` indexes them.
      row_n, line_n: int64 position in the source and line of the file.
      group_n: int64 hash of the group key, or ``NO_GROUP``.
      time_n: int64 seconds since 1970 UTC, or ``NO_TIME``.
      truth_n: float32, see :class:`~reviewintent_jax.data.prepare.Prepared`.
      events: what histories are made of; None where no intention is asked for.
    """

    rows: int
    files: tuple[str, ...]
    raw_labels: tuple[str, ...]
    given_splits: tuple[str, ...]
    row_n: np.ndarray
    line_n: np.ndarray
    file_n: np.ndarray
    raw_label_n: np.ndarray
    given_split_n: np.ndarray
    group_n: np.ndarray
    time_n: np.ndarray
    truth_n: np.ndarray
    events: Events | None

    def label_counts(self) -> dict[str, int]:
        """How often each raw label occurs."""
        counts = np.bincount(self.raw_label_n, minlength=len(self.raw_labels))
        return dict(zip(self.raw_labels, counts.tolist(), strict=True))

    def first_place(self, raw_labels: Sequence[str]) -> str:
        """File and line of the first review that carries one of some raw labels."""
        codes = [n for n, raw in enumerate(self.raw_labels) if raw in raw_labels]
        i = int(np.isin(self.raw_label_n, codes).argmax())
        return (
            f"{self.files[self.file_n[i]]}, line {self.line_n[i]} (the first such row)"
        )

    def refuse(
        self, i: int, log: RejectionLog, *, field: str, reason: str, value: str = ""
    ) -> None:
        """Records that review ``i`` was set aside after it had been accepted."""
        file = self.files[self.file_n[i]]
        row, line = int(self.row_n[i]), int(self.line_n[i])
        log.add(Rejected(row, file, line, field, reason, value))


class _Codes(dict[str, int]):
    """Numbers strings in order of appearance."""

    def __missing__(self, key: str) -> int:
        self[key] = len(self)
        return self[key]


class _Row(NamedTuple):
    """A row on its way: what is known of it beside its review."""

    row: int
    review: Review
    event: Event | None
    truth: float
    truth_intent: float


def ingest(
    source: SourceSpec,
    check: CheckSpec,
    intention: IntentionSpec,
    cleaner: Cleaner,
    tokenizer: ReviewTokenizer,
    folder: Path,
    log: RejectionLog,
    duplicates: DuplicateIndex | None,
) -> Taken:
    """Reads, checks, cleans and tokenises all rows; texts and ids go to ``folder``.

    Raises:
      InputError: no row at all could be used.
    """
    files, raw_labels, splits = _Codes(), _Codes(), _Codes()
    columns: dict[str, list[np.ndarray]] = {}
    events = EventColumns() if intention.kind is not IntentionKind.NONE else None
    schema = _TEXTS if events is None else _EVENTS
    raws = read_rows(source, intention.named_columns)  # a wrong column is said first
    writer = TokenWriter(folder, tokenizer.vocab_size)
    rows = _Count()
    with pq.ParquetWriter(folder / "reviews.parquet", schema) as texts_file:
        for chunk in _chunks(_checked(raws, source, check, intention, log, rows)):
            kept = _cleaned(chunk, source.text, cleaner, log)
            if not kept:
                continue
            texts = [each.review.text for each in kept]
            table: dict[str, list] = {"text": texts}
            if events is not None:
                happened = [each.event for each in kept if each.event is not None]
                events.add(happened, texts, [each.truth_intent for each in kept])
                table["subject"] = [event.subject for event in happened]
                table["stars"] = [event.stars for event in happened]
            texts_file.write_table(pa.table(table, schema=schema))
            writer.add(tokenizer.encode(texts))
            if duplicates is not None:
                duplicates.add(texts)
            numbers = _numbers(kept, files, raw_labels, splits)
            for name, values in numbers.items():
                columns.setdefault(name, []).append(values)
    writer.close()
    if not columns:
        raise InputError(
            f"None of the {rows.n} rows could be used: "
            + "; ".join(f"{reason} ({n})" for reason, n in log.counts.most_common(5)),
            where=str(log.path),
            fix="Check the column names and the file's format.",
        )
    joined = {name: np.concatenate(parts) for name, parts in columns.items()}
    names = tuple(files), tuple(raw_labels), tuple(splits)
    finished = None if events is None else events.finish()
    return Taken(rows.n, *names, **joined, events=finished)


@dataclasses.dataclass
class _Count:
    """Rows read so far."""

    n: int = 0


def _checked(
    raws: Iterator[RawRow],
    source: SourceSpec,
    check: CheckSpec,
    intention: IntentionSpec,
    log: RejectionLog,
    rows: _Count,
) -> Iterator[_Row]:
    """Every row of the source that holds a review; others go to the log."""
    now = int(time.time())
    with Progress("Reading reviews") as bar:
        for row, raw in enumerate(raws):
            rows.n = row + 1
            bar.update(1)
            review = check_row(raw, row, source, check)
            event = None
            if isinstance(review, Review) and intention.kind is not IntentionKind.NONE:
                event = read_event(raw, review, intention, source.time, now)
            if isinstance(review, Rejected):
                log.add(review)
            elif isinstance(event, Rejected):
                log.add(event)
            else:
                yield _Row(row, review, event, *_truths(source, raw))


def _truths(source: SourceSpec, raw: RawRow) -> tuple[float, float]:
    """What the built-in shop knows about the row; NaN of other sources."""
    if source.kind is not SourceKind.SHOP:
        return np.nan, np.nan
    return raw.fields["truth_positive"], raw.fields["truth_intent"]


def _chunks(items: Iterator) -> Iterator[list]:
    while chunk := list(islice(items, _CHUNK)):
        yield chunk


def _cleaned(
    rows: Sequence[_Row], column: str, cleaner: Cleaner, log: RejectionLog
) -> list[_Row]:
    kept = []
    for each in rows:
        review = each.review
        text = cleaner(review.text)
        if text:
            kept.append(each._replace(review=review._replace(text=text)))
        else:
            log.add(
                Rejected(
                    review.row,
                    review.file,
                    review.line,
                    column,
                    "no text left after cleaning",
                    review.text,
                )
            )
    return kept


def _numbers(
    rows: Sequence[_Row], files: _Codes, raw_labels: _Codes, splits: _Codes
) -> dict[str, np.ndarray]:
    reviews = [each.review for each in rows]
    groups = np.array([review.group for review in reviews], object)
    hashes = pd.util.hash_array(groups)  # pyright: ignore
    times = [NO_TIME if r.time is None else r.time for r in reviews]
    return {
        "row_n": np.array([r.row for r in reviews], np.int64),
        "line_n": np.array([r.line for r in reviews], np.int64),
        "file_n": np.array([files[r.file] for r in reviews], np.int32),
        "raw_label_n": np.array([raw_labels[r.label] for r in reviews], np.int32),
        "given_split_n": np.array([splits[r.split] for r in reviews], np.int32),
        "group_n": np.where(groups == "", NO_GROUP, hashes.view(np.int64)),
        "time_n": np.array(times, np.int64),
        "truth_n": np.array([each.truth for each in rows], np.float32),
    }
