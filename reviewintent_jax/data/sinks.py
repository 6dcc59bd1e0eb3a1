"""Records -> a file or stdout, one at a time: the writing half of scored tables."""

import csv
import gzip
import io
import json
import math
import sys
from collections.abc import Mapping, Sequence
from datetime import date, time
from pathlib import Path
from typing import Any, Protocol, TextIO, cast

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import zstandard

from reviewintent_jax.data.tables import TableFormat
from reviewintent_jax.schema import InputError

_GROUP_ROWS = 1 << 14  # rows of a Parquet row group, which is held in memory
_GROUP_CHARACTERS = 1 << 25  # or as many rows as have this much text


class Sink(Protocol):
    """Takes finished records, one at a time."""

    def put(self, record: dict[str, Any]) -> None:
        """Take one record; a column it lacks is empty."""
        ...

    def finish(self) -> None:
        """Write what is held back and close."""
        ...

    def discard(self) -> None:
        """Close without caring for what was written."""
        ...


def open_sink(
    format: TableFormat, part: Path | None, name: str, schema: pa.Schema
) -> Sink:
    """A sink that writes ``part``, or stdout if that is None.

    ``name`` is the final name, whose ending says whether text is compressed. JSON lines
    take any columns, the others those of ``schema`` alone.
    """
    if format is TableFormat.PARQUET and part is not None:
        return _ParquetSink(part, schema)
    text = _stdout() if part is None else _text_file(part, name)
    if format is TableFormat.JSONL:
        return _JsonlSink(text)
    delimiter = "," if format is TableFormat.CSV else "\t"
    return _CsvSink(text, schema.names, delimiter)


def _stdout() -> TextIO:
    buffer = sys.stdout.buffer  # detached at the end: it is not ours to close
    return io.TextIOWrapper(buffer, "utf-8", errors="backslashreplace", newline="")


def _text_file(part: Path, name: str) -> TextIO:
    if name.lower().endswith((".gz", ".gzip")):
        plain = gzip.open(part, "wb", compresslevel=6)  # noqa: SIM115 - closed by its sink
    elif name.lower().endswith((".zst", ".zstd")):
        plain = zstandard.open(part, "wb")
    else:
        plain = part.open("wb")
    plain = cast(io.BufferedWriter, plain)
    return io.TextIOWrapper(plain, "utf-8", errors="backslashreplace", newline="")


class _TextSink:
    def __init__(self, text: TextIO) -> None:
        self._text = text

    def finish(self) -> None:
        self._text.flush()
        if getattr(self._text, "buffer", None) is sys.stdout.buffer:
            self._text.detach()  # type: ignore[attr-defined]
        else:
            self._text.close()

    discard = finish


class _JsonlSink(_TextSink):
    def put(self, record: dict[str, Any]) -> None:
        self._text.write(json_text(record) + "\n")


class _CsvSink(_TextSink):
    def __init__(self, text: TextIO, columns: Sequence[str], delimiter: str) -> None:
        super().__init__(text)
        self._known = frozenset(columns)
        self._columns = list(columns)
        # csv quotes a carriage return only where it is part of the line's end.
        self._writer = csv.writer(self, delimiter=delimiter, lineterminator="\r\n")
        self._writer.writerow(self._columns)

    def write(self, line: str) -> None:
        """What csv writes through: its lines, ended as on this system's shells."""
        self._text.write(line.removesuffix("\r\n") + "\n")

    def put(self, record: dict[str, Any]) -> None:
        _check_known(record, self._known)
        self._writer.writerow([_cell(record.get(name)) for name in self._columns])


class _ParquetSink:
    def __init__(self, path: Path, schema: pa.Schema) -> None:
        self._schema = schema
        self._known = frozenset(schema.names)
        self._records: list[dict[str, Any]] = []
        self._characters = 0
        self._writer = pq.ParquetWriter(path, schema)

    def put(self, record: dict[str, Any]) -> None:
        _check_known(record, self._known)
        self._records.append(record)
        self._characters += sum(
            len(one) for one in record.values() if isinstance(one, str)
        )
        if len(self._records) >= _GROUP_ROWS or self._characters >= _GROUP_CHARACTERS:
            self._flush()

    def _flush(self) -> None:
        columns = [self._column(field) for field in self._schema]
        self._writer.write_table(pa.Table.from_arrays(columns, schema=self._schema))
        self._records.clear()
        self._characters = 0

    def _column(self, field: pa.Field) -> pa.Array:
        values = [record.get(field.name) for record in self._records]
        try:
            return pa.array(values, type=field.type)
        except (pa.ArrowException, TypeError, ValueError, OverflowError) as error:
            raise InputError(
                f"A value of column {field.name!r} is not of the type that its first "
                f"file says ({field.type}): {error}",
                fix="Score files of different types one by one, or write JSON lines.",
            ) from error

    def finish(self) -> None:
        if self._records:
            self._flush()
        self._writer.close()

    def discard(self) -> None:
        self._writer.close()


def _check_known(record: Mapping[str, Any], known: frozenset[str]) -> None:
    if unknown := record.keys() - known:
        raise InputError(
            f"A row has columns that the first file does not have: {sorted(unknown)}.",
            fix="Score files with different columns one by one, or write JSON lines.",
        )


def json_text(value: Any) -> str:
    """JSON of any value that a table holds; NaN and infinity become null."""
    try:
        return json.dumps(value, ensure_ascii=False, allow_nan=False, default=jsonable)
    except ValueError:  # NaN and infinity are not JSON
        return json.dumps(_finite(value), ensure_ascii=False, default=jsonable)


def _finite(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, Mapping):
        return {key: _finite(one) for key, one in value.items()}
    return [_finite(one) for one in value] if isinstance(value, list | tuple) else value


def jsonable(value: Any) -> Any:
    """What JSON can hold instead of ``value``, which it cannot."""
    if isinstance(value, date | time):  # datetimes and pandas' Timestamps are dates
        return value.isoformat()
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    if isinstance(value, np.ndarray | np.generic):
        return value.tolist()
    return str(value)


def _cell(value: Any) -> Any:
    """What csv writes; strings and finite numbers as they are."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return ""
    if isinstance(value, str | int | float):
        return value
    return (
        json_text(value) if isinstance(value, list | tuple | dict) else jsonable(value)
    )
