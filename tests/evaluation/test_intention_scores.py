import json

import numpy as np
import pandas as pd
import pytest
from scipy.special import log_softmax
from scipy.stats import spearmanr
from sklearn.metrics import log_loss, matthews_corrcoef, roc_auc_score

from reviewintent_jax.evaluation.evaluate import Baseline, EvaluationSpec, Threshold
from reviewintent_jax.evaluation.intention import (
    IntentionFacts,
    intention_metrics,
    intention_table,
    text_only_system,
    what_history_adds,
)
from reviewintent_jax.evaluation.intention_baselines import Absent
from reviewintent_jax.schema import NO_LABEL

SPEC = EvaluationSpec(2, Threshold.ARGMAX, 60, 1000, 3)


def facts(**changes):
    usual = {
        "kind": "repurchase",
        "definition": "the next review follows within 30 days",
        "horizon_days": 30,
        "window": 7,
        "classes": ("no", "yes"),
        "target": 1,
        "cut": "2020-01-01T00:00:00Z",
        "unlabelled": {"censored": 4},
    }
    return IntentionFacts(**(usual | changes))


def side(n, seed, sharpness=2.0):
    """A table whose true chance is known: logits are ``sharpness`` times too large."""
    rng = np.random.default_rng(seed)
    true_logit_n = rng.normal(size=n) * 1.5
    truth_n = 1 / (1 + np.exp(-true_logit_n))
    label_n = (rng.random(n) < truth_n).astype(int)
    label_n[::9] = NO_LABEL
    logit_ny = np.stack([np.zeros(n), true_logit_n * sharpness], axis=1)
    return intention_table(
        np.arange(n) + 100,
        logit_ny,
        label_n,
        row_n=np.arange(n) + 500,
        subject_n=rng.integers(n // 5, size=n),
        time_n=rng.integers(10_000, size=n).astype(float),
        seen_n=rng.integers(1, 8, size=n),
        sentiment_n=1 / (1 + np.exp(-(true_logit_n + rng.normal(size=n)))),
        sentiment_label_n=(true_logit_n + rng.normal(size=n) > 0).astype(int),
        truth_n=truth_n,
    )


def noisy(table, seed, noise):
    rng = np.random.default_rng(seed)
    logit_n = table["logit_1"].to_numpy() / 2 + noise * rng.normal(size=len(table))
    return np.stack([np.zeros(len(table)), logit_n], axis=1)


def scored(noise=3.0, validation_seed=0, test_seed=1, **changes):
    validation, test = side(600, validation_seed), side(800, test_seed)
    text_only = text_only_system(
        noisy(validation, 8, noise),
        validation["label"].to_numpy(),
        noisy(test, 9, noise),
        SPEC,
    )
    others = {
        "majority": Baseline(np.log(np.full((800, 2), 0.5)), {}),
        "last_value": Absent("No history."),
        "text_only": text_only,
    }
    spec = changes.pop("spec", SPEC)
    found = intention_metrics(
        validation, test, facts(**changes), others, spec, shuffled=None
    )
    return found, test


def test_the_table_keeps_the_order_of_the_anchors():
    """Answers of other systems come in that order, too."""
    table = side(60, 3)
    assert table["review"].tolist() == list(range(100, 160))
    assert (table["row"] - table["review"] == 400).all()
    assert not table["subject"].is_monotonic_increasing


def test_scores_are_those_of_the_labelled_anchors():
    section, test = scored()
    known = test[test["label"] != NO_LABEL]
    model = section["systems"]["model"]["test"]
    assert model["n"] == len(known)
    auc = roc_auc_score(known["label"], known["logit_1"])
    assert model["auc"]["value"] == pytest.approx(auc)
    assert model["auc"]["low"] < auc < model["auc"]["high"]
    temperature = section["temperature"]
    assert temperature == pytest.approx(2, rel=0.25)
    prob_n = 1 / (1 + np.exp(-known["logit_1"] / temperature))
    assert model["log_loss"]["value"] == pytest.approx(log_loss(known["label"], prob_n))


def test_the_section_is_plain_json_with_everything_the_design_names():
    section, _ = scored()
    again = json.loads(json.dumps(section))
    assert again == section
    assert {
        *("kind", "definition", "circular", "horizon_days", "window", "classes", "cut"),
        *("unlabelled", "systems", "differences", "temperature", "threshold"),
        *("sentiment_correlation", "shuffled", "best_possible", "absent", "history"),
    } <= set(section)
    assert section["absent"] == {"last_value": "No history."}
    assert list(section["systems"]) == ["model", "majority", "text_only"]
    assert section["target"] == "yes"
    assert not section["circular"]


def test_the_rating_of_the_same_review_is_called_circular():
    assert scored(kind="proxy_rating")[0]["circular"]


def test_correlation_with_sentiment_is_phi_and_spearman():
    section, test = scored()
    found = section["sentiment_correlation"]
    known = test[test["label"] != NO_LABEL]
    phi = matthews_corrcoef(known["label"], known["sentiment_label"])
    assert found["labels"]["value"] == pytest.approx(phi)
    rho = spearmanr(test["logit_1"], test["sentiment_probability"])[0]
    assert found["predictions"]["value"] == pytest.approx(rho)
    for part in found.values():
        assert part["low"] < part["value"] < part["high"]


def test_the_model_that_knows_the_truth_is_at_no_distance_from_it():
    section, test = scored()
    best = section["best_possible"]
    known = test[test["label"] != NO_LABEL]
    assert best["rows"] == len(known)
    assert best["auc"] == pytest.approx(roc_auc_score(known["label"], known["truth"]))
    assert best["distance"]["auc"]["value"] == pytest.approx(0, abs=1e-12)
    assert abs(best["distance"]["log_loss"]["value"]) < 0.01


def test_without_a_truth_there_is_no_best_possible():
    validation, test = side(200, 0), side(210, 1).assign(truth=np.nan)
    found = intention_metrics(validation, test, facts(), {}, SPEC, shuffled=None)
    assert found["best_possible"] is None
    assert found["history"]["adds"] == "unknown"


def test_the_text_alone_is_calibrated_on_validation():
    section, test = scored()
    assert section["systems"]["text_only"]["temperature"] > 1.5
    columns = [f"text_only_log_probability_{y}" for y in (0, 1)]
    np.testing.assert_allclose(np.exp(test[columns]).sum(axis=1), 1)
    temperature = section["systems"]["text_only"]["temperature"]
    wanted = log_softmax(noisy(test, 9, 3.0) / temperature, axis=1)
    np.testing.assert_allclose(test[columns].to_numpy(), wanted)


def test_a_history_that_helps_is_said_to_help():
    history = scored(noise=3.0)[0]["history"]
    assert history["adds"] == "more"
    assert history["verdict"].startswith("The history adds 0.")
    assert history["low"] > 0


def test_a_history_that_adds_nothing_is_said_to_add_nothing():
    history = scored(noise=0.05)[0]["history"]
    assert history["adds"] == "nothing"
    assert "adds nothing that can be told from chance" in history["verdict"]


def test_a_history_that_harms_is_said_to_harm():
    difference = {"value": -0.05, "low": -0.08, "high": -0.02}
    boosting = {"value": -0.01, "low": -0.03, "high": 0.02}
    section = {
        "cut": "2020-01-01T00:00:00Z",
        "subjects": 99,
        "differences": {
            "text_only": {"auc": difference},
            "gradient_boosting": {"auc": boosting},
        },
    }
    found = what_history_adds(section)
    assert found["adds"] == "less"
    assert "worse than the text alone, by 0.050" in found["verdict"]
    assert "−0.080 to −0.020" in found["verdict"]
    assert "not clearly different from gradient boosting" in found["verdict"]


def test_from_a_handful_of_subjects_nothing_is_claimed():
    far = {"value": 0.444, "low": 0.2, "high": 0.6}
    section = {"cut": "2020-01-01T00:00:00Z", "subjects": 3}
    found = what_history_adds(section | {"differences": {"text_only": {"auc": far}}})
    assert (found["adds"], found["value"]) == ("unknown", None)
    assert "cannot be told from 3 subjects: 30 or more" in found["verdict"]


def test_without_intervals_nothing_is_claimed():
    spec = EvaluationSpec(2, Threshold.ARGMAX, 0, 1000, 3)
    history = scored(spec=spec)[0]["history"]
    assert history["adds"] == "unknown"
    assert "may be chance" in history["verdict"]


def test_three_classes_and_a_target():
    rng = np.random.default_rng(0)
    validation, test = (
        pd.concat([side(300, seed)], ignore_index=True).assign(
            logit_2=rng.normal(size=300), label=rng.integers(3, size=300)
        )
        for seed in (0, 1)
    )
    found = intention_metrics(
        *(validation, test, facts(classes=("no", "yes", "maybe")), {}, SPEC),
        shuffled=None,
    )
    assert found["best_possible"] is None
    assert len(found["systems"]["model"]["test"]["confusion"]) == 3
