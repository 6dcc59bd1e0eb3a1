"""Days, weeks and months: against pandas, and at their borders."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reviewintent_jax.data.periods import Period, last_whole

CODES = {Period.DAY: "D", Period.WEEK: "W-SUN", Period.MONTH: "M"}


def seconds(*texts):
    return np.array([np.datetime64(t, "s") for t in texts]).astype(np.int64)


def test_weeks_start_on_monday_before_1970_too():
    days = seconds("1969-12-28", "1969-12-29", "1970-01-04", "1970-01-05")
    assert Period.DAY.number(days).tolist() == [-4, -3, 3, 4]
    assert Period.WEEK.number(days).tolist() == [-1, 0, 0, 1]
    assert Period.MONTH.number(days).tolist() == [-1, -1, 0, 0]


@given(st.lists(st.integers(0, 4_102_444_799), min_size=1, max_size=20))
def test_starts_are_those_of_pandas(times):
    times = np.array(times)
    for period, code in CODES.items():
        wanted = pd.to_datetime(times, unit="s").to_period(code).start_time
        starts = period.start(period.number(times))
        np.testing.assert_array_equal(starts, wanted.to_numpy("datetime64[D]"))


def test_periods_are_called_by_their_first_day_or_their_month():
    (time,) = seconds("2014-03-12T23:59:59")
    names = [each.name(int(each.number(np.array(time)))) for each in Period]
    assert names == ["2014-03-12", "2014-03-10", "2014-03"]


@pytest.mark.parametrize(
    ("period", "times", "last"),
    [
        (Period.MONTH, ("2014-07-23", "2014-01-01"), "2014-06"),
        (Period.MONTH, ("2014-07-31", "2014-01-01"), "2014-07"),
        (Period.MONTH, ("2014-07-31T08:00:00",), "2014-07"),
        (Period.WEEK, ("2014-07-26",), "2014-07-14"),  # a Saturday
        (Period.WEEK, ("2014-07-27",), "2014-07-21"),  # a Sunday
        (Period.DAY, ("2014-07-27", "2014-07-26"), "2014-07-27"),
        (Period.DAY, ("2014-07-27T08:00:00",), "2014-07-26"),
    ],
)
def test_the_last_whole_period_is_one_that_the_data_reach_the_end_of(
    period, times, last
):
    assert period.name(last_whole(period, seconds(*times))) == last
