"""Forecast scores against plain loops, NumPy and scikit-learn; known real figures."""

import numpy as np
import pytest
from sklearn.metrics import mean_absolute_error, r2_score

from reviewintent_jax.data.series import Header, SeriesSpec, read_series
from reviewintent_jax.data.times import DateOrder
from reviewintent_jax.evaluation.forecast_baselines import persistence
from reviewintent_jax.evaluation.forecast_metrics import forecast_metrics

NAMES = ("tea", "coffee", "milk")


def case(seed=0, n=23):
    rng = np.random.default_rng(seed)
    level = np.array([0.0, 5.0, 100.0])
    truth = level + rng.normal(size=(n, 3)).cumsum(axis=0)
    forecast = truth + 0.4 * rng.normal(size=(n, 3))
    naive = truth + rng.normal(size=(n, 3))
    return truth, forecast, naive


def test_scores_equal_plain_loops():
    truth, forecast, naive = case()
    scores = forecast_metrics(truth, forecast, naive, NAMES)
    mean = sum(truth.ravel().tolist()) / truth.size
    error = deviation = naive_error = 0.0
    for n in range(len(truth)):
        for s in range(3):
            error += (truth[n, s] - forecast[n, s]) ** 2
            naive_error += (truth[n, s] - naive[n, s]) ** 2
            deviation += (truth[n, s] - mean) ** 2
    assert scores["rse"] == pytest.approx((error / deviation) ** 0.5)
    assert scores["skill"] == pytest.approx(1 - error / naive_error)
    assert scores["n"] == 23


def test_scores_of_each_series_equal_scikit_learn_and_numpy():
    truth, forecast, naive = case()
    scores = forecast_metrics(truth, forecast, naive, NAMES)
    each = scores["per_series"]
    for s, name in enumerate(NAMES):
        r2 = r2_score(truth[:, s], forecast[:, s])
        corr = np.corrcoef(truth[:, s], forecast[:, s])[0, 1]
        assert each[name]["rse"] == pytest.approx((1 - r2) ** 0.5)
        assert each[name]["corr"] == pytest.approx(corr)
        assert each[name]["mae"] == pytest.approx(
            mean_absolute_error(truth[:, s], forecast[:, s])
        )
    assert scores["mae"] == pytest.approx(mean_absolute_error(truth, forecast))
    for metric in ("rse", "skill"):
        mean = np.mean([each[name][metric] for name in NAMES])
        assert scores[f"{metric}_per_series"] == pytest.approx(mean)
    assert scores["corr"] == pytest.approx(np.mean([each[n]["corr"] for n in NAMES]))


def test_the_authors_formula_gives_the_same():
    truth, forecast, naive = case()
    scores = forecast_metrics(truth, forecast, naive, NAMES)
    # normal_std of the authors' code, with the size of the whole tensor.
    spread = truth.std(ddof=1) * np.sqrt((truth.size - 1) / truth.size)
    rse = np.sqrt(np.square(truth - forecast).sum() / truth.size) / spread
    both = (forecast - forecast.mean(0)) * (truth - truth.mean(0))
    corr = (both.mean(0) / (forecast.std(0) * truth.std(0))).mean()
    assert scores["rse"] == pytest.approx(rse)
    assert scores["corr"] == pytest.approx(corr)


def test_persistence_has_no_skill_and_truth_has_all():
    truth, _, naive = case()
    assert forecast_metrics(truth, naive, naive, NAMES)["skill"] == 0
    perfect = forecast_metrics(truth, truth, naive, NAMES)
    assert perfect["skill"] == perfect["skill_per_series"] == 1
    assert perfect["rse"] == perfect["mae"] == 0
    assert perfect["corr"] == pytest.approx(1)


def test_constant_series_are_left_out_where_nothing_is_defined():
    truth, forecast, naive = case()
    truth[:, 1] = naive[:, 1] = 0.1  # whose mean is not exactly 0.1
    scores = forecast_metrics(truth, forecast, naive, NAMES)
    each = scores["per_series"]
    assert each["coffee"]["rse"] is each["coffee"]["corr"] is None
    assert each["coffee"]["skill"] is None
    assert each["coffee"]["mae"] > 0
    others = np.mean([each[name]["corr"] for name in ("tea", "milk")])
    assert scores["corr"] == pytest.approx(others)
    still = np.full((5, 3), 0.1)
    nothing = forecast_metrics(still, still + 1, still, NAMES)
    assert [nothing[k] for k in ("rse", "rse_per_series", "corr", "skill")] == 4 * [
        None
    ]


def test_a_constant_forecast_follows_nothing():
    truth, forecast, naive = case()
    forecast[:, 0] = 0.1
    each = forecast_metrics(truth, forecast, naive, NAMES)["per_series"]
    assert each["tea"]["corr"] == 0


@pytest.mark.parametrize(
    ("horizon", "rse"), [(3, 0.0171), (6, 0.0238), (12, 0.0329), (24, 0.0434)]
)
def test_persistence_on_exchange_rates_is_as_measured(shared_data, horizon, rse):
    path = str(shared_data / "lstnet" / "exchange_rate.txt.gz")
    table = read_series(SeriesSpec(path, Header.AUTO, "auto", DateOrder.ISO, ()))
    assert table.value_ts.shape == (7588, 8)
    row_n = np.arange(int(0.8 * 7588), 7588)
    naive = persistence(table.value_ts, row_n, horizon)
    scores = forecast_metrics(table.value_ts[row_n], naive, naive, table.names)
    assert round(scores["rse"], 4) == rse
