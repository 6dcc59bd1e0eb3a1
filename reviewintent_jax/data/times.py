"""Serves stage 2: a time as anybody writes it -> whole seconds since 1970 UTC."""

import datetime
import functools
import math
import numbers
import re
from decimal import Decimal
from typing import Any

import dateutil.parser
import numpy as np

_UTC = datetime.UTC
_NUMBER = re.compile(r"[+-]?\d+(\.\d*)?([eE][+-]?\d+)?")
_SPACED_OFFSET = re.compile(r"\s+(?=[+-]\d\d:?\d\d$)")
_SHORT_DATE = re.compile(r"(\d{1,2})([./-])(\d{1,2})\2(\d{4}|\d{2})(?!\d)(.*)", re.S)
_ZONES = {
    **{"EST": -5, "EDT": -4, "CST": -6, "CDT": -5, "MST": -7, "MDT": -6},
    **{"PST": -8, "PDT": -7, "AKST": -9, "AKDT": -8, "HST": -10},
    **{"WET": 0, "WEST": 1, "BST": 1, "CET": 1, "CEST": 2, "EET": 2, "EEST": 3},
    **{"MSK": 3, "JST": 9, "KST": 9, "AEST": 10, "AEDT": 11, "NZST": 12, "NZDT": 13},
}
# Units of numbers, by size: the year 5138 in seconds is 1973 in milliseconds.
_UNITS = ((1e11, 1), (1e14, 10**3), (1e17, 10**6), (1e20, 10**9))


def utc_seconds(value: Any) -> int:
    """Whole seconds since 1970 UTC, rounded down; a time without zone counts as UTC.

    Numbers (and strings of digits) are seconds, milliseconds, microseconds or
    nanoseconds by their size; 19000101 to 21001231 are dates written YYYYMMDD, since
    as seconds they would all lie in a few weeks of 1970.

    Strings: ISO 8601, else what dateutil understands, so long as year and month are
    there. Of dates in digits alone, 28.02.2014 is day.month.year, and 02/28/2014 and
    02-28-2014 are month/day/year. The order is never guessed from a single value:
    28/02/2014 is refused, because in such a column 03/02/2014 would be read wrongly.
    So is a time in a zone whose abbreviation is not known for sure (12:00 IST).

    >>> utc_seconds("2014-02-28"), utc_seconds(1393545600000), utc_seconds("28.02.2014")
    (1393545600, 1393545600, 1393545600)

    Raises:
      ValueError: not understood.
    """
    if isinstance(value, str):
        return _of_string(value.strip())
    if isinstance(value, np.datetime64):
        return int(value.astype("datetime64[s]").astype(np.int64))
    if isinstance(value, datetime.datetime):
        aware = value if value.tzinfo else value.replace(tzinfo=_UTC)
        return math.floor(aware.timestamp())
    if isinstance(value, datetime.date):
        start = datetime.datetime(value.year, value.month, value.day, tzinfo=_UTC)
        return math.floor(start.timestamp())
    if isinstance(value, numbers.Integral) and not isinstance(value, bool):
        return _of_number(int(value))
    if isinstance(value, numbers.Real | Decimal) and not isinstance(value, bool):
        return _of_number(float(value))
    raise ValueError(f"a {type(value).__name__} is no time")


def _of_number(value: int | float) -> int:
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError("not finite")
    whole = math.floor(value)
    if 19000101 <= whole <= 21001231:
        try:
            date = datetime.datetime.strptime(str(whole), "%Y%m%d")
            return math.floor(date.replace(tzinfo=_UTC).timestamp())
        except ValueError:
            pass  # no such day, so seconds after all
    for limit, unit in _UNITS:
        if abs(whole) < limit:
            return whole // unit
    raise ValueError("too large for a time")


@functools.lru_cache(maxsize=1 << 16)  # times often repeat, to the day
def _of_string(text: str) -> int:
    if _NUMBER.fullmatch(text):
        return _of_number(int(text) if text.isdecimal() else float(text))
    try:
        return utc_seconds(datetime.datetime.fromisoformat(_spaceless(text)))
    except ValueError:
        pass
    if short := _SHORT_DATE.match(text):
        text = _year_first(*short.groups())
    try:
        # dateutil fills what is missing from a default: two of them show what was.
        first, second = (
            dateutil.parser.parse(text, default=default, tzinfos=_zone)
            for default in (
                datetime.datetime(1996, 1, 1),
                datetime.datetime(2004, 2, 1),
            )
        )
    except (OverflowError, TypeError) as error:
        raise ValueError(str(error)) from error
    if (first.year, first.month) != (second.year, second.month):
        raise ValueError("year or month is missing")
    return utc_seconds(first)


def _spaceless(text: str) -> str:
    """Without the space that some put before the zone: 2015-02-24 11:35:52 -0800."""
    return _SPACED_OFFSET.sub("", text)


def _year_first(one: str, mark: str, two: str, year: str, rest: str) -> str:
    month, day = (two, one) if mark == "." else (one, two)
    if len(year) == 2:
        year = ("19" if int(year) >= 70 else "20") + year
    if int(month) > 12:
        raise ValueError(f"there is no month {month}")
    return f"{year}-{int(month):02d}-{int(day):02d}{rest}"


def _zone(name: str | None, offset: int | None) -> datetime.tzinfo:
    """The zone of an abbreviation or an offset in seconds; UTC where there is neither.

    Raises:
      ValueError: the abbreviation is not known, so the moment may be hours away.
    """
    if offset is None and name and name not in _ZONES:
        raise ValueError(f"the time zone {name} is not known")
    seconds = _ZONES.get(name or "", 0) * 3600 if offset is None else offset
    return datetime.timezone(datetime.timedelta(seconds=seconds))
