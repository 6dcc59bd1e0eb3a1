"""Stage 4 for cases: what came of each of them, and what nobody knows yet."""

import numpy as np

from reviewintent_jax.data.msdp_cases import Targets, unknown_targets
from reviewintent_jax.data.msdp_columns import column_numbers
from reviewintent_jax.data.msdp_places import Places
from reviewintent_jax.data.msdp_schema import MsdpSchema
from reviewintent_jax.data.msdp_sources import event_ranges
from reviewintent_jax.data.msdp_specs import DAY, FROM_EVENTS
from reviewintent_jax.data.msdp_tables import CaseColumns, Events
from reviewintent_jax.schema import NO_LABEL, InputError


def targets_of(
    schema: MsdpSchema,
    columns: CaseColumns | None,
    events: Events | None,
    places: Places,
) -> Targets:
    """Answers of all cases.

    Raises:
      InputError: a column of a target holds no usable answer.
    """
    spec, count = schema.targets, len(places.subject_n)
    found = unknown_targets(count)
    if spec.of_events and events is not None:
        found = _of_events(schema, events, places)
    if columns is None:
        return found
    if spec.intent not in ("", FROM_EVENTS):
        found = found._replace(intent_n=_stated(schema, columns)[places.row_n])
    if spec.value not in ("", FROM_EVENTS):
        where = schema.data.path
        value_r = column_numbers(
            columns.raw[spec.value], spec.value, "targets.value", where
        )
        if np.nanmin(value_r, initial=0.0) < 0:
            raise InputError(
                f"Column {spec.value!r} (named as targets.value) holds values below 0, "
                "whose logarithm cannot be learned.",
                where=where,
            )
        found = found._replace(value_n=value_r[places.row_n])
    if spec.time not in ("", FROM_EVENTS):
        days_r, came_r, followed_r = _waited(schema, columns)
        row_n = places.row_n
        found = found._replace(
            days_n=days_r[row_n], came_n=came_r[row_n], followed_n=followed_r[row_n]
        )
    return found


def _of_events(schema: MsdpSchema, events: Events, places: Places) -> Targets:
    """What the next event of a wanted kind says; until nobody knows further."""
    spec, until_n = schema.targets, places.until_n
    wanted = [
        k
        for k, name in enumerate(events.kinds)
        if not schema.events.targets or name in schema.events.targets
    ]
    missing = sorted(set(schema.events.targets) - set(events.kinds))
    if missing:
        raise InputError(
            f"There is no event of kind {missing[0]!r} (named in events.targets).",
            where=schema.events.path,
            fix=f"The kinds are: {', '.join(events.kinds[:20])}.",
        )
    wanted_e = np.isin(events.kind_e, wanted)
    _, end_n = event_ranges(events, places)
    next_e = _next_wanted(events, wanted_e)
    # The next event of the same subject; whoever has none waits beyond the table.
    padded_e = np.append(next_e, -1)
    owner_e = np.append(events.subject_e, -1)
    number = {name: u for u, name in enumerate(events.subjects)}
    own_n = np.array([number.get(places.subjects[u], -2) for u in places.subject_n])
    at_n = np.where(owner_e[end_n] == own_n, padded_e[end_n], -1)
    came_n = at_n >= 0
    time_n = events.time_e[at_n]
    came_n &= time_n <= until_n
    days_n = np.where(came_n, time_n, until_n) - places.moment_n
    days_n = days_n / DAY
    followed_n = (until_n - places.moment_n) / DAY
    soon_n = came_n & (days_n <= spec.horizon_days)
    # Known alone where all were followed for the whole horizon (to the day): who came
    # early among the others would be counted, and who did not would not.
    known_n = followed_n + 1 >= spec.horizon_days
    intent_n = np.where(known_n, soon_n.astype(np.int32), NO_LABEL)
    value_n = np.where(soon_n & known_n, np.maximum(events.value_e[at_n], 0), np.nan)
    empty = np.full(len(at_n), np.nan)
    return Targets(
        intent_n.astype(np.int32)
        if spec.intent == FROM_EVENTS
        else np.full(len(at_n), NO_LABEL, np.int32),
        value_n if spec.value == FROM_EVENTS else empty,
        days_n if spec.time == FROM_EVENTS else empty.copy(),
        came_n if spec.time == FROM_EVENTS else np.zeros(len(at_n), bool),
        followed_n,
    )


def _next_wanted(events: Events, wanted_e: np.ndarray) -> np.ndarray:
    """The first wanted event from each one on, of the same subject; -1 = none.

    Example: wanted ``. x . . x`` of one subject -> ``1 1 4 4 4``.
    """
    count = len(wanted_e)
    index = np.where(wanted_e, np.arange(count), count)
    following = np.minimum.accumulate(index[::-1])[::-1]
    safe = np.minimum(following, count - 1)
    same = (following < count) & (events.subject_e[safe] == events.subject_e)
    return np.where(same, following, -1)


def _stated(schema: MsdpSchema, columns: CaseColumns) -> np.ndarray:
    """int32 answers of the column of the intent; empty cells are unknown."""
    spec = schema.targets
    raw = np.array(columns.raw[spec.intent], object)
    yes = np.isin(raw, list(spec.positive))
    never = [value for value in spec.positive if value not in set(raw.tolist())]
    if never:
        seen = ", ".join(map(str, sorted({*raw.tolist()})[:10]))
        raise InputError(
            f"Column {spec.intent!r} (named as targets.intent) never holds "
            f"{' or '.join(never)}; it holds {seen}.",
            where=schema.data.path,
            fix="Set targets.positive to the values that count as yes.",
        )
    return np.where(raw == "", NO_LABEL, yes.astype(np.int32)).astype(np.int32)


def _waited(
    schema: MsdpSchema, columns: CaseColumns
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Days waited, whether what was waited for was seen to come, and for how many days
    each row of the table was followed.

    What came after a row's follow-up was not seen in it: the row is censored before.
    A row without an end of follow-up was followed for good if its event came; else
    nothing is known of it.
    """
    spec = schema.targets
    start_r, end_r = columns.time_n, columns.moments[spec.time]
    followed_r = np.full(len(start_r), np.inf)
    if spec.followed_until:
        followed_r = (columns.moments[spec.followed_until] - start_r) / DAY
    elif schema.cuts.until is not None:
        followed_r = (schema.cuts.until - start_r) / DAY
    wait_r = (end_r - start_r) / DAY
    unsaid_r = np.isnan(followed_r)
    came_r = (wait_r >= 0) & ((wait_r <= followed_r) | unsaid_r)
    censored_r = np.where(np.isinf(followed_r), spec.interval_days[-1], followed_r)
    days_r = np.where(came_r, wait_r, np.maximum(censored_r, 0.0))
    days_r[wait_r < 0] = np.nan  # came before it was asked
    return days_r, came_r, np.where(unsaid_r, np.inf, followed_r)
