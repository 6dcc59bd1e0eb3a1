import json

import numpy as np
import pytest
from sklearn import metrics as sk

from reviewintent_jax.evaluation.calibration import expected_calibration_error
from reviewintent_jax.evaluation.metrics import (
    METRICS,
    classification_metrics,
    paired_difference,
    resampled_scores,
)
from reviewintent_jax.schema import NO_LABEL, InputError


def drawn(n: int, y: int, seed: int = 0, decimals: int = 2):
    """Probabilities with many ties, and labels that they half know."""
    rng = np.random.default_rng(seed)
    label_n = rng.choice(y, size=n, p=np.arange(1, y + 1) / np.arange(1, y + 1).sum())
    logits_ny = rng.normal(size=(n, y)) + 1.2 * np.eye(y)[label_n]
    prob_ny = np.exp(logits_ny).round(decimals) + 0.01
    return prob_ny / prob_ny.sum(axis=1, keepdims=True), label_n


def plain_scores(prob_ny, label_n, answer_n):
    """Scikit-learn on the rows as they are; nan where undefined."""
    y, present = prob_ny.shape[1], sorted(set(label_n))
    target = [1] if y == 2 else range(y)
    auc = [
        sk.roc_auc_score(label_n == c, prob_ny[:, c])
        for c in target
        if c in present and len(present) > 1
    ]
    average = [
        sk.average_precision_score(label_n == c, prob_ny[:, c])
        for c in target
        if c in present
    ]
    macro = {"labels": present, "average": "macro", "zero_division": 0}
    return {
        "accuracy": sk.accuracy_score(label_n, answer_n),
        "macro_precision": sk.precision_score(label_n, answer_n, **macro),
        "macro_recall": sk.recall_score(label_n, answer_n, **macro),
        "macro_f1": sk.f1_score(label_n, answer_n, **macro),
        "auc": np.mean(auc) if auc else np.nan,
        "average_precision": np.mean(average) if average else np.nan,
        "log_loss": sk.log_loss(label_n, prob_ny, labels=range(y)),
        "calibration_error": expected_calibration_error(prob_ny, label_n),
    }


@pytest.mark.parametrize("y", [2, 3, 5])
def test_scores_of_resamples_equal_scikit_learn_on_the_drawn_rows(y):
    prob_ny, label_n = drawn(23, y, seed=y)
    answer_n = prob_ny.argmax(1)
    rng = np.random.default_rng(1)
    count_sn = rng.multinomial(23, np.full(23, 1 / 23), size=30)
    count_sn[0] = 23 * np.eye(23, dtype=int)[4]  # one review, drawn every time
    found = resampled_scores(prob_ny, label_n, answer_n, count_sn)
    for s, count_n in enumerate(count_sn):
        rows = np.repeat(np.arange(23), count_n)
        plain = plain_scores(prob_ny[rows], label_n[rows], answer_n[rows])
        for name in METRICS:
            np.testing.assert_allclose(
                found[name][s], plain[name], atol=1e-12, err_msg=f"{name}, draw {s}"
            )


@pytest.mark.parametrize("y", [2, 4])
def test_values_are_scikit_learns(y):
    prob_ny, label_n = drawn(150, y)
    result = classification_metrics(
        prob_ny, label_n, list("abcd")[:y], bootstrap_samples=0, seed=0
    )
    plain = plain_scores(prob_ny, label_n, prob_ny.argmax(1))
    for name in METRICS:
        assert result[name]["value"] == pytest.approx(plain[name], abs=1e-12), name
        assert result[name]["low"] is None


def test_auc_of_three_classes_is_scikit_learns_one_against_the_rest():
    prob_ny, label_n = drawn(90, 3)
    result = classification_metrics(
        prob_ny, label_n, list("abc"), bootstrap_samples=0, seed=0
    )
    expected = sk.roc_auc_score(label_n, prob_ny, multi_class="ovr", average="macro")
    assert result["auc"]["value"] == pytest.approx(expected, abs=1e-12)


def test_intervals_are_percentiles_of_a_plain_bootstrap():
    prob_ny, label_n = drawn(60, 3)
    result = classification_metrics(
        prob_ny, label_n, list("abc"), bootstrap_samples=50, seed=7
    )
    rng = np.random.default_rng(7)
    plain = []
    for _ in range(50):
        rows = rng.integers(60, size=60)
        plain.append(
            plain_scores(prob_ny[rows], label_n[rows], prob_ny[rows].argmax(1))
        )
    for name in METRICS:
        values = [scores[name] for scores in plain]
        low, high = np.percentile(values, (2.5, 97.5))
        assert result[name]["low"] == pytest.approx(low, abs=1e-9), name
        assert result[name]["high"] == pytest.approx(high, abs=1e-9), name


def test_groups_are_drawn_whole():
    prob_ny, label_n = drawn(60, 3)
    label_n[7] = NO_LABEL
    group_n = np.random.default_rng(1).integers(13, size=60) * 5 + 2
    result = classification_metrics(
        prob_ny, label_n, list("abc"), bootstrap_samples=40, seed=7, group_n=group_n
    )
    rng, names = np.random.default_rng(7), np.unique(np.delete(group_n, 7))
    plain = []
    for _ in range(40):
        drawn_groups = names[rng.integers(len(names), size=len(names))]
        rows = [
            n
            for name in drawn_groups
            for n in range(60)
            if group_n[n] == name and label_n[n] != NO_LABEL
        ]
        plain.append(
            plain_scores(prob_ny[rows], label_n[rows], prob_ny[rows].argmax(1))
        )
    for name in METRICS:
        low, high = np.percentile([scores[name] for scores in plain], (2.5, 97.5))
        assert result[name]["low"] == pytest.approx(low, abs=1e-9), name
        assert result[name]["high"] == pytest.approx(high, abs=1e-9), name


def test_reviews_that_repeat_each_other_do_not_make_an_interval_narrower():
    prob_ny, label_n = drawn(80, 2)
    how = {"bootstrap_samples": 300, "seed": 1}
    once = classification_metrics(prob_ny, label_n, "ab", **how)["auc"]
    nine = np.repeat(prob_ny, 9, axis=0), np.repeat(label_n, 9)
    again = classification_metrics(
        *nine, "ab", group_n=np.repeat(np.arange(80), 9), **how
    )["auc"]
    for end in ("value", "low", "high"):
        assert again[end] == pytest.approx(once[end], abs=1e-9)
    other = np.roll(nine[0], 1, axis=0)
    paired = paired_difference(
        *(nine[0], other, nine[1], "auc"), group_n=np.repeat(np.arange(80), 9), **how
    )
    single = paired_difference(nine[0], other, nine[1], "auc", **how)
    assert paired["value"] == single["value"]
    assert (paired["low"], paired["high"]) != (single["low"], single["high"])


def test_intervals_do_not_depend_on_how_the_work_is_cut(monkeypatch):
    prob_ny, label_n = drawn(40, 2)
    arguments = {"bootstrap_samples": 30, "seed": 5}
    whole = classification_metrics(prob_ny, label_n, ["a", "b"], **arguments)
    monkeypatch.setattr("reviewintent_jax.evaluation.metrics._CHUNK_CELLS", 7 * 40)
    parts = classification_metrics(prob_ny, label_n, ["a", "b"], **arguments)
    for name in METRICS:
        assert whole[name]["high"] == pytest.approx(parts[name]["high"], abs=1e-12)


def test_per_class_and_confusion_follow_the_names():
    prob_ny = np.eye(3)[[0, 0, 1, 2, 1]]
    label_n = np.array([0, 1, 1, 2, 2])
    result = classification_metrics(
        prob_ny, label_n, ["bad", "fair", "good"], bootstrap_samples=0, seed=0
    )
    assert result["confusion"] == [[1, 0, 0], [1, 1, 0], [0, 1, 1]]
    assert result["per_class"]["fair"] == {
        "precision": 0.5,
        "recall": 0.5,
        "f1": 0.5,
        "support": 2,
    }
    assert result["n"] == 5


def test_rows_without_label_change_nothing():
    prob_ny, label_n = drawn(30, 3)
    more_ny = np.vstack([prob_ny, np.eye(3)])
    more_n = np.append(label_n, [NO_LABEL] * 3)
    arguments = {"bootstrap_samples": 20, "seed": 0}
    assert classification_metrics(
        more_ny, more_n, list("abc"), **arguments
    ) == classification_metrics(prob_ny, label_n, list("abc"), **arguments)


def test_chosen_classes_replace_the_most_probable_ones():
    prob_ny, label_n = drawn(50, 2)
    result = classification_metrics(
        prob_ny,
        label_n,
        ["a", "b"],
        bootstrap_samples=10,
        seed=0,
        predicted_n=label_n,
    )
    assert result["macro_f1"] == {"value": 1.0, "low": 1.0, "high": 1.0}
    assert result["auc"]["value"] < 1


@pytest.mark.parametrize("rows", [0, 1, 3])
def test_one_class_or_no_rows_give_null_where_undefined(rows):
    prob_ny = np.tile([0.3, 0.7, 0.0], (rows, 1))
    result = classification_metrics(
        prob_ny, np.ones(rows, int), list("abc"), bootstrap_samples=5, seed=0
    )
    json.dumps(result, allow_nan=False)
    assert result["auc"] == {"value": None, "low": None, "high": None}
    assert result["per_class"]["c"]["recall"] is None
    assert result["accuracy"]["value"] == (1.0 if rows else None)


def test_a_class_absent_from_the_split_is_left_out_of_the_macro_mean():
    prob_ny = np.eye(3)[[0, 1, 1, 0]] * 0.8 + 0.2 / 3
    label_n = np.array([0, 1, 1, 1])
    result = classification_metrics(
        prob_ny, label_n, list("abc"), bootstrap_samples=0, seed=0
    )
    assert result["macro_recall"]["value"] == pytest.approx((1 + 2 / 3) / 2)
    assert result["per_class"]["c"]["f1"] is None


def test_a_hopelessly_sure_mistake_leaves_the_log_loss_finite():
    prob_ny = np.array([[1.0, 0.0], [0.0, 1.0]])
    result = classification_metrics(
        prob_ny, np.array([1, 1]), ["a", "b"], bootstrap_samples=5, seed=0
    )
    assert np.isfinite(result["log_loss"]["high"])


def test_probabilities_that_are_not_numbers_are_refused():
    prob_ny = np.array([[0.5, 0.5], [np.nan, 0.5]])
    with pytest.raises(InputError, match="1 of 2 predictions"):
        classification_metrics(
            prob_ny, np.array([0, 1]), ["a", "b"], bootstrap_samples=0, seed=0
        )


def test_too_few_names_are_refused():
    prob_ny, label_n = drawn(5, 3)
    with pytest.raises(InputError, match="3 classes"):
        classification_metrics(
            prob_ny, label_n, ["a", "b"], bootstrap_samples=0, seed=0
        )


def test_paired_difference_is_the_difference_of_the_values():
    prob_a_ny, label_n = drawn(80, 3)
    prob_b_ny = np.roll(prob_a_ny, 1, axis=0)
    arguments = {"bootstrap_samples": 40, "seed": 2}
    found = paired_difference(prob_a_ny, prob_b_ny, label_n, "macro_f1", **arguments)
    a, b = (
        classification_metrics(prob, label_n, list("abc"), **arguments)["macro_f1"]
        for prob in (prob_a_ny, prob_b_ny)
    )
    assert found["value"] == pytest.approx(a["value"] - b["value"], abs=1e-12)
    assert found["low"] < found["value"] < found["high"]


def test_paired_difference_of_a_system_and_itself_is_exactly_zero():
    prob_ny, label_n = drawn(40, 2)
    found = paired_difference(
        prob_ny, prob_ny, label_n, "auc", bootstrap_samples=20, seed=0
    )
    assert found == {"value": 0.0, "low": 0.0, "high": 0.0}
