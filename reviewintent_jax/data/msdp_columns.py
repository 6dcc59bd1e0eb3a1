"""Stage 2 for cases and events: a declared column -> numbers or moments, or refused.

A column that is not what it is declared to be (text among numbers, free text among
categories, numbers among dates) is refused by name.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from reviewintent_jax.data.times import DateOrder, utc_seconds
from reviewintent_jax.schema import InputError

_UNREADABLE = 0.1  # share of the filled cells of a column that may be no number
_MOST_CATEGORIES = 2_000
_1980 = 315_532_800  # seconds since 1970


def column_numbers(
    values: Sequence[str], column: str, field: str, where: str
) -> np.ndarray:
    """A column of numbers, float64, NaN where a cell is empty.

    Raises:
      InputError: more than a tenth of the filled cells are no numbers.
    """
    return _read_all(values, float, column, field, where, "number")


def dates_reader(
    order: DateOrder, where: str
) -> Callable[[Sequence[str], str, str], np.ndarray]:
    """Returns (values, column, field) -> seconds since 1970 UTC, NaN where empty.

    Raises:
      InputError: (what is returned) more than a tenth of the filled cells are no
        dates, or they are plain numbers.
    """

    def read(values: Sequence[str], column: str, field: str) -> np.ndarray:
        def moment(value: str) -> float:
            return float(utc_seconds(value, order))

        found = _read_all(values, moment, column, field, where, "date")
        first = next((value for value in values if value), "")
        refuse_plain_numbers(found, first, column, field, where)
        return found

    return read


def refuse_plain_numbers(
    moments: Any, first: str, column: str, field: str, where: str
) -> None:
    """Refuses numbers that would be read as seconds since 1970, but are none."""
    seconds = np.asarray(moments, np.float64)
    seconds = seconds[np.isfinite(seconds)]
    if not column or not len(seconds) or np.median(seconds) >= _1980:
        return
    try:
        float(first)
    except ValueError:
        return  # dates of long ago, written as dates
    raise InputError(
        f"Column {column!r} (named in {field}) holds numbers such as {first}; read as "
        "seconds since 1970 most of them lie before 1980, so they are no dates.",
        where=where,
        fix="Name a column of dates, or list this one in data.numbers.",
    )


def _read_all(
    values: Sequence[str],
    read: Callable[[str], float],
    column: str,
    field: str,
    where: str,
    what: str,
) -> np.ndarray:
    """float64 of every cell, NaN where it is empty or (a few may be) unreadable."""
    found = np.full(len(values), np.nan)
    bad: list[int] = []
    for n, value in enumerate(values):
        if value == "":
            continue
        try:
            found[n] = read(value)
        except (ValueError, OverflowError):
            bad.append(n)
    found[~np.isfinite(found)] = np.nan
    filled = sum(value != "" for value in values)
    if bad and len(bad) > _UNREADABLE * filled:
        raise InputError(
            f"Column {column!r} (named in {field}) holds {values[bad[0]]!r}, which is "
            f"no {what}; so do {len(bad):,} of {filled:,} filled cells.",
            where=where,
            fix=f"Name a column of {what}s, or list this one in another setting.",
        )
    return found


def refuse_free_text(column: str, values: Sequence[str], where: str) -> None:
    """Refuses a column of categories that holds texts or ids."""
    distinct = len(set(values))
    if distinct > _MOST_CATEGORIES or (distinct > 50 and distinct > 0.5 * len(values)):
        raise InputError(
            f"Column {column!r} (named in data.categories) holds {distinct:,} "
            f"different values in {len(values):,} rows: free text, or an id.",
            where=where,
            fix="List it in data.texts, or leave it out.",
        )
