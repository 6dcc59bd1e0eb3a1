"""A time is understood however it is written, or refused; never guessed."""

import datetime
from decimal import Decimal

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reviewintent_jax.data.times import (
    DateOrder,
    UnclearOrderError,
    UnclearTimeError,
    utc_seconds,
)

NOON = 1393588800  # 2014-02-28 12:00 UTC


@pytest.mark.parametrize(
    "written",
    [
        *("2014-02-28T12:00:00", "2014-02-28 12:00:00Z", "2014-02-28T13:00:00+01:00"),
        *("2014-02-28 04:00:00 -0800", "20140228T120000", " 2014-02-28 12:00 "),
        *("Fri Feb 28 12:00:00 +0000 2014", "Fri Feb 28 05:00:00 PDT 2014"),
        *("28 Feb 2014 12:00", "February 28, 2014 12:00 PM", "2014/2/28 12:00"),
        *("28 Feb 2014 12:00 GMT", "Feb 28 2014 21:00 JST", "28 Feb 2014 12:00:00 Z"),
        *("2014.02.28 12:00", "Fri, 28-Feb-14 12:00", "12:00 2014-02-28"),
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
        *("2014-02-28", "2014/2/28", 20140228, "20140228", "28 Feb 2014"),
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
        *("", "soon", "12:30", "Monday", "March", "28/02", "02.2014.28", "1e30"),
        *("28 Feb 2014 12:00 IST", "2014-02-28 12:00 XYZ"),
        *("2014-02-30", "\x00", "9" * 400, [], {}, True, float("nan")),
    ],
    ids=lambda value: repr(value)[:20],
)
def test_what_is_no_time_is_refused_not_guessed(written):
    with pytest.raises(ValueError, match=r".*"):
        utc_seconds(written)


MARKS = ("5/6/2020", "05.06.2020", "05-06-2020", "05/06/20", "05 06, 2020")
DAY, MONTH = DateOrder.DAY_FIRST, DateOrder.MONTH_FIRST


@pytest.mark.parametrize("written", [*MARKS, "Fri 05/06/2020", "05/06/2020 12:00 IST"])
def test_day_and_month_in_an_order_that_nobody_said_are_refused(written):
    with pytest.raises(UnclearOrderError):
        utc_seconds(written)


@pytest.mark.parametrize("written", ["13/06/2020", "06/13/2020", "06/06/2020"])
def test_a_date_with_one_reading_is_refused_as_well_lest_half_a_file_is_read(written):
    with pytest.raises(UnclearOrderError):
        utc_seconds(written)


@pytest.mark.parametrize("written", MARKS)
@pytest.mark.parametrize(("order", "iso"), [(DAY, "2020-06-05"), (MONTH, "2020-05-06")])
def test_the_order_that_is_said_holds_whatever_stands_between(written, order, iso):
    assert utc_seconds(written, order) == utc_seconds(iso)
    assert utc_seconds(f"{written} 7:30 pm", order) == utc_seconds(f"{iso}T19:30")
    assert utc_seconds(f"19:30 {written}", order) == utc_seconds(f"{iso}T19:30")


@pytest.mark.parametrize(
    ("written", "order"), [("06/13/2020", DAY), ("13/06/2020", MONTH)]
)
def test_a_date_that_contradicts_the_order_is_refused(written, order):
    with pytest.raises(UnclearTimeError, match="no month 13"):
        utc_seconds(written, order)


@pytest.mark.parametrize("order", DateOrder)
def test_the_order_means_nothing_to_dates_that_need_none(order):
    for written in ("2014-02-03", "2014/2/3", "3 Feb 2014", "Feb 3, 2014", "20140203"):
        assert utc_seconds(written, order) == utc_seconds("2014-02-03")


@pytest.mark.parametrize("written", ["2014-13-05", "12:00 2014/13/05"])
def test_a_year_is_followed_by_its_month(written):
    with pytest.raises(UnclearTimeError, match="no month 13"):
        utc_seconds(written)


@given(
    st.dates(min_value=datetime.date(1970, 1, 1)),
    st.sampled_from([(DAY, "%d{0}%m{0}%Y"), (MONTH, "%m{0}%d{0}%Y")]),
    st.sampled_from(["/", ".", "-", " ", ". "]),
)
def test_every_day_is_read_back_in_its_order(day, form, mark):
    order, pattern = form
    written = day.strftime(pattern.format(mark))
    assert utc_seconds(written, order) == utc_seconds(day)


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
