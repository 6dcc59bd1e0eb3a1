"""Metrics: probabilities and labels -> scores with bootstrap intervals, JSON-able.

The scores themselves are scikit-learn's. Their intervals need each score a thousand
times, so ``resampled_scores`` computes them for many resamples at once from counts: how
often each review was drawn. A test holds it to scikit-learn's answer on the same draws.

Conventions, the same everywhere:

* rows whose label is ``NO_LABEL`` are ignored;
* "macro" is the plain mean over the classes that occur among the labels;
* a class that is never predicted has precision 0 (in ``per_class``: null);
* what is undefined is nan in arrays and null (None) in what goes to JSON.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from reviewintent_jax.evaluation.calibration import (
    BINS,
    confidence_bins,
    expected_calibration_error,
)
from reviewintent_jax.schema import NO_LABEL, InputError

METRICS = (
    "accuracy",
    "macro_precision",
    "macro_recall",
    "macro_f1",
    "auc",
    "average_precision",
    "log_loss",
    "calibration_error",
)
"""Names of the scores with intervals, in the order in which they are shown."""

_CHUNK_CELLS = 2_000_000  # reviews x resamples held at once: 16 MB an array


def classification_metrics(
    prob_ny: np.ndarray,
    label_n: np.ndarray,
    classes: Sequence[str],
    *,
    bootstrap_samples: int,
    seed: int,
    predicted_n: np.ndarray | None = None,
    group_n: np.ndarray | None = None,
) -> dict[str, Any]:
    """Score one split.

    Args:
      prob_ny: [n, y], probabilities; each row sums to 1.
      label_n: [n], classes 0 .. y-1, or ``NO_LABEL`` (ignored).
      classes: [y], their names.
      bootstrap_samples: resamples behind the intervals; 0 leaves them null.
      seed: seed of the resampling.
      predicted_n: [n], chosen classes (a threshold's, say); the most probable class if
        absent.
      group_n: [n], whole groups that resamples draw (all reviews of one shopper, say,
        which are alike); each row on its own if absent.

    Returns:
      A dict that JSON takes as it is:

      * each of ``METRICS``: ``{"value", "low", "high"}``, the ends being the 2.5th and
        97.5th percentile over resamples of reviews. AUC and average precision are
        those of class 1 when there are two classes, else the macro mean of one class
        against the rest. The calibration error's interval lies high: drawing reviews
        again adds noise to every bin, and noise counts as error;
      * ``per_class``: ``{name: {"precision", "recall", "f1", "support"}}``;
      * ``confusion``: [y][y] counts, rows are labels and columns are answers;
      * ``n``: rows with a label.

    Raises:
      InputError: a probability is not a number, or shapes and classes disagree.
    """
    group_n = known_groups(group_n, label_n)
    prob_ny, label_n, predicted_n = _labelled(prob_ny, label_n, predicted_n)
    if prob_ny.shape[1] != len(classes):
        raise InputError(
            f"The predictions have {prob_ny.shape[1]} classes, but "
            f"{len(classes)} names were given: {', '.join(classes)}.",
        )
    value = _values(prob_ny, label_n, predicted_n)
    low, high = percentile_ends(
        _bootstrap(prob_ny, label_n, predicted_n, bootstrap_samples, seed, group_n)
    )
    result: dict[str, Any] = {
        name: {
            end: _null(scores[name])
            for end, scores in (("value", value), ("low", low), ("high", high))
        }
        for name in METRICS
    }
    result["per_class"] = _per_class(label_n, predicted_n, classes)
    result["confusion"] = _confusion(label_n, predicted_n, len(classes)).tolist()
    result["n"] = len(label_n)
    return result


def paired_difference(
    prob_a_ny: np.ndarray,
    prob_b_ny: np.ndarray,
    label_n: np.ndarray,
    metric: str,
    *,
    bootstrap_samples: int,
    seed: int,
    predicted_a_n: np.ndarray | None = None,
    predicted_b_n: np.ndarray | None = None,
    group_n: np.ndarray | None = None,
) -> dict[str, float | None]:
    """Return score(a) - score(b) on the same reviews, with its bootstrap interval.

    Both systems are scored on the same draws, so what is hard or easy for both cancels
    and the interval is narrower than the two intervals side by side suggest.

    Args:
      prob_a_ny: [n, y], probabilities of the one system.
      prob_b_ny: [n, y], of the other, in the same order.
      label_n: [n], classes or ``NO_LABEL``.
      metric: one of ``METRICS``.
      bootstrap_samples: resamples behind the interval.
      seed: seed of the resampling.
      predicted_a_n: [n], chosen classes of a, as in ``classification_metrics``.
      predicted_b_n: [n], chosen classes of b.
      group_n: [n], as in ``classification_metrics``.

    Returns:
      ``{"value", "low", "high"}``, 95 percent; null where undefined.
    """
    group_n = known_groups(group_n, label_n)
    a = _labelled(prob_a_ny, label_n, predicted_a_n)
    b = _labelled(prob_b_ny, label_n, predicted_b_n)
    difference = {metric: _values(*a)[metric] - _values(*b)[metric]}
    drawn_a = _bootstrap(*a, bootstrap_samples, seed, group_n)[metric]
    drawn_b = _bootstrap(*b, bootstrap_samples, seed, group_n)[metric]
    low, high = percentile_ends({metric: drawn_a - drawn_b})
    return {
        "value": _null(difference[metric]),
        "low": _null(low[metric]),
        "high": _null(high[metric]),
    }


def resampled_scores(
    prob_ny: np.ndarray,
    label_n: np.ndarray,
    predicted_n: np.ndarray,
    count_sn: np.ndarray,
) -> dict[str, np.ndarray]:
    """Compute every score of many resamples at once.

    Example: four reviews and ``count_sn = [[2, 0, 1, 1]]`` score the resample that
    holds review 0 twice, review 1 never, reviews 2 and 3 once.

    Args:
      prob_ny: [n, y], probabilities.
      label_n: [n], classes, all known.
      predicted_n: [n], chosen classes.
      count_sn: [s, n], how often resample s drew review n.

    Returns:
      ``{name: [s]}`` for each of ``METRICS``; nan where undefined.
    """
    count_sn = np.asarray(count_sn, np.float64)
    total_s = count_sn.sum(axis=1)
    scores = _answer_scores(label_n, predicted_n, count_sn, prob_ny.shape[1])
    loss_n = _row_log_loss(prob_ny, label_n)
    scores["log_loss"] = _divide(count_sn @ loss_n, total_s)
    _, bin_n, confidence_n = confidence_bins(prob_ny, BINS)
    top_right_n = prob_ny.argmax(-1) == label_n
    gap_sb = count_sn @ ((top_right_n - confidence_n)[:, None] * np.eye(BINS)[bin_n])
    scores["calibration_error"] = _divide(np.abs(gap_sb).sum(axis=1), total_s)
    target = [1] if prob_ny.shape[1] == 2 else range(prob_ny.shape[1])
    ranked = [_ranking_scores(prob_ny[:, y], label_n == y, count_sn) for y in target]
    for position, name in enumerate(("auc", "average_precision")):
        scores[name] = _mean_defined(np.stack([pair[position] for pair in ranked]))
    return scores


def _values(
    prob_ny: np.ndarray, label_n: np.ndarray, predicted_n: np.ndarray
) -> dict[str, float]:
    """Compute every score once, through scikit-learn."""
    if not len(label_n):
        return dict.fromkeys(METRICS, float("nan"))
    from sklearn import metrics as sk  # slow to import: no first update waits for it

    present = np.unique(label_n)
    how: dict[str, Any] = {"labels": present, "average": "macro", "zero_division": 0}
    scores: Any = sk.precision_recall_fscore_support(label_n, predicted_n, **how)
    precision, recall, f1, _ = scores
    classes = prob_ny.shape[1]
    ranked = [y for y in ([1] if classes == 2 else range(classes)) if y in present]
    both = len(present) > 1
    auc = [sk.roc_auc_score(label_n == y, prob_ny[:, y]) for y in ranked if both]
    ap = [sk.average_precision_score(label_n == y, prob_ny[:, y]) for y in ranked]
    return {
        "accuracy": float(sk.accuracy_score(label_n, predicted_n)),
        "macro_precision": float(precision),
        "macro_recall": float(recall),
        "macro_f1": float(f1),
        "auc": float(np.mean(auc)) if auc else float("nan"),
        "average_precision": float(np.mean(ap)) if ap else float("nan"),
        "log_loss": float(sk.log_loss(label_n, prob_ny, labels=np.arange(classes))),
        "calibration_error": expected_calibration_error(prob_ny, label_n),
    }


def _per_class(
    label_n: np.ndarray, predicted_n: np.ndarray, classes: Sequence[str]
) -> dict[str, dict[str, float | int | None]]:
    """Compute precision, recall, F1 and support of every class by name."""
    columns = ("precision", "recall", "f1", "support")
    if not len(label_n):
        nothing = {"precision": None, "recall": None, "f1": None, "support": 0}
        return {name: dict(nothing) for name in classes}
    from sklearn import metrics as sk  # slow to import

    how: dict[str, Any] = {"labels": np.arange(len(classes)), "zero_division": np.nan}
    table: Any = sk.precision_recall_fscore_support(label_n, predicted_n, **how)
    return {
        name: {
            column: int(values[y]) if column == "support" else _null(values[y])
            for column, values in zip(columns, table, strict=True)
        }
        for y, name in enumerate(classes)
    }


def _confusion(label_n: np.ndarray, predicted_n: np.ndarray, classes: int):
    """Count labels (rows) against answers (columns)."""
    if not len(label_n):
        return np.zeros((classes, classes), int)
    from sklearn import metrics as sk  # slow to import

    return sk.confusion_matrix(label_n, predicted_n, labels=np.arange(classes))


def _labelled(
    prob_ny: np.ndarray, label_n: np.ndarray, predicted_n: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Keep the rows with a label; rows of probabilities sum to 1 in float64."""
    known_n = np.asarray(label_n) != NO_LABEL
    prob_ny = np.asarray(prob_ny, np.float64)[known_n]
    if not np.isfinite(prob_ny).all():
        bad = int((~np.isfinite(prob_ny)).any(axis=1).sum())
        raise InputError(
            f"{bad} of {len(prob_ny)} predictions are not numbers.",
            fix="The model has diverged; go back to an earlier checkpoint.",
        )
    prob_ny = prob_ny / prob_ny.sum(axis=1, keepdims=True)
    if predicted_n is None:
        answer_n = prob_ny.argmax(axis=1)
    else:
        answer_n = np.asarray(predicted_n)[known_n]
    return prob_ny, np.asarray(label_n)[known_n], answer_n


def known_groups(group_n: np.ndarray | None, label_n: np.ndarray) -> np.ndarray | None:
    """Return dense numbers of the groups of the rows with a label; None for None."""
    if group_n is None:
        return None
    known_n = np.asarray(label_n) != NO_LABEL
    return np.unique(np.asarray(group_n)[known_n], return_inverse=True)[1]


def resamples(
    n: int, samples: int, seed: int, group_n: np.ndarray | None = None
) -> Iterator[np.ndarray]:
    """Yield counts [s, n] of resamples with replacement, a bounded chunk at a time.

    Args:
      n: rows.
      samples: resamples in all.
      seed: of the draws.
      group_n: [n], dense numbers of groups that are drawn whole, as many groups as
        there are; each row on its own if absent. Example: groups ``[0, 0, 1]`` and a
        draw of group 0 twice count ``[2, 2, 0]``.
    """
    rng = np.random.default_rng(seed)
    chunk = max(1, _CHUNK_CELLS // max(n, 1))
    units = n if group_n is None else int(group_n.max(initial=-1)) + 1
    for start in range(0, samples, chunk):
        size = min(chunk, samples - start)
        count_sn = np.stack(
            [
                np.bincount(rng.integers(units, size=units), minlength=units)
                for _ in range(size)
            ]
        )
        yield count_sn if group_n is None else count_sn[:, group_n]


def _bootstrap(
    prob_ny: np.ndarray,
    label_n: np.ndarray,
    predicted_n: np.ndarray,
    samples: int,
    seed: int,
    group_n: np.ndarray | None,
) -> dict[str, np.ndarray]:
    """Score every resample: {name: [samples]}; empty arrays if there are no rows."""
    if not len(label_n):
        return {name: np.zeros(0) for name in METRICS}
    parts = [
        resampled_scores(prob_ny, label_n, predicted_n, count_sn)
        for count_sn in resamples(len(label_n), samples, seed, group_n)
    ]
    return {
        name: np.concatenate([np.zeros(0), *(part[name] for part in parts)])
        for name in METRICS
    }


def percentile_ends(
    drawn: dict[str, np.ndarray],
) -> tuple[dict[str, float], dict[str, float]]:
    """Return the 2.5th and 97.5th percentile of the resamples that are defined."""
    ends = {}
    for name, values in drawn.items():
        values = values[~np.isnan(values)]
        nothing = (np.nan, np.nan)
        ends[name] = np.percentile(values, (2.5, 97.5)) if len(values) else nothing
    return (
        {name: float(pair[0]) for name, pair in ends.items()},
        {name: float(pair[1]) for name, pair in ends.items()},
    )


def _answer_scores(
    label_n: np.ndarray, predicted_n: np.ndarray, count_sn: np.ndarray, classes: int
) -> dict[str, np.ndarray]:
    """Compute accuracy and the macro scores of every resample."""
    label_ny, answer_ny = np.eye(classes)[label_n], np.eye(classes)[predicted_n]
    support_sy, answers_sy = count_sn @ label_ny, count_sn @ answer_ny
    hit_sy = count_sn @ (label_ny * answer_ny)
    present_sy = support_sy > 0

    def macro(score_sy: np.ndarray) -> np.ndarray:
        kept = np.where(present_sy, np.nan_to_num(score_sy), 0)
        return _divide(kept.sum(axis=1), present_sy.sum(axis=1))

    return {
        "accuracy": _divide(hit_sy.sum(axis=1), support_sy.sum(axis=1)),
        "macro_precision": macro(_divide(hit_sy, answers_sy)),
        "macro_recall": macro(_divide(hit_sy, support_sy)),
        "macro_f1": macro(_divide(2 * hit_sy, support_sy + answers_sy)),
    }


def _ranking_scores(
    score_n: np.ndarray, positive_n: np.ndarray, count_sn: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Compute ROC AUC and average precision of one class in every resample.

    Ties share a step, as in scikit-learn: reviews with the same score form one group,
    and half of the pairs within it count as ordered rightly.
    """
    order = np.argsort(-score_n, kind="stable")
    starts = np.flatnonzero(np.diff(score_n[order], prepend=np.inf))
    drawn_sn = count_sn[:, order]
    positive_sg = np.add.reduceat(drawn_sn * positive_n[order], starts, axis=1)
    negative_sg = np.add.reduceat(drawn_sn, starts, axis=1) - positive_sg
    tp_sg, fp_sg = positive_sg.cumsum(axis=1), negative_sg.cumsum(axis=1)
    positives, negatives = tp_sg[:, -1], fp_sg[:, -1]
    outranked_sg = negatives[:, None] - fp_sg + negative_sg / 2
    auc = _divide((positive_sg * outranked_sg).sum(axis=1), positives * negatives)
    precision_sg = np.nan_to_num(_divide(tp_sg, tp_sg + fp_sg))
    return auc, _divide((positive_sg * precision_sg).sum(axis=1), positives)


def _row_log_loss(prob_ny: np.ndarray, label_n: np.ndarray) -> np.ndarray:
    """Return -log of each label's probability, clipped as scikit-learn does."""
    tiny = np.finfo(prob_ny.dtype).eps
    return -np.log(np.clip(prob_ny[np.arange(len(label_n)), label_n], tiny, 1 - tiny))


def _divide(above: np.ndarray, below: np.ndarray) -> np.ndarray:
    """Divide; nan where the divisor is zero."""
    above, below = np.broadcast_arrays(np.asarray(above, np.float64), below)
    return np.divide(above, below, out=np.full(above.shape, np.nan), where=below != 0)


def _mean_defined(score_ys: np.ndarray) -> np.ndarray:
    """Average over the first axis, leaving out nan; nan where nothing is left."""
    defined_ys = ~np.isnan(score_ys)
    return _divide(
        np.where(defined_ys, score_ys, 0).sum(axis=0), defined_ys.sum(axis=0)
    )


def _null(value: float) -> float | None:
    """Turn nan into null, for JSON."""
    return None if np.isnan(value) else float(value)
