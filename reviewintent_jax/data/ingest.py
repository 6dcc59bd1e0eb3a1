"""Stages 1 to 3 and 6 on a whole source: rows -> blocks -> the numbers of all of them.

In: a source. Out: texts and token ids on disk, and :class:`Taken`, the few numbers per
review that the later stages (labels, duplicates, splits) decide on. How many workers
share the blocks changes nothing but the time.
"""

import dataclasses
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np

from reviewintent_jax.data.block_pool import prepare_blocks
from reviewintent_jax.data.blocks import (
    Block,
    BlockSettings,
    cut_blocks,
    read_block,
)
from reviewintent_jax.data.checks import RejectionLog
from reviewintent_jax.data.columns import ColumnFiles
from reviewintent_jax.data.duplicates import DuplicateIndex
from reviewintent_jax.data.events import EventJoin, Events
from reviewintent_jax.data.progress import Progress
from reviewintent_jax.data.sources import read_rows
from reviewintent_jax.data.token_shards import Shard
from reviewintent_jax.schema import InputError, RawRow, Rejected

_NUMBERS = ("line_n", "group_n", "time_n", "truth_n", "length_n")

Engine = Callable[[BlockSettings, Path], Sequence[str]]
"""Leaves the files of all blocks in a folder, and returns their names in order."""


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
      length_n: int64 number of token ids.
      shards: files of token ids, in the order of the reviews.
      texts: files of their texts.
      dtype: of the ids on disk.
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
    length_n: np.ndarray
    shards: tuple[Shard, ...]
    texts: tuple[Shard, ...]
    dtype: np.dtype
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

    def of(self, names: Sequence[str]) -> np.ndarray:
        """int32 numbers of some strings."""
        return np.array([self[name] for name in names], np.int32)


def ingest(
    settings: BlockSettings,
    folder: Path,
    log: RejectionLog,
    duplicates: DuplicateIndex | None,
    engine: Engine,
) -> Taken:
    """Reads, checks, cleans and tokenises all rows; texts and ids go to ``folder``.

    Args:
      settings: what to do with every row.
      folder: where the files of the blocks go.
      log: rows that are set aside.
      duplicates: takes the signatures of all texts; None where copies do not matter.
      engine: does the work; :func:`on_this_machine`, for one.

    Raises:
      InputError: no row at all could be used.
    """
    return join_blocks(folder, engine(settings, folder), log, duplicates)


def on_this_machine(workers: int) -> Engine:
    """An engine of so many processes; 1 = this one alone."""

    def run(settings: BlockSettings, folder: Path) -> Sequence[str]:
        also = settings.intention.named_columns
        rows = read_rows(settings.source, also)  # a wrong column is said first
        with Progress("Reading reviews") as bar:
            blocks = cut_blocks(_counted(rows, bar), settings.source.text)
            return prepare_blocks(blocks, settings, folder, workers)

    return run


def _counted(rows: Iterator[RawRow], bar: Progress) -> Iterator[RawRow]:
    for row in rows:
        bar.update(1)
        yield row


def join_blocks(
    folder: Path,
    names: Sequence[str],
    log: RejectionLog,
    duplicates: DuplicateIndex | None,
) -> Taken:
    """The numbers of all blocks as one; rows set aside go to the log.

    Args:
      folder: where the blocks lie.
      names: of the blocks, in the order of the source.
      log, duplicates: see :func:`ingest`.

    Raises:
      InputError: no block holds a review.
    """
    join = _Join(folder)
    for name in names:
        block = read_block(folder, name)
        for rejected in block.refused:
            log.add(rejected._replace(row=rejected.row + join.rows))
        join.add(block)
        if duplicates is not None and block.signatures is not None:
            duplicates.add(block.signatures)
    if not join.shards:
        raise InputError(
            f"None of the {join.rows} rows could be used: "
            + "; ".join(f"{reason} ({n})" for reason, n in log.counts.most_common(5)),
            where=str(log.path),
            fix="Check the column names and the file's format.",
        )
    return join.finish()


class _Join:
    """Collects blocks; what they number by themselves is numbered anew."""

    def __init__(self, folder: Path) -> None:
        self.rows, self.shards, self.texts = 0, list[Shard](), list[Shard]()
        self._files, self._raw_labels, self._given_splits = _Codes(), _Codes(), _Codes()
        self._columns = ColumnFiles(folder)
        self._events: EventJoin | None = None
        self._dtype = np.dtype("<u2")

    def add(self, block: Block) -> None:
        """Takes the next block."""
        if block.shard is not None and block.texts is not None:
            self.shards.append(block.shard)
            self.texts.append(block.texts)
            self._dtype = block.dtype
            for name, values in self._numbers(block).items():
                self._columns.add(name, values)
            self._add_events(block)
        self.rows += block.rows

    def finish(self) -> Taken:
        """All of them."""
        return Taken(
            rows=self.rows,
            files=tuple(self._files),
            raw_labels=tuple(self._raw_labels),
            given_splits=tuple(self._given_splits),
            **self._columns.finish(),
            shards=tuple(self.shards),
            texts=tuple(self.texts),
            dtype=self._dtype,
            events=None if self._events is None else self._events.finish(),
        )

    def _numbers(self, block: Block) -> dict[str, np.ndarray]:
        arrays = block.arrays
        raw_labels = self._raw_labels.of(block.strings("raw_labels"))
        given_splits = self._given_splits.of(block.strings("given_splits"))
        file = self._files[block.file]
        return {
            **{name: arrays[name] for name in _NUMBERS},
            "row_n": arrays["row_n"] + self.rows,
            "file_n": np.full(len(arrays["row_n"]), file, np.int32),
            "raw_label_n": raw_labels[arrays["raw_label_n"]],
            "given_split_n": given_splits[arrays["given_split_n"]],
        }

    def _add_events(self, block: Block) -> None:
        arrays = block.starting("event_")
        if not arrays:
            return
        if self._events is None:
            self._events = EventJoin()
        subjects = block.strings("event_subjects")
        stated = tuple(block.strings("event_stated"))
        del arrays["subjects"]
        self._events.add(Events(**{**arrays, "stated": stated}), subjects)
