"""Stage 5 for cases: who is asked about when, on which side of the split, and how long
each is followed.
"""

import dataclasses

import numpy as np

from reviewintent_jax.data.msdp_schema import MsdpSchema
from reviewintent_jax.data.msdp_specs import (
    DAY,
    FROM_EVENTS,
    moment_text,
)
from reviewintent_jax.data.msdp_tables import CaseColumns, Events
from reviewintent_jax.data.splits import TEST, TRAIN, VALIDATION
from reviewintent_jax.schema import InputError

_NEVER = np.iinfo(np.int64).max


@dataclasses.dataclass(frozen=True)
class Places:
    """Who is asked about when: one entry a case.

    Attributes:
      subjects: names; empty names where none is declared.
      subject_n: int64 index into ``subjects``.
      moment_n: int64 seconds.
      split_n: int8.
      row_n: int64, row of the table of cases; -1 = none.
      until_n: int64 seconds, end of follow-up; an event at it is still seen.
      late: cases whose first event lies at their cut or after it.
    """

    subjects: tuple[str, ...]
    subject_n: np.ndarray
    moment_n: np.ndarray
    split_n: np.ndarray
    row_n: np.ndarray
    until_n: np.ndarray
    late: int = 0


def _sides(subjects: int, schema: MsdpSchema) -> np.ndarray:
    """int8 split of every subject."""
    spec = schema.split
    order = np.random.default_rng(spec.seed).permutation(subjects)
    tested = round(spec.test_fraction * subjects)
    validated = round(spec.validation_fraction * (subjects - tested))
    split_u = np.full(subjects, TRAIN, np.int8)
    split_u[order[:tested]] = TEST
    split_u[order[tested : tested + validated]] = VALIDATION
    return split_u


def known_until(schema: MsdpSchema, events: Events) -> int:
    """The end of what is known of the events."""
    return int(events.time_e.max()) if schema.cuts.until is None else schema.cuts.until


def cut_places(
    schema: MsdpSchema,
    columns: CaseColumns | None,
    events: Events,
    *,
    newest: int | None = None,
) -> Places:
    """Every subject at the cuts of its side of the split.

    Args:
      schema: the declaration.
      columns: the table of cases, if there is one.
      events: all events.
      newest: in the place of the cuts: seconds since 1970 UTC; nothing after it need
        be known.

    Raises:
      InputError: a cut lies outside the events, or the horizon after it does; a
        subject has two rows.
    """
    until = known_until(schema, events)
    cuts: tuple[int, ...] = schema.cuts.seconds
    if newest is None:
        _check_cuts(schema, events, until)
    else:
        cuts = (newest,)
    subjects, row_of = _rows_of(events, columns)
    split_u = _sides(len(subjects), schema)
    first_u = np.full(len(subjects), _NEVER)
    np.minimum.at(first_u, events.subject_e, events.time_e)
    parts = []
    for c, cut in enumerate(cuts):
        last = c == len(cuts) - 1
        asked = (first_u < cut) | (row_of >= 0)
        if len(cuts) > 1:
            asked &= (split_u == TEST) == last
        u = np.flatnonzero(asked)
        # What happens at the test cut is an answer of test: nothing of it trains.
        follow = until if last else max(cuts) - 1
        parts.append((u, np.full(len(u), cut), np.full(len(u), follow)))
    subject_n, moment_n, until_n = (
        np.concatenate(each) for each in zip(*parts, strict=True)
    )
    first_n = first_u[subject_n]
    return Places(
        subjects=tuple(subjects),
        subject_n=subject_n,
        moment_n=moment_n,
        split_n=split_u[subject_n],
        row_n=row_of[subject_n],
        until_n=until_n,
        late=int(((first_n >= moment_n) & (first_n < _NEVER)).sum()),
    )


def _rows_of(
    events: Events, columns: CaseColumns | None
) -> tuple[list[str], np.ndarray]:
    """Subjects of the events, then those of rows alone; and the row of each, or -1.

    Raises:
      InputError: a subject has two rows.
    """
    subjects = list(events.subjects)
    rows = [-1] * len(subjects)
    number = {name: u for u, name in enumerate(subjects)}
    for row, name in enumerate(() if columns is None else columns.subject_n):
        u = number.setdefault(name, len(number))
        if u == len(subjects):
            subjects.append(name)
            rows.append(-1)
        if columns is not None and rows[u] >= 0:
            raise InputError(
                f"Subject {name!r} has two rows among the cases, which have cut dates "
                "and no time of their own.",
                where=f"lines {columns.line_n[rows[u]]} and {columns.line_n[row]}",
                fix="Give one row a subject, or name data.time.",
            )
        rows[u] = row
    return subjects, np.array(rows, np.int64)


def _check_cuts(schema: MsdpSchema, events: Events, until: int) -> None:
    """Refuses cuts with nothing before them, or too little after them."""
    cuts, horizon = schema.cuts.seconds, schema.targets.horizon_days
    oldest = int(events.time_e.min())
    for cut, date in zip(cuts, schema.cuts.dates, strict=True):
        if cut <= oldest or cut > until:
            raise InputError(
                f"The cut {date} does not lie within the events, which run from "
                f"{moment_text(oldest)} to {moment_text(until)}.",
                where="field cuts.dates",
            )
    asked = FROM_EVENTS in (schema.targets.intent, schema.targets.value)
    if asked and cuts[-1] + horizon * DAY > until + DAY:
        raise InputError(
            f"The {horizon} days after the cut {schema.cuts.dates[-1]} end after the "
            f"last event, {moment_text(until)}: who has not come yet may still come, "
            "so not one answer is known.",
            where="fields cuts.dates, targets.horizon_days",
            fix="Give an earlier cut or a shorter horizon.",
        )


def row_places(schema: MsdpSchema, columns: CaseColumns) -> Places:
    """Every row of the cases, at its own time; without a subject each row is one."""
    rows = len(columns.line_n)
    if columns.subject_n:
        names, subject_n = np.unique(columns.subject_n, return_inverse=True)
        subjects = tuple(map(str, names))
    else:
        subject_n = np.arange(rows)
        subjects = tuple(f"line {line}" for line in columns.line_n)
    timed = len(columns.time_n) > 0
    moment_n = columns.time_n if timed else np.zeros(rows, np.int64)
    return Places(
        subjects=subjects,
        subject_n=subject_n,
        moment_n=moment_n,
        split_n=_sides(len(subjects), schema)[subject_n],
        row_n=np.arange(rows),
        until_n=moment_n,
    )
