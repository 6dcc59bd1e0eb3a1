"""The words that go with headings: honest about intervals, ties and gaps."""

import pytest

from reviewintent_jax.evaluation.heading_results import write_heading_results
from reviewintent_jax.evaluation.heading_summary import (
    better,
    describe_rows,
    shown,
    summarise_heading,
    verdicts,
)


def score(value, low=None, high=None):
    return {"value": value, "low": low, "high": high}


def value(mae):
    return {"n": 9, "rse": 1.0, "corr": None, "mae": score(mae), "skill": score(0.1)}


def direction(accuracy):
    return {"accuracy": score(accuracy), "macro_f1": score(accuracy / 2)}


DATA = {
    **{"rows": 90, "reviews": 80, "groups": 3, "periods": 12},
    **{"from": "2014-01", "to": "2014-12", "labels": "4, 5 -> positive (60 rows)"},
    "set_aside": {"no time": 4},
    "unread": {"positive": {"no label": 2}},
    **{"incomplete": 5, "incomplete_period": "2015-01", "few": 2, "few_reviews": 1},
    "groups_without_window": 1,
    "splits": {"test": {"windows": 9, "groups": 2, "from": "2014-10", "to": "2014-12"}},
}


def metrics_of(skill, more, *, ridge=0.3):
    mae = {"model": 0.2, "persistence": 0.4, "window_mean": 0.5, "ar_ridge": ridge}
    right = {"model": 0.6, "window_mean": 0.7, "ar_ridge": 0.5}
    right |= {"majority": 0.4, "logistic_regression": 0.6}
    systems = {}
    for name in mae | right:
        test = {}
        if name in mae:
            test["values"] = {"positive": value(mae[name])}
        if name in right:
            test["directions"] = {"positive": direction(right[name])}
        systems[name] = {"test": test}
    return {
        "name": "made",
        "created": "2025-01-02T03:04:05+00:00",
        "period": "month",
        "window": 7,
        "horizon": 2,
        "measures": ["positive"],
        "intervals_draw": "groups",
        "config": {},
        "training": {"seconds": 12.0},
        "environment": {"cores": 2, "device": "cpu"},
        "data": DATA,
        "systems": systems,
        "differences": {
            "values": {"positive": {"persistence": skill}},
            "directions": {"positive": {"majority": more}},
        },
    }


@pytest.mark.parametrize(
    ("ends", "words"),
    [
        ((0.1, 0.5), "beats persistence"),
        ((-0.1, 0.5), "cannot be told from persistence"),
        ((-0.5, -0.1), "is worse than persistence"),
        ((None, None), "cannot be told from persistence"),
    ],
)
def test_a_victory_needs_its_whole_interval(ends, words):
    difference = score(0.2, *ends)
    value_line, direction_line = verdicts(metrics_of(difference, difference))[
        "positive"
    ]
    assert words in value_line
    assert better(difference) == ("beats" in words)
    assert ("beat the majority" in direction_line) == better(difference)


def test_who_is_better_still_is_named():
    lines = verdicts(metrics_of(score(0.2), score(0.2), ridge=0.1))["positive"]
    assert "The smallest is that of AR ridge, 0.1000." in lines[0]
    assert "Most often right is back to the window mean, 70.0%." in lines[1]


def test_persistence_that_never_errs_cannot_be_beaten():
    lines = verdicts(metrics_of(score(None), score(0.2)))["positive"]
    assert lines[0] == (
        "positive: persistence is never wrong here: nothing can beat it."
    )


def test_the_table_shows_every_system_and_leaves_empty_what_it_does_not_say():
    said = summarise_heading(metrics_of(score(0.2, 0.1, 0.3), score(0.2, 0.1, 0.3)))
    lines = said.splitlines()
    assert lines[0].startswith("Test, 2 months ahead")
    assert lines[2].split() == ["LSTNet", "0.200", "0.100", "1.000", "0.600", "0.300"]
    (majority,) = [line for line in lines if line.startswith("  majority")]
    assert majority.split() == ["majority", "0.400", "0.200"]


def test_nothing_that_was_left_out_goes_unsaid():
    said = "\n".join(describe_rows(DATA, "month"))
    for words in (
        "80 of 90 reviews, 3 group(s), 12 months from 2014-01 to 2014-12",
        "Set aside: 4 (no time)",
        "Not in positive: 2 (no label)",
        "5 reviews of 2015-01, a month that the data do not reach the end of",
        "2 groups with 1 reviews",
        "never have enough reviews within a window: 1",
    ):
        assert words in said


def test_scores_are_shown_with_their_intervals():
    assert shown(score(0.5, 0.25, 0.75)) == "0.500 (0.250 to 0.750)"
    assert shown(score(0.5)) == "0.500"
    assert shown(score(None)) == "not defined"
    assert shown(None) == ""


def test_the_page_of_results_keeps_what_a_person_wrote(tmp_path):
    (tmp_path / "page.md").write_text("# Mine\n\n<!-- results -->\nold")
    metrics = metrics_of(score(0.2, 0.1, 0.3), score(0.2, 0.1, 0.3))
    page = write_heading_results([metrics], tmp_path, "page.md", lambda _: "train it")
    text = page.read_text()
    assert text.startswith("# Mine\n\n<!-- results -->\n\n## made\n\n`train it`; 12 s")
    assert "| LSTNet | 0.200 | 0.100 | 0.600 | 0.300 |" in text
    assert "| persistence (last value) | 0.400 | 0.100 |  |  |" in text
    assert (tmp_path / "made.json").is_file()
