"""Serves stages 2 and 4: what a row says beside its text, for histories.

In: a row whose review was accepted. Out: an :class:`Event`, or the reason why the row
cannot stand in a history. :class:`Events` holds the events of all reviews as arrays.
"""

import re
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from reviewintent_jax.data.checks import label_value, plain_value
from reviewintent_jax.data.duplicates import fold, shingles
from reviewintent_jax.data.intention import DAY, IntentionKind, IntentionSpec
from reviewintent_jax.data.splits import NO_GROUP
from reviewintent_jax.data.stars import parse_stars
from reviewintent_jax.schema import RawRow, Rejected, Review

EARLIEST = 631_152_000
"""1990-01-01: no review on the web is older; such a date is a default, not a time."""
_FIRST_NUMBER = re.compile(r"[\[(]?\s*([+-]?\d+(?:\.\d+)?)\s*(?:,[^\])]*)?[\])]?")


class Event(NamedTuple):
    """One review as an event in the history of its subject.

    Attributes:
      subject: whose history; empty where each review is alone.
      stars, helpful: NaN where missing or not understood.
      stated: the stated intention as written; empty where none.
    """

    subject: str
    stars: float
    helpful: float
    stated: str


def read_event(
    raw: RawRow, review: Review, spec: IntentionSpec, time_column: str, now: int
) -> Event | Rejected:
    """The event of a row.

    Args:
      raw: the row.
      review: the review that it holds.
      spec: which columns matter. Where it has a subject, these are reasons to set the
        row aside: "no subject", "no time", "dated before 1990", "dated in the future".
      time_column: name of the column of the time, for the record.
      now: seconds since 1970 UTC; from a day later on, a date is in the future.
    """

    def rejected(column: str, reason: str, value: Any) -> Rejected:
        return Rejected(review.row, raw.file, raw.line, column, reason, str(value))

    subject = plain_value(raw.fields.get(spec.subject)) if spec.subject else ""
    if spec.over_time:
        if not subject:
            return rejected(spec.subject, "no subject", "")
        written = raw.fields.get(time_column)
        if review.time is None:
            return rejected(time_column, "no time", "")
        if review.time < EARLIEST:
            return rejected(time_column, "dated before 1990", written)
        if review.time > now + DAY:
            return rejected(time_column, "dated in the future", written)
    stated = raw.fields.get(spec.label) if spec.kind is IntentionKind.STATED else None
    return Event(
        subject=subject,
        stars=_stars(raw.fields.get(spec.stars)) if spec.stars else np.nan,
        helpful=first_number(raw.fields.get(spec.helpful)) if spec.helpful else np.nan,
        stated=label_value(stated),
    )


def _stars(value: Any) -> float:
    stars = parse_stars(plain_value(value))
    return np.nan if stars is None else stars


def first_number(value: Any) -> float:
    """The number, or the first of a list of numbers; NaN where there is none.

    >>> first_number("[3, 5]"), first_number([3, 5]), first_number("7")
    (3.0, 3.0, 7.0)
    """
    found = _FIRST_NUMBER.fullmatch(plain_value(value))
    return float(found[1]) if found else np.nan


class Events(NamedTuple):
    """What histories are made of, in the order of the source.

    Attributes:
      subject_n: int64 dense number of the subject; ``NO_GROUP`` where none.
      stars_n, helpful_n: float32, NaN where none.
      words_n: int32 words of the cleaned text.
      short_n: bool, a text of few words that many write ("Great!"), too short to have
        near duplicates.
      stated_n: int32 index into ``stated``.
      truth_n: float32 best possible probability of buying again within 30 days,
        where the source is the built-in shop; else NaN.
      stated: distinct stated intentions as written.
    """

    subject_n: np.ndarray
    stars_n: np.ndarray
    helpful_n: np.ndarray
    words_n: np.ndarray
    short_n: np.ndarray
    stated_n: np.ndarray
    truth_n: np.ndarray
    stated: tuple[str, ...]

    def stated_counts(self) -> dict[str, int]:
        """How often each stated intention occurs."""
        counts = np.bincount(self.stated_n, minlength=len(self.stated))
        return dict(zip(self.stated, counts.tolist(), strict=True))


def event_columns(
    events: Sequence[Event], texts: Sequence[str], truth: Sequence[float]
) -> tuple[Events, list[str]]:
    """The events of some reviews as arrays, and the names of their subjects.

    Args:
      events: one a review.
      texts: cleaned.
      truth: see :class:`Events`.

    Returns:
      Events whose numbers index ``stated`` and the names, both in order of appearance
      among these reviews alone; and the names.
    """
    subjects: dict[str, int] = {}
    stated: dict[str, int] = {}
    subject_n = [subjects.setdefault(e.subject, len(subjects))
                 if e.subject else NO_GROUP for e in events]  # fmt: skip
    stated_n = [stated.setdefault(e.stated, len(stated)) for e in events]
    columns = Events(
        np.array(subject_n, np.int64),
        np.array([e.stars for e in events], np.float32),
        np.array([e.helpful for e in events], np.float32),
        np.array([len(text.split()) for text in texts], np.int32),
        np.array([len(shingles(fold(text))) < 2 for text in texts], bool),
        np.array(stated_n, np.int32),
        np.array(truth, np.float32),
        tuple(stated),
    )
    return columns, list(subjects)


class EventJoin:
    """Puts the events of blocks, given in the order of the source, into one."""

    def __init__(self) -> None:
        self._subjects: dict[str, int] = {}
        self._stated: dict[str, int] = {}
        self._parts: list[Events] = []

    def add(self, events: Events, subjects: Sequence[str]) -> None:
        """Takes the next block's, as :func:`event_columns` made them."""
        subject_n = events.subject_n
        if len(subjects):
            named_n = _numbers_in(self._subjects, subjects)[np.maximum(subject_n, 0)]
            subject_n = np.where(subject_n == NO_GROUP, NO_GROUP, named_n)
        stated_n = _numbers_in(self._stated, events.stated)[events.stated_n]
        self._parts.append(
            events._replace(
                subject_n=subject_n, stated_n=stated_n.astype(np.int32), stated=()
            )
        )

    def finish(self) -> Events:
        """All of them."""
        *columns, _ = zip(*self._parts, strict=True)
        joined = [np.concatenate(column) for column in columns]
        return Events(*joined, stated=tuple(self._stated))


def _numbers_in(codes: dict[str, int], names: Sequence[str]) -> np.ndarray:
    """int64 numbers of names; new ones are added."""
    return np.array([codes.setdefault(name, len(codes)) for name in names], np.int64)
