"""Stage 1, raw: Parquet -> RawRow, a few hundred rows at a time."""

import shutil
import tempfile
from collections.abc import Iterator
from typing import Any, BinaryIO

import pyarrow as pa
import pyarrow.parquet as pq

from reviewintent_jax.data.csv_rows import name_columns
from reviewintent_jax.data.opening import BROKEN_ARCHIVE, decompressed
from reviewintent_jax.schema import InputError, RawRow

_ROWS_AT_ONCE = 256  # reviews may be 100 kB each
_BUFFER_BYTES = 1 << 20  # pages are streamed; without it a whole column chunk is held


def open_parquet(stream: BinaryIO, name: str) -> tuple[pa.Schema, Iterator[RawRow]]:
    """Schema (columns named uniquely), and the rows, numbered from 1.

    A stream that cannot jump to its end, where Parquet keeps its index, and one that
    is compressed as a whole, is copied to a temporary file first.

    Raises:
      InputError: no Parquet, damaged, or without rows.
    """
    ready = stream.seekable() and stream.read(4) == b"PAR1"
    try:
        source = stream if ready else _spooled(stream)
        source.seek(0)
        file = pq.ParquetFile(source, buffer_size=_BUFFER_BYTES, pre_buffer=False)
    except (pa.ArrowException, OSError, *BROKEN_ARCHIVE) as error:
        raise InputError(f"Not a Parquet file: {error}", where=name) from error
    if not file.metadata.num_rows:
        raise InputError("The table has no rows.", where=name)
    schema = file.schema_arrow
    named = zip(schema, name_columns(schema.names), strict=True)
    schema = pa.schema([field.with_name(unique) for field, unique in named])
    return schema, _rows(file, name, schema.names)


def _spooled(stream: BinaryIO) -> pa.OSFile:
    """A copy without a name, which lives as long as somebody reads it."""
    if stream.seekable():
        stream.seek(0)
    with tempfile.NamedTemporaryFile() as copy:
        shutil.copyfileobj(decompressed(stream), copy, 1 << 20)
        copy.flush()
        return pa.OSFile(copy.name, "rb")


def _rows(file: pq.ParquetFile, name: str, names: list[str]) -> Iterator[RawRow]:
    number = 0
    batches = file.iter_batches(batch_size=_ROWS_AT_ONCE)
    while True:
        try:
            batch = next(batches)
        except StopIteration:
            return
        except (pa.ArrowException, OSError) as error:
            raise InputError(
                f"The Parquet file is damaged: {error}",
                where=f"{name}, after row {number}",
            ) from error
        columns = [_values(column) for column in batch.columns]
        for values in zip(*columns, strict=True):
            number += 1
            fields = dict(zip(names, values, strict=True))
            broken = [key for key, value in fields.items() if value is _UNREADABLE]
            fields.update(dict.fromkeys(broken))
            problem = f"value cannot be read: {', '.join(broken)}" if broken else ""
            yield RawRow(name, number, fields, problem)


_UNREADABLE = object()


def _values(column: pa.Array) -> list[Any]:
    try:
        return column.to_pylist()
    except (ValueError, OverflowError, pa.ArrowException):
        return [_value(scalar) for scalar in column]


def _value(scalar: pa.Scalar) -> Any:
    """The Python value; bad UTF-8 is mended, a year beyond 9999 cannot be told."""
    try:
        return scalar.as_py()
    except UnicodeDecodeError:
        return scalar.as_buffer().to_pybytes().decode("utf-8", "replace")
    except (ValueError, OverflowError, pa.ArrowException):
        return _UNREADABLE
