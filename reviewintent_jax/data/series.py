"""Numeric tables for forecasting: CSV, TSV, TXT, JSON lines or Parquet -> Series.

One row a time step, oldest first, one column a series; a column of dates is optional,
and so is a header. Nothing is repaired in silence: a forecast needs every value of
every step, so the first cell that is no finite number ends the reading with its file,
row and column.
"""

import csv
import dataclasses
import enum
import hashlib
import itertools
import math
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from reviewintent_jax.data.csv_rows import name_columns, sniff_delimiter
from reviewintent_jax.data.opening import Lines
from reviewintent_jax.data.series_cells import (
    cell_problem,
    date_problem,
    is_date,
    is_number,
    is_plain,
)
from reviewintent_jax.data.sources import check_columns
from reviewintent_jax.data.tables import (
    TableFormat,
    expand_paths,
    read_table,
    table_format,
    table_layout,
)
from reviewintent_jax.data.times import DateOrder, utc_seconds
from reviewintent_jax.schema import InputError

AUTO = "auto"
"""Value of ``SeriesSpec.time`` with which the column of dates is looked for."""

_DELIMITERS = {
    TableFormat.CSV: ",;\t|",
    TableFormat.TSV: "\t",
    TableFormat.TXT: ",\t;| ",
}
_SAMPLE_LINES = 20
_FEWEST_ROWS = 10  # of fewer, no rule is seen
_EPOCH = 10**7  # what is smaller is no time in seconds, nor YYYYMMDD
_CLOCKS = frozenset(
    {"date", "datetime", "day", "epoch", "id", "index", "month", "row", "rowid", "time"}
    | {"rownumber", "timestamp", "ts", "unix", "unixtime", "unnamed", "year"}
)


class Header(enum.StrEnum):
    """Whether the first row of a text table names the columns."""

    AUTO = "auto"  # it does if a cell of it is neither a number nor a date
    YES = "yes"
    NO = "no"  # columns are called column_1, column_2, ...


@dataclasses.dataclass(frozen=True)
class SeriesSpec:
    """Which table, and which of its columns are series.

    Attributes:
      path: a file, a glob, or several joined by commas, read one after the other.
      header: whether the first row names the columns (text tables).
      time: column of the dates; ``auto`` = the first column that holds dates, if any;
        empty = none, all columns are series.
      date_order: what comes first in dates such as 05/06/2014.
      columns: the series, in this order; empty = every column but the dates.
    """

    path: str
    header: Header
    time: str
    date_order: DateOrder
    columns: tuple[str, ...]

    def __post_init__(self) -> None:
        if not self.path.strip():
            raise InputError(
                "The table to read is not named.", fix="Set --config.data.path=FILE."
            )
        if len(set(self.columns)) != len(self.columns):
            raise InputError(
                "A series is named twice.", where="field data.columns", fix="Name once."
            )


@dataclasses.dataclass(frozen=True, eq=False)
class Series:
    """A numeric table.

    Attributes:
      file: where it was read from, for messages.
      names: [s], of the series, all different.
      value_ts: [t, s], float64, finite, in the table's units, oldest first.
      time_t: [t], int64 seconds since 1970 UTC, rising; None without dates.
    """

    file: str
    names: tuple[str, ...]
    value_ts: np.ndarray
    time_t: np.ndarray | None

    @property
    def step_seconds(self) -> int | None:
        """Usual time from one row to the next (the median); None without dates."""
        if self.time_t is None or len(self.time_t) < 2:
            return None
        return int(np.median(np.diff(self.time_t)))

    @property
    def irregular_steps(self) -> int:
        """Rows that do not follow the one before by the usual time."""
        if self.time_t is None:
            return 0
        return int((np.diff(self.time_t) != self.step_seconds).sum())

    def fingerprint(self) -> str:
        """Hash of names, values and dates: another value means other data."""
        digest = hashlib.sha256("\n".join(self.names).encode())
        digest.update(np.ascontiguousarray(self.value_ts).tobytes())
        if self.time_t is not None:
            digest.update(self.time_t.tobytes())
        return digest.hexdigest()

    def save(self, path: Path) -> None:
        """Writes the table as one ``.npz``, whole or not at all."""
        part = path.with_name(path.name + ".part.npz")
        arrays = {"names": np.array(self.names), "source": np.array(self.file)}
        arrays["value_ts"] = self.value_ts
        if self.time_t is not None:
            arrays["time_t"] = self.time_t
        np.savez(part, **arrays)  # type: ignore[arg-type]
        part.replace(path)

    @classmethod
    def load(cls, path: Path) -> "Series":
        """Reads what :meth:`save` wrote."""
        with np.load(path) as stored:
            names = tuple(str(name) for name in stored["names"])
            time_t = stored.get("time_t")
            return cls(str(stored["source"]), names, stored["value_ts"], time_t)


class _Row(NamedTuple):
    """One row as written, and its file and line (or, without lines, row from 1)."""

    where: str
    cells: Sequence[Any]


def read_series(spec: SeriesSpec) -> Series:
    """Reads the whole table.

    Raises:
      InputError: no such file or column; a cell that is missing, infinite or no number;
        a row with too few or too many cells; a date that is not understood, repeated or
        before the one above it; an index or a clock among series that are not named.
        File, row and column are named.
    """
    paths = expand_paths(spec.path)
    table: _Table | None = None
    for path in paths:
        columns, rows = _open(path, spec)
        for row in rows:
            if table is None:
                table = _Table(spec, columns, row, str(path))
            elif columns != table.columns:
                raise InputError(
                    f"Its columns are {', '.join(columns)}, those of {paths[0].name} "
                    f"are {', '.join(table.columns)}.",
                    where=str(path),
                    fix="Give all files the same columns in the same order.",
                )
            table.add(row)
    if table is None:
        raise InputError("The table has no rows.", where=spec.path)
    return table.finish(", ".join(str(path) for path in paths))


class _Table:
    """Rows on their way to a :class:`Series`."""

    def __init__(
        self, spec: SeriesSpec, columns: tuple[str, ...], first: _Row, file: str
    ) -> None:
        self.columns = columns
        named = {} if spec.time in ("", AUTO) else {"time": spec.time}
        check_columns(named, columns, file)
        for name in spec.columns:
            check_columns({"columns": name}, columns, file)
        time = spec.time
        if time == AUTO:
            cells = zip(columns, first.cells, strict=False)
            dates = (n for n, cell in cells if is_date(cell, spec.date_order))
            time = next(dates, "")
        self.names = spec.columns or tuple(name for name in columns if name != time)
        if not self.names or time in self.names:
            raise InputError(
                "No series is left beside the column of dates."
                if not self.names
                else f"Column {time!r} is both the dates and a series.",
                where=file,
                fix="Name the series with --config.data.columns=, the dates with "
                "--config.data.time=.",
            )
        self._chosen = bool(spec.columns)
        self._time, self._order = time, spec.date_order
        self._place = [columns.index(name) for name in self.names]
        self._time_place = columns.index(time) if time else -1
        self._values: list[np.ndarray] = []
        self._times: list[int] = []
        self._last: Any = None

    def add(self, row: _Row) -> None:
        """Takes one row."""
        if len(row.cells) != len(self.columns):
            raise InputError(
                f"The row has {len(row.cells)} cells, the table {len(self.columns)} "
                "columns.",
                where=row.where,
                fix="Repair or remove the row.",
            )
        cells = [row.cells[place] for place in self._place]
        try:
            values = [float(cell) for cell in cells]
            fine = all(map(math.isfinite, values))
        except (TypeError, ValueError):
            values, fine = [], False
        # Python reads 1_000 as a number; a table that holds it means something else.
        if not fine or any(
            isinstance(c, bool | str) and not is_plain(c) for c in cells
        ):
            raise self._refusal(row, cells)
        self._values.append(np.array(values))
        if self._time:
            self._add_time(row)

    def _add_time(self, row: _Row) -> None:
        cell = row.cells[self._time_place]
        where = f"{row.where}, column {self._time}"
        try:
            time = utc_seconds(cell, self._order)
        except ValueError:
            what, fix = date_problem(cell, self._order)
            raise InputError(what, where=where, fix=fix) from None
        if self._times and time <= self._times[-1]:
            same = time == self._times[-1]
            raise InputError(
                f"The date {cell!s} is there twice."
                if same
                else f"The dates go backwards: {cell!s} comes after {self._last!s}.",
                where=where,
                fix="Keep one row for each date."
                if same
                else "Sort the table by date, oldest first.",
            )
        self._times.append(time)
        self._last = cell

    def _refusal(self, row: _Row, cells: Sequence[Any]) -> InputError:
        for name, cell in zip(self.names, cells, strict=True):
            problem = cell_problem(cell, name, self._order)
            if problem:
                what, fix = problem
                where = f"{row.where}, column {name}"
                return InputError(what, where=where, fix=fix)
        raise AssertionError("a row was refused without a reason")

    def finish(self, file: str) -> Series:
        """All rows as arrays."""
        time_t = np.array(self._times, np.int64) if self._time else None
        value_ts = np.stack(self._values)
        if not self._chosen:
            _refuse_clock(self.names, value_ts, file)
        return Series(file, self.names, value_ts, time_t)


def _refuse_clock(names: Sequence[str], value_ts: np.ndarray, file: str) -> None:
    """Refuses a column that counts rows or time; its forecast would flatter all scores.

    It rises by one step from each row to the next, or is called so and never falls.
    """
    if len(value_ts) < _FEWEST_ROWS:
        return
    step_ts = np.diff(value_ts, axis=0)
    for s, name in enumerate(names):
        step_t, value_t = step_ts[:, s], value_ts[:, s]
        even = step_t[0] > 0 and np.allclose(step_t, step_t[0], rtol=1e-6, atol=0)
        called = re.sub(r"[\W\d_]+", "", name.lower()) in _CLOCKS
        rises = (step_t >= 0).all() and (step_t > 0).any()
        if not even and not (called and rises and (value_t % 1 == 0).all()):
            continue
        others = tuple(each for each in names if each != name) or names
        how = f"by {step_t[0]:g} in every row" if even else "and never falls"
        dates = f" If it holds dates, set --config.data.time={name}."
        raise InputError(
            f"Column {name!r} rises {how}: it looks like an index or a clock, not like "
            "a series.",
            where=file,
            fix=f"Name the series to forecast, without it (or with it, to keep it): "
            f'--config.data.columns="{tuple(others)}".'
            + dates
            * bool(value_t.min() >= _EPOCH),
        )


def _open(path: Path, spec: SeriesSpec) -> tuple[tuple[str, ...], Iterator[_Row]]:
    """Columns and rows of one file."""
    format_ = table_format(path)
    if format_ in _DELIMITERS:
        return _open_text(path, spec, _DELIMITERS[format_])
    columns = table_layout(path).columns
    return columns, _rows_of_fields(path, columns)


def _rows_of_fields(path: Path, columns: tuple[str, ...]) -> Iterator[_Row]:
    for row in read_table(path):
        where = f"{row.file}, row {row.line}"
        if row.problem:
            raise InputError(f"The row cannot be read: {row.problem}.", where=where)
        cells = [row.fields.get(name) for name in columns]
        yield _Row(where, cells)


def _open_text(
    path: Path, spec: SeriesSpec, delimiters: str
) -> tuple[tuple[str, ...], Iterator[_Row]]:
    """Own reading of delimited text, since those readers take every header for one."""
    rows = _text_rows(path, delimiters)
    first = next(rows, None)
    if first is None:
        raise InputError("The file is empty.", where=str(path))

    def value(cell: str) -> bool:
        return not cell or is_number(cell) or is_date(cell, spec.date_order)

    named = spec.header is Header.AUTO and not all(map(value, first.cells))
    if named or spec.header is Header.YES:
        return tuple(name_columns(first.cells)), rows
    columns = tuple(f"column_{at}" for at in range(1, len(first.cells) + 1))
    return columns, itertools.chain([first], rows)


def _text_rows(path: Path, delimiters: str) -> Iterator[_Row]:
    """Records of delimited text; blank lines are no rows."""
    with path.open("rb") as stream:
        lines = Lines.of_file(stream, str(path))
        lines.announce()
        sample = list(itertools.islice(lines, _SAMPLE_LINES))
        lines.give_back(sample)
        delimiter = sniff_delimiter(sample, delimiters) if sample else ","
        reader = csv.reader(lines, delimiter=delimiter, skipinitialspace=True)
        while True:
            lines.begin_record()
            where = f"{path}, line {lines.number + 1}"
            try:
                cells = next(reader)
            except StopIteration:
                return
            except csv.Error as error:
                raise InputError(f"Cannot be read: {error}.", where=where) from error
            cells = [cell.strip() for cell in cells]
            if cells and cells != [""]:
                yield _Row(where, cells)
