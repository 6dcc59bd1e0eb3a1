"""Scores of a panel's forecasts against plain loops and scikit-learn."""

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, f1_score

from reviewintent_jax.evaluation.heading_metrics import (
    Answer,
    Truth,
    differences,
    heading_metrics,
    skill,
    value_metrics,
)

CLASSES = ("falling", "steady", "rising")


def made(n=60, seed=0):
    rng = np.random.default_rng(seed)
    value, last = rng.random((n, 2)), rng.random((n, 2))
    direction = np.where(value > last, 2, 0)
    direction[rng.random((n, 2)) < 0.3] = -1
    truth = Truth(
        value, last, direction, np.repeat(np.arange(6), n // 6), "ab", CLASSES
    )
    prob = rng.random((n, 2, 3))
    prob /= prob.sum(-1, keepdims=True)
    return truth, Answer(value + 0.1 * rng.normal(size=(n, 2)), prob)


def test_only_what_is_known_is_scored():
    truth, said = made()
    scores = heading_metrics(truth, said, samples=0, seed=0)
    for s, measure in enumerate("ab"):
        known = truth.direction_ns[:, s] >= 0
        errors = [
            abs(said.forecast_ns[i, s] - truth.value_ns[i, s])
            for i in range(len(known))
            if known[i]
        ]
        value = scores["values"][measure]
        assert value["n"] == known.sum()
        assert value["mae"] == {
            "value": pytest.approx(np.mean(errors)),
            "low": None,
            "high": None,
        }
        label = truth.direction_ns[known, s]
        answers = said.prob_nsy[known, s].argmax(-1)
        direction = scores["directions"][measure]
        assert direction["accuracy"]["value"] == accuracy_score(label, answers)
        wanted = f1_score(label, answers, average="macro", labels=np.unique(label))
        assert direction["macro_f1"]["value"] == pytest.approx(wanted)


def test_skill_is_the_part_of_the_other_s_error_that_is_gone():
    error, other = np.array([1.0, 2.0]), np.array([2.0, 4.0])
    one = {"unit_n": np.array([0, 1]), "seed": 0}
    assert skill(error, other, samples=200, **one) == {
        "value": 0.5,
        "low": pytest.approx(0.5),
        "high": pytest.approx(0.5),
    }
    assert skill(error, 0 * other, samples=9, **one)["value"] is None


def test_persistence_has_no_skill_and_its_rse_is_that_of_a_loop():
    truth, _ = made()
    known = truth.direction_ns[:, 0] >= 0
    value, last = truth.value_ns[known, 0], truth.last_ns[known, 0]
    drawn = {"unit_n": np.arange(len(value)), "samples": 50, "seed": 1}
    scores = value_metrics(value, last, last, **drawn)
    assert scores["skill"] == {"value": 0.0, "low": 0.0, "high": 0.0}
    above = sum((t - p) ** 2 for t, p in zip(value, last, strict=True))
    below = sum((t - value.mean()) ** 2 for t in value)
    assert scores["rse"] == pytest.approx(np.sqrt(above / below))


def test_intervals_draw_whole_units():
    rng = np.random.default_rng(0)
    error = np.repeat(rng.random(5), 40)  # alike within a unit
    unit = np.repeat(np.arange(5), 40)
    other = np.ones(200)
    whole = skill(error, other, unit_n=unit, samples=500, seed=0)
    single = skill(error, other, unit_n=np.arange(200), samples=500, seed=0)
    assert whole["high"] - whole["low"] > 3 * (single["high"] - single["low"])


def test_answers_without_probabilities_have_no_score_that_needs_them():
    truth, said = made()
    only = Answer(answer_ns=said.prob_nsy.argmax(-1))
    scores = heading_metrics(truth, only, samples=20, seed=0)
    assert "values" not in scores
    found, full = (
        heading_metrics(truth, each, samples=20, seed=0)["directions"]["a"]
        for each in (only, said)
    )
    assert found["accuracy"] == full["accuracy"]
    assert {"auc", "log_loss"}.isdisjoint(found)
    assert {"auc", "log_loss"} <= full.keys()


def test_differences_are_the_model_s_advantage():
    truth, said = made()
    worse = Answer(truth.last_ns, answer_ns=np.zeros((60, 2), int))
    found = differences(truth, {"model": said, "other": worse}, samples=50, seed=0)
    for s, measure in enumerate("ab"):
        known = truth.direction_ns[:, s] >= 0
        label = truth.direction_ns[known, s]
        right = (said.prob_nsy[known, s].argmax(-1) == label).mean()
        wanted = right - (label == 0).mean()
        assert found["directions"][measure]["other"]["value"] == pytest.approx(wanted)
        scores = heading_metrics(truth, said, samples=50, seed=0)["values"][measure]
        assert found["values"][measure]["other"] == scores["skill"]
