"""A review table -> what its rows say of groups over time; stages 1 and 2 of a panel.

In: a table (or the built-in shop) and the names of its columns. Out:
:class:`PanelRows`, 56 bytes a review, since texts are not read. A row that
cannot be placed (no group, no time) is set aside with its reason; an answer that cannot
be read is set aside alone, since the review was still written.
"""

import dataclasses
import time
from array import array
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from reviewintent_jax.data.checks import RejectionLog, label_value, plain_value
from reviewintent_jax.data.events import EARLIEST
from reviewintent_jax.data.intention import DAY
from reviewintent_jax.data.labels import LabelKind, LabelMap
from reviewintent_jax.data.periods import Period
from reviewintent_jax.data.progress import Progress
from reviewintent_jax.data.sources import (
    SourceKind,
    SourceSpec,
    check_columns,
    read_rows,
    source_columns,
)
from reviewintent_jax.data.times import (
    ORDER_UNKNOWN,
    SET_ORDER,
    DateOrder,
    UnclearOrderError,
    utc_seconds,
)
from reviewintent_jax.schema import InputError, RawRow, Rejected

MAX_ANSWERS = 1000
"""Different values of a column of answers; more are free text."""

FLAGS = LabelMap(LabelKind.BINARY, ("no", "yes"), {}, {}, {}, ())
"""What the column ``recommending`` holds: 0/1, true/false, yes/no."""


@dataclasses.dataclass(frozen=True)
class PanelSpec:
    """Which reviews, and which of their columns say what.

    Attributes:
      kind: ``table``, or ``shop`` for the built-in one.
      path: for tables: a file, a glob, or several joined by commas; else empty.
      time: column of the review's time.
      date_order: what comes first in dates such as 05/06/2014.
      group: column whose values are watched over time (product, business, category);
        empty = all reviews are one group.
      positive: column with stars, 0/1 or class names, such as ``predicted`` that
        ``launch.predict`` writes; empty = no such measure.
      positive_class: the class of ``labels`` that counts as positive.
      recommending: column with 0/1, true/false or yes/no: would recommend; empty = no
        such measure.
      period: what reviews are counted by, UTC; weeks start on Monday.
      shop_rows, shop_seed: of the built-in shop.
    """

    kind: SourceKind
    path: str
    time: str
    date_order: DateOrder
    group: str
    positive: str
    positive_class: str
    recommending: str
    period: Period
    shop_rows: int
    shop_seed: int

    def __post_init__(self) -> None:
        if self.kind is SourceKind.TFDS:
            raise InputError(
                "Reviews over time are read from table or shop, not from tfds.",
                where="field data.kind",
                fix="Set --config.data.kind=table and --config.data.path=FILE.",
            )
        if not self.time:
            raise InputError(
                "The column of the time is not named.",
                where="field data.time",
                fix="Set --config.data.time=COLUMN.",
            )
        self.source()

    def source(self) -> SourceSpec:
        """Where rows come from; no text is asked of them."""
        return SourceSpec(
            kind=self.kind,
            path=self.path,
            text=self.time,
            time=self.time,
            date_order=self.date_order,
            **dict.fromkeys(("title", "label", "group", "split", "slice"), ""),
            **dict.fromkeys(("tfds_name", "tfds_folder"), ""),
            shop_rows=self.shop_rows,
            shop_seed=self.shop_seed,
        )

    @property
    def named_columns(self) -> dict[str, str]:
        """Field of this spec -> column, for those that are not empty."""
        fields = ("time", "group", "positive", "recommending")
        named = {field: getattr(self, field) for field in fields}
        return {field: column for field, column in named.items() if column}


class PanelRows(NamedTuple):
    """What every usable row says, in the order of the source.

    Attributes:
      rows: rows read, those set aside included.
      files, groups: distinct names; ``file_n`` and ``group_n`` index them.
      positive, recommending: distinct answers as written; empty where none. Their
        codes ``positive_n`` and ``recommending_n`` index them.
      row_n, line_n: int64 position in the source, and line of the file.
      time_n: int64 seconds since 1970 UTC.
    """

    rows: int
    files: tuple[str, ...]
    groups: tuple[str, ...]
    positive: tuple[str, ...]
    recommending: tuple[str, ...]
    row_n: np.ndarray
    line_n: np.ndarray
    file_n: np.ndarray
    group_n: np.ndarray
    time_n: np.ndarray
    positive_n: np.ndarray
    recommending_n: np.ndarray

    def refuse(self, i: int, log: RejectionLog, field: str, reason: str, value: str):
        """Records what was set aside of row ``i``."""
        file = self.files[self.file_n[i]]
        row, line = int(self.row_n[i]), int(self.line_n[i])
        log.add(Rejected(row, file, line, field, reason, value))


class _Place(NamedTuple):
    """Where and when a review counts."""

    group: str
    time: int


_COLUMNS = ("row", "line", "file", "group", "time", "positive", "recommending")


def read_panel_rows(spec: PanelSpec, log: RejectionLog) -> PanelRows:
    """Reads all rows; those that cannot be placed go to ``log``.

    Raises:
      InputError: a named column or the source does not exist, no row can be used, or a
        column of answers holds free text.
    """
    coded = {name: {} for name in ("file", "group", "positive", "recommending")}
    column = {name: array("q") for name in _COLUMNS}
    rows, now = 0, int(time.time())
    with Progress("Reading reviews") as bar:
        for rows, raw in enumerate(_open(spec), 1):
            bar.update(1)
            place = place_row(raw, rows - 1, spec, now)
            if isinstance(place, Rejected):
                log.add(place)
                continue
            texts = {"file": raw.file, "group": place.group}
            for name in ("positive", "recommending"):
                texts[name] = label_value(raw.fields.get(getattr(spec, name)))
            numbers = {"row": rows - 1, "line": raw.line, "time": place.time}
            for name, text in texts.items():
                numbers[name] = coded[name].setdefault(text, len(coded[name]))
            for name, number in numbers.items():
                column[name].append(number)
            _refuse_free_text(spec, coded, raw)
    if not column["row"]:
        reasons = "; ".join(f"{r} ({n:,})" for r, n in log.counts.most_common(5))
        raise InputError(
            f"None of the {rows:,} rows could be used: {reasons}.",
            where=spec.path or spec.kind.value,
            fix=SET_ORDER
            if ORDER_UNKNOWN in log.counts
            else "Check the names of the columns, data.time above all.",
        )
    arrays = {f"{name}_n": np.array(values) for name, values in column.items()}
    return PanelRows(
        rows=rows,
        files=tuple(coded["file"]),
        groups=tuple(coded["group"]),
        positive=tuple(coded["positive"]),
        recommending=tuple(coded["recommending"]),
        **arrays,
    )


def _open(spec: PanelSpec) -> Iterator[RawRow]:
    source = spec.source()
    where = spec.path or spec.kind.value
    check_columns(spec.named_columns, source_columns(source), where)
    return read_rows(source)


def place_row(raw: RawRow, row: int, spec: PanelSpec, now: int) -> _Place | Rejected:
    """Group and time of a row, or why it has none.

    Reasons: what the reader found wrong with the row; "no group"; "no time"; "time not
    understood", alone or with the setting that would say its order; "dated before
    1990"; "dated in the future".

    Args:
      raw: the row.
      row: its position in the source, from 0.
      spec: which columns matter.
      now: seconds since 1970 UTC; from a day later on, a date is in the future.
    """

    def rejected(column: str, reason: str, value: Any) -> Rejected:
        shown = "" if value is None else str(value)
        return Rejected(row, raw.file, raw.line, column, reason, shown)

    if raw.problem:
        return rejected("", raw.problem, raw.raw or dict(raw.fields))
    group = plain_value(raw.fields.get(spec.group)) if spec.group else ""
    if spec.group and not group:
        return rejected(spec.group, "no group", raw.fields.get(spec.group))
    written = raw.fields.get(spec.time)
    if not plain_value(written):
        return rejected(spec.time, "no time", written)
    try:
        moment = utc_seconds(written, spec.date_order)
    except UnclearOrderError:
        return rejected(spec.time, ORDER_UNKNOWN, written)
    except ValueError:
        return rejected(spec.time, "time not understood", written)
    if moment < EARLIEST:
        return rejected(spec.time, "dated before 1990", written)
    if moment > now + DAY:
        return rejected(spec.time, "dated in the future", written)
    return _Place(group, moment)


def _refuse_free_text(spec: PanelSpec, coded: dict[str, dict], raw: RawRow) -> None:
    for name in ("positive", "recommending"):
        if len(coded[name]) > MAX_ANSWERS:
            raise InputError(
                f"Column {getattr(spec, name)!r} (named as data.{name}) holds more "
                f"than {MAX_ANSWERS:,} different values: free text, or an id.",
                where=f"{raw.file}, up to line {raw.line}",
                fix="Name a column of stars, 0/1 or class names. For texts, score them "
                "first with launch.predict and name its column predicted.",
            )
