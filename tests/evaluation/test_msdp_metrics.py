"""Scores of whether, how much and when against scikit-learn; paired differences."""

import numpy as np
import pytest
from sklearn import metrics as sk

from reviewintent_jax.evaluation.msdp_metrics import (
    Said,
    Truth,
    differences,
    draw_counts,
    score_samples,
    with_ends,
)
from reviewintent_jax.evaluation.survival import concordance, restricted_mean_days

ENDS = np.array([5.0, 10.0, 20.0])


@pytest.fixture
def truth():
    rng = np.random.default_rng(0)
    count = 50
    days, came = rng.uniform(0, 30, count), rng.random(count) < 0.7
    inside = came & (days <= 20)
    interval = np.searchsorted(ENDS, days, side="left")
    return Truth(
        intent_n=rng.integers(-1, 2, count),
        value_n=np.where(rng.random(count) < 0.6, rng.uniform(0, 90, count), np.nan),
        days_n=days,
        came_n=came,
        interval_n=interval,
        inside_n=inside,
        end_j=ENDS,
        unit_n=np.repeat(np.arange(25), 2),
    )


@pytest.fixture
def said():
    rng = np.random.default_rng(1)
    hazards = rng.uniform(0.1, 0.5, (50, 3))
    return Said(rng.random(50), rng.uniform(0, 90, 50), hazards)


def test_scores_are_those_of_scikit_learn(truth, said):
    found = with_ends(score_samples(truth, said, np.ones((1, 50))))
    known = truth.intent_n >= 0
    label, chance = truth.intent_n[known], said.chance_n[known]
    intent = {name: score["value"] for name, score in found["intent"].items()}
    assert intent["auc"] == pytest.approx(sk.roc_auc_score(label, chance))
    wanted = sk.average_precision_score(label, chance)
    assert intent["average_precision"] == pytest.approx(wanted)
    assert intent["brier"] == pytest.approx(sk.brier_score_loss(label, chance))
    some = np.isfinite(truth.value_n)
    pair = truth.value_n[some], said.value_n[some]
    rmsle = sk.root_mean_squared_log_error(*pair)
    assert found["value"]["rmsle"]["value"] == pytest.approx(rmsle)
    assert found["value"]["mae"]["value"] == pytest.approx(
        sk.mean_absolute_error(*pair)
    )
    risk = -restricted_mean_days(said.hazard_nj, ENDS)
    index = concordance(np.minimum(truth.days_n, 20), truth.inside_n, risk)
    assert found["time"]["concordance"]["value"] == pytest.approx(index, rel=1e-5)
    assert found["time"]["concordance"]["low"] is None


def test_a_system_that_says_nothing_of_a_task_has_no_score_of_it(truth, said):
    found = score_samples(truth, said._replace(value_n=None), np.ones((1, 50)))
    assert {task for task, _ in found} == {"intent", "time"}


def test_resamples_draw_whole_subjects(truth):
    counts = draw_counts(truth.unit_n, 40, 3)
    assert counts.shape == (41, 50)
    assert (counts[0] == 1).all()
    assert (counts[:, ::2] == counts[:, 1::2]).all()
    assert (counts.sum(axis=1) == 50).all()


def test_differences_are_paired_and_above_zero_where_the_model_is_better(truth, said):
    counts = draw_counts(truth.unit_n, 30, 0)
    known = np.where(np.isfinite(truth.value_n), truth.value_n, 1.0)
    perfect = Said(np.clip(truth.intent_n, 0, 1).astype(float), known)
    model = score_samples(truth, perfect, counts)
    other = score_samples(truth, said, counts)
    apart = differences(model, other)
    assert apart["intent"]["auc"]["low"] > 0
    assert apart["value"]["rmsle"]["low"] > 0
    assert apart["intent"]["brier"]["value"] > 0
    assert "time" not in apart
    same = differences(model, model)["value"]["mae"]
    assert same == {"value": 0.0, "low": 0.0, "high": 0.0}
