"""Serves stage 6: token ids on disk, in array_record files that are read at random.

A record holds the ids of one review, without special tokens, as little-endian numbers
of two or four bytes. A shard holds the reviews of one block of the source
(:mod:`~reviewintent_jax.data.blocks`), in their order::

    tokens-00000-00000.array_record    file 0, block 0
    tokens-00000-00001.array_record    file 0, block 1
    tokens-00001-00000.array_record    file 1, block 0
"""

import hashlib
import threading
from collections import OrderedDict
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from array_record.python.array_record_module import (
    ArrayRecordReader,
    ArrayRecordWriter,
)

from reviewintent_jax.data.prepared_folder import written_whole
from reviewintent_jax.schema import InputError

_WRITE = "group_size:1"  # every record can be read alone
_READ = "readahead_buffer_size:0"  # the next record asked for is rarely the next one
_OPEN = 64  # files held open at a time
_BYTES = 1 << 20


class Shard(NamedTuple):
    """One file of token ids or of texts, and what must be true of it.

    Attributes:
      name: of the file, in the folder of the prepared data.
      reviews: how many it holds, 1 or more.
      bytes: its size.
      sha256: of its bytes, as hexadecimal digits.
    """

    name: str
    reviews: int
    bytes: int
    sha256: str


def shard_name(block: str) -> str:
    """The file of a block's token ids."""
    return f"tokens-{block}.array_record"


def block_of(name: str) -> str:
    """The block that a shard holds the ids of."""
    return name.removeprefix("tokens-").removesuffix(".array_record")


def token_dtype(vocab_size: int) -> np.dtype:
    """The smallest type that holds every id below ``vocab_size``."""
    return np.dtype("<u2" if vocab_size <= 1 << 16 else "<i4")


def shard_at(written: Path, name: str, reviews: int) -> Shard:
    """What is true of a file that has been written, and is to have a name."""
    return Shard(name, reviews, written.stat().st_size, file_sha256(written))


def write_shard(path: Path, ids: Sequence[np.ndarray], dtype: np.dtype) -> Shard:
    """Writes the ids of some reviews; ``ids`` must hold one review at least.

    Raises:
      UnfinishedError: the disk is full, or the folder is gone.
    """
    with written_whole(path) as part:
        writer = ArrayRecordWriter(str(part), _WRITE)
        for each in ids:
            writer.write(each.astype(dtype).tobytes())
        writer.close()
        return shard_at(part, path.name, len(ids))


def file_sha256(path: Path) -> str:
    """Hash of a file of any size."""
    found = hashlib.sha256()
    with path.open("rb") as stream:
        while piece := stream.read(_BYTES):
            found.update(piece)
    return found.hexdigest()


def check_sizes(folder: Path, files: Iterable[Shard]) -> None:
    """Sees whether every file is there and has its size.

    Raises:
      InputError: names the first one that is lost or cut.
    """
    for file in files:
        path = folder / file.name
        size = path.stat().st_size if path.is_file() else None
        if size != file.bytes:
            raise damaged(path, "is not there" if size is None else "was cut")


class TokenStore:
    """Ids of all reviews, on disk: ``store[i]`` is the int32 ids of review i.

    Attributes:
      folder: where the shards lie.
      shards: in the order of the reviews.
    """

    def __init__(
        self,
        folder: Path,
        shards: Sequence[Shard],
        length_n: np.ndarray,
        dtype: np.dtype,
    ) -> None:
        self.folder, self.shards = folder, tuple(shards)
        self._length_n = np.asarray(length_n)
        self._dtype = np.dtype(dtype)
        counts = [shard.reviews for shard in self.shards]
        self._first_s = np.concatenate([np.zeros(1, np.int64), np.cumsum(counts)])
        self._open: OrderedDict[int, ArrayRecordReader] = OrderedDict()
        self._lock = threading.Lock()  # batches are built in threads

    def __len__(self) -> int:
        return len(self._length_n)

    def __getitem__(self, index: int) -> np.ndarray:
        return self.read([index])[0]

    def read(self, reviews: Sequence[int] | np.ndarray) -> list[np.ndarray]:
        """int32 ids of some reviews, in the order asked for.

        Asking for many at once costs a tenth of asking for each alone.

        Raises:
          InputError: a shard is lost or damaged.
        """
        review_n = np.asarray(reviews, np.int64)
        shard_n = np.searchsorted(self._first_s, review_n, side="right") - 1
        found: list[np.ndarray] = [np.zeros(0, np.int32)] * len(review_n)
        for shard in np.unique(shard_n).tolist():
            here = np.flatnonzero(shard_n == shard)
            within = (review_n[here] - self._first_s[shard]).tolist()
            for place, record in zip(here, self._records(shard, within), strict=True):
                found[place] = np.frombuffer(record, self._dtype).astype(np.int32)
        return found

    def lengths(self) -> np.ndarray:
        """Number of ids of every review, int64, special tokens not counted."""
        return self._length_n

    def _records(self, shard: int, within: list[int]) -> list[bytes]:
        with self._lock:
            reader = self._open.pop(shard, None) or self._opened(shard)
            self._open[shard] = reader  # the latest used comes last
            if len(self._open) > _OPEN:
                self._open.popitem(last=False)[1].close()
            try:
                return reader.read(within)
            except (RuntimeError, ValueError, IndexError) as error:
                path = self.folder / self.shards[shard].name
                raise damaged(path, f"cannot be read ({error})") from error

    def _opened(self, shard: int) -> ArrayRecordReader:
        path = self.folder / self.shards[shard].name
        try:
            return ArrayRecordReader(str(path), _READ)
        except (RuntimeError, ValueError) as error:
            raise damaged(path, f"cannot be opened ({error})") from error


def damaged(path: Path, how: str) -> InputError:
    """What to raise where a file is not what was written."""
    return InputError(
        f"A file of the prepared data {how}.",
        where=str(path),
        fix="Prepare the data again: remove the folder and give the same command.",
    )
