"""Systems beside the history model: windows of train anchors -> answers of test.

Every one learns from the train anchors alone, sees the windows that the model sees,
and chooses its settings and its calibration on validation, as the model does. None
reads a text: what they know is when reviews were written and the numbers beside them.
"""

import contextlib
import logging
import time
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
from scipy.special import log_softmax
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

from reviewintent_jax.evaluation.baselines import majority_log_probabilities
from reviewintent_jax.evaluation.calibration import (
    best_threshold,
    fit_temperature,
    probabilities,
)
from reviewintent_jax.evaluation.evaluate import Baseline, EvaluationSpec, Threshold
from reviewintent_jax.evaluation.intention_windows import (
    Windows,
    recency_frequency,
    window_features,
)
from reviewintent_jax.schema import NO_LABEL

LEAVES = (4, 8, 16)
"""Leaves of a boosted tree that are tried."""
ROUNDS = 150
"""Most trees a class; how many are kept is chosen on validation."""
_RATE = 0.06
_STRENGTHS = (1.0, 0.1, 10.0, 0.01)  # the first where there is no validation
_ROWS_FOR_THREADS = 50_000
_TINY = 1e-12  # the smallest probability given to a class

log = logging.getLogger("reviewintent")


class Absent(NamedTuple):
    """A system that cannot be, and why.

    Attributes:
      reason: a sentence for the report.
    """

    reason: str


class Sides(NamedTuple):
    """What a baseline is fitted on, chosen on and asked about."""

    train: Windows
    validation: Windows
    test: Windows


def fit_intention_baselines(
    sides: Sides, classes: Sequence[str], spec: EvaluationSpec
) -> dict[str, Baseline | Absent]:
    """Majority, last value, recency/frequency and boosting, in this order."""
    fits: dict[str, Callable[[Sides, int, EvaluationSpec], Baseline | Absent]] = {
        "majority": majority,
        "last_value": last_value,
        "recency_frequency": recency_frequency_regression,
        "gradient_boosting": gradient_boosting,
    }
    found: dict[str, Baseline | Absent] = {}
    for name, fit in fits.items():
        log.info("Intention baseline: %s", name.replace("_", " "))
        found[name] = fit(labelled(sides, spec), len(classes), spec)
    return found


def majority(sides: Sides, classes: int, spec: EvaluationSpec) -> Baseline:
    """The shares of the classes among train anchors, for everybody."""
    del spec
    asked = len(sides.test.label_n)
    return Baseline(majority_log_probabilities(sides.train.label_n, classes, asked), {})


def last_value(sides: Sides, classes: int, spec: EvaluationSpec) -> Baseline | Absent:
    """The shares of the classes among train anchors with the same last known value.

    A first review has no last value and is answered with the shares of first reviews.
    Each share is pulled to that of all anchors as by one more anchor, so that a rare
    value is not certain: with shares 0.25 and 0.75 overall, three anchors of class 1
    give ``(3 + 0.75) / 4``.
    """
    train, test = sides.train, sides.test
    if (train.last_n < 0).all():
        return Absent("No review of training has an earlier one of the same subject.")
    values = int(max(train.last_n.max(), test.last_n.max(initial=-1))) + 1
    count_vy = np.zeros((values + 1, classes))  # the last row: no last value
    np.add.at(count_vy, (train.last_n, train.label_n), 1)
    share_y = count_vy.sum(axis=0) / count_vy.sum()
    rate_vy = (count_vy + share_y) / (count_vy.sum(axis=1, keepdims=True) + 1)
    log_vy = np.log(np.maximum(rate_vy, _TINY))
    facts = {"rows": len(train.label_n), "without_last_value": int(count_vy[-1].sum())}
    validation_ny = log_vy[sides.validation.last_n]
    return _calibrated(log_vy[test.last_n], validation_ny, sides, facts, spec)


def recency_frequency_regression(
    sides: Sides, classes: int, spec: EvaluationSpec
) -> Baseline | Absent:
    """Logistic regression on recency and frequency; its penalty is chosen."""
    train = sides.train
    if not np.isfinite(train.time_nw).any():
        return Absent("The reviews have no times.")
    if len(np.unique(train.label_n)) < 2:
        return Absent("All train anchors have the same intention.")
    feature_nf = [recency_frequency(side) for side in sides]
    best: tuple[float, float, Any] | None = None
    for strength in _STRENGTHS:
        model = make_pipeline(
            StandardScaler(), LogisticRegression(C=strength, max_iter=1000)
        ).fit(feature_nf[0], train.label_n)
        loss = _loss(log_prob(model, feature_nf[1], classes), sides.validation.label_n)
        if best is None or loss < best[0]:
            best = loss, strength, model
    assert best is not None
    answered = [log_prob(best[2], feature, classes) for feature in feature_nf[1:]]
    facts = {"C": best[1], "rows": len(train.label_n)}
    return _calibrated(answered[1], answered[0], sides, facts, spec)


class _Boosted(NamedTuple):
    """The winner among the boosted trees."""

    loss: float
    leaves: int
    rounds: int


def gradient_boosting(
    sides: Sides, classes: int, spec: EvaluationSpec
) -> Baseline | Absent:
    """Boosted trees on the covariates of all steps, masks and counts.

    Leaves and number of trees are those with the least log-loss on validation; without
    a validation anchor, the smallest trees and a third of the rounds.
    """
    start = time.perf_counter()
    train = sides.train
    if len(np.unique(train.label_n)) < 2:
        return Absent("All train anchors have the same intention.")
    feature_nf = [window_features(side) for side in sides]
    if (feature_nf[0] == feature_nf[0][:1]).all():
        return Absent("Nothing beside the texts tells one review from another.")
    with few_threads(len(train.label_n)):
        best = _choose(feature_nf, sides, classes, spec.seed)
        refit = boosted(best.leaves, best.rounds, spec.seed)
        refit.fit(feature_nf[0], train.label_n)
        answered = [log_prob(refit, feature, classes) for feature in feature_nf[1:]]
    facts = {
        "leaves": best.leaves,
        "trees": best.rounds,
        "features": feature_nf[0].shape[1],
        "rows": len(train.label_n),
        "seconds": time.perf_counter() - start,
    }
    return _calibrated(answered[1], answered[0], sides, facts, spec)


def _choose(
    feature_nf: list[np.ndarray], sides: Sides, classes: int, seed: int
) -> _Boosted:
    """The settings with the least log-loss on validation."""
    label_n = sides.validation.label_n
    tried = []
    for leaves in LEAVES if len(label_n) else LEAVES[:1]:
        model = boosted(leaves, ROUNDS, seed).fit(feature_nf[0], sides.train.label_n)
        loss, rounds = _best_round(model, feature_nf[1], label_n, classes)
        tried.append(_Boosted(loss, leaves, rounds))
    return min(tried)


def few_threads(rows: int) -> contextlib.AbstractContextManager:
    """One thread for small tables: on a busy machine, threads that wait for each
    other after every split of a tree cost a hundred times the time.
    """
    if rows < _ROWS_FOR_THREADS:
        return threadpool_limits(1)
    return contextlib.nullcontext()


def calibrated_system(
    validation_logit_ny: np.ndarray,
    validation_label_n: np.ndarray,
    test_logit_ny: np.ndarray,
    spec: EvaluationSpec,
    facts: dict[str, Any],
) -> Baseline:
    """A system whose temperature and threshold come from validation, as the model's.

    Args:
      validation_logit_ny: [k, y], logits or log-probabilities of validation anchors.
      validation_label_n: [k], their classes; ``NO_LABEL`` rows are ignored.
      test_logit_ny: [n, y], of test anchors.
      spec: whether a threshold is chosen.
      facts: how it was fitted, which the temperature joins.
    """
    temperature = fit_temperature(validation_logit_ny, validation_label_n)
    facts = facts | {"temperature": temperature}
    if spec.threshold is Threshold.VALIDATION:
        prob_ny = probabilities(validation_logit_ny, temperature)
        facts["threshold"] = best_threshold(prob_ny[:, 1], validation_label_n)
    return Baseline(log_softmax(test_logit_ny / temperature, axis=1), facts)


def _calibrated(
    test_ny: np.ndarray,
    validation_ny: np.ndarray,
    sides: Sides,
    facts: dict[str, Any],
    spec: EvaluationSpec,
) -> Baseline:
    label_n = sides.validation.label_n
    return calibrated_system(validation_ny, label_n, test_ny, spec, facts)


def labelled(sides: Sides, spec: EvaluationSpec) -> Sides:
    """Train and validation anchors with a label, at most ``baseline_max_rows``."""
    kept = []
    for side in sides[:2]:
        rows = np.flatnonzero(side.label_n != NO_LABEL)
        if len(rows) > spec.baseline_max_rows:
            rng = np.random.default_rng(spec.seed)
            rows = np.sort(rng.choice(rows, spec.baseline_max_rows, replace=False))
        kept.append(side.take(rows))
    train, validation = kept
    return Sides(train, validation, sides.test)


def boosted(leaves: int, rounds: int, seed: int) -> HistGradientBoostingClassifier:
    """Boosted trees of so many leaves and rounds, not fitted yet."""
    return HistGradientBoostingClassifier(
        learning_rate=_RATE,
        max_iter=rounds,
        max_leaf_nodes=leaves,
        early_stopping=False,  # pyright: ignore[reportArgumentType] # its stub lacks it
        random_state=seed,
    )


def _best_round(
    model: HistGradientBoostingClassifier,
    feature_nf: np.ndarray,
    label_n: np.ndarray,
    classes: int,
) -> tuple[float, int]:
    """The least log-loss on validation and the trees a class that reach it."""
    if not len(label_n):
        return np.inf, ROUNDS // 3
    losses = [
        _loss(_spread(prob_ny, np.asarray(model.classes_), classes), label_n)
        for prob_ny in model.staged_predict_proba(feature_nf)
    ]
    return float(min(losses)), int(np.argmin(losses)) + 1


def log_prob(model: Any, feature_nf: Any, classes: int) -> np.ndarray:
    """Log-probabilities [n, y] by a fitted classifier of scikit-learn."""
    if not feature_nf.shape[0]:
        return np.zeros((0, classes))
    return _spread(model.predict_proba(feature_nf), model.classes_, classes)


def _spread(prob_ny: np.ndarray, known: np.ndarray, classes: int) -> np.ndarray:
    """Log-probabilities of all classes; one that training lacks gets 1e-12."""
    full_ny = np.full((len(prob_ny), classes), _TINY)
    full_ny[:, known] = np.maximum(prob_ny, _TINY)
    return np.log(full_ny)


def _loss(log_prob_ny: np.ndarray, label_n: np.ndarray) -> float:
    if not len(label_n):
        return np.inf
    return float(-log_prob_ny[np.arange(len(label_n)), label_n].mean())
