"""Discrete survival against plain loops and the textbook formulas."""

import numpy as np
import pytest

from reviewintent_jax.evaluation.survival import (
    calibration_gap,
    concordance,
    hazard_calibration,
    kaplan_meier_hazards,
    median_days,
    resampled_concordance,
    restricted_mean_days,
    survival_curve,
)

ENDS = np.array([4.0, 7.0, 14.0, 30.0, 31.0])


@pytest.fixture
def hazards():
    return np.random.default_rng(0).uniform(0.02, 0.6, (17, 5))


def test_survival_median_and_mean_are_those_of_a_plain_loop(hazards):
    survival = survival_curve(hazards)
    medians, means = median_days(hazards, ENDS), restricted_mean_days(hazards, ENDS)
    for n, hazard_j in enumerate(hazards):
        alive, area, median, start = 1.0, 0.0, np.inf, 0.0
        for j, hazard in enumerate(hazard_j):
            left = alive * (1 - hazard)
            assert survival[n, j] == pytest.approx(left)
            area += (ENDS[j] - start) * (alive + left) / 2
            if np.isinf(median) and left <= 0.5:
                median = start + (ENDS[j] - start) * (alive - 0.5) / (alive - left)
            alive, start = left, ENDS[j]
        assert medians[n] == pytest.approx(median)
        assert means[n] == pytest.approx(area)


def test_whom_half_outlasts_the_intervals_has_no_median():
    assert median_days(np.full((1, 5), 0.01), ENDS)[0] == np.inf


def test_kaplan_meier_is_the_product_limit_of_deaths_over_those_at_risk():
    # Deaths in intervals 0, 0, 2; censored after surviving 1 and 4; one unknown.
    interval = np.array([0, 0, 2, 1, 4, -1])
    came = np.array([True, True, True, False, False, False])
    hazard = kaplan_meier_hazards(interval, came, 5)
    assert hazard.tolist() == [2 / 5, 0, 1 / 2, 0, 0]
    assert survival_curve(hazard[None])[0, 2] == pytest.approx(0.6 * 0.5)


def test_concordance_is_that_of_a_loop_over_all_pairs():
    rng = np.random.default_rng(3)
    days = rng.integers(1, 9, 60).astype(float)  # many ties
    came = rng.random(60) < 0.6
    risk = rng.integers(0, 5, 60) / 4
    right = pairs = 0.0
    for a in range(60):
        for b in range(60):
            tied = days[a] == days[b] and not came[b]
            if not came[a] or not (days[a] < days[b] or tied) or a == b:
                continue
            pairs += 1
            right += 1.0 if risk[a] > risk[b] else 0.5 if risk[a] == risk[b] else 0.0
    assert concordance(days, came, risk) == pytest.approx(right / pairs)


def test_concordance_of_a_perfect_and_of_a_constant_risk():
    days, came = np.array([1.0, 2.0, 3.0, 3.0]), np.array([True, True, True, False])
    assert concordance(days, came, -days) == pytest.approx((5 + 0.5) / 6)
    assert concordance(days, came, np.zeros(4)) == 0.5
    assert np.isnan(concordance(days, np.zeros(4, bool), -days))


def test_a_resample_is_the_concordance_of_the_cases_it_draws():
    rng = np.random.default_rng(4)
    days, came = rng.integers(1, 7, 12).astype(float), rng.random(12) < 0.7
    risk = rng.random(12)
    draws = rng.integers(0, 12, (5, 12))
    counts = np.stack([np.bincount(drawn, minlength=12) for drawn in draws])
    found = resampled_concordance(days, came, risk, counts)
    wanted = [concordance(days[d], came[d], risk[d]) for d in draws]
    np.testing.assert_allclose(found, wanted, rtol=1e-5)


def test_calibration_counts_whoever_is_at_risk():
    hazard = np.array([[0.2, 0.4], [0.2, 0.4], [0.2, 0.4]])
    interval, came = np.array([0, 1, 2]), np.array([True, True, False])
    bins = hazard_calibration(hazard, interval, came, bins=2)
    assert [each["count"] for each in bins] == [3, 2]
    assert [each["seen"] for each in bins] == pytest.approx([1 / 3, 1 / 2])
    assert calibration_gap(bins) == pytest.approx((3 * (1 / 3 - 0.2) + 2 * 0.1) / 5)
    assert calibration_gap([]) is None
