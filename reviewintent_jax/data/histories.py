"""Stage 4, beside the labels: reviews of subjects over time -> windows of history.

In: subject and time of every review, in any order. Out: :class:`Histories`. A window
ends at its anchor and includes it (three steps; subject A has reviews 4, 1, 3, oldest
first, and subject B has 0 and 2)::

    order_n      4 1 3 0 2
    window_nw    of 4: -1 -1  4     of 1: -1 4 1     of 3: 4 1 3
                 of 0: -1 -1  0     of 2: -1 0 2
"""

import dataclasses
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from reviewintent_jax.data.intention import DAY, Covariate, IntentionSpec, following
from reviewintent_jax.data.splits import NO_GROUP, NO_TIME

LONG_GAP_DAYS = 730
"""Gaps between two reviews of a subject that are counted as gaps of years."""
_YEAR_DAYS = 365.2425


class Histories(NamedTuple):
    """The history of every review; index i is a review of the prepared data.

    Attributes:
      subject_n: int64 dense number of the review's subject; ``NO_GROUP`` where none
        (such a review is alone).
      time_n: int64 seconds since 1970 UTC; ``NO_TIME`` where none.
      order_n: int64 all reviews, subject after subject, oldest first; reviews of one
        moment in the order of the source.
      window_nw: int64 [n, w] reviews of the window that ends at review i, oldest
        first; -1 = missing (left). Reviews that were set aside are in no window, and
        their own is empty.
      covariate_nx: float32 [n, x] numbers beside the text in the declared order, not
        standardised; NaN = missing.
    """

    subject_n: np.ndarray
    time_n: np.ndarray
    order_n: np.ndarray
    window_nw: np.ndarray
    covariate_nx: np.ndarray


def order_reviews(subject_n: np.ndarray, time_n: np.ndarray) -> np.ndarray:
    """int64 reviews, subject after subject, oldest first; ties as in the source.

    Reviews without a subject come last. Example: subjects ``[7, 2, 7]``, times
    ``[30, 10, 20]`` -> ``[1, 2, 0]``.
    """
    alone = subject_n == NO_GROUP
    # each alone: a subject of its own, behind all others
    key_n = np.where(alone, np.arange(len(subject_n)), subject_n)
    return np.lexsort((time_n, key_n, alone)).astype(np.int64)


def cut_windows(
    order_n: np.ndarray, subject_n: np.ndarray, kept_n: np.ndarray, window: int
) -> np.ndarray:
    """int64 [n, w] windows over the reviews that are kept; see the picture above.

    A review that is not kept leaves no hole: the window reaches one review further.
    """
    order = order_n[kept_n[order_n]]
    place = np.arange(len(order))
    subject = subject_n[order]
    new = np.ones(len(order), bool)
    new[1:] = (subject[1:] != subject[:-1]) | (subject[1:] == NO_GROUP)
    start = np.maximum.accumulate(np.where(new, place, 0)) if len(order) else place
    step = place[:, None] + np.arange(1 - window, 1)[None, :]
    inside = step >= start[:, None]
    window_nw = np.full((len(order_n), window), -1, np.int64)
    window_nw[order] = np.where(inside, order[np.maximum(step, 0)], -1)
    return window_nw


def build_histories(
    spec: IntentionSpec,
    *,
    subject_n: np.ndarray,
    time_n: np.ndarray,
    stars_n: np.ndarray,
    helpful_n: np.ndarray,
    words_n: np.ndarray,
) -> Histories:
    """Histories of all reviews, none of them set aside.

    Args:
      spec: windows and covariates.
      subject_n, time_n: int64, see :class:`Histories`.
      stars_n: float32 stars; NaN where none.
      helpful_n: float32 helpful votes; NaN where none.
      words_n: int words of the text.
    """
    order_n = order_reviews(subject_n, time_n)
    kept_n = np.ones(len(order_n), bool)
    window_nw = cut_windows(order_n, subject_n, kept_n, spec.window)
    days_n = _gap_days(order_n, subject_n, time_n)
    columns: list[np.ndarray] = []
    for covariate in spec.covariates:
        if covariate is Covariate.GAP:
            columns.append(np.log1p(np.maximum(np.nan_to_num(days_n), 0.0)))
        elif covariate is Covariate.FIRST:
            columns.append(np.isnan(days_n))
        elif covariate is Covariate.STARS:
            columns.append(stars_n)
        elif covariate is Covariate.HELPFUL:
            columns.append(np.log1p(np.maximum(helpful_n, 0.0)))
        elif covariate is Covariate.LENGTH:
            columns.append(np.log1p(words_n))
        else:
            columns += _season(time_n)
    covariate_nx = np.zeros((len(order_n), len(columns)), np.float32)
    for x, column in enumerate(columns):
        covariate_nx[:, x] = column
    return Histories(subject_n, time_n, order_n, window_nw, covariate_nx)


def _gap_days(
    order_n: np.ndarray, subject_n: np.ndarray, time_n: np.ndarray
) -> np.ndarray:
    """Days since the subject's previous review; NaN for the first one."""
    next_n = following(order_n, subject_n)
    before = np.flatnonzero(next_n >= 0)
    days_n = np.full(len(order_n), np.nan)
    days_n[next_n[before]] = (time_n[next_n[before]] - time_n[before]) / DAY
    return days_n


def _season(time_n: np.ndarray) -> list[np.ndarray]:
    """Sine and cosine of the day of the year; NaN without a time."""
    moment = np.where(time_n == NO_TIME, 0, time_n).astype("datetime64[s]")
    year = moment.astype("datetime64[Y]").astype("datetime64[s]")
    days = (moment - year).astype(np.int64) / DAY
    angle = np.where(time_n == NO_TIME, np.nan, 2 * np.pi * days / _YEAR_DAYS)
    return [np.sin(angle), np.cos(angle)]


@dataclasses.dataclass(frozen=True)
class CovariateScale:
    """Mean and spread of the covariates of training; what ``model.json`` keeps.

    Attributes:
      names: of the covariates, in order.
      mean_x, spread_x: of the reviews in windows of training anchors; the spread of a
        covariate that never changes is 1.
    """

    names: tuple[str, ...]
    mean_x: tuple[float, ...]
    spread_x: tuple[float, ...]

    def apply(self, covariate_nx: np.ndarray) -> np.ndarray:
        """float32 [..., x] standardised; missing (NaN) becomes 0, the mean."""
        mean, spread = np.array(self.mean_x), np.array(self.spread_x)
        scaled = (covariate_nx - mean) / spread
        return np.nan_to_num(scaled, nan=0.0).astype(np.float32)

    def to_dict(self) -> dict[str, Any]:
        """The scale as plain JSON values."""
        return {name: list(each) for name, each in vars(self).items()}

    @classmethod
    def from_dict(cls, stored: Mapping[str, Any]) -> "CovariateScale":
        """The inverse of ``to_dict``."""
        return cls(**{name: tuple(each) for name, each in stored.items()})


def fit_scale(
    histories: Histories, anchors: np.ndarray, names: tuple[str, ...]
) -> CovariateScale:
    """Mean and spread over the reviews in the windows of some anchors, each once.

    Args:
      histories: windows and covariates.
      anchors: int indices of training anchors.
      names: of the covariates, in order.
    """
    reviews = np.unique(histories.window_nw[anchors])
    values = histories.covariate_nx[reviews[reviews >= 0]].astype(np.float64)
    there = ~np.isnan(values)
    count_x = np.maximum(there.sum(axis=0), 1)
    mean_x = np.where(there, values, 0.0).sum(axis=0) / count_x
    off = np.where(there, values - mean_x[None, :], 0.0)
    spread_x = np.sqrt((off**2).sum(axis=0) / count_x)
    spread_x = np.where(spread_x > 1e-8, spread_x, 1.0)
    return CovariateScale(names, tuple(mean_x.tolist()), tuple(spread_x.tolist()))


def describe_times(histories: Histories) -> dict[str, Any]:
    """What is odd about the times of the histories, as counts for the report.

    ``backwards``: rows that are older than the row of the same subject before them in
    the source; they were sorted. ``same_moment``: reviews at the very moment of the
    subject's previous one. ``long_gaps``: gaps of more than two years.
    """
    subject_n, time_n = histories.subject_n, histories.time_n
    in_source = np.argsort(subject_n, kind="stable")
    next_n = following(in_source, subject_n)
    before = np.flatnonzero(next_n >= 0)
    days_n = _gap_days(histories.order_n, subject_n, time_n)
    counts = np.unique(subject_n[subject_n != NO_GROUP], return_counts=True)[1]
    timed = time_n[time_n != NO_TIME]
    return {
        "subjects": len(counts),
        "one_review_subjects": int((counts == 1).sum()),
        "backwards": int((time_n[next_n[before]] < time_n[before]).sum()),
        "same_moment": int((days_n == 0).sum()),
        "long_gaps": int((days_n > LONG_GAP_DAYS).sum()),
        "first": iso_date(timed.min()) if len(timed) else None,
        "last": iso_date(timed.max()) if len(timed) else None,
    }


def time_sentences(times: Mapping[str, Any]) -> list[str]:
    """The same in words, for people: a sentence for each count that is not 0.

    Example: ``{"backwards": 2, ...}`` -> ``["2 rows older than the row of the same
    subject before them: sorted by time", ...]``.

    Args:
      times: from :func:`describe_times`.
    """
    years = LONG_GAP_DAYS // 365
    words = {
        "backwards": "rows older than the row of the same subject before them: "
        "sorted by time",
        "same_moment": "reviews at the very moment of the subject's review before: "
        "read in the order of the source",
        "long_gaps": f"gaps of more than {years} years: kept as they are",
        "one_review_subjects": f"of {times['subjects']:,} subjects with a single "
        "review: their windows are short, not dropped",
    }
    return [f"{times[key]:,} {said}" for key, said in words.items() if times[key]]


def iso_date(seconds: int | np.integer) -> str:
    """A moment as an ISO date and time, UTC: ``2014-02-28T00:00:00Z``."""
    return f"{np.datetime64(int(seconds), 's')}Z"
