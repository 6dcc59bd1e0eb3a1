"""Correlation of two columns, with an interval over resampled subjects."""

import numpy as np

from reviewintent_jax.evaluation.metrics import percentile_ends, resamples


def correlation(
    a_n: np.ndarray,
    b_n: np.ndarray,
    *,
    ranks: bool,
    samples: int,
    seed: int,
    group_n: np.ndarray,
) -> dict[str, float | int | None]:
    """Pearson's or Spearman's correlation and its 95 percent bootstrap interval.

    Args:
      a_n: [n], one column; Pearson's correlation of two columns of 0 and 1 is phi.
      b_n: [n], the other.
      ranks: whether ranks are correlated (Spearman); ties share their mean rank.
      samples: resamples behind the interval; 0 leaves it null.
      seed: of the resampling.
      group_n: int [n], what resamples draw whole.

    Returns:
      ``{"value", "low", "high", "n"}``; null where a column never changes.
    """
    size = len(a_n)
    if not size:
        return {"value": None, "low": None, "high": None, "n": 0}
    dense_n = np.unique(group_n, return_inverse=True)[1]
    value = float(_weighted(a_n, b_n, np.ones((1, size)), ranks)[0])
    drawn = [
        _weighted(a_n, b_n, count_sn, ranks)
        for count_sn in resamples(size, samples, seed, dense_n)
    ]
    low, high = percentile_ends({"r": np.concatenate([np.zeros(0), *drawn])})
    found = {"value": value, "low": low["r"], "high": high["r"]}
    return {k: None if np.isnan(v) else v for k, v in found.items()} | {"n": size}


def _weighted(
    a_n: np.ndarray, b_n: np.ndarray, count_sn: np.ndarray, ranks: bool
) -> np.ndarray:
    """Correlation [s] in every resample; nan where a column never changes."""
    count_sn = np.asarray(count_sn, np.float64)
    total_s = np.maximum(count_sn.sum(axis=1, keepdims=True), 1)
    centred = []
    for value_n in (a_n, b_n):
        value_sn = mean_ranks(value_n, count_sn) if ranks else value_n[None, :]
        mean_s = (count_sn * value_sn).sum(axis=1, keepdims=True) / total_s
        centred.append(value_sn - mean_s)
    a_sn, b_sn = centred
    spread_s = np.sqrt((count_sn * a_sn**2).sum(1) * (count_sn * b_sn**2).sum(1))
    cross_s = (count_sn * a_sn * b_sn).sum(axis=1)
    # rounding leaves a trace of a spread where all values are equal
    defined_s = spread_s > 1e-9 * total_s[:, 0]
    return np.divide(
        cross_s, spread_s, out=np.full(len(cross_s), np.nan), where=defined_s
    )


def mean_ranks(value_n: np.ndarray, count_sn: np.ndarray) -> np.ndarray:
    """Rank [s, n] of every value in every resample, from 1; ties share their mean.

    Example: values ``[5, 3, 5]`` with counts ``[[1, 2, 1]]`` are ranked as 3 3 5 5:
    ``[[3.5, 1.5, 3.5]]``.
    """
    _, place_n = np.unique(value_n, return_inverse=True)
    order_n = np.argsort(place_n, kind="stable")
    starts = np.flatnonzero(np.diff(place_n[order_n], prepend=-1))
    tied_sg = np.add.reduceat(count_sn[:, order_n], starts, axis=1)
    rank_sg = tied_sg.cumsum(axis=1) - (tied_sg - 1) / 2
    return rank_sg[:, place_n]
