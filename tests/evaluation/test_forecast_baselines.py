"""Baselines against plain loops and a ridge solved by hand; none sees the future."""

import numpy as np
import pytest

from reviewintent_jax.evaluation.forecast_baselines import (
    ForecastEvaluationSpec,
    RowSplits,
    ar_ridge,
    persistence,
    seasonal_naive,
)
from reviewintent_jax.schema import InputError

WINDOW, HORIZON = 6, 4
ROWS = RowSplits(np.arange(9, 60), np.arange(60, 80), np.arange(80, 100))


def table(seed=0):
    rng = np.random.default_rng(seed)
    t = np.arange(100)[:, None]
    return np.sin(t / np.array([3.0, 5.0])) + 0.1 * rng.normal(size=(100, 2))


def test_persistence_and_season_equal_loops():
    value_ts, row_n = table(), np.arange(40, 60)
    naive = persistence(value_ts, row_n, HORIZON)
    for season in (1, 3, 4, 7, 9):
        repeated = seasonal_naive(value_ts, row_n, HORIZON, season)
        for place, row in enumerate(row_n):
            back = season
            while back < HORIZON:
                back += season
            np.testing.assert_array_equal(repeated[place], value_ts[row - back])
            np.testing.assert_array_equal(naive[place], value_ts[row - HORIZON])


def test_a_season_before_the_table_is_the_last_known_value():
    value_ts, row_n = table(), np.array([5, 8])
    repeated = seasonal_naive(value_ts, row_n, HORIZON, season=7)
    np.testing.assert_array_equal(repeated, value_ts[[1, 1]])


def ridge_by_hand(value_t, alpha, regresses):
    """The closed solution, intercept by centring, on a series divided by its spread."""
    past = value_t[: ROWS.train[-1] + 1]
    scaled = (value_t - past.mean()) / past.std()

    def lags(rows):
        ends = [row - HORIZON for row in rows]
        x = np.array([scaled[end - WINDOW + 1 : end + 1] for end in ends])
        return x, (x[:, -1] if regresses == "changes" else np.zeros(len(x)))

    x, last = lags(ROWS.train)
    x, y = x - last[:, None], scaled[ROWS.train] - last
    centred = x - x.mean(0)
    weight = np.linalg.solve(
        centred.T @ centred + alpha * np.eye(WINDOW), centred.T @ (y - y.mean())
    )

    def forecast(rows):
        read, last_n = lags(rows)
        said = (read - last_n[:, None] - x.mean(0)) @ weight + y.mean() + last_n
        return said * past.std() + past.mean()

    return forecast(ROWS.validation), forecast(ROWS.asked)


def test_the_ridge_is_the_best_of_all_solved_by_hand_on_validation():
    value_ts, alphas = table(), (0.01, 1.0, 100.0)
    found = ar_ridge(value_ts, ROWS, window=WINDOW, horizon=HORIZON, alphas=alphas)
    for s in range(2):
        tried = {
            (alpha, kind): ridge_by_hand(value_ts[:, s], alpha, kind)
            for alpha in alphas
            for kind in ("levels", "changes")
        }
        truth = value_ts[ROWS.validation, s]
        best = min(tried, key=lambda k: np.square(tried[k][0] - truth).mean())
        assert (found.facts["alpha"][s], found.facts["regresses"][s]) == best
        np.testing.assert_allclose(found.forecast_ns[:, s], tried[best][1], rtol=1e-8)


def test_no_baseline_sees_what_is_not_known_yet():
    value_ts, changed = table(), table()
    row = 90
    changed[row - HORIZON + 1 :] += 1e3
    asked = RowSplits(ROWS.train, ROWS.validation, np.array([row]))
    settings = {"window": WINDOW, "horizon": HORIZON, "alphas": (1.0,)}
    for value in (value_ts, changed):
        said = [
            persistence(value, asked.asked, HORIZON),
            seasonal_naive(value, asked.asked, HORIZON, 5),
            ar_ridge(value, asked, **settings).forecast_ns,
        ]
        if value is value_ts:
            wanted = said
    np.testing.assert_array_equal(said, wanted)


def test_one_penalty_is_enough_and_a_constant_series_is_forecast_as_it_is():
    value_ts = table()
    value_ts[:, 1] = 0.1
    found = ar_ridge(value_ts, ROWS, window=WINDOW, horizon=HORIZON, alphas=(1.0,))
    np.testing.assert_allclose(found.forecast_ns[:, 1], 0.1, rtol=1e-12)


@pytest.mark.parametrize(
    "change", [{"batch_windows": 0}, {"season": 0}, {"ridge_alphas": ()}]
)
def test_impossible_settings_are_refused(change):
    settings = {"batch_windows": 4, "season": 7, "ridge_alphas": (1.0,)} | change
    with pytest.raises(InputError, match=next(iter(change))):
        ForecastEvaluationSpec(**settings)
