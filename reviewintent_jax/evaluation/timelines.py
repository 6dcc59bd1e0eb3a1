"""Intention over time: the table of predicted anchors -> timelines, trends and moves.

In: subjects, times and calibrated probabilities of intention. Out: for every subject a
line with a band, how steeply it rises or falls, and which review moved it.

**The band.** A probability says what share of such anchors come true. At each review
the line is the mean of the last ``window`` probabilities, and the band is Wilson's
95 % interval around it for that many answers: where the share of those that come true
is to be expected if the probabilities are right. Few reviews, wide band.

**Moves.** The intention predicted at a review minus the one predicted at the subject's
previous review: with and without the review. From the review on that no longer fits
into the window, the oldest one drops out as well; and time has passed, which the model
knows.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy.stats import t as student

from reviewintent_jax.evaluation.evaluate import subject_groups
from reviewintent_jax.schema import NO_LABEL

ENOUGH = 4
"""Reviews that a subject needs before it is said to rise or fall."""

_TREND = [
    *("subject", "name", "reviews", "used", "latest"),
    *("change", "low", "high", "last_time"),
]
_NORMAL = 1.959963984540054
_PERIODS = (("D", 31), ("W", 26), ("M", 36), ("Q", 24), ("Y", 10_000))
"""Calendar periods, shortest first, and how many of them fit into a picture."""


class Anchors(NamedTuple):
    """Predicted anchors of subjects, subject after subject, oldest first.

    Attributes:
      position_n: int64, row of each in the table of predictions.
      subject_n: int64, dense numbers.
      name_n: object, what the table calls the subject.
      time_n: float64, seconds UTC; NaN where unknown.
      prob_n: float64, calibrated probability of the intention.
      came_true_n: int64, 1 or 0; ``NO_LABEL`` where unknown.
    """

    position_n: np.ndarray
    subject_n: np.ndarray
    name_n: np.ndarray
    time_n: np.ndarray
    prob_n: np.ndarray
    came_true_n: np.ndarray


class Line(NamedTuple):
    """One subject over time.

    Attributes:
      name: of the subject.
      time_n: float64 seconds.
      prob_n: probability at each review.
      level_n, low_n, high_n: the line and its band.
      came_true_n: 1, 0 or ``NO_LABEL``.
    """

    name: str
    time_n: np.ndarray
    prob_n: np.ndarray
    level_n: np.ndarray
    low_n: np.ndarray
    high_n: np.ndarray
    came_true_n: np.ndarray


def gather_anchors(table: pd.DataFrame, prob_n: np.ndarray, target: int) -> Anchors:
    """The anchors of a table that belong to a subject, in time order.

    Args:
      table: from ``intention.intention_table``.
      prob_n: [n], calibrated probability of the target class.
      target: the class that is the intention.
    """
    subject_n = table["subject"].to_numpy()
    group_n = subject_groups(subject_n)
    numeric = np.issubdtype(subject_n.dtype, np.number)
    has_n = subject_n >= 0 if numeric else ~pd.isna(subject_n) & (subject_n != "")
    time_n = table["time"].to_numpy(np.float64)
    order = np.lexsort((table["row"].to_numpy(), time_n, group_n))
    order = order[np.asarray(has_n[order], bool)]
    label_n = table["label"].to_numpy()
    true_n = np.where(label_n == NO_LABEL, NO_LABEL, label_n == target)
    return Anchors(
        position_n=order.astype(np.int64),
        subject_n=np.unique(group_n[order], return_inverse=True)[1].astype(np.int64),
        name_n=subject_n[order].astype(object),
        time_n=time_n[order],
        prob_n=np.asarray(prob_n, np.float64)[order],
        came_true_n=true_n[order].astype(np.int64),
    )


def wilson(share: np.ndarray, count: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Wilson's 95 percent interval of a share of ``count`` answers; within 0 and 1.

    Example: a share of 0.5 of 4 answers lies within 0.150 and 0.850.
    """
    share, count = np.asarray(share, np.float64), np.asarray(count, np.float64)
    square = _NORMAL**2 / count
    middle = (share + square / 2) / (1 + square)
    half = np.sqrt(share * (1 - share) * square + square**2 / 4) / (1 + square)
    return np.clip(middle - half, 0, 1), np.clip(middle + half, 0, 1)


def timeline(anchors: Anchors, subject: int, window: int) -> Line:
    """The line and the band of one subject; see the module.

    Example (window 2): probabilities 0.2, 0.4, 0.8 -> levels 0.2, 0.3, 0.6 of 1, 2 and
    2 answers.
    """
    rows = np.flatnonzero(anchors.subject_n == subject)
    prob_n = anchors.prob_n[rows]
    total = np.concatenate([[0.0], np.cumsum(prob_n)])
    end = np.arange(1, len(rows) + 1)
    count = np.minimum(end, window)
    level_n = np.clip((total[end] - total[end - count]) / count, 0, 1)
    low_n, high_n = wilson(level_n, count)
    return Line(
        name=str(anchors.name_n[rows[0]]),
        time_n=anchors.time_n[rows],
        prob_n=prob_n,
        level_n=level_n,
        low_n=low_n,
        high_n=high_n,
        came_true_n=anchors.came_true_n[rows],
    )


def trends(anchors: Anchors, window: int) -> pd.DataFrame:
    """How every subject with enough reviews moved over its last window.

    A straight line is fitted to the last ``window`` probabilities, review by review;
    ``change`` is its end minus its start, ``low`` and ``high`` the 95 percent interval
    by Student's t over the fit's residuals. Falling subjects first.

    Returns:
      Columns ``subject``, ``name``, ``reviews`` (of the whole timeline), ``used``,
      ``latest`` (probability), ``change``, ``low``, ``high``, ``last_time``.
    """
    found: list[tuple] = []
    for subject, rows in _runs(anchors.subject_n):
        if len(rows) < ENOUGH:
            continue
        prob_n = anchors.prob_n[rows][-max(window, ENOUGH) :]
        change, half = _change(prob_n)
        ends = (change, change - half, change + half)
        name, last = anchors.name_n[rows[0]], anchors.time_n[rows[-1]]
        used = len(prob_n)
        found.append((subject, name, len(rows), used, prob_n[-1], *ends, last))
    table = pd.DataFrame(found, columns=_TREND)
    return table.sort_values("change", kind="stable", ignore_index=True)


def _change(prob_n: np.ndarray) -> tuple[float, float]:
    """Change along the fitted line, and half of its 95 percent interval."""
    used = len(prob_n)
    step_n = np.arange(used) - (used - 1) / 2
    square = float((step_n**2).sum())
    slope = float((step_n * prob_n).sum()) / square
    left_n = prob_n - prob_n.mean() - slope * step_n
    error = np.sqrt((left_n**2).sum() / (used - 2) / square)
    return slope * (used - 1), float(student.ppf(0.975, used - 2) * error * (used - 1))


def moves(anchors: Anchors, most: int) -> pd.DataFrame:
    """The reviews that moved the intention of their subject most, either way.

    A subject's first review has nothing before it and moves nothing.

    Returns:
      Columns ``position`` (row of the table of predictions), ``name``, ``time``,
      ``before``, ``after``, ``change``; the largest changes first.
    """
    same = anchors.subject_n[1:] == anchors.subject_n[:-1]
    after = np.flatnonzero(same) + 1
    change = anchors.prob_n[after] - anchors.prob_n[after - 1]
    chosen = after[np.argsort(-np.abs(change), kind="stable")][:most]
    return pd.DataFrame(
        {
            "position": anchors.position_n[chosen],
            "name": anchors.name_n[chosen],
            "time": anchors.time_n[chosen],
            "before": anchors.prob_n[chosen - 1],
            "after": anchors.prob_n[chosen],
            "change": anchors.prob_n[chosen] - anchors.prob_n[chosen - 1],
        }
    )


def periods(time_n: np.ndarray, prob_n: np.ndarray, true_n: np.ndarray) -> pd.DataFrame:
    """Predicted and observed intention of all subjects by calendar period.

    Days, weeks, months, quarters or years, the shortest that fit into a picture.

    Args:
      time_n: [n], seconds; rows whose time is NaN are left out.
      prob_n: [n], calibrated probabilities.
      true_n: [n], 1, 0 or ``NO_LABEL``.

    Returns:
      One row a period with reviews: ``start`` (UTC), ``reviews``, ``predicted`` (mean
      probability), ``known`` (answers), ``observed`` (share that came true), ``low``,
      ``high`` (Wilson); the last three NaN without an answer. ``attrs["unit"]`` names
      the period.
    """
    dated = np.isfinite(time_n)
    moment = pd.Series(pd.to_datetime(time_n[dated], unit="s"))
    for unit, most in _PERIODS:
        period = moment.dt.to_period(unit)
        if not len(period) or period.nunique() <= most:
            break
    known_n = true_n[dated] != NO_LABEL
    frame = pd.DataFrame({"start": period.dt.start_time, "predicted": prob_n[dated]})
    frame["known"], frame["true"] = known_n, np.where(known_n, true_n[dated], 0)
    found = frame.groupby("start", as_index=False).agg(
        reviews=("predicted", "size"),
        predicted=("predicted", "mean"),
        known=("known", "sum"),
        true=("true", "sum"),
    )
    count = found["known"].to_numpy(np.float64)
    count = np.where(count > 0, count, np.nan)
    found["observed"] = found.pop("true").to_numpy() / count
    found["low"], found["high"] = wilson(found["observed"].to_numpy(), count)
    found.attrs["unit"] = {
        **{"D": "day", "W": "week", "M": "month"},
        **{"Q": "quarter", "Y": "year"},
    }[unit]
    return found


def pick_subjects(trend: pd.DataFrame, anchors: Anchors, most: int) -> Sequence[int]:
    """Subjects worth a picture: in turn the steepest rise and fall, then the longest.

    Args:
      trend: from :func:`trends`.
      anchors: from :func:`gather_anchors`.
      most: pictures.
    """
    falling = trend[trend["change"] < 0]["subject"].tolist()
    rising = trend[trend["change"] > 0]["subject"].tolist()[::-1]
    steep = [subject for pair in zip(rising, falling, strict=False) for subject in pair]
    count = np.bincount(anchors.subject_n) if len(anchors.subject_n) else np.zeros(0)
    longest = [s for s in np.argsort(-count, kind="stable").tolist() if count[s] > 1]
    return list(dict.fromkeys([*steep[: max(most - 2, 0)], *longest]))[:most]


def _runs(subject_n: np.ndarray) -> list[tuple[int, np.ndarray]]:
    """The rows of every subject; subjects stand one after another."""
    starts = np.flatnonzero(np.diff(subject_n, prepend=-1))
    rows = np.split(np.arange(len(subject_n)), starts[1:])
    return [(int(subject_n[run[0]]), run) for run in rows if len(run)]
