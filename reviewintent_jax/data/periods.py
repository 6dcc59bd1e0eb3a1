"""Days, weeks and months (UTC): seconds -> whole numbers that count periods.

A period is a number, so that the next one is that number plus one. Weeks start on
Monday, whatever the year does.
"""

import enum

import numpy as np

_DAY = 86_400


class Period(enum.StrEnum):
    """What reviews are counted by."""

    DAY = "day"
    WEEK = "week"
    MONTH = "month"

    def number(self, time_n: np.ndarray) -> np.ndarray:
        """Number of the period of each time, int64.

        Example (1970-01-01 was a Thursday)::

            1969-12-28  1969-12-29  1970-01-04  1970-01-05   day   -4 -3  3  4
            Sunday      Monday      Sunday      Monday       week  -1  0  0  1

        Args:
          time_n: seconds since 1970 UTC.
        """
        day_n = np.asarray(time_n, np.int64) // _DAY
        if self is Period.DAY:
            return day_n
        if self is Period.WEEK:
            return (day_n + 3) // 7
        months = day_n.astype("datetime64[D]").astype("datetime64[M]")
        return months.astype(np.int64)

    def start(self, number_n: np.ndarray) -> np.ndarray:
        """First day of each period, datetime64[D]."""
        number_n = np.asarray(number_n, np.int64)
        if self is Period.MONTH:
            return number_n.astype("datetime64[M]").astype("datetime64[D]")
        days = number_n if self is Period.DAY else 7 * number_n - 3
        return days.astype("datetime64[D]")

    def name(self, number: int) -> str:
        """A period as people write it: its first day, or the month.

        >>> Period.MONTH.name(530), Period.WEEK.name(0)
        ('2014-03', '1969-12-29')
        """
        day = str(self.start(np.array(number)))
        return day[:7] if self is Period.MONTH else day


def last_whole(period: Period, time_n: np.ndarray) -> int:
    """Number of the last period that the times reach to the end of.

    The last day that is there counts as whole, unless days are the periods and times
    have hours: then its evening may be missing.

    Example: times up to 2014-07-23 make June the last whole month; times up to
    2014-07-31 make it July.

    Args:
      period: day, week or month.
      time_n: seconds since 1970 UTC, one or more.
    """
    time_n = np.asarray(time_n, np.int64)
    last = int(time_n.max())
    if period is Period.DAY:
        return last // _DAY - int((time_n % _DAY).any())
    number = int(period.number(np.array(last)))
    tomorrow = int(period.number(np.array(last + _DAY)))
    return number if tomorrow > number else number - 1
