"""Stage 1, raw, from tables: CSV, TSV, TXT, JSON lines, Parquet -> RawRow.

Everything streams: a row is handed out before the next is read.
"""

import dataclasses
import difflib
import enum
import glob
import itertools
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import pyarrow as pa

from reviewintent_jax.data.csv_rows import open_csv
from reviewintent_jax.data.json_rows import open_jsonl
from reviewintent_jax.data.label_lines import open_label_lines
from reviewintent_jax.data.opening import Lines
from reviewintent_jax.data.parquet_rows import open_parquet
from reviewintent_jax.schema import InputError, RawRow


class TableFormat(enum.StrEnum):
    """How a table is written down."""

    CSV = "csv"
    TSV = "tsv"
    TXT = "txt"
    JSONL = "jsonl"
    PARQUET = "parquet"
    LABEL_LINES = "label_lines"  # a label, then the text; the name says the split


_SUFFIXES = {
    **{".csv": TableFormat.CSV, ".tsv": TableFormat.TSV, ".tab": TableFormat.TSV},
    **dict.fromkeys((".txt", ".text"), TableFormat.TXT),
    **dict.fromkeys((".jsonl", ".ndjson", ".jsonlines", ".json"), TableFormat.JSONL),
    **dict.fromkeys((".json-lines", ".json_lines"), TableFormat.JSONL),
    **dict.fromkeys((".parquet", ".pq"), TableFormat.PARQUET),
    **dict.fromkeys((".train", ".dev", ".test", ".all"), TableFormat.LABEL_LINES),
}
_PACKED = (".gz", ".gzip", ".zst", ".zstd")
_DELIMITERS = {
    TableFormat.CSV: ",;\t|",
    TableFormat.TSV: "\t",
    TableFormat.TXT: "\t,;|",
}


@dataclasses.dataclass(frozen=True)
class TableLayout:
    """What a table looks like before its rows are read.

    Attributes:
      format: how it is written down.
      columns: names of the columns; for JSON lines those of the first 100 rows.
      schema: Arrow types of a Parquet table, else None.
    """

    format: TableFormat
    columns: tuple[str, ...]
    schema: pa.Schema | None


@dataclasses.dataclass
class TableStream:
    """An open table: an iterator over its rows that knows its layout."""

    layout: TableLayout
    rows: Iterator[RawRow]

    def __iter__(self) -> Iterator[RawRow]:
        return self

    def __next__(self) -> RawRow:
        return next(self.rows)


def table_format(path: str | Path) -> TableFormat:
    """Format that a file's name says, compression aside.

    Raises:
      InputError: the name has no ending that we know.
    """
    suffixes = Path(str(path).lower()).suffixes
    while suffixes and suffixes[-1] in _PACKED:
        suffixes.pop()
    if not suffixes or suffixes[-1] not in _SUFFIXES:
        raise InputError(
            "The file's name does not say what it holds.",
            where=str(path),
            fix="Use one of: .csv .tsv .txt .jsonl .ndjson .parquet "
            "(text ones also with .gz or .zst after it); or .train .dev .test .all "
            "for lines that begin with a label.",
        )
    return _SUFFIXES[suffixes[-1]]


def expand_paths(path: str) -> list[Path]:
    """Files that ``path`` names: a file, a glob, or several joined by commas.

    Globs are sorted; a file named twice is read once. A name that exists as it stands
    is taken literally, commas and brackets included.

    Raises:
      InputError: a part names nothing, or a folder.
    """
    whole = Path(path).expanduser()
    parts = [path] if whole.exists() else path.split(",")
    found: dict[Path, None] = {}
    for part in (part.strip() for part in parts if part.strip()):
        name = Path(part).expanduser()
        names = [name] if name.exists() else _globbed(str(name))
        files = [one for one in names if one.is_file() or one.is_fifo()]
        if not files:
            raise _nothing_at(name)
        found.update(dict.fromkeys(files))
    if not found:
        raise InputError("No file is named.", fix="Set --config.data.path=FILE.")
    return list(found)


def _globbed(pattern: str) -> list[Path]:
    names = glob.glob(pattern, recursive=True)  # noqa: PTH207 - takes absolute ones
    return [Path(name) for name in sorted(names)]


def _nothing_at(name: Path) -> InputError:
    if name.is_dir():
        return InputError(
            "The path is a folder, not a file.",
            where=str(name),
            fix=f"Name a file or a glob, such as {name}/*.csv. {_listing(name)}",
        )
    folder = name.parent
    while not folder.is_dir() and folder != folder.parent:
        folder = folder.parent
    there = sorted(one.name for one in folder.iterdir())
    near = difflib.get_close_matches(name.name, there, n=3, cutoff=0.5)
    hint = f"Did you mean {' or '.join(near)}? " if near else ""
    return InputError(
        "No such file.", where=str(name), fix=f"{hint}{_listing(folder)}".strip()
    )


def _listing(folder: Path) -> str:
    names = sorted(one.name for one in folder.iterdir() if one.is_file())
    shown = ", ".join(names[:10]) + (", ..." if len(names) > 10 else "")
    return f"{folder} holds: {shown}." if names else f"{folder} holds no files."


@contextmanager
def _opened(path: Path) -> Iterator[BinaryIO]:
    try:
        stream = path.open("rb")
    except OSError as error:
        reason = error.strerror or str(error)
        raise InputError(f"Cannot open: {reason}.", where=str(path)) from error
    with stream:
        yield stream


def read_table(path: str | Path) -> Iterator[RawRow]:
    """Rows of one file, streamed; opened when the first row is asked for.

    Raises:
      InputError: unknown kind of file, no rows, no header, a damaged archive.
    """
    path = Path(path)
    format_ = table_format(path)
    with _opened(path) as stream:
        yield from _open(stream, str(path), format_, Lines.of_file)


def read_stream(binary_file: BinaryIO, format: TableFormat) -> TableStream:
    """Rows of a stream such as stdin; its header is read at once.

    A Parquet stream is first copied to a temporary file, because its index is its end.
    """
    return _open(binary_file, "stdin", format, Lines.of_pipe)


def table_layout(path: str | Path) -> TableLayout:
    """Format, columns and types of a file; reads no further than it must."""
    path = Path(path)
    with _opened(path) as stream:
        return _open(stream, str(path), table_format(path), Lines.of_file).layout


def read_tables(paths: Sequence[Path]) -> Iterator[RawRow]:
    """Rows of several files, one after the other; their columns must be the same.

    JSON lines may differ from row to row, so they are not compared.

    Raises:
      InputError: at once, when a file's columns are not those of the first.
    """
    layouts = [(path, table_layout(path)) for path in paths]
    fixed = [each for each in layouts if each[1].format is not TableFormat.JSONL]
    for path, layout in fixed[1:]:
        first = fixed[0][1].columns
        if set(layout.columns) != set(first):
            extra = sorted(set(layout.columns) - set(first))
            missing = sorted(set(first) - set(layout.columns))
            raise InputError(
                f"The tables have different columns: {path.name} lacks {missing} and "
                f"has {extra} beside those of {fixed[0][0].name}.",
                where=str(path),
                fix="Give them the same header, or read them in separate runs.",
            )
    return itertools.chain.from_iterable(read_table(path) for path in paths)


def _open(
    stream: BinaryIO,
    name: str,
    format_: TableFormat,
    open_lines: Callable[[BinaryIO, str], Lines],
) -> TableStream:
    if format_ is TableFormat.PARQUET:
        schema, rows = open_parquet(stream, name)
        return TableStream(TableLayout(format_, tuple(schema.names), schema), rows)
    lines = open_lines(stream, name)
    if format_ is TableFormat.JSONL:
        columns, rows = open_jsonl(lines)
    elif format_ is TableFormat.LABEL_LINES:
        columns, rows = open_label_lines(lines)
    else:
        columns, rows = open_csv(lines, _DELIMITERS[format_])
    rows = _not_empty(rows, lines)
    return TableStream(TableLayout(format_, columns, None), rows)


def _not_empty(rows: Iterator[RawRow], lines: Lines) -> Iterator[RawRow]:
    lines.announce()
    first = next(rows, None)
    if first is None:
        raise InputError(
            "The file has a header but no rows.",
            where=lines.name,
            fix="Give a file with at least one row.",
        )
    yield first
    yield from rows
