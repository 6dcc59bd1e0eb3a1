"""Windows of histories -> columns for the learners that stand beside the model."""

import math
from typing import NamedTuple

import numpy as np

DAY = 86_400  # seconds


class Windows(NamedTuple):
    """The windows of some anchors, as learners beside the model see them.

    Attributes:
      step_nwx: float32, covariates of every step, oldest first; NaN where the step or
        the number is missing. Not standardised.
      seen_nw: bool, whether there is a review at the step.
      time_nw: float64 seconds; NaN where there is no review or no time.
      last_n: int64, the last known value (see :func:`last_values`), -1 where none.
      label_n: int32, classes; ``NO_LABEL`` where unknown.
    """

    step_nwx: np.ndarray
    seen_nw: np.ndarray
    time_nw: np.ndarray
    last_n: np.ndarray
    label_n: np.ndarray

    def take(self, chosen: np.ndarray) -> "Windows":
        """The windows of some of the anchors, by index or mask."""
        return Windows(*(part[chosen] for part in self))


def gather_windows(
    anchors: np.ndarray,
    window_nw: np.ndarray,
    covariate_nx: np.ndarray,
    known_time_n: np.ndarray,
    last_n: np.ndarray,
    label_n: np.ndarray,
) -> Windows:
    """Windows of some anchors, from arrays over all reviews.

    Example (three steps): review 5 after review 2 has the window ``[-1, 2, 5]``; its
    ``seen_nw`` is ``[False, True, True]`` and its first step is all NaN.

    Args:
      anchors: int [k], the reviews at which windows end.
      window_nw: int64 [n, w], of all reviews; -1 = missing.
      covariate_nx: float32 [n, x], of all reviews; NaN = missing.
      known_time_n: float64 [n], seconds; NaN where there is no time.
      last_n: int64 [n], the last known value at every review; -1 where none.
      label_n: int32 [n], the class of every anchor, or ``NO_LABEL``.
    """
    window_kw = window_nw[anchors]
    seen_kw = window_kw >= 0
    at_kw = np.maximum(window_kw, 0)
    step_kwx = np.where(seen_kw[..., None], covariate_nx[at_kw], np.nan)
    return Windows(
        step_nwx=step_kwx.astype(np.float32),
        seen_nw=seen_kw,
        time_nw=np.where(seen_kw, known_time_n[at_kw], np.nan),
        last_n=last_n[anchors].astype(np.int64),
        label_n=label_n[anchors].astype(np.int32),
    )


def last_values(
    kind: str,
    window_nw: np.ndarray,
    known_time_n: np.ndarray,
    value_n: np.ndarray,
    horizon_days: int,
) -> np.ndarray:
    """The last known value of what is to be predicted, at every review: int64 [n].

    * ``repurchase``: whether the anchor came within the horizon after the review
      before it (1) or later (0);
    * ``next_positive``: the anchor's own ``value_n`` (whether it is positive);
    * ``stated`` and ``proxy_rating``: ``value_n`` of the review before the anchor, as
      the anchor's own is the answer.

    -1 where there is none, as at a subject's first review. Of a review at the very
    moment of the anchor, the value is known too.

    Args:
      kind: of intention.
      window_nw: int64 [n, w], windows of all reviews; -1 = missing.
      known_time_n: float64 [n], seconds; NaN where there is no time.
      value_n: int [n], each review's own value, or -1.
      horizon_days: of ``repurchase``.
    """
    if kind == "next_positive":
        return np.asarray(value_n, np.int64)
    none_n = np.full(len(window_nw), -1, np.int64)
    if window_nw.shape[1] < 2:
        return none_n
    before_n = window_nw[:, -2]
    at_n = np.maximum(before_n, 0)
    if kind != "repurchase":
        return np.where(before_n >= 0, value_n[at_n], none_n)
    gap_n = known_time_n - known_time_n[at_n]
    known_n = (before_n >= 0) & ~np.isnan(gap_n)
    return np.where(known_n, gap_n <= horizon_days * DAY, none_n)


def window_features(windows: Windows) -> np.ndarray:
    """Columns for the boosted trees, float32 [n, w * x + w + 1].

    The covariates of all steps (NaN where missing, which the trees can tell from any
    number), the mask of the steps, and how many reviews the window holds.
    """
    count = len(windows.label_n)
    parts = [
        windows.step_nwx.reshape(count, math.prod(windows.step_nwx.shape[1:])),
        windows.seen_nw.astype(np.float32),
        windows.seen_nw.sum(axis=1, keepdims=True).astype(np.float32),
    ]
    return np.concatenate(parts, axis=1)


def recency_frequency(windows: Windows) -> np.ndarray:
    """Recency and frequency of every window, float64 [n, 4].

    log1p of the days since the review before the anchor (0 where there is none),
    whether there is none, log1p of the reviews in the window, and the log of reviews a
    day over the time that the window covers (0 where it covers no time).
    """
    count_n = windows.seen_nw.sum(axis=1)
    days_nw = windows.time_nw / DAY
    dated_nw = np.isfinite(days_nw)
    newest_n = days_nw[:, -1]
    before_n = days_nw[:, -2] if days_nw.shape[1] > 1 else np.full(len(days_nw), np.nan)
    oldest_n = np.min(days_nw, axis=1, initial=np.inf, where=dated_nw)
    gap_n = newest_n - before_n
    span_n = np.where(np.isfinite(oldest_n), newest_n - oldest_n, np.nan)
    often_n = count_n / np.where(span_n > 0, span_n, np.nan)
    columns = (
        np.log1p(np.nan_to_num(gap_n)),
        np.isnan(gap_n),
        np.log1p(count_n),
        np.nan_to_num(np.log(often_n)),
    )
    return np.stack(columns, axis=1).astype(np.float64)
