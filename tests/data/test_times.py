"""A time is understood however it is written, or refused; never guessed."""

import datetime
from decimal import Decimal

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reviewintent_jax.data.times import utc_seconds

NOON = 1393588800  # 2014-02-28 12:00 UTC


@pytest.mark.parametrize(
    "written",
    [
        *("2014-02-28T12:00:00", "2014-02-28 12:00:00Z", "2014-02-28T13:00:00+01:00"),
        *("2014-02-28 04:00:00 -0800", "20140228T120000", " 2014-02-28 12:00 "),
        *("Fri Feb 28 12:00:00 +0000 2014", "Fri Feb 28 05:00:00 PDT 2014"),
        *("28 Feb 2014 12:00", "February 28, 2014 12:00 PM", "02/28/2014 12:00"),
        *("28 Feb 2014 12:00 GMT", "Feb 28 2014 21:00 JST", "28 Feb 2014 12:00:00 Z"),
        *("28.02.2014 12:00", "2/28/14 12:00 PM", "02-28-2014 12:00:00"),
        *(NOON, float(NOON), NOON * 10**3, NOON * 10**6 + 5, NOON * 10**9, str(NOON)),
        *(f"{NOON}.0", "1.3935888e9", Decimal(NOON), np.int64(NOON)),
        np.datetime64("2014-02-28T12:00:00.5"),
        pd.Timestamp("2014-02-28 12:00", tz="UTC"),
        pd.Timestamp("2014-02-28 14:00", tz="Europe/Kyiv"),
        datetime.datetime(2014, 2, 28, 12),
    ],
    ids=repr,
)
def test_one_moment_written_in_many_ways(written):
    assert utc_seconds(written) == NOON


@pytest.mark.parametrize(
    "day",
    [
        *(
            "2014-02-28",
            "02 28, 2014",
            20140228,
            "20140228",
            "28.02.2014",
            "02/28/2014",
        ),
        *(datetime.date(2014, 2, 28), np.datetime64("2014-02-28")),
    ],
    ids=repr,
)
def test_days_begin_at_midnight_utc(day):
    assert utc_seconds(day) == NOON - 12 * 3600


def test_month_alone_is_its_first_day():
    assert utc_seconds("Feb 2014") == utc_seconds("2014-02-01")


@pytest.mark.parametrize(
    "written",
    [
        *("", "soon", "12:30", "Monday", "March", "28/02/2014", "02.28.2014", "1e30"),
        *("28 Feb 2014 12:00 IST", "2014-02-28 12:00 XYZ"),
        *("2014-02-30", "\x00", "9" * 400, [], {}, True, float("nan")),
    ],
    ids=lambda value: repr(value)[:20],
)
def test_what_is_no_time_is_refused_not_guessed(written):
    with pytest.raises(ValueError, match=r".*"):
        utc_seconds(written)


@given(st.datetimes(timezones=st.timezones(), allow_imaginary=False))
@settings(deadline=None)
def test_iso_strings_agree_with_python(moment):
    expected = int(moment.timestamp() // 1)
    assert utc_seconds(moment.isoformat()) == utc_seconds(moment) == expected


@given(st.text(max_size=30) | st.from_regex(r"[0-9:/. -]{1,20}", fullmatch=True))
@settings(deadline=None)
def test_any_string_is_a_time_or_a_value_error(text):
    try:
        seconds = utc_seconds(text)
    except ValueError:
        return
    assert isinstance(seconds, int)
