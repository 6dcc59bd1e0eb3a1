import numpy as np
import pytest

from reviewintent_jax.data.events import (
    Event,
    EventJoin,
    event_columns,
    first_number,
    read_event,
)
from reviewintent_jax.data.splits import NO_GROUP
from reviewintent_jax.schema import RawRow, Rejected, Review
from tests.data.intention_cases import DAY, START, intention_spec

NOW = START + 100 * DAY


def read(fields, *, time=START, **changes):
    raw = RawRow("r.csv", 5, {"when": "written", "user": "u1"} | fields)
    review = Review(3, "r.csv", 5, "text", "", "", time, "")
    return read_event(raw, review, intention_spec(**changes), "when", NOW)


def test_an_event_is_what_the_named_columns_say():
    columns = {"stars": "s", "helpful": "h", "kind": "stated", "label": "flag"}
    event = read({"user": 7.0, "s": "4", "h": "[2, 3]", "flag": True}, **columns)
    assert event == Event("7", 4.0, 2.0, "true")


def test_columns_that_are_not_named_are_not_read():
    event = read({"stars": 5})
    assert isinstance(event, Event)
    assert np.isnan(event.stars)
    assert np.isnan(event.helpful)


@pytest.mark.parametrize("nobody", [None, "", "  ", float("nan"), "NaN"])
def test_a_missing_subject_is_a_reason(nobody):
    rejected = read({"user": nobody})
    assert isinstance(rejected, Rejected)
    assert (rejected.reason, rejected.field) == ("no subject", "user")
    assert (rejected.row, rejected.line) == (3, 5)


@pytest.mark.parametrize(
    ("time", "reason"),
    [
        (None, "no time"),
        (0, "dated before 1990"),
        (631_151_999, "dated before 1990"),
        (NOW + DAY + 1, "dated in the future"),
    ],
)
def test_impossible_times_are_reasons(time, reason):
    rejected = read({}, time=time)
    assert isinstance(rejected, Rejected)
    assert (rejected.reason, rejected.field) == (reason, "when")


@pytest.mark.parametrize("time", [631_152_000, NOW, NOW + DAY])
def test_a_clock_that_is_a_day_ahead_is_no_future(time):
    assert isinstance(read({}, time=time), Event)


def test_without_a_subject_times_do_not_matter():
    assert isinstance(read({}, time=None, kind="stated", subject=""), Event)


@pytest.mark.parametrize(
    ("written", "number"), [("[3, 5]", 3), ([3, 5], 3), ("7", 7), (2.5, 2.5), ("0", 0)]
)
def test_the_first_number_is_taken(written, number):
    assert first_number(written) == number


@pytest.mark.parametrize("written", [None, "", "many", "3 of 5"])
def test_what_is_no_number_is_missing(written):
    assert np.isnan(first_number(written))


def test_events_are_collected_as_arrays():
    join = EventJoin()
    first = [Event("b", 5, np.nan, "yes"), Event("a", 1, 2, "no")]
    texts = ["Great tea!", "It leaks from the very first day"]
    join.add(*event_columns(first, texts, [0.5, 0.2]))
    rest = [Event("a", 3, 0, ""), Event("b", 3, 0, "yes"), Event("", 3, 0, "")]
    join.add(*event_columns(rest, ["Ok", "Ok", "Ok"], [1, 1, 1]))
    join.add(*event_columns([Event("", 3, 0, "no")], ["Ok"], [1]))
    events = join.finish()
    assert events.subject_n.tolist() == [0, 1, 1, 0, NO_GROUP, NO_GROUP]
    assert events.words_n.tolist() == [2, 7, 1, 1, 1, 1]
    assert events.short_n.tolist() == [True, False, True, True, True, True]
    assert events.stated_n.tolist() == [0, 1, 2, 0, 2, 1]
    assert events.stated_counts() == {"yes": 2, "no": 2, "": 2}
    assert events.truth_n == pytest.approx([0.5, 0.2, 1, 1, 1, 1])
