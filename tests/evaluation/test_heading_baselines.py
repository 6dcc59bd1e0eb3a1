"""Baselines of a panel: by arithmetic, by scikit-learn, blind to what comes later."""

import dataclasses

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression, Ridge

from reviewintent_jax.evaluation.heading_baselines import (
    HeadingEvaluationSpec,
    PanelTable,
    ar_ridge,
    baselines,
    extended,
    logistic,
    majority,
    window_mean,
)
from reviewintent_jax.schema import InputError

NAN = np.nan
SPEC = HeadingEvaluationSpec(10, (0.1, 10.0), (0.01, 1.0), 0)


def table_of(n=90, seed=0):
    rng = np.random.default_rng(seed)
    value = rng.normal(size=(n, 4, 2))
    value[: n // 5, :2, 0] = NAN
    truth = 0.7 * np.nanmean(value, axis=1) + 0.1 * rng.normal(size=(n, 2))
    last = value[:, -1]
    direction = np.sign(truth - last).astype(int) + 1
    direction[::7, 1] = -1
    rows = np.arange(n)
    return PanelTable(value, truth, last, direction, rows[:50], rows[50:70], 3)


def test_the_window_s_mean_leaves_out_what_is_not_there():
    value = np.array([[[NAN], [1.0], [3.0]], [[NAN], [NAN], [NAN]]])
    found = window_mean(value, np.array([[3.0], [NAN]]))
    assert found[0].tolist() == [2.0]
    assert np.isnan(found[1, 0])


def test_short_windows_are_extended_by_their_first_value():
    value = np.array([[[NAN, NAN], [NAN, NAN], [3.0, NAN], [4.0, NAN]]])
    assert extended(value)[0, :, 0].tolist() == [3, 3, 3, 4]
    assert extended(value)[0, :, 1].tolist() == [0, 0, 0, 0]


def test_the_ridge_is_scikit_learn_s_on_all_measures():
    table = table_of()
    lags = extended(table.value_nts)
    found = ar_ridge(table, lags, (10.0,))
    train = table.train_n[table.direction_ns[:50, 1] >= 0]
    said = []
    for change in (0, 1):
        base = change * lags[:, -1]
        x = (lags - base[:, None]).reshape(90, -1)
        y = table.truth_ns[:, 1] - base[:, 1]
        fitted = Ridge(alpha=10.0).fit(x[train], y[train])
        said.append(fitted.predict(x) + base[:, 1])
    chosen = ["levels", "changes"].index(found.facts["chosen"][1]["regresses"])
    np.testing.assert_allclose(found.forecast_ns[:, 1], said[chosen])


def test_the_logistic_regression_is_scikit_learn_s():
    table = table_of()
    lags = extended(table.value_nts)
    found = logistic(table, lags, (1.0,))
    fitted = LogisticRegression(C=1.0, max_iter=10_000)
    x = lags.reshape(90, -1)
    fitted.fit(x[:50], table.direction_ns[:50, 0])
    wanted = np.zeros((90, 3))
    wanted[:, fitted.classes_] = fitted.predict_proba(x)
    np.testing.assert_allclose(found.prob_nsy[:, 0], wanted, atol=1e-6)


def test_a_direction_that_never_varies_in_training_is_always_said():
    table = table_of()
    table.direction_ns[:50, 0] = 2
    found = logistic(table, extended(table.value_nts), (1.0,))
    assert (found.prob_nsy[:, 0] == [0, 0, 1]).all()
    assert found.facts["costs"][0] is None


def test_the_majority_counts_training_alone():
    table = table_of()
    table.direction_ns[50:] = 1
    share = majority(table)[77, 1]
    known = table.direction_ns[:50, 1]
    known = known[known >= 0]
    np.testing.assert_allclose(share, [(known == y).mean() for y in range(3)])


def test_what_is_tested_changes_no_baseline():
    table = table_of()
    changed = table._replace(
        truth_ns=np.where(np.arange(90)[:, None] < 70, table.truth_ns, 9.0),
        direction_ns=np.where(np.arange(90)[:, None] < 70, table.direction_ns, 0),
    )

    def directed(said):
        return (said > table.last_ns).astype(int)

    said, again = (baselines(each, SPEC, directed) for each in (table, changed))
    assert list(said) == ["window_mean", "ar_ridge", "majority", "logistic_regression"]
    for name in said:
        for one, other in zip(said[name][:3], again[name][:3], strict=True):
            np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize(
    ("field", "value"),
    [("ridge_alphas", ()), ("logistic_costs", (0.0,)), ("bootstrap_samples", -1)],
)
def test_settings_out_of_range_are_refused(field, value):
    with pytest.raises(InputError, match=f"evaluation.{field}"):
        dataclasses.replace(SPEC, **{field: value})
