"""Stages 1 to 3 and 6 on one block of rows: the work that many can do side by side.

A *block* is a run of rows of one file. The rows alone decide where a block ends, so
that any number of workers, on one machine or on many, leaves the same files. What a
block needs to know of the others (copies, classes, splits) is decided afterwards, on
a few numbers per review.

In: rows. Out, in the folder of the prepared data::

    tokens-00000-00003.array_record   ids of the accepted reviews
    reviews-00000-00003.parquet       their texts, subjects, stars, slices
    block-00000-00003.npz             numbers, and the rows set aside; written last,
                                      so a block that has it is whole
"""

import dataclasses
import json
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from reviewintent_jax.data.checks import CheckSpec, check_row, shortened
from reviewintent_jax.data.clean import Cleaner, CleanSpec
from reviewintent_jax.data.duplicates import DuplicateSpec, Signatures, sign
from reviewintent_jax.data.events import Event, event_columns, read_event
from reviewintent_jax.data.intention import IntentionKind, IntentionSpec
from reviewintent_jax.data.prepared_folder import written_whole
from reviewintent_jax.data.sources import SourceKind, SourceSpec
from reviewintent_jax.data.splits import NO_GROUP, NO_TIME
from reviewintent_jax.data.token_shards import (
    Shard,
    check_sizes,
    shard_at,
    shard_name,
    token_dtype,
    write_shard,
)
from reviewintent_jax.data.tokens import ReviewTokenizer
from reviewintent_jax.schema import InputError, RawRow, Rejected, Review

BLOCK_ROWS = 16_384
"""Most rows in a block."""
BLOCK_CHARACTERS = 1 << 25
"""A block ends with the row whose text takes it to this many characters or more."""

UNREADABLE = (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile)
"""What reading a damaged or lost archive of arrays raises."""

_TEXT = [("text", pa.string())]
_EVENT = [("subject", pa.string()), ("stars", pa.float32())]
_SLICE = [("slice", pa.string())]


class RowBlock(NamedTuple):
    """Some rows of one file.

    Attributes:
      name: ``FILE-BLOCK``, both counted from 0 with five digits; sorted names are in
        the order of the source.
      rows: in their order.
    """

    name: str
    rows: list[RawRow]


def cut_blocks(
    rows: Iterable[RawRow],
    text: str,
    *,
    most_rows: int = BLOCK_ROWS,
    most_characters: int = BLOCK_CHARACTERS,
    file: int = 0,
) -> Iterator[RowBlock]:
    """Cuts rows into blocks.

    Args:
      rows: of one file or of several, one after another.
      text: column whose characters are counted.
      most_rows, most_characters: limits of a block.
      file: number of the first file.

    Example: files a a a b, two rows a block -> 00000-00000 (a a), 00000-00001 (a),
    00001-00000 (b).
    """
    held: list[RawRow] = []
    block, characters = 0, 0
    for row in rows:
        other = bool(held) and row.file != held[0].file
        if other or len(held) == most_rows or characters >= most_characters:
            yield RowBlock(f"{file:05}-{block:05}", held)
            file, block = (file + 1, 0) if other else (file, block + 1)
            held, characters = [], 0
        held.append(row)
        written = row.fields.get(text)
        characters += len(written) if isinstance(written, str | bytes) else 0
    if held:
        yield RowBlock(f"{file:05}-{block:05}", held)


@dataclasses.dataclass(frozen=True)
class BlockSettings:
    """What decides the files of a block, beside its rows; can be sent to workers.

    Attributes:
      source, check, clean, intention: as in
        :class:`~reviewintent_jax.data.prepared.DataSpec`.
      duplicates: how texts are compared; None where copies do not matter.
      tokenizer: folder of the tokenizer; None = texts alone are wanted, without ids.
      now: seconds since 1970 UTC: later dates lie in the future.
    """

    source: SourceSpec
    check: CheckSpec
    clean: CleanSpec
    intention: IntentionSpec
    duplicates: DuplicateSpec | None
    tokenizer: Path | None
    now: int

    @property
    def with_events(self) -> bool:
        """Whether histories or stated intentions are read."""
        return self.intention.kind is not IntentionKind.NONE


class _Row(NamedTuple):
    """A row on its way: what is known of it beside its review."""

    review: Review
    event: Event | None
    truth: float
    truth_intent: float


class BlockWorker:
    """Prepares blocks, one after another; made once in every process."""

    def __init__(self, settings: BlockSettings) -> None:
        self.settings = settings
        self._cleaner = Cleaner(settings.clean)
        self._encode, vocab_size = _no_ids, 1
        if settings.tokenizer is not None:
            tokenizer = ReviewTokenizer(settings.tokenizer)
            self._encode, vocab_size = tokenizer.encode, tokenizer.vocab_size
        self._dtype = token_dtype(vocab_size)

    def prepare(self, block: RowBlock, folder: Path) -> None:
        """Writes the files of a block to ``folder``; a block that is whole is kept."""
        if is_whole(folder, block.name):
            return
        refused: list[Rejected] = []
        kept = self._cleaned(self._checked(block.rows, refused), refused)
        texts = [each.review.text for each in kept]
        arrays: dict[str, Any] = {"dtype": _packed(self._dtype.str)}
        shard = texts_shard = None
        if kept:
            ids = self._encode(texts)
            path = folder / shard_name(block.name)
            shard = write_shard(path, ids, self._dtype)
            texts_shard = self._write_texts(folder / texts_name(block.name), kept)
            arrays["length_n"] = np.array([len(each) for each in ids], np.int64)
            arrays |= _numbers(kept)
            arrays |= self._events(kept, texts)
            if self.settings.duplicates is not None:
                signatures = sign(texts, self.settings.duplicates)
                arrays |= {f"sign_{k}": v for k, v in signatures._asdict().items()}
        facts = {"rows": len(block.rows), "refused": refused}
        facts |= {"shard": shard, "texts": texts_shard}
        _save(block_path(folder, block.name), arrays | {"facts": _packed(facts)})

    def _checked(
        self, rows: Sequence[RawRow], refused: list[Rejected]
    ) -> Iterator[_Row]:
        """Every row that holds a review, numbered within the block."""
        settings = self.settings
        for row, raw in enumerate(rows):
            review = check_row(raw, row, settings.source, settings.check)
            event = None
            if isinstance(review, Review) and settings.with_events:
                time_column = settings.source.time
                event = read_event(
                    raw, review, settings.intention, time_column, settings.now
                )
            if isinstance(review, Rejected):
                refused.append(shortened(review))
            elif isinstance(event, Rejected):
                refused.append(shortened(event))
            else:
                yield _Row(review, event, *_truths(settings.source, raw))

    def _cleaned(self, rows: Iterable[_Row], refused: list[Rejected]) -> list[_Row]:
        kept = []
        for each in rows:
            review = each.review
            text = self._cleaner(review.text)
            if text:
                kept.append(each._replace(review=review._replace(text=text)))
                continue
            place = review.row, review.file, review.line, self.settings.source.text
            reason = "no text left after cleaning"
            refused.append(shortened(Rejected(*place, reason, review.text)))
        return kept

    def _write_texts(self, path: Path, kept: Sequence[_Row]) -> Shard:
        table: dict[str, list] = {"text": [each.review.text for each in kept]}
        columns = [*_TEXT]
        if self.settings.with_events:
            happened = [each.event for each in kept if each.event is not None]
            table["subject"] = [event.subject for event in happened]
            table["stars"] = [event.stars for event in happened]
            columns += _EVENT
        if self.settings.source.slice:
            table["slice"] = [each.review.slice for each in kept]
            columns += _SLICE
        written = pa.table(table, schema=pa.schema(columns))
        with written_whole(path) as part:
            pq.write_table(written, part, row_group_size=4096)
            return shard_at(part, path.name, len(kept))

    def _events(self, kept: Sequence[_Row], texts: Sequence[str]) -> dict[str, Any]:
        if not self.settings.with_events:
            return {}
        happened = [each.event for each in kept if each.event is not None]
        truths = [each.truth_intent for each in kept]
        events, subjects = event_columns(happened, texts, truths)
        columns = events._asdict()
        names = {"subjects": subjects, "stated": columns.pop("stated")}
        arrays = {f"event_{name}": column for name, column in columns.items()}
        return arrays | {f"event_{name}": _packed(n) for name, n in names.items()}


class Block(NamedTuple):
    """What a block left.

    Attributes:
      name: of the block.
      rows: that it read.
      shard: ids of its reviews; None where it has none.
      texts: the same of their texts.
      refused: rows set aside; their ``row`` counts from the block's first.
      dtype: of the ids on disk.
      arrays: numbers of its reviews; none where it has none.
    """

    name: str
    rows: int
    shard: Shard | None
    texts: Shard | None
    refused: list[Rejected]
    dtype: np.dtype
    arrays: dict[str, np.ndarray]

    def strings(self, name: str) -> list[str]:
        """A list of strings that the numbers point into."""
        return _unpacked(self.arrays[name])

    def starting(self, prefix: str) -> dict[str, np.ndarray]:
        """Arrays whose name has a prefix, without it."""
        return {
            name.removeprefix(prefix): each
            for name, each in self.arrays.items()
            if name.startswith(prefix)
        }

    @property
    def file(self) -> str:
        """Name of the file that its rows come from."""
        return _unpacked(self.arrays["file_name"])

    @property
    def signatures(self) -> Signatures | None:
        """Of the texts, where they were asked for."""
        found = self.starting("sign_")
        return Signatures(**found) if found else None


def block_path(folder: Path, name: str) -> Path:
    """The file that a finished block has."""
    return folder / f"block-{name}.npz"


def block_names(folder: Path) -> list[str]:
    """Names of the finished blocks in a folder, in the order of the source."""
    names = [path.stem.removeprefix("block-") for path in folder.glob("block-*.npz")]
    return sorted(names, key=lambda name: [int(part) for part in name.split("-")])


def texts_name(name: str) -> str:
    """The file of a block's texts."""
    return f"reviews-{name}.parquet"


def read_block(folder: Path, name: str) -> Block:
    """Opens what :meth:`BlockWorker.prepare` wrote."""
    with block_path(folder, name).open("rb") as stream, np.load(stream) as stored:
        arrays = {key: stored[key] for key in stored.files}
    facts = _unpacked(arrays.pop("facts"))
    shard, texts = (
        None if facts[kind] is None else Shard(*facts[kind])
        for kind in ("shard", "texts")
    )
    return Block(
        name,
        facts["rows"],
        shard,
        texts,
        [Rejected(*each) for each in facts["refused"]],
        np.dtype(_unpacked(arrays.pop("dtype"))),
        arrays,
    )


def is_whole(folder: Path, name: str) -> bool:
    """Whether a block is finished, and its files still have their sizes."""
    try:
        block = read_block(folder, name)
        check_sizes(folder, [each for each in (block.shard, block.texts) if each])
    except (InputError, *UNREADABLE):
        return False
    return True


def _no_ids(texts: Sequence[str]) -> list[np.ndarray]:
    """What stands for the ids of texts that are not tokenised."""
    return [np.zeros(0, np.int32)] * len(texts)


def _save(path: Path, arrays: dict[str, Any]) -> None:
    with written_whole(path) as part, part.open("wb") as stream:
        np.savez(stream, allow_pickle=False, **arrays)


def _packed(value: Any) -> np.ndarray:
    """A JSON value as an array of bytes."""
    text = json.dumps(value, ensure_ascii=False)
    return np.frombuffer(text.encode("utf-8", "backslashreplace"), np.uint8)


def _unpacked(stored: np.ndarray) -> Any:
    return json.loads(stored.tobytes().decode("utf-8"))


def _truths(source: SourceSpec, raw: RawRow) -> tuple[float, float]:
    """What the built-in shop knows about the row; NaN of other sources."""
    if source.kind is not SourceKind.SHOP:
        return np.nan, np.nan
    return raw.fields["truth_positive"], raw.fields["truth_intent"]


def _numbers(rows: Sequence[_Row]) -> dict[str, np.ndarray]:
    """A few numbers per review; labels and splits index lists of their own."""
    reviews = [each.review for each in rows]
    groups = np.array([review.group for review in reviews], object)
    hashes = pd.util.hash_array(groups)  # pyright: ignore
    times = [NO_TIME if r.time is None else r.time for r in reviews]
    raw_label_n, raw_labels = numbered([review.label for review in reviews])
    given_split_n, given_splits = numbered([review.split for review in reviews])
    return {
        "row_n": np.array([r.row for r in reviews], np.int64),
        "line_n": np.array([r.line for r in reviews], np.int64),
        "file_name": _packed(reviews[0].file),
        "raw_label_n": raw_label_n,
        "raw_labels": _packed(raw_labels),
        "given_split_n": given_split_n,
        "given_splits": _packed(given_splits),
        "group_n": np.where(groups == "", NO_GROUP, hashes.view(np.int64)),
        "time_n": np.array(times, np.int64),
        "truth_n": np.array([each.truth for each in rows], np.float32),
    }


def numbered(values: Sequence[str]) -> tuple[np.ndarray, list[str]]:
    """int32 numbers of strings in order of appearance, and the distinct strings.

    >>> numbered(["b", "a", "b"])
    (array([0, 1, 0], dtype=int32), ['b', 'a'])
    """
    codes: dict[str, int] = {}
    numbers = [codes.setdefault(value, len(codes)) for value in values]
    return np.array(numbers, np.int32), list(codes)
