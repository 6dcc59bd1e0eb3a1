"""Serves stage 2: a time as anybody writes it -> whole seconds since 1970 UTC."""

import datetime
import enum
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
_MONTH_NAME = re.compile(
    r"(?<![^\W\d_])(jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)", re.I
)
# Not followed by more of the same: 10.30 05/06/2020 begins with no date.
_YEAR_FIRST = re.compile(
    r"(?<![\d:./-])(\d{4})[\s./,-]+(\d{1,2})[\s./,-]+(\d{1,2})(?!\d)"
)
_YEAR_LAST = re.compile(
    r"(?<![\d:./-])(\d{1,2})[\s./,-]+(\d{1,2})[\s./,-]+(\d{4}|\d{2})(?![./:-]?\d)"
)
_ZONES = {
    **{"EST": -5, "EDT": -4, "CST": -6, "CDT": -5, "MST": -7, "MDT": -6},
    **{"PST": -8, "PDT": -7, "AKST": -9, "AKDT": -8, "HST": -10},
    **{"WET": 0, "WEST": 1, "BST": 1, "CET": 1, "CEST": 2, "EET": 2, "EEST": 3},
    **{"MSK": 3, "JST": 9, "KST": 9, "AEST": 10, "AEDT": 11, "NZST": 12, "NZDT": 13},
}
# Units of numbers, by size: the year 5138 in seconds is 1973 in milliseconds.
_UNITS = ((1e11, 1), (1e14, 10**3), (1e17, 10**6), (1e20, 10**9))


class DateOrder(enum.StrEnum):
    """What comes first in dates of digits alone that end with the year."""

    ISO = "iso"  # such dates are refused: years come first, or months have names
    DAY_FIRST = "day_first"  # 28/02/2014
    MONTH_FIRST = "month_first"  # 02/28/2014


ORDER_UNKNOWN = (
    "time not understood, as data.date_order is neither day_first nor month_first"
)
"""Why a row with such a date is set aside."""

SET_ORDER = "Set --config.data.date_order=day_first or month_first."
"""What to do about it before training."""

WRITE_YEAR_FIRST = (
    "Write dates year first, as 2014-06-05: the run's data.date_order does not say if "
    "days or months come first."
)
"""What to do about it when a run is trained, and its settings stand."""


class UnclearTimeError(ValueError):
    """A time, but not one moment: of an unknown zone, or in another order of dates."""


class UnclearOrderError(UnclearTimeError):
    """A date whose day and month could be the other way round."""


def utc_seconds(value: Any, order: DateOrder = DateOrder.ISO) -> int:
    """Whole seconds since 1970 UTC, rounded down; a time without zone counts as UTC.

    Numbers (and strings of digits) are seconds, milliseconds, microseconds or
    nanoseconds by their size; 19000101 to 21001231 are dates written YYYYMMDD, since
    as seconds they would all lie in a few weeks of 1970.

    Strings: ISO 8601, else what dateutil understands, so long as year and month are
    there. Whether 05/06/2014 is of May or of June is not guessed, neither from the date
    nor from its marks: dates of digits alone that end with the year are read in the
    ``order`` that is given, and refused where none is. So is 28/02/2014 then, because
    in such a column 05/06/2014 would be read wrongly. A time in a zone whose
    abbreviation is not known for sure (12:00 IST) is refused too.

    >>> utc_seconds("2014-02-28"), utc_seconds(1393545600000)
    (1393545600, 1393545600)
    >>> utc_seconds("28.02.2014", DateOrder.DAY_FIRST)
    1393545600

    Raises:
      UnclearOrderError: a date that needs an ``order``.
      UnclearTimeError: a time in an unknown zone, or a date that has no such month.
      ValueError: not understood.
    """
    if isinstance(value, str):
        return _of_string(value.strip(), order)
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
def _of_string(text: str, order: DateOrder) -> int:
    if _NUMBER.fullmatch(text):
        return _of_number(int(text) if text.isdecimal() else float(text))
    try:
        return utc_seconds(datetime.datetime.fromisoformat(_spaceless(text)))
    except ValueError:
        pass
    if not _MONTH_NAME.search(text):
        text = _year_first(text, order)
    unknown: list[str] = []
    zone = functools.partial(_zone, unknown)
    try:
        # dateutil fills what is missing from a default: two of them show what was.
        first, second = (
            dateutil.parser.parse(text, default=default, tzinfos=zone)
            for default in (
                datetime.datetime(1996, 1, 1),
                datetime.datetime(2004, 2, 1),
            )
        )
    except (OverflowError, TypeError) as error:
        raise ValueError(str(error)) from error
    if (first.year, first.month) != (second.year, second.month):
        raise ValueError("year or month is missing")
    if unknown:
        raise UnclearTimeError(f"the time zone {unknown[0]} is not known")
    return utc_seconds(first)


def _spaceless(text: str) -> str:
    """Without the space that some put before the zone: 2015-02-24 11:35:52 -0800."""
    return _SPACED_OFFSET.sub("", text)


def _year_first(text: str, order: DateOrder) -> str:
    """The text with its date of digits as YYYY-MM-DD; as it is where there is none."""
    if found := _YEAR_FIRST.search(text):
        year, month, day = found.groups()
    elif found := _YEAR_LAST.search(text):
        if order is DateOrder.ISO:
            raise UnclearOrderError("the day or the month may come first")
        one, two, year = found.groups()
        month, day = (two, one) if order is DateOrder.DAY_FIRST else (one, two)
        if len(year) == 2:
            year = ("19" if int(year) >= 70 else "20") + year
    else:
        return text
    if int(month) > 12:
        raise UnclearTimeError(f"there is no month {month}")
    date = f"{year}-{int(month):02d}-{int(day):02d}"
    return text[: found.start()] + date + text[found.end() :]


def _zone(unknown: list[str], name: str | None, offset: int | None) -> datetime.tzinfo:
    """The zone of an abbreviation or an offset in seconds; UTC where there is neither.

    An abbreviation that is not known goes to ``unknown``: the moment may be hours away.
    """
    if offset is None and name and name not in _ZONES:
        unknown.append(name)
    seconds = _ZONES.get(name or "", 0) * 3600 if offset is None else offset
    return datetime.timezone(datetime.timedelta(seconds=seconds))
