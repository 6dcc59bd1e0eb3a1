"""Does anything of test leak into training? Learners of shuffled answers must say no.

What is fitted on answers that were dealt out anew can know nothing, so its AUC on test
must be that of chance; if it is not, training has seen something of test. Two learners
are asked: boosted trees, which read the windows without texts, and a logistic
regression of TF-IDF, which reads the text of the anchor.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression

from reviewintent_jax.evaluation.calibration import probabilities
from reviewintent_jax.evaluation.evaluate import EvaluationSpec
from reviewintent_jax.evaluation.intention_baselines import (
    Sides,
    boosted,
    few_threads,
    labelled,
    log,
    log_prob,
)
from reviewintent_jax.evaluation.intention_windows import window_features
from reviewintent_jax.evaluation.metrics import classification_metrics
from reviewintent_jax.schema import NO_LABEL

SHUFFLES = 20
"""Fits on shuffled labels."""
_ROWS = 10_000  # enough to see a leak; twenty fits should not cost an hour
_WORDS = 20_000  # the most frequent ones


def shuffled_labels(
    sides: Sides, classes: Sequence[str], spec: EvaluationSpec, facts: dict[str, Any]
) -> dict[str, Any]:
    """AUC of boosted trees that were fitted on shuffled train labels.

    Args:
      sides: as the boosted trees were fitted.
      classes: names.
      spec: its seed is that of the shuffling.
      facts: of the boosted trees on true labels, whose settings are used.

    Returns:
      See :func:`score_shuffled`.
    """
    sides = labelled(sides, spec)
    rng = np.random.default_rng(spec.seed)
    rows = some_rows(len(sides.train.label_n), rng)
    train = sides.train.take(rows)
    train_nf, test_nf = window_features(train), window_features(sides.test)

    def answer(label_n: np.ndarray) -> np.ndarray:
        model = boosted(facts["leaves"], facts["trees"], spec.seed)
        with few_threads(len(rows)):
            model.fit(train_nf, label_n)
            return log_prob(model, test_nf, len(classes))

    labels = train.label_n, sides.test.label_n
    return score_shuffled(answer, *labels, classes, rng, "Boosted trees")


def shuffled_texts(
    texts: tuple[Sequence[str], Sequence[str]],
    label_n: tuple[np.ndarray, np.ndarray],
    classes: Sequence[str],
    spec: EvaluationSpec,
) -> dict[str, Any] | None:
    """AUC of TF-IDF and logistic regression fitted on shuffled train labels.

    Args:
      texts: of the anchors of train and of test.
      label_n: their classes; ``NO_LABEL`` rows are ignored.
      classes: names.
      spec: its seed is that of the shuffling.

    Returns:
      See :func:`score_shuffled`; None where no train anchor has a text with a word.
    """
    rng = np.random.default_rng(spec.seed)
    known = np.flatnonzero(label_n[0] != NO_LABEL)
    rows = known[some_rows(len(known), rng)]
    vectorizer = TfidfVectorizer(sublinear_tf=True, max_features=_WORDS)
    try:
        train_nf = vectorizer.fit_transform([texts[0][row] for row in rows])
    except ValueError:  # no words at all
        return None
    test_nf = vectorizer.transform(texts[1])

    def answer(train_label_n: np.ndarray) -> np.ndarray:
        with few_threads(len(rows)):
            model = LogisticRegression().fit(train_nf, train_label_n)
            return log_prob(model, test_nf, len(classes))

    labels = label_n[0][rows], label_n[1]
    return score_shuffled(answer, *labels, classes, rng, "Word counts")


def some_rows(rows: int, rng: np.random.Generator) -> np.ndarray:
    """All rows, or as many as are enough."""
    if rows <= _ROWS:
        return np.arange(rows)
    return np.sort(rng.choice(rows, _ROWS, replace=False))


def score_shuffled(
    answer: Callable[[np.ndarray], np.ndarray],
    train_label_n: np.ndarray,
    test_label_n: np.ndarray,
    classes: Sequence[str],
    rng: np.random.Generator,
    who: str,
) -> dict[str, Any]:
    """Fits a learner on labels that are shuffled ``SHUFFLES`` times.

    A single fit can lie far from 0.5 without any leak: a feature that does tell the
    truth is followed or opposed by chance. So the interval holds the middle 95 % of the
    fits.

    Args:
      answer: train labels -> log-probabilities of test.
      train_label_n, test_label_n: true classes.
      classes: names.
      rng: shuffles.
      who: the learner, for the warning.

    Returns:
      ``auc`` with ``value`` (the mean), ``low`` and ``high``; ``shuffles``; ``rows``;
      ``suspicious``: whether 0.5 lies outside the interval.
    """
    scores = []
    for _ in range(SHUFFLES):
        prob_ny = probabilities(answer(rng.permutation(train_label_n)), 1.0)
        scored = classification_metrics(
            prob_ny, test_label_n, classes, bootstrap_samples=0, seed=0
        )
        scores.append(scored["auc"]["value"])
    known = [score for score in scores if score is not None]
    rows = len(train_label_n)
    if not known:
        nothing = {"value": None, "low": None, "high": None}
        return {"auc": nothing, "shuffles": 0, "rows": rows, "suspicious": False}
    low, high = np.percentile(known, (2.5, 97.5))
    suspicious = bool(low > 0.5 or high < 0.5)
    if suspicious:
        log.warning(
            "%s fitted on shuffled intentions score an AUC of %.3f to %.3f, "
            "which should hold 0.5: something of test may be known to training.",
            who,
            low,
            high,
        )
    auc = {"value": float(np.mean(known)), "low": float(low), "high": float(high)}
    found = {"auc": auc, "shuffles": len(known), "rows": rows}
    return found | {"suspicious": suspicious}
