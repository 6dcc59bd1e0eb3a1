"""Scored reviews of a file -> one row a subject: what it will do next.

A file is in any order, so a subject's history is whole only when the last row has been
read. Hence two passes: the first reads subject and time of every row
(:func:`plan_subjects`), the second scores whole histories, a bounded number of reviews
at a time (:func:`history_chunks`), and :func:`subject_table` makes the answer of every
subject from its last review.

Memory: 24 bytes a row and one string a subject for the plan, and ``8 y`` bytes a row
for the log-probabilities; a million rows with two classes take 40 MB. Texts are needed
again in the order of :func:`history_chunks`: from a file that can be read twice, or
from a copy on disk. A chunk holds at most ``most`` reviews besides the ``window - 1``
that a history goes on from.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd

from reviewintent_jax.evaluation.calibration import answers, probabilities
from reviewintent_jax.schema import InputError

NO_SUBJECT = "no subject"
NO_MOMENT = "no time, or one that is not understood"


class SubjectPlan(NamedTuple):
    """Whose reviews a file holds, and in which order they were written.

    Example (rows: ann day 3, no subject, bob day 1, ann day 2)::

        names      ["ann", "bob"]
        row_n      [3, 0, 2]       subject_n  [0, 0, 1]

    Attributes:
      names: of the subjects, in the order of the file.
      row_n: int64 rows of the file that have subject and time, subject after subject,
        oldest first; rows of one moment in the order of the file.
      subject_n: int64, the subject of each, ascending.
      time_n: int64 seconds UTC of each.
      left_out: reason -> rows.
    """

    names: tuple[str, ...]
    row_n: np.ndarray
    subject_n: np.ndarray
    time_n: np.ndarray
    left_out: dict[str, int]


class HistoryChunk(NamedTuple):
    """Consecutive reviews of a plan that are scored together.

    Attributes:
      position_n: int64 positions in the plan, ascending; the first ``context`` are
        there for the windows of the others and were scored before.
      context: how many.
      window_kw: int64 [k, w] window of each review that is scored, as indices into
        ``position_n``, oldest first; -1 = missing (left).
    """

    position_n: np.ndarray
    context: int
    window_kw: np.ndarray


def plan_subjects(rows: Iterable[tuple[str, int | None]]) -> SubjectPlan:
    """Reads (subject, seconds UTC) of every row, in the order of the file.

    A row without a subject ("") or a time (None) belongs to no history and is counted.
    """
    number: dict[str, int] = {}
    left_out = {NO_SUBJECT: 0, NO_MOMENT: 0}
    kept: list[np.ndarray] = []
    part: list[tuple[int, int, int]] = []
    for row, (subject, moment) in enumerate(rows):
        if not subject:
            left_out[NO_SUBJECT] += 1
        elif moment is None:
            left_out[NO_MOMENT] += 1
        else:
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
        left_out={reason: count for reason, count in left_out.items() if count},
    )


def history_chunks(
    plan: SubjectPlan, *, window: int, most: int
) -> Iterator[HistoryChunk]:
    """Cuts a plan into chunks whose windows are whole; every review is scored once.

    Example (window 3, most 2; one subject with positions 0 1 2 3): the chunks are
    ``[0, 1]`` with context 0 and ``[0, 1, 2, 3]`` with context 2, whose windows are
    ``[0, 1, 2]`` and ``[1, 2, 3]``.

    Args:
      plan: of the file.
      window: reviews that a window holds at most, from 1.
      most: reviews scored at a time, from 1.
    """
    if min(window, most) < 1:
        raise InputError(f"A window of {window} in chunks of {most} cannot be.")
    size = len(plan.row_n)
    new_n = np.diff(plan.subject_n, prepend=-1) != 0
    first_n = np.maximum.accumulate(np.where(new_n, np.arange(size), 0))
    for start in range(0, size, most):
        stop = min(start + most, size)
        begin = max(int(first_n[start]), start - window + 1)
        place_k = np.arange(start, stop)
        step_kw = place_k[:, None] + np.arange(1 - window, 1)
        seen_kw = step_kw >= first_n[start:stop, None]
        yield HistoryChunk(
            position_n=np.arange(begin, stop),
            context=start - begin,
            window_kw=np.where(seen_kw, step_kw - begin, -1),
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
) -> pd.DataFrame:
    """The answer of every subject: the prediction at its last review.

    Args:
      plan: of the file.
      log_prob_ny: [n, y], logits or log-probabilities at every review of the plan, in
        its order; NaN where a review had no answer (its text was empty, say).
      classes: names.
      temperature, threshold: of the model.
      horizon_days: days within which it is to come true; None where there are none.
      window: reviews that a window holds at most.

    Returns:
      One row a subject, in the order of the file: ``subject``, ``reviews`` (in the
      file), ``reviews_read`` (in the window), ``last_time`` (ISO, UTC), ``intention``
      (class), ``probability_CLASS`` for each, ``horizon_days`` and ``problem``. The
      last review with an answer counts; ``problem`` says if there is none.
    """
    if len(log_prob_ny) != len(plan.row_n):
        raise ValueError(f"{len(log_prob_ny)} answers for {len(plan.row_n)} reviews")
    subjects = len(plan.names)
    answered_n = ~np.isnan(log_prob_ny).any(axis=1)
    last_s = np.full(subjects, -1, np.int64)
    place_n = np.flatnonzero(answered_n)
    last_s[plan.subject_n[place_n]] = place_n  # ascending: the newest one stays
    count_s = np.bincount(plan.subject_n, minlength=subjects)
    read_s = np.bincount(plan.subject_n[place_n], minlength=subjects)
    has_s = last_s >= 0
    prob_sy = np.full((subjects, len(classes)), np.nan)
    prob_sy[has_s] = probabilities(log_prob_ny[last_s[has_s]], temperature)
    answer_s = np.full(subjects, None, object)
    chosen = answers(prob_sy[has_s], threshold)
    answer_s[has_s] = np.array(classes, object)[chosen]
    newest = plan.time_n[
        np.searchsorted(plan.subject_n, np.arange(subjects), "right") - 1
    ]
    moment_s = newest.astype("datetime64[s]")
    table = {
        "subject": np.array(plan.names, object),
        "reviews": count_s,
        "reviews_read": np.minimum(read_s, window),
        "last_time": [f"{moment}Z" for moment in moment_s],
        "intention": pd.Series(answer_s, dtype=object),
        **{f"probability_{name}": prob_sy[:, y] for y, name in enumerate(classes)},
        "horizon_days": pd.array([horizon_days] * subjects, dtype="Int64"),
        "problem": pd.Series(
            [None if has else "no review with a text" for has in has_s], dtype=object
        ),
    }
    return pd.DataFrame(table)
