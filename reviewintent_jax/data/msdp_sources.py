"""Stage 4 for cases: what each of them may read, by source."""

from typing import Any

import numpy as np
import pandas as pd

from reviewintent_jax.data.msdp_cases import NO_TEXT
from reviewintent_jax.data.msdp_places import Places
from reviewintent_jax.data.msdp_schema import MsdpSchema
from reviewintent_jax.data.msdp_specs import DAY, moment_text
from reviewintent_jax.data.msdp_summaries import SUMMARIES, event_summaries
from reviewintent_jax.data.msdp_tables import CaseColumns, Events
from reviewintent_jax.schema import InputError


def sources_of(
    schema: MsdpSchema,
    columns: CaseColumns | None,
    events: Events | None,
    places: Places,
) -> dict[str, Any]:
    """The fields of :class:`~reviewintent_jax.data.msdp_cases.Cases` that are read.

    Raises:
      InputError: a date of a case lies after its cut.
    """
    first_n, end_n = event_ranges(events, places)
    text_nk, texts = _texts(schema, columns, events, places, (first_n, end_n))
    category_nc, categories = _categories(columns, places)
    number_nf, numbers = _numbers(schema, columns, places)
    if events is not None and schema.events.summaries:
        ranges = first_n, end_n, places.moment_n
        sums_nf = event_summaries(events, *ranges, schema.events)
        number_nf = np.concatenate([number_nf, sums_nf], axis=1)
        numbers = (*numbers, *SUMMARIES)
    return {
        "events": events,
        "first_n": first_n,
        "end_n": end_n,
        "text_nk": text_nk,
        "texts": texts,
        "category_nc": category_nc,
        "categories": categories,
        "number_nf": number_nf,
        "numbers": numbers,
    }


def event_ranges(
    events: Events | None, places: Places
) -> tuple[np.ndarray, np.ndarray]:
    """First event of each case's subject, and the first that is not before it."""
    count = len(places.subject_n)
    if events is None:
        return np.zeros(count, np.int64), np.zeros(count, np.int64)
    number = {name: u for u, name in enumerate(events.subjects)}
    subject_n = np.array(
        [number.get(places.subjects[u], -1) for u in places.subject_n], np.int64
    )
    border_u = np.searchsorted(events.subject_e, np.arange(len(events.subjects) + 1))
    first_n = np.where(subject_n < 0, 0, border_u[subject_n])
    last_n = np.where(subject_n < 0, 0, border_u[subject_n + 1])
    end_n = np.array(
        [
            first + np.searchsorted(events.time_e[first:last], moment, side="left")
            for first, last, moment in zip(
                first_n, last_n, places.moment_n, strict=True
            )
        ],
        np.int64,
    )
    return first_n, end_n


def _texts(
    schema: MsdpSchema,
    columns: CaseColumns | None,
    events: Events | None,
    places: Places,
    ranges: tuple[np.ndarray, np.ndarray],
) -> tuple[np.ndarray, tuple[str, ...]]:
    """Texts of each case: that of its row, then those of its newest events."""
    number: dict[str, int] = {}
    parts = []
    if columns is not None and columns.text_n:
        own = [columns.text_n[row] if row >= 0 else "" for row in places.row_n]
        codes = [number.setdefault(t, len(number)) if t else NO_TEXT for t in own]
        parts.append(np.array(codes, np.int64)[:, None])
    if events is not None and schema.events.texts:
        newest = schema.events.recent_texts
        text_nk = np.full((len(places.subject_n), newest), NO_TEXT, np.int64)
        for n, (first, end) in enumerate(zip(*ranges, strict=True)):
            codes_e = events.text_e[first:end]
            for k, code in enumerate(codes_e[codes_e >= 0][::-1][:newest].tolist()):
                text = events.texts[code]
                text_nk[n, k] = number.setdefault(text, len(number))
        parts.append(text_nk)
    if not parts:
        return np.zeros((len(places.subject_n), 0), np.int64), ()
    return np.concatenate(parts, axis=1), tuple(number)


def _categories(
    columns: CaseColumns | None, places: Places
) -> tuple[np.ndarray, dict[str, tuple[str, ...]]]:
    """Codes of the names of each column, in the order of the names."""
    found, coded = {}, []
    for column, values in (columns.categories if columns else {}).items():
        code, names = pd.factorize(np.array(values, object), sort=True)
        names = tuple(map(str, names))
        if "" in names:  # sorts first; a missing name is no name
            names, code = names[1:], code - 1
        found[column] = names
        known = np.where(places.row_n >= 0, code[places.row_n], -1)
        coded.append(known.astype(np.int32))
    if not coded:
        return np.zeros((len(places.subject_n), 0), np.int32), {}
    return np.stack(coded, axis=1), found


def _numbers(
    schema: MsdpSchema, columns: CaseColumns | None, places: Places
) -> tuple[np.ndarray, tuple[str, ...]]:
    """Numbers, dates as days from the case's moment, and the moment's season."""
    spec, names, held = schema.data, [], []
    there = places.row_n >= 0
    for column, value_r in (columns.numbers if columns else {}).items():
        value_n = np.where(there, value_r[places.row_n], np.nan)
        if column in spec.log_numbers:
            if np.nanmin(value_n, initial=0.0) < 0:
                raise InputError(
                    f"Column {column!r} (named in data.log_numbers) holds "
                    f"{np.nanmin(value_n):g}; its logarithm is asked.",
                    where=spec.path,
                    fix="Take it out of data.log_numbers.",
                )
            value_n = np.log1p(value_n)
        names.append(column)
        held.append(value_n)
    for column, second_r in (columns.dates if columns else {}).items():
        second_n = np.where(there, second_r[places.row_n], np.nan)
        if column not in spec.dates_ahead:
            _refuse_later(column, second_n, columns, places)
        names.append(column)
        held.append((second_n - places.moment_n) / DAY)
    if spec.seasons and (schema.cuts.dates or spec.time):
        for name, value_n in _season(places.moment_n).items():
            names.append(name)
            held.append(value_n)
    if not held:
        return np.zeros((len(places.subject_n), 0)), ()
    return np.stack(held, axis=1), tuple(names)


def _refuse_later(
    column: str, second_n: np.ndarray, columns: CaseColumns | None, places: Places
) -> None:
    """Refuses a date that was not known yet when the case was asked about."""
    late = np.flatnonzero(second_n > places.moment_n)
    if len(late) and columns is not None:
        n = late[0]
        raise InputError(
            f"Column {column!r} (named in data.dates) holds "
            f"{moment_text(second_n[n])}, which is after the moment of the case, "
            f"{moment_text(places.moment_n[n])}; so do {len(late):,} cases.",
            where=f"line {columns.line_n[places.row_n[n]]}",
            fix="Leave the column out or give a later cut; if the date was set before, "
            "as a promise is, list it in data.dates_ahead as well.",
        )


def _season(moment_n: np.ndarray) -> dict[str, np.ndarray]:
    """Where the moment lies in the year and in the week, as points of circles."""
    days_n = moment_n.astype("datetime64[s]").astype("datetime64[D]")
    year_n = (days_n - days_n.astype("datetime64[Y]")).astype(np.float64) / 365.25
    week_n = ((days_n.astype(np.int64) + 3) % 7) / 7.0  # 0 = Monday
    return {
        "season_sin": np.sin(2 * np.pi * year_n),
        "season_cos": np.cos(2 * np.pi * year_n),
        "weekday_sin": np.sin(2 * np.pi * week_n),
        "weekday_cos": np.cos(2 * np.pi * week_n),
    }
