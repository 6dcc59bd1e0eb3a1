"""Scored tables: rows as they were read, with columns added -> CSV, JSONL, Parquet.

One output row per input row, in the input's order, all its columns kept. A file is
written under a temporary name beside the target and renamed when it is whole.
"""

import contextlib
import io
import json
import logging
import os
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import pyarrow as pa
import zstandard

from reviewintent_jax.data.sinks import Sink, json_text, jsonable, open_sink
from reviewintent_jax.data.tables import TableFormat, TableLayout, table_format
from reviewintent_jax.schema import InputError, RawRow

_log = logging.getLogger(__name__)

_ARROW = {str: pa.string(), float: pa.float64(), int: pa.int64(), bool: pa.bool_()}
_EXACT_FLOAT = 1 << 53


class ScoredWriter:
    """Writes scored rows; use it in a ``with`` statement, or call ``close``.

    Left by an exception, it removes what it wrote and leaves an older file alone.

    Attributes:
      names: added column -> its name in the file; ``scored_`` is put before a name that
        the input has already.
    """

    def __init__(self, sink: Sink, names: Mapping[str, str], target: Path | None):
        self.names = dict(names)
        self._sink, self._target = sink, target
        self._open = True

    def write(self, rows: Sequence[RawRow], added: Mapping[str, Sequence[Any]]) -> None:
        """Write rows with, for every added column, one value (or None) per row."""
        lengths = {name: len(values) for name, values in added.items()}
        if set(added) != set(self.names) or set(lengths.values()) - {len(rows)}:
            raise ValueError(
                f"{len(rows)} rows need {sorted(self.names)}, got lengths {lengths}"
            )
        taken = frozenset(self.names.values())
        for i, row in enumerate(rows):
            record = dict(row.fields)
            for name in taken & record.keys():  # a key the first rows did not have
                record[f"input_{name}"] = record.pop(name)
            for name, values in added.items():
                record[self.names[name]] = values[i]
            self._sink.put(record)

    def close(self) -> None:
        """Finish the file and give it its name."""
        if not self._open:
            return
        try:
            self._sink.finish()
        except BaseException:
            self._abandon()
            raise
        self._open = False
        if self._target is not None:
            part = _part(self._target)
            with part.open("rb") as file:
                os.fsync(file.fileno())  # a crash must not leave the name without bytes
            part.replace(self._target)

    def _abandon(self) -> None:
        self._open = False
        self._sink.discard()
        if self._target is not None:
            _part(self._target).unlink(missing_ok=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if error is None:
            self.close()
        elif self._open:
            self._abandon()


def open_writer(
    path: str,
    layout: TableLayout,
    added: Mapping[str, type],
    *,
    inputs: Sequence[Path] = (),
    stdout_format: TableFormat = TableFormat.JSONL,
) -> ScoredWriter:
    """A writer for ``path``; its ending names the format, ``-`` is stdout.

    Types: Parquet from Parquet keeps the input's Arrow types; Parquet from CSV has
    strings; added columns have the type they are declared with (str, float, int or
    bool). JSON lines may change from row to row, so CSV and Parquet from them are
    written at the end, from a compressed copy, when all columns and types are known:
    a column of flags, whole numbers, numbers or strings gets that type; a column that
    mixes them, or holds lists or objects, is text, with everything but strings as JSON.

    Args:
      path: file to write; an older one is replaced when the new one is whole.
      layout: of the input, from :func:`~reviewintent_jax.data.tables.table_layout`.
      added: added column -> str, float, int or bool.
      inputs: files that are read meanwhile, which must not be overwritten.
      stdout_format: CSV, TSV or JSON lines; for ``-`` only.

    Raises:
      InputError: unknown ending, output equal to an input, folder not writable.
    """
    columns = list(layout.columns)
    names: dict[str, str] = {}
    for name in added:
        names[name] = _free_name(name, {*columns, *names.values()})
    kinds = {names[name]: kind for name, kind in added.items()}
    if path == "-":
        if stdout_format is TableFormat.PARQUET:
            raise InputError(
                "Parquet cannot be written to stdout.",
                fix="Name a file: --output=scored.parquet",
            )
        target, format_, place = None, stdout_format, Path(tempfile.gettempdir())
    else:
        target, format_ = Path(path).expanduser(), table_format(path)
        place = target.parent
        _check_target(target, format_, inputs)
    spool = layout.format is TableFormat.JSONL and format_ is not TableFormat.JSONL
    try:
        sink = (
            _Spool(place, columns, kinds, target, format_)
            if spool
            else _open_at(target, format_, _schema(layout, kinds))
        )
    except OSError as error:
        reason = error.strerror or str(error)
        raise InputError(f"Cannot write the output: {reason}.", where=path) from error
    return ScoredWriter(sink, names, target)


def _free_name(name: str, taken: set[str]) -> str:
    free = name
    while free in taken:
        free = f"scored_{free}"
    if free != name:
        _log.warning("The input has a column %r; ours is called %r", name, free)
    return free


def _check_target(target: Path, format_: TableFormat, inputs: Sequence[Path]) -> None:
    if format_ is TableFormat.LABEL_LINES:
        raise InputError(
            "Answers cannot be written as lines that begin with a label.",
            where=str(target),
            fix="Let the name end in .csv, .tsv, .jsonl or .parquet.",
        )
    plain = target.name.lower().endswith((".parquet", ".pq"))
    if format_ is TableFormat.PARQUET and not plain:
        raise InputError(
            "Parquet compresses itself.", where=str(target), fix="Drop the .gz or .zst."
        )
    if target.is_dir():
        raise InputError("The output is a folder, not a file.", where=str(target))
    for source in inputs:
        if target.exists() and source.exists() and target.samefile(source):
            raise InputError(
                "The output would overwrite the input.",
                where=str(target),
                fix="Give --output another name.",
            )
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(
            f"Cannot make the output's folder: {error.strerror}.", where=str(target)
        ) from error


def _part(target: Path) -> Path:
    """Where a file is written until it is whole."""
    return target.with_name(f".{target.name}.{os.getpid()}.part")


def _schema(layout: TableLayout, added: Mapping[str, type]) -> pa.Schema:
    texts = [pa.field(name, pa.string()) for name in layout.columns]
    kept = [field.with_nullable(True) for field in layout.schema or texts]
    return pa.schema([*kept, *((name, _ARROW[kind]) for name, kind in added.items())])


def _open_at(target: Path | None, format_: TableFormat, schema: pa.Schema) -> Sink:
    part = None if target is None else _part(target)
    return open_sink(format_, part, "" if target is None else target.name, schema)


class _Spool:
    """Keeps records of JSON lines until all columns and their types are known."""

    def __init__(
        self,
        folder: Path,
        columns: Sequence[str],
        added: Mapping[str, type],
        target: Path | None,
        format_: TableFormat,
    ) -> None:
        self._added, self._target, self._format = added, target, format_
        self._kinds: dict[str, set[str]] = {name: set() for name in columns}
        if target is not None:
            _part(target).touch()  # fails now rather than after an hour
        self._file = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115 - kept open
        packer = zstandard.ZstdCompressor(level=1)
        self._packed = packer.stream_writer(self._file, closefd=False)

    def put(self, record: dict[str, Any]) -> None:
        for name, value in record.items():
            if name not in self._added:
                self._kinds.setdefault(name, set()).add(_kind(value))
        self._packed.write(json.dumps(record, default=jsonable).encode() + b"\n")

    def finish(self) -> None:
        self._packed.close()
        types = {name: _type_of(kinds) for name, kinds in self._kinds.items()}
        fields = [
            *types.items(),
            *((n, _ARROW[kind]) for n, kind in self._added.items()),
        ]
        sink = _open_at(self._target, self._format, pa.schema(fields))
        texts = [name for name, type_ in types.items() if type_ == pa.string()]
        try:
            for record in self._records():
                for name in texts:
                    record[name] = _text(record.get(name))
                sink.put(record)
        except BaseException:
            sink.discard()
            raise
        sink.finish()
        self._file.close()

    def _records(self) -> Iterator[dict[str, Any]]:
        self._file.seek(0)
        unpacked = zstandard.ZstdDecompressor().stream_reader(self._file, closefd=False)
        with io.BufferedReader(unpacked) as lines:
            yield from map(json.loads, lines)

    def discard(self) -> None:
        with contextlib.suppress(zstandard.ZstdError):
            self._packed.close()
        self._file.close()


def _kind(value: Any) -> str:
    if value is None:
        return "null"
    if isinstance(value, int) and not isinstance(value, bool):
        exact = abs(value) <= _EXACT_FLOAT
        return "int" if exact else "long" if -(2**63) <= value < 2**63 else "other"
    known = {bool: "bool", float: "float", str: "str"}
    return known.get(type(value), "other")


def _type_of(kinds: set[str]) -> pa.DataType:
    """The Arrow type that holds all values of these kinds without loss, else text."""
    some = kinds - {"null"}
    if some == {"bool"}:
        return pa.bool_()
    if some and some <= {"int", "long"}:
        return pa.int64()
    if some and some <= {"int", "float"}:
        return pa.float64()
    return pa.string()


def _text(value: Any) -> str | None:
    return value if value is None or isinstance(value, str) else json_text(value)
