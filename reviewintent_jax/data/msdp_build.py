"""Stages 1 to 5 for cases: declared tables -> cases with sources, answers and split.

A case at a cut reads the events strictly before it; its answers come from the events
from the cut on::

    events of a subject    x   x      x  |      x          x
                                        cut     +-- next: days, value
                                         |<--- horizon --->|
    follow-up shorter than the horizon: the answer is unknown, not "no"
"""

import dataclasses
from typing import Any

import numpy as np

from reviewintent_jax.data.bazaar_members import simulate_members
from reviewintent_jax.data.checks import RejectionLog
from reviewintent_jax.data.msdp_cases import Cases, Targets, unknown_targets
from reviewintent_jax.data.msdp_features import intervals_of
from reviewintent_jax.data.msdp_places import (
    Places,
    cut_places,
    known_until,
    row_places,
)
from reviewintent_jax.data.msdp_schema import MsdpSchema
from reviewintent_jax.data.msdp_sources import sources_of
from reviewintent_jax.data.msdp_specs import CaseKind, moment_text
from reviewintent_jax.data.msdp_tables import (
    CaseColumns,
    Events,
    read_cases,
    read_events,
)
from reviewintent_jax.data.msdp_targets import targets_of
from reviewintent_jax.data.splits import SPLIT_NAMES, TEST
from reviewintent_jax.schema import InputError


def build_cases(schema: MsdpSchema, log: RejectionLog) -> Cases:
    """Reads the declared tables and makes their cases.

    Raises:
      InputError: see :mod:`~reviewintent_jax.data.msdp_tables`; a cut that lies outside
        the events; a date of a case after its cut; a split without a known answer.
    """
    columns, events = read_all(schema, log)
    places = _places(schema, columns, events)
    cases = finish_cases(schema, columns, events, places, log)
    _check_answers(schema, cases)
    return cases


def newest_cases(schema: MsdpSchema, log: RejectionLog) -> Cases:
    """Cases of whom nobody knows the answer yet: every subject after all its events.

    The moment is a second after the newest event (or each row's own time); the split
    is test for all.

    Raises:
      InputError: see :func:`build_cases`.
    """
    columns, events = read_all(schema, log, targets=False)
    if schema.cuts.dates:
        assert events is not None
        until = known_until(schema, events) + 1
        cuts = dataclasses.replace(schema.cuts, dates=(moment_text(until),))
        places = cut_places(
            dataclasses.replace(schema, cuts=cuts), columns, events, newest=until
        )
    else:
        places = _places(schema, columns, events)
    places = dataclasses.replace(
        places, split_n=np.full(len(places.subject_n), TEST, np.int8)
    )
    unknown = unknown_targets(len(places.subject_n))
    return finish_cases(schema, columns, events, places, log, unknown)


def read_all(
    schema: MsdpSchema, log: RejectionLog, *, targets: bool = True
) -> tuple[CaseColumns | None, Events | None]:
    """Both tables, where they are declared, with or without the columns of targets."""
    columns = None
    if schema.data.there:
        columns = read_cases(schema, log, targets=targets)
    return columns, read_events(schema, log) if schema.has_events else None


def _places(
    schema: MsdpSchema, columns: CaseColumns | None, events: Events | None
) -> Places:
    if schema.cuts.dates:
        assert events is not None
        return cut_places(schema, columns, events)
    assert columns is not None
    return row_places(schema, columns)


def finish_cases(
    schema: MsdpSchema,
    columns: CaseColumns | None,
    events: Events | None,
    places: Places,
    log: RejectionLog,
    targets: Targets | None = None,
) -> Cases:
    """Sources and answers of some places; ``targets`` in the place of the latter."""
    if targets is None:
        targets = targets_of(schema, columns, events, places)
    truth_n = np.full(len(places.subject_n), np.nan)
    if schema.data.kind is CaseKind.MEMBERS and columns is not None:
        truth_n = _truth(schema, columns)[places.row_n]
    cases = Cases(
        names=tuple(places.subjects[u] for u in places.subject_n),
        subject_n=places.subject_n.astype(np.int64),
        moment_n=places.moment_n.astype(np.int64),
        split_n=places.split_n.astype(np.int8),
        targets=targets,
        truth_n=truth_n,
        facts={},
        **sources_of(schema, columns, events, places),
    )
    return cases._replace(facts=_facts(schema, cases, places, log))


def _truth(schema: MsdpSchema, columns: CaseColumns) -> np.ndarray:
    """True probability of each row of the built-in members."""
    spec = schema.data
    members = simulate_members(spec.shop_rows, spec.shop_seed).cases
    of_line = [case["truth_buys"] for case in members]
    return np.array(of_line)[columns.line_n - 1]


def _check_answers(schema: MsdpSchema, cases: Cases) -> None:
    """Every split knows both answers, and a value and a time where they are asked."""
    for split, name in enumerate(SPLIT_NAMES):
        rows, targets = cases.rows(split), cases.targets
        lacks = ""
        if not len(rows):
            lacks = "a case"
        elif schema.targets.intent:
            intent = targets.intent_n[rows]
            lacks = "" if (intent == 1).any() else "a case whose answer is yes"
            lacks = lacks if (intent == 0).any() else "a case whose answer is no"
        if not lacks and schema.targets.value:
            known = np.isfinite(targets.value_n[rows]).any()
            lacks = "" if known else "a case whose value is known"
        if not lacks and schema.targets.time:
            lacks = _lacks_times(schema, cases, rows)
        if lacks:
            raise InputError(
                f"The {name} split has not {lacks}.",
                where=f"{len(rows):,} cases of {len(cases.names):,}",
                fix="Bring more rows, other cuts or other shares of the splits.",
            )


def _lacks_times(schema: MsdpSchema, cases: Cases, rows: np.ndarray) -> str:
    """What the hazard cannot be learned without, if the rows have none."""
    targets = cases.targets
    ends = np.array(schema.targets.interval_days)
    known = (targets.days_n[rows], targets.came_n[rows], targets.followed_n[rows])
    interval_n, inside_n = intervals_of(*known, ends)
    of = f"intervals of targets.interval_days that end within {_followed(known[2])}"
    if not inside_n.any():
        return f"a case whose event came in one of the {of}"
    return "" if (interval_n > 0).any() else f"a case that outlived one of the {of}"


def _followed(followed_n: np.ndarray) -> str:
    """For how long cases were followed at the most, in words."""
    most = float(np.max(followed_n, initial=0.0))
    return f"the {most:,.0f} days of follow-up" if np.isfinite(most) else "follow-up"


def _facts(
    schema: MsdpSchema, cases: Cases, places: Places, log: RejectionLog
) -> dict[str, Any]:
    """What was read, for people."""
    targets = cases.targets
    splits = {}
    for split, name in enumerate(SPLIT_NAMES):
        rows = cases.rows(split)
        moments = sorted({moment_text(m) for m in cases.moment_n[rows]})
        asked = targets.intent_n[rows]
        splits[name] = {
            "rows": len(rows),
            "subjects": len(np.unique(cases.subject_n[rows])),
            "from": moments[0] if moments else None,
            "to": moments[-1] if moments else None,
            "yes": int((asked == 1).sum()),
            "no": int((asked == 0).sum()),
            "unknown": int((asked < 0).sum()),
            "values": int(np.isfinite(targets.value_n[rows]).sum()),
            "times": int(np.isfinite(targets.days_n[rows]).sum()),
            "came": int(targets.came_n[rows].sum()),
        }
    events = cases.events
    return {
        "cases": len(cases.names),
        "events": 0 if events is None else len(events.time_e),
        "event_kinds": [] if events is None else list(events.kinds),
        "texts": len(cases.texts),
        "cuts": list(schema.cuts.dates),
        "splits": splits,
        "without": {
            "text": int((cases.text_nk < 0).all(axis=1).sum()),
            "behaviour": int((cases.first_n == cases.end_n).sum()),
        },
        "late": places.late,
        "set_aside": dict(log.counts),
    }
