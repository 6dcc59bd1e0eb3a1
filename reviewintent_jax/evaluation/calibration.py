"""Calibration: logits of the validation split -> temperature, threshold, reliability.

Everything here is chosen on validation and applied to test, never the other way
round. Rows whose label is ``NO_LABEL`` are ignored throughout.
"""

from typing import NamedTuple

import numpy as np
import scipy  # whose parts are imported where they are first used

from reviewintent_jax.schema import NO_LABEL

TEMPERATURE_RANGE = (0.05, 20.0)
"""The temperatures that ``fit_temperature`` may return, both ends included."""

BINS = 15
"""Bins of confidence, unless another number is asked for."""


class ReliabilityCurve(NamedTuple):
    """How often the model is right, by how sure it says it is.

    Example (four bins, four answers): confidences 0.6 and 0.7, one of them right, and
    0.9 twice, both right, make ``confidence [nan, nan, 0.65, 0.9]``, ``accuracy [nan,
    nan, 0.5, 1]`` and ``count [0, 0, 2, 2]``.

    Attributes:
      edges: [bins + 1], borders of the bins of confidence, from 0 to 1.
      confidence: [bins], mean probability of the chosen class; nan in an empty bin.
      accuracy: [bins], share of right answers, 0 to 1; nan in an empty bin.
      count: [bins], reviews in the bin.
    """

    edges: np.ndarray
    confidence: np.ndarray
    accuracy: np.ndarray
    count: np.ndarray


def probabilities(logits: np.ndarray, temperature: float) -> np.ndarray:
    """Return softmax(logits / temperature) over the last axis, as float64.

    Args:
      logits: [..., y].
      temperature: above 0; above 1 makes the answers less sure, below 1 surer.
    """
    return scipy.special.softmax(np.asarray(logits, np.float64) / temperature, axis=-1)


def answers(prob_ny: np.ndarray, threshold: float | None) -> np.ndarray:
    """Return the answered classes [n].

    Example: probabilities ``[[0.6, 0.4], [0.8, 0.2]]`` are answered ``[0, 0]`` without
    a threshold and ``[1, 0]`` with 0.4.

    Args:
      prob_ny: [n, y], probabilities.
      threshold: the probability from which class 1 of two is answered; None = the most
        probable class.
    """
    if threshold is None:
        return np.asarray(prob_ny).argmax(axis=-1)
    return (np.asarray(prob_ny)[:, 1] >= threshold).astype(np.int64)


def fit_temperature(logits_ny: np.ndarray, label_n: np.ndarray) -> float:
    """Find the temperature that minimises the log-loss (Guo et al., ICML 2017).

    A weak pull towards 1, worth one review (a normal prior with deviation 1 on log T),
    keeps the answer sane where validation says next to nothing: a handful of reviews,
    one class alone, or a model that makes no mistake there, whose plain log-loss would
    run to the sharpest temperature allowed. With a hundred reviews it is lost in noise.

    Args:
      logits_ny: [n, y], logits of the validation split, finite.
      label_n: [n], classes; ``NO_LABEL`` rows are ignored.

    Returns:
      A temperature within ``TEMPERATURE_RANGE``; 1.0 if no row has a label.
    """
    known_n = np.asarray(label_n) != NO_LABEL
    logits_ny = np.asarray(logits_ny, np.float64)[known_n]
    label_n = np.asarray(label_n)[known_n]
    if not len(label_n):
        return 1.0
    row_n = np.arange(len(label_n))

    def loss(log_temperature: float) -> float:
        log_prob_ny = scipy.special.log_softmax(
            logits_ny / np.exp(log_temperature), axis=-1
        )
        return -log_prob_ny[row_n, label_n].sum() + log_temperature**2 / 2

    from scipy.optimize import minimize_scalar  # slow to import

    low, high = np.log(TEMPERATURE_RANGE)
    found = minimize_scalar(loss, bounds=(low, high), method="bounded")
    return float(np.clip(np.exp(found.x), *TEMPERATURE_RANGE))


def confidence_bins(
    prob_ny: np.ndarray, bins: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Put every row into a bin of equal width by the probability of its top class.

    Example (4 bins): top probabilities 0.25, 0.26, 0.5, 1.0 -> bins 0, 1, 1, 3; a bin
    owns its upper border.

    Returns:
      ``edges`` [bins + 1], ``bin_n`` [n] and ``confidence_n`` [n].
    """
    edges = np.linspace(0, 1, bins + 1)
    confidence_n = np.asarray(prob_ny, np.float64).max(axis=-1)
    bin_n = np.clip(np.searchsorted(edges, confidence_n, side="left") - 1, 0, bins - 1)
    return edges, bin_n, confidence_n


def reliability_curve(
    prob_ny: np.ndarray,
    label_n: np.ndarray,
    bins: int = BINS,
    *,
    predicted_n: np.ndarray | None = None,
) -> ReliabilityCurve:
    """Compare confidence with accuracy in bins of equal width.

    Args:
      prob_ny: [n, y], probabilities.
      label_n: [n], classes; ``NO_LABEL`` rows are ignored.
      bins: number of bins, at least 1.
      predicted_n: [n], the chosen classes; the most probable one if absent. The
        confidence is always the probability of the most probable class.
    """
    known_n = np.asarray(label_n) != NO_LABEL
    prob_ny = np.asarray(prob_ny, np.float64)[known_n]
    label_n = np.asarray(label_n)[known_n]
    chosen_n = prob_ny.argmax(-1) if predicted_n is None else predicted_n[known_n]
    edges, bin_n, confidence_n = confidence_bins(prob_ny, bins)
    count = np.bincount(bin_n, minlength=bins)
    right = np.bincount(bin_n, weights=chosen_n == label_n, minlength=bins)
    sure = np.bincount(bin_n, weights=confidence_n, minlength=bins)
    empty = count == 0
    return ReliabilityCurve(
        edges=edges,
        confidence=np.where(empty, np.nan, sure / np.maximum(count, 1)),
        accuracy=np.where(empty, np.nan, right / np.maximum(count, 1)),
        count=count,
    )


def expected_calibration_error(
    prob_ny: np.ndarray, label_n: np.ndarray, bins: int = BINS
) -> float:
    """Return the expected calibration error of the top class, 0 (best) to 1.

    The mean distance between confidence and accuracy over bins of equal width,
    weighted by how many reviews each holds (Naeini et al., AAAI 2015; fifteen bins as
    in Guo et al., ICML 2017, so that the figure can be compared with published ones).

    Returns:
      The error, or nan if no row has a label.
    """
    curve = reliability_curve(prob_ny, label_n, bins)
    if not curve.count.sum():
        return float("nan")
    gap = np.nan_to_num(np.abs(curve.confidence - curve.accuracy))
    return float((gap * curve.count).sum() / curve.count.sum())


def best_threshold(prob_positive_n: np.ndarray, label_n: np.ndarray) -> float:
    """Find the threshold with the best macro-F1 (two classes).

    A review is called class 1 when its probability is at least the threshold. The
    candidates lie halfway between neighbouring probabilities (0 and 1 among them), and
    at 0.5; of equally good ones, the nearest to 0.5 is taken.

    Args:
      prob_positive_n: [n], probability of class 1 on the validation split.
      label_n: [n], 0, 1 or ``NO_LABEL`` (ignored).

    Returns:
      A threshold between 0 and 1; 0.5 unless both classes occur.
    """
    label_n = np.asarray(label_n)
    score_n = np.asarray(prob_positive_n, np.float64)[label_n != NO_LABEL]
    label_n = label_n[label_n != NO_LABEL]
    positives = int((label_n == 1).sum())
    if positives in (0, len(label_n)):
        return 0.5
    value = np.unique(score_n)
    edge = np.concatenate([[0.0], value, [1.0]])
    candidate = np.append((edge[1:] + edge[:-1]) / 2, 0.5)
    order = np.argsort(score_n)
    # tp[i] and fp[i]: what is called class 1 when the i lowest scores are not.
    tp = positives - np.concatenate([[0], np.cumsum(label_n[order] == 1)])
    fp = len(label_n) - np.arange(len(label_n) + 1) - tp
    below = np.searchsorted(score_n[order], candidate, side="left")
    tp, fp = tp[below], fp[below]
    tn = len(label_n) - positives - fp
    macro_f1 = 0.5 * (
        2 * tp / (tp + fp + positives) + 2 * tn / (2 * tn + fp + positives - tp)
    )
    best = np.flatnonzero(macro_f1 >= macro_f1.max() - 1e-12)
    return float(candidate[best[np.argmin(np.abs(candidate[best] - 0.5))]])
