"""One pass over raw rows: stages 1 to 3 and 6 on each chunk as it comes.

In: a source. Out: texts and token ids on disk, and :class:`Taken`, the few numbers per
review that the later stages (labels, duplicates, splits) decide on.
"""

import dataclasses
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from reviewintent_jax.data.checks import CheckSpec, RejectionLog, check_row
from reviewintent_jax.data.clean import Cleaner
from reviewintent_jax.data.duplicates import DuplicateIndex
from reviewintent_jax.data.progress import Progress
from reviewintent_jax.data.sources import SourceKind, SourceSpec, read_rows
from reviewintent_jax.data.splits import NO_GROUP, NO_TIME
from reviewintent_jax.data.tokens import ReviewTokenizer, TokenWriter
from reviewintent_jax.schema import InputError, Rejected, Review

_CHUNK = 4096  # reviews handled together; bounds memory, does not change results
_TEXTS = pa.schema([("text", pa.string())])


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

    def label_counts(self) -> dict[str, int]:
        """How often each raw label occurs."""
        counts = np.bincount(self.raw_label_n, minlength=len(self.raw_labels))
        return dict(zip(self.raw_labels, counts.tolist(), strict=True))

    def first_place(self, raw_labels: Sequence[str]) -> str:
        """File and line of the first review that carries one of some raw labels."""
        codes = [self.raw_labels.index(raw) for raw in raw_labels]
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


def ingest(
    source: SourceSpec,
    check: CheckSpec,
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
    writer = TokenWriter(folder, tokenizer.vocab_size)
    rows = 0
    with pq.ParquetWriter(folder / "reviews.parquet", _TEXTS) as texts_file:
        for chunk in _chunks(_checked(source, check, log)):
            rows = chunk[-1][0] + 1
            usable = [review for _, review, _ in chunk if review is not None]
            kept = _cleaned(usable, source.text, cleaner, log)
            truth = {r.row: t for _, r, t in chunk if r is not None}
            if not kept:
                continue
            texts = [review.text for review in kept]
            texts_file.write_table(pa.table({"text": texts}, schema=_TEXTS))
            writer.add(tokenizer.encode(texts))
            if duplicates is not None:
                duplicates.add(texts)
            numbers = _numbers(kept, truth, files, raw_labels, splits)
            for name, values in numbers.items():
                columns.setdefault(name, []).append(values)
    writer.close()
    if not columns:
        raise InputError(
            f"None of the {rows} rows could be used: "
            + "; ".join(f"{reason} ({n})" for reason, n in log.counts.most_common(5)),
            where=str(log.path),
            fix="Check the column names and the file's format.",
        )
    joined = {name: np.concatenate(parts) for name, parts in columns.items()}
    return Taken(rows, tuple(files), tuple(raw_labels), tuple(splits), **joined)


def _checked(
    source: SourceSpec, check: CheckSpec, log: RejectionLog
) -> Iterator[tuple[int, Review | None, float]]:
    """Yields (row, review or None, truth) for every row of the source."""
    with Progress("Reading reviews") as bar:
        for row, raw in enumerate(read_rows(source)):
            checked = check_row(raw, row, source, check)
            bar.update(1)
            if isinstance(checked, Rejected):
                log.add(checked)
                yield row, None, np.nan
            else:
                known = source.kind == SourceKind.SHOP
                truth = raw.fields["truth_positive"] if known else np.nan
                yield row, checked, truth


def _chunks(items: Iterator) -> Iterator[list]:
    while chunk := list(islice(items, _CHUNK)):
        yield chunk


def _cleaned(
    reviews: Sequence[Review], column: str, cleaner: Cleaner, log: RejectionLog
) -> list[Review]:
    kept = []
    for review in reviews:
        text = cleaner(review.text)
        if text:
            kept.append(review._replace(text=text))
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
    reviews: Sequence[Review],
    truth: dict[int, float],
    files: _Codes,
    raw_labels: _Codes,
    splits: _Codes,
) -> dict[str, np.ndarray]:
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
        "truth_n": np.array([truth[r.row] for r in reviews], np.float32),
    }
