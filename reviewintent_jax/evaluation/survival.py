"""Discrete hazards -> survival, expected and median time; concordance with censoring.

In: probabilities ``hazard_nj`` that what has not come before interval j comes in it.
Out: plain NumPy figures.
"""

import numpy as np


def survival_curve(hazard_nj: np.ndarray) -> np.ndarray:
    """Probability [n, j] that nothing has come by the end of each interval.

    Example: hazards 0.5, 0.5 -> 0.5, 0.25.
    """
    return np.cumprod(1.0 - hazard_nj, axis=1)


def median_days(hazard_nj: np.ndarray, end_j: np.ndarray) -> np.ndarray:
    """Days by which half have come, [n]; infinite where the half lasts longer.

    Within an interval, what comes is taken to come evenly.

    Example: ends 10, 20 and hazards 0.25, 0.5 -> survival 0.75, 0.375 ->
    ``10 + 10 (0.75 - 0.5) / (0.75 - 0.375)``.
    """
    survival = survival_curve(hazard_nj)
    before = np.concatenate([np.ones((len(survival), 1)), survival[:, :-1]], axis=1)
    start_j = np.concatenate([[0.0], end_j[:-1]])
    below = survival <= 0.5
    at = below.argmax(axis=1)
    n = np.arange(len(survival))
    fallen = np.maximum(before[n, at] - survival[n, at], 1e-12)
    share = (before[n, at] - 0.5) / fallen
    days = start_j[at] + share * (end_j[at] - start_j[at])
    return np.where(below.any(axis=1), days, np.inf)


def restricted_mean_days(hazard_nj: np.ndarray, end_j: np.ndarray) -> np.ndarray:
    """Mean days until it comes, [n], those after the last end counted as there.

    The area under the survival curve, straight within intervals.
    """
    survival = survival_curve(hazard_nj)
    before = np.concatenate([np.ones((len(survival), 1)), survival[:, :-1]], axis=1)
    width_j = np.diff(np.concatenate([[0.0], end_j]))
    return ((before + survival) / 2 * width_j).sum(axis=1)


def kaplan_meier_hazards(
    interval_n: np.ndarray, came_n: np.ndarray, intervals: int
) -> np.ndarray:
    """Share [j] of those at risk in each interval to whom it came; 0 without any.

    Args:
      interval_n: interval of the event, or number of intervals survived; -1 unknown.
      came_n: bool, the event came.
      intervals: number of intervals.
    """
    known = interval_n >= 0
    at_risk, came = np.zeros(intervals), np.zeros(intervals)
    for j in range(intervals):
        came[j] = (known & came_n & (interval_n == j)).sum()
        at_risk[j] = came[j] + (known & (interval_n > j)).sum()
    return came / np.maximum(at_risk, 1)


def comparable_pairs(
    days_n: np.ndarray, came_n: np.ndarray, risk_n: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Pairs of Harrell's concordance, as matrices [n, n].

    Pair (a, b) can be compared where a's event came and b lived longer, or as long and
    was censored. It counts 1 where a's risk is the larger, half where the risks are
    equal. Two events at one time cannot be compared.

    Returns:
      float32 how much each pair counts; bool whether it can be compared.
    """
    longer = days_n[None, :] > days_n[:, None]
    same = (days_n[None, :] == days_n[:, None]) & ~came_n[None, :]
    comparable = came_n[:, None] & (longer | same)
    right = (risk_n[:, None] > risk_n[None, :]).astype(np.float32)
    right += 0.5 * (risk_n[:, None] == risk_n[None, :])
    return np.where(comparable, right, 0).astype(np.float32), comparable


def concordance(days_n: np.ndarray, came_n: np.ndarray, risk_n: np.ndarray) -> float:
    """Harrell's concordance index: 0.5 is chance, 1 perfect; NaN without any pair."""
    right, comparable = comparable_pairs(days_n, came_n, risk_n)
    pairs = comparable.sum()
    return float(right.sum(dtype=np.float64) / pairs) if pairs else float("nan")


def resampled_concordance(
    days_n: np.ndarray, came_n: np.ndarray, risk_n: np.ndarray, count_sn: np.ndarray
) -> np.ndarray:
    """Concordance [s] of resamples that draw case n ``count_sn[s, n]`` times."""
    right, comparable = comparable_pairs(days_n, came_n, risk_n)
    count = count_sn.astype(np.float32)
    above = np.einsum("sn,sn->s", count @ right, count, dtype=np.float64)
    below_nn = comparable.astype(np.float32)
    below = np.einsum("sn,sn->s", count @ below_nn, count, dtype=np.float64)
    with np.errstate(invalid="ignore"):
        return above / below


def hazard_calibration(
    hazard_nj: np.ndarray, interval_n: np.ndarray, came_n: np.ndarray, bins: int = 10
) -> list[dict[str, float | int]]:
    """Said and seen hazards, over bins of equal numbers of (case, interval) at risk.

    Returns:
      One dict a bin: ``said`` and ``seen`` (means), ``count``.
    """
    j = np.arange(hazard_nj.shape[1])[None]
    known = (interval_n >= 0)[:, None]
    here = came_n[:, None] & (interval_n[:, None] == j)
    at_risk = known & ((interval_n[:, None] > j) | here)
    said, seen = hazard_nj[at_risk], here[at_risk].astype(np.float64)
    order = np.argsort(said, kind="stable")
    parts = [part for part in np.array_split(order, bins) if len(part)]
    return [
        {
            "said": float(said[part].mean()),
            "seen": float(seen[part].mean()),
            "count": len(part),
        }
        for part in parts
    ]


def calibration_gap(bins: list[dict[str, float | int]]) -> float | None:
    """Mean distance of said and seen hazards over what is at risk."""
    total = sum(each["count"] for each in bins)
    if not total:
        return None
    gaps = [each["count"] * abs(each["said"] - each["seen"]) for each in bins]
    return float(sum(gaps) / total)
