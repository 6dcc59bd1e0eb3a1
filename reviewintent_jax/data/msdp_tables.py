"""Stages 1 and 2 for cases and events: declared columns of files -> arrays.

Rows without subject or time go to the log of rejected rows with their reason. A column
that is not what it is declared to be (text among numbers, free text among categories)
is refused by name.
"""

import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from reviewintent_jax.data.bazaar_members import (
    MEMBER_COLUMNS,
    MEMBER_EVENT_COLUMNS,
    simulate_members,
)
from reviewintent_jax.data.checks import RejectionLog, join_title, plain_value
from reviewintent_jax.data.headerless_rows import read_headerless
from reviewintent_jax.data.msdp_columns import (
    column_numbers,
    dates_reader,
    refuse_free_text,
    refuse_plain_numbers,
)
from reviewintent_jax.data.msdp_schema import MsdpSchema
from reviewintent_jax.data.msdp_specs import (
    CaseKind,
    CaseSpec,
    EventSpec,
)
from reviewintent_jax.data.progress import Progress
from reviewintent_jax.data.sources import check_columns
from reviewintent_jax.data.tables import expand_paths, read_tables, table_layout
from reviewintent_jax.data.times import (
    ORDER_UNKNOWN,
    DateOrder,
    UnclearOrderError,
    utc_seconds,
)
from reviewintent_jax.schema import InputError, RawRow, Rejected

TOO_LATE = "after cuts.known_until"
PURCHASE, RETURN = "purchase", "return"


class Events(NamedTuple):
    """Events of all subjects, by subject and time.

    Attributes:
      subjects: [u], names; ``subject_e`` indexes them.
      kinds, items: distinct names; ``kind_e`` and ``item_e`` index them.
      subject_e, time_e: int64; seconds since 1970 UTC.
      kind_e, item_e: int32; -1 where there is no item.
      value_e: float64, NaN where there is none.
      text_e: int64, index into ``texts``; -1 where there is none.
      texts: distinct texts.
    """

    subjects: tuple[str, ...]
    kinds: tuple[str, ...]
    items: tuple[str, ...]
    subject_e: np.ndarray
    time_e: np.ndarray
    kind_e: np.ndarray
    item_e: np.ndarray
    value_e: np.ndarray
    text_e: np.ndarray
    texts: tuple[str, ...]


class CaseColumns(NamedTuple):
    """The declared columns of the table of cases, a list or array a column.

    Attributes:
      line_n: int64, line of the file.
      subject_n: names; empty where no subject is declared.
      time_n: int64 seconds, empty where no time is declared.
      text_n: joined texts; '' where there is none.
      categories, numbers, dates: column -> names, float64 (NaN = missing), float64
        seconds (NaN = missing).
      raw: column -> values as plain strings, of the targets.
      moments: column -> float64 seconds, of the targets that are dates.
    """

    line_n: np.ndarray
    subject_n: list[str]
    time_n: np.ndarray
    text_n: list[str]
    categories: dict[str, list[str]]
    numbers: dict[str, np.ndarray]
    dates: dict[str, np.ndarray]
    raw: dict[str, list[str]]
    moments: dict[str, np.ndarray]


def read_events(schema: MsdpSchema, log: RejectionLog) -> Events:
    """All events, in order of subject and time; lines of one order are one event.

    Raises:
      InputError: a column is missing or not of its type, or no row can be used.
    """
    spec, order = schema.events, schema.data.date_order
    rows = _open(schema, spec, spec.named_columns, MEMBER_EVENT_COLUMNS, "events")
    last = np.inf if schema.cuts.until is None else schema.cuts.until
    held: dict[str, list] = {name: [] for name in _EVENT_COLUMNS}
    first = ""
    files: dict[str, int] = {}
    for row, raw in enumerate(rows):
        place = _place(raw, row, spec.subject, spec.time, order)
        if not isinstance(place, Rejected) and place[1] > last:
            said = str(raw.fields.get(spec.time))
            place = Rejected(row, raw.file, raw.line, spec.time, TOO_LATE, said)
        if isinstance(place, Rejected):
            log.add(place)
            continue
        subject, moment = place
        fields = raw.fields
        for name in ("order", "kind", "item"):
            held[name].append(plain_value(fields.get(getattr(spec, name))))
        for name in ("value", "quantity"):
            held[name].append(plain_value(fields.get(getattr(spec, name))))
        held["text"].append(_joined(fields, spec.texts))
        held["subject"].append(subject)
        held["time"].append(moment)
        first = first or plain_value(fields.get(spec.time))
        files.setdefault(raw.file, 0)
    where = ", ".join(files) or spec.path
    if not held["subject"]:
        raise InputError(
            f"Not one event could be used: {dict(log.counts)}.",
            where=spec.path,
            fix="Check events.subject and events.time.",
        )
    refuse_plain_numbers(held["time"], first, spec.time, "events.time", where)
    for name in ("value", "quantity"):
        column = getattr(spec, name)
        held[name] = column_numbers(
            held[name], column, f"events.{name}", where
        ).tolist()
    return _events(pd.DataFrame(held), spec)


_EVENT_COLUMNS = (
    *("subject", "time", "order", "kind", "item", "value", "quantity", "text"),
)


def _events(table: pd.DataFrame, spec: EventSpec) -> Events:
    """Lines -> events: values times quantities, summed over the lines of an order."""
    if spec.quantity:
        table["value"] = table["value"] * table["quantity"]
    table["subject"], subjects = pd.factorize(table["subject"])
    if spec.order:
        table = _one_an_order(table)
    if not spec.kind:
        negative = table["value"].to_numpy(np.float64) < 0
        table["kind"] = np.where(negative, RETURN, PURCHASE)
    table = table.sort_values(["subject", "time"], kind="stable")
    kind_e, kinds = pd.factorize(table["kind"], sort=True)
    item_e, items = pd.factorize(table["item"].replace("", None))
    text_e, texts = pd.factorize(table["text"].replace("", None))
    return Events(
        subjects=tuple(map(str, subjects)),
        kinds=tuple(map(str, kinds)),
        items=tuple(map(str, items)),
        subject_e=table["subject"].to_numpy(np.int64),
        time_e=table["time"].to_numpy(np.int64),
        kind_e=kind_e.astype(np.int32),
        item_e=item_e.astype(np.int32),
        value_e=table["value"].to_numpy(np.float64),
        text_e=text_e.astype(np.int64),
        texts=tuple(map(str, texts)),
    )


def _one_an_order(table: pd.DataFrame) -> pd.DataFrame:
    """One row for each order of a subject: its earliest time, its largest item."""
    largest = table.sort_values("value", ascending=False, kind="stable")
    keys = ["subject", "order"]
    first = largest.groupby(keys, sort=False)[["item", "kind", "text"]].first()
    sums = table.groupby(keys, sort=False).agg({"value": "sum", "time": "min"})
    return first.join(sums).reset_index()


def read_cases(
    schema: MsdpSchema, log: RejectionLog, *, targets: bool = True
) -> CaseColumns:
    """The declared columns of the table of cases, in the order of the source.

    Args:
      schema: the declaration.
      log: takes rows without subject or time.
      targets: whether the columns of the targets are read, and must be there.

    Raises:
      InputError: a column is missing or not of its type, or no row can be used.
    """
    spec, answers = schema.data, schema.targets.named_columns if targets else []
    named = [*spec.named_columns, *answers]
    rows = _open(schema, spec, named, MEMBER_COLUMNS, "data")
    names = dict.fromkeys(column for _, column in named)
    held: dict[str, list] = {name: [] for name in names}
    texts: list[str] = []
    lines: list[int] = []
    place_n: list[tuple[str, int]] = []
    where = spec.path or spec.kind.value
    for row, raw in enumerate(rows):
        place = _place(raw, row, spec.subject, spec.time, spec.date_order)
        if isinstance(place, Rejected):
            log.add(place)
            continue
        place_n.append(place)
        lines.append(raw.line)
        texts.append(_joined(raw.fields, spec.texts))
        for name, column in held.items():
            column.append(plain_value(raw.fields.get(name)))
    if not lines:
        raise InputError(
            f"Not one case could be used: {dict(log.counts)}.",
            where=where,
            fix="Check data.subject and data.time.",
        )
    moments = [moment for _, moment in place_n]
    first = held[spec.time][0] if spec.time else ""
    refuse_plain_numbers(moments, first, spec.time, "data.time", where)
    for column in spec.categories:
        refuse_free_text(column, held[column], where)
    date_of = dates_reader(spec.date_order, where)
    times = "targets.time", "targets.followed_until"
    timed = [(field, column) for field, column in answers if field in times]
    return CaseColumns(
        line_n=np.array(lines, np.int64),
        subject_n=[subject for subject, _ in place_n] if spec.subject else [],
        time_n=np.array(moments if spec.time else [], np.int64),
        text_n=texts if spec.texts else [],
        categories={column: held[column] for column in spec.categories},
        numbers={
            column: column_numbers(held[column], column, "data.numbers", where)
            for column in spec.numbers
        },
        dates={c: date_of(held[c], c, "data.dates") for c in spec.dates},
        raw={column: held[column] for _, column in answers},
        moments={c: date_of(held[c], c, field) for field, c in timed},
    )


def _open(
    schema: MsdpSchema,
    spec: CaseSpec | EventSpec,
    named: list[tuple[str, str]],
    member_columns: tuple[str, ...],
    group: str,
) -> Iterator[RawRow]:
    """Rows of a table whose named columns are there."""
    if schema.data.kind is CaseKind.MEMBERS:
        for field, column in named:
            check_columns({field: column}, member_columns, "the built-in members")
        size, seed = schema.data.shop_rows, schema.data.shop_seed
        members = simulate_members(size, seed)
        rows = members.events if group == "events" else members.cases
        file = f"members:{seed}"
        return (RawRow(file, line, fields) for line, fields in enumerate(rows, 1))
    try:
        paths = expand_paths(spec.path)
    except InputError as error:
        fix = error.fix.replace("data.path", f"{group}.path")
        raise InputError(error.what, where=error.where, fix=fix) from None
    for path in paths:
        columns = spec.header or table_layout(path).columns
        for field, column in named:
            check_columns({field: column}, columns, str(path))
    what = "Reading events" if group == "events" else "Reading cases"
    return _counted(_rows(paths, spec.header), what)


def _rows(paths: list[Path], header: tuple[str, ...]) -> Iterator[RawRow]:
    if header:
        return itertools.chain.from_iterable(read_headerless(p, header) for p in paths)
    return read_tables(paths)


def _counted(rows: Iterator[RawRow], what: str) -> Iterator[RawRow]:
    with Progress(what) as bar:
        for row in rows:
            bar.update(1)
            yield row


def _place(
    raw: RawRow, row: int, subject: str, time: str, order: DateOrder
) -> tuple[str, int] | Rejected:
    """Subject and time of a row, or why it has none; unnamed ones are '' and 0."""

    def rejected(column: str, reason: str, value: Any) -> Rejected:
        shown = "" if value is None else str(value)
        return Rejected(row, raw.file, raw.line, column, reason, shown)

    if raw.problem:
        return rejected("", raw.problem, raw.raw or dict(raw.fields))
    name = plain_value(raw.fields.get(subject)) if subject else ""
    if subject and not name:
        return rejected(subject, "no subject", raw.fields.get(subject))
    if not time:
        return name, 0
    written = raw.fields.get(time)
    if not plain_value(written):
        return rejected(time, "no time", written)
    try:
        return name, utc_seconds(written, order)
    except UnclearOrderError:
        return rejected(time, ORDER_UNKNOWN, written)
    except ValueError:
        return rejected(time, "time not understood", written)


def _joined(fields: Any, columns: tuple[str, ...]) -> str:
    """The texts of some columns as one; those of the front are titles."""
    text = ""
    for column in reversed(columns):
        part = plain_value(fields.get(column))
        text = join_title(part, text) if text else part
    return text
