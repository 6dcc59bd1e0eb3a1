"""Whole units of rows (clusters, users) and labels -> parts of wanted sizes (stage 5).

A unit is never divided; the parts get the wanted share of every class as nearly as the
units let them.
"""

import numpy as np

_LARGE = 0.005  # of the smallest part: larger units are placed one by one


def cut_units(
    unit_n: np.ndarray,
    label_n: np.ndarray,
    shares: np.ndarray,
    random: np.random.Generator,
) -> np.ndarray:
    """Deals the units out.

    Large units are placed one by one, largest first, where most of their rows are still
    wanted. The many small ones are shuffled within their commonest class and cut where
    the wanted shares say, which leaves every class within about a unit of its share.

    Example: units ``[0, 1, 2, 2]``, labels all 0, shares ``[0.5, 0.5]`` give unit 2
    (large) to the first part and units 0 and 1 to the second: ``[1, 1, 0, 0]``.

    Args:
      unit_n: int unit of every row.
      label_n: int class of every row.
      shares: share of the rows for every part; they add up to 1.
      random: source of the shuffles.

    Returns:
      int64 part of every row, an index into ``shares``.
    """
    if not len(unit_n):
        return np.zeros(0, np.int64)
    _, unit_n = np.unique(unit_n, return_inverse=True)
    _, label_n = np.unique(label_n, return_inverse=True)
    size_k = np.bincount(unit_n)
    rank_k = random.permutation(len(size_k))
    part_k = np.zeros(len(size_k), np.int64)
    wanted_yp = np.bincount(label_n)[:, None] * shares
    large_k = size_k > max(1.0, _LARGE * shares.min() * len(unit_n))
    large = np.flatnonzero(large_k)
    large = large[np.lexsort((rank_k[large], -size_k[large]))]
    for unit, count_y in zip(large, _counts(unit_n, label_n, large), strict=True):
        part_k[unit] = _best_part(count_y, wanted_yp, shares)
        wanted_yp[:, part_k[unit]] -= count_y
    class_k = _commonest(unit_n, label_n)
    for y, wanted_p in enumerate(wanted_yp):
        small = np.flatnonzero((class_k == y) & ~large_k)
        small = small[np.argsort(rank_k[small])]
        part_k[small] = _cut_in_order(size_k[small], wanted_p, shares)
    return part_k[unit_n]


def _counts(unit_n: np.ndarray, label_n: np.ndarray, units: np.ndarray) -> np.ndarray:
    """int64 [units, classes]: rows of every class in some of the units."""
    place_k = np.full(unit_n.max() + 1, -1)
    place_k[units] = np.arange(len(units))
    row = np.flatnonzero(place_k[unit_n] >= 0)
    count_ky = np.zeros((len(units), label_n.max() + 1), np.int64)
    np.add.at(count_ky, (place_k[unit_n[row]], label_n[row]), 1)
    return count_ky


def _best_part(
    count_y: np.ndarray, wanted_yp: np.ndarray, shares: np.ndarray
) -> np.intp:
    """Where most rows fit; among equals, the part that is emptiest for its size."""
    fits_p = np.minimum(count_y[:, None], np.maximum(wanted_yp, 0.0)).sum(axis=0)
    room_p = (count_y @ wanted_yp) / (shares * count_y.sum())
    # rounded, so that parts that are equal but for the last bit stay equal
    return np.lexsort((-shares, -room_p.round(6), -fits_p.round(6)))[0]


def _cut_in_order(
    size_k: np.ndarray, wanted_p: np.ndarray, shares: np.ndarray
) -> np.ndarray:
    """Parts of units that lie in a row: each is where its middle falls."""
    share_p = np.maximum(wanted_p, 0.0)
    share_p = share_p / share_p.sum() if share_p.any() else shares
    edges = np.cumsum(share_p)[:-1] * size_k.sum()
    return np.searchsorted(edges, np.cumsum(size_k) - size_k / 2, side="right")


def _commonest(unit_n: np.ndarray, label_n: np.ndarray) -> np.ndarray:
    """The label that most rows of each unit carry; the lowest among equals."""
    classes = label_n.max() + 1
    pair, count = np.unique(unit_n * classes + label_n, return_counts=True)
    unit, label = np.divmod(pair, classes)
    order = np.lexsort((-label, count, unit))
    last = np.append(np.flatnonzero(np.diff(unit)), len(unit) - 1)
    return label[order][last]
