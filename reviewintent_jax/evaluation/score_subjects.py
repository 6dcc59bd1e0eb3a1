"""Scored reviews -> one row a subject: what it will do next.

:func:`plan_subjects` puts the reviews of every subject in order, and
:func:`subject_table` makes the answer of every subject from its last review. Memory: 24
bytes a review and one string a subject for the plan, and ``8 y`` bytes a review for the
log-probabilities; a million reviews with two classes take 40 MB.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd

from reviewintent_jax.evaluation.calibration import answers, probabilities


class SubjectPlan(NamedTuple):
    """Whose reviews there are, and in which order they were written.

    Example (reviews: ann day 3, bob day 1, ann day 2)::

        names      ["ann", "bob"]
        row_n      [2, 0, 1]       subject_n  [0, 0, 1]

    Attributes:
      names: of the subjects, in the order of the file.
      row_n: int64 reviews, subject after subject, oldest first; those of one moment in
        the order of the file.
      subject_n: int64, the subject of each, ascending.
      time_n: int64 seconds UTC of each.
    """

    names: tuple[str, ...]
    row_n: np.ndarray
    subject_n: np.ndarray
    time_n: np.ndarray


def plan_subjects(reviews: Iterable[tuple[str, int]]) -> SubjectPlan:
    """Reads (subject, seconds UTC) of every review, in the order of the file."""
    number: dict[str, int] = {}
    kept: list[np.ndarray] = []
    part: list[tuple[int, int, int]] = []
    for row, (subject, moment) in enumerate(reviews):
        part.append((number.setdefault(subject, len(number)), moment, row))
        if len(part) == 100_000:  # tuples of Python are many times an array
            kept.append(np.array(part, np.int64))
            part = []
    kept.append(np.array(part, np.int64).reshape(-1, 3))
    table = np.concatenate(kept)
    order = np.lexsort((table[:, 2], table[:, 1], table[:, 0]))
    subject_n, time_n, row_n = table[order].T
    return SubjectPlan(
        names=tuple(number),
        row_n=row_n,
        subject_n=subject_n,
        time_n=time_n,
    )


def subject_table(
    plan: SubjectPlan,
    log_prob_ny: np.ndarray,
    classes: Sequence[str],
    *,
    temperature: float,
    threshold: float | None,
    horizon_days: int | None,
    window: int,
    unanswered: Mapping[str, str],
) -> pd.DataFrame:
    """The answer of every subject: the prediction at its last review.

    Args:
      plan: of the reviews.
      log_prob_ny: [n, y], logits or log-probabilities at every review of the plan, in
        its order.
      classes: names.
      temperature, threshold: of the model.
      horizon_days: days within which it is to come true; None where there are none.
      window: reviews that a window holds at most.
      unanswered: subjects without a review -> why.

    Returns:
      One row a subject, in the order of the file, those without an answer last:
      ``subject``, ``reviews`` (that could be used), ``reviews_read`` (in the window),
      ``last_time`` (ISO, UTC), ``intention`` (class), ``probability_CLASS`` for each,
      ``horizon_days`` and ``problem``.
    """
    if len(log_prob_ny) != len(plan.row_n):
        raise ValueError(f"{len(log_prob_ny)} answers for {len(plan.row_n)} reviews")
    subject_s = np.arange(len(plan.names))
    count_s = np.bincount(plan.subject_n, minlength=len(subject_s))
    last_s = np.searchsorted(plan.subject_n, subject_s, "right") - 1
    prob_sy = probabilities(log_prob_ny[last_s], temperature)
    chosen_s = answers(prob_sy, threshold)
    answered = pd.DataFrame(
        {
            "subject": np.array(plan.names, object),
            "reviews": count_s,
            "reviews_read": np.minimum(count_s, window),
            "last_time": [f"{t}Z" for t in plan.time_n[last_s].astype("datetime64[s]")],
            "intention": np.array(classes, object)[chosen_s],
            **{f"probability_{name}": prob_sy[:, y] for y, name in enumerate(classes)},
            "horizon_days": pd.array([horizon_days] * len(subject_s), dtype="Int64"),
            "problem": pd.Series([None] * len(subject_s), dtype=object),
        }
    )
    if not unanswered:
        return answered
    others = {"subject": list(unanswered), "problem": list(unanswered.values())}
    others |= {"reviews": 0, "reviews_read": 0}
    return pd.concat([answered, pd.DataFrame(others)], ignore_index=True)
