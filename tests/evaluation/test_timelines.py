import itertools
from statistics import NormalDist

import numpy as np
import pandas as pd
import pytest
from scipy.stats import linregress
from scipy.stats import t as student

from reviewintent_jax.evaluation import timelines
from reviewintent_jax.schema import NO_LABEL

DAY = 86_400


def table_of(subject_n, time_n, label_n):
    rows = np.arange(len(subject_n)) + 40
    columns = {"row": rows, "subject": subject_n, "time": time_n, "label": label_n}
    return pd.DataFrame(columns)


def anchors_of(*subjects):
    """Probabilities of each subject in time order."""
    names = [f"s{i}" for i, probs in enumerate(subjects) for _ in probs]
    times = [DAY * j for probs in subjects for j in range(len(probs))]
    prob_n = np.concatenate([np.asarray(probs, float) for probs in subjects])
    table = table_of(np.array(names, object), np.array(times, float), 0)
    return timelines.gather_anchors(table, prob_n, 1)


def test_anchors_are_put_into_the_order_of_time_within_their_subject():
    table = table_of(
        np.array(["b", "a", "b", "", "a"], object),
        np.array([3.0, 9, 1, 0, 2]),
        np.array([1, 0, NO_LABEL, 1, 2]),
    )
    found = timelines.gather_anchors(table, np.array([0.1, 0.2, 0.3, 0.4, 0.5]), 1)
    assert found.position_n.tolist() == [2, 0, 4, 1]
    assert found.name_n.tolist() == ["b", "b", "a", "a"]
    assert found.subject_n.tolist() == [0, 0, 1, 1]
    assert found.prob_n.tolist() == [0.3, 0.1, 0.5, 0.2]
    assert found.came_true_n.tolist() == [NO_LABEL, 1, 0, 0]


def test_rows_of_one_moment_stay_in_the_order_of_the_source():
    table = table_of(np.array([4, 4, 4]), np.array([5.0, 5, 5]), np.zeros(3, int))
    found = timelines.gather_anchors(table.iloc[[2, 0, 1]], np.zeros(3), 1)
    assert found.position_n.tolist() == [1, 2, 0]


def test_numbers_below_zero_are_nobody():
    table = table_of(np.array([-1, 4, -1]), np.arange(3.0), np.zeros(3, int))
    assert timelines.gather_anchors(table, np.zeros(3), 1).position_n.tolist() == [1]


def test_wilson_is_the_root_of_its_own_equation():
    z = NormalDist().inv_cdf(0.975)
    for share, count in ((0.5, 4), (0.0, 3), (0.9, 50)):
        for end in timelines.wilson(share, count):
            assert (share - end) ** 2 == pytest.approx(z**2 * end * (1 - end) / count)
    assert timelines.wilson(0.5, 4) == pytest.approx((0.150, 0.850), abs=1e-3)


def test_a_timeline_is_the_picture_in_its_docstring():
    line = timelines.timeline(anchors_of([0.9], [0.2, 0.4, 0.8]), 1, 2)
    np.testing.assert_allclose(line.level_n, [0.2, 0.3, 0.6])
    wanted = [timelines.wilson(*pair) for pair in ((0.2, 1), (0.3, 2), (0.6, 2))]
    np.testing.assert_allclose(np.stack([line.low_n, line.high_n], 1), wanted)
    assert line.name == "s1"


def test_a_band_of_true_probabilities_holds_what_happens():
    rng = np.random.default_rng(0)
    inside = 0
    for _ in range(1000):
        prob_n = rng.random(30) * 0.6 + 0.2
        line = timelines.timeline(anchors_of(prob_n), 0, 30)
        share = (rng.random(30) < prob_n).mean()
        inside += line.low_n[-1] <= share <= line.high_n[-1]
    assert inside >= 940


def test_the_trend_is_a_line_fitted_to_the_last_window():
    probs = [0.9, 0.9, 0.2, 0.35, 0.3, 0.6, 0.5]
    found = timelines.trends(anchors_of([0.5] * 3, probs), 5)
    assert found["name"].tolist() == ["s1"]  # three reviews are too few
    fit = linregress(np.arange(5), probs[-5:])
    half = student.ppf(0.975, 3) * fit.stderr * 4
    row = found.iloc[0]
    assert row["change"] == pytest.approx(fit.slope * 4)
    assert (row["low"], row["high"]) == pytest.approx(
        (fit.slope * 4 - half, fit.slope * 4 + half)
    )
    assert (row["reviews"], row["used"], row["latest"]) == (7, 5, 0.5)


def test_who_falls_comes_first_and_who_rises_last():
    up, flat, down = [0.1, 0.2, 0.3, 0.4], [0.5] * 4, [0.9, 0.7, 0.5, 0.3]
    anchors = anchors_of(flat, up, down, [0.2, 0.2, 0.2, 0.2, 0.2])
    found = timelines.trends(anchors, 7)
    assert found["name"].tolist()[0] == "s2"
    assert found["name"].tolist()[-1] == "s1"
    assert timelines.pick_subjects(found, anchors, 4) == [1, 2, 3, 0]
    assert timelines.pick_subjects(found, anchors, 1) == [3]


def test_moves_are_differences_within_a_subject_found_in_a_loop():
    rng = np.random.default_rng(1)
    subjects = [rng.random(size) for size in (1, 4, 3, 6)]
    found = timelines.moves(anchors_of(*subjects), 5)
    plain = []
    for number, probs in enumerate(subjects):
        for before, after in itertools.pairwise(probs):
            plain.append((f"s{number}", before, after, after - before))
    plain.sort(key=lambda move: -abs(move[3]))
    assert found["name"].tolist() == [move[0] for move in plain[:5]]
    np.testing.assert_allclose(
        found[["before", "after", "change"]], [move[1:] for move in plain[:5]]
    )


def test_nobody_with_two_reviews_means_no_moves_and_no_trends():
    for anchors in (anchors_of([0.4], [0.5]), anchors_of([])):
        assert not len(timelines.moves(anchors, 5))
        trend = timelines.trends(anchors, 7)
        assert not len(trend)
        assert timelines.pick_subjects(trend, anchors, 4) == []


def test_periods_count_what_was_predicted_and_what_happened():
    time_n = np.array([0, 1, 1, 40, np.nan]) * DAY
    true_n = np.array([1, 0, NO_LABEL, NO_LABEL, 1])
    found = timelines.periods(time_n, np.array([0.1, 0.2, 0.6, 0.4, 0.9]), true_n)
    assert found.attrs["unit"] == "day"
    assert found["reviews"].tolist() == [1, 2, 1]
    assert found["known"].tolist() == [1, 1, 0]
    np.testing.assert_allclose(found["predicted"], [0.1, 0.4, 0.4])
    np.testing.assert_allclose(found["observed"], [1, 0, np.nan])


def test_long_times_are_shown_by_longer_periods():
    for days, unit in ((20, "day"), (150, "week"), (900, "month"), (9000, "year")):
        time_n = np.arange(days) * float(DAY)
        found = timelines.periods(time_n, np.zeros(days), np.zeros(days, int))
        assert found.attrs["unit"] == unit
        assert found["reviews"].sum() == days
