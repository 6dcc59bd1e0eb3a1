"""Stage 5, split, of histories: subjects at random, one global cut date for all.

In: reviews of subjects over time, their answers and their near duplicates. Out:
:class:`HistorySplits`. What is learnt from lies wholly before the cut date, what is
tested wholly after it, and no subject is on two sides::

                      ... cut date ...
    train subject     r r r | - -       r: read and learnt from, if the answer to it is
    validation        r r r | -            known at the cut date
    test subject      c c c | T T       T: tested; c: read as history, never scored

Texts across the sides, the later side (test, then validation, then train) winning:

* a near duplicate of a text on a later side is set aside, and the windows of its
  subject reach one review further back;
* a short text that many write ("Great!", up to three words) says nothing of who wrote
  it: it keeps its place in the history, so that the history has no hole, but anchors
  no window and carries no label;
* within a side copies keep their places too; only the first carries a sentiment label.

With a group column (the author, where the subject is a business) an author's reviews
on an earlier side are set aside.
"""

from collections import Counter
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from reviewintent_jax.data.histories import Histories, cut_windows, iso_date
from reviewintent_jax.data.intention import Intention, IntentReason
from reviewintent_jax.data.splits import (
    NO_GROUP,
    SET_ASIDE,
    SPLIT_NAMES,
    TEST,
    TRAIN,
    VALIDATION,
    Reason,
    SplitSpec,
)
from reviewintent_jax.data.stratify import cut_units
from reviewintent_jax.schema import NO_LABEL, InputError


class HistorySplits(NamedTuple):
    """Splits of reviews with a history, and the labels that are left.

    Attributes:
      split_n: int8 TRAIN, VALIDATION, TEST or SET_ASIDE.
      reason_n: int8 ``Reason`` of the reviews that were set aside.
      label_n: int32 sentiment class, where the review may be learnt from or scored.
      intention: answers, where the anchor may be learnt from or scored.
      histories: windows over what was not set aside.
      masked: sentiment labels that were taken although the review stays, by reason.
      cut: the cut date, seconds since 1970 UTC.
    """

    split_n: np.ndarray
    reason_n: np.ndarray
    label_n: np.ndarray
    intention: Intention
    histories: Histories
    masked: dict[str, int]
    cut: int


def split_histories(
    spec: SplitSpec,
    cut_fraction: float,
    *,
    histories: Histories,
    intention: Intention,
    label_n: np.ndarray,
    exact_first_n: np.ndarray,
    cluster_n: np.ndarray,
    short_n: np.ndarray,
    group_n: np.ndarray | None,
) -> HistorySplits:
    """Splits histories by the rules above.

    Args:
      spec: shares of the subjects (by their reviews) and the seed.
      cut_fraction: share of the anchors at or before the cut date.
      histories: of all reviews; each has a subject and a time.
      intention: of all reviews.
      label_n: int32 sentiment class, or ``NO_LABEL``.
      exact_first_n, cluster_n: see :class:`~reviewintent_jax.data.duplicates.
        Duplicates`.
      short_n: bool, texts too short to have near duplicates.
      group_n: int64 key of the author, or ``NO_GROUP``; None for no such rule.
    """
    dealing = _Dealing(histories, intention, label_n)
    cut = cut_date(histories.time_n, intention, cut_fraction)
    dealing.deal(_sides(spec, histories.subject_n), cut)
    dealing.leave_copies(exact_first_n)
    dealing.leave_unused(cut)
    if group_n is not None:
        dealing.leave_authors(group_n)
    dealing.leave_near(cluster_n, short_n)
    dealing.leave_unused(cut)
    return dealing.done(cut)


def cut_date(time_n: np.ndarray, intention: Intention, fraction: float) -> int:
    """The moment at or before which ``fraction`` of the anchors lie.

    Anchors are all reviews that are the last of their moment.
    """
    anchors = intention.reason_n != IntentReason.NOT_LAST
    return int(np.quantile(time_n[anchors], fraction, method="lower"))


def _sides(spec: SplitSpec, subject_n: np.ndarray) -> np.ndarray:
    """int8 side of every review: whole subjects, test first, then validation."""
    side_n = np.full(len(subject_n), TRAIN, np.int8)
    wanted = ((TEST, spec.test_fraction), (VALIDATION, spec.validation_fraction))
    for side, fraction in wanted:
        rest = np.flatnonzero(side_n == TRAIN)
        shares = np.array([1.0 - fraction, fraction])
        random = np.random.default_rng((spec.seed, side))
        one_class = np.zeros(len(rest), np.int64)
        part = cut_units(subject_n[rest], one_class, shares, random)
        side_n[rest[part == 1]] = side
    return side_n


class _Dealing:
    """The state of a split in the making; every method is one rule."""

    def __init__(
        self, histories: Histories, intention: Intention, label_n: np.ndarray
    ) -> None:
        self.histories, self.intention = histories, intention
        self.label_n = label_n.astype(np.int32)
        self.split_n = np.full(len(label_n), SET_ASIDE, np.int8)
        self.reason_n = np.zeros(len(label_n), np.int8)
        self.masked_n = np.zeros(len(label_n), np.int8)

    def deal(self, side_n: np.ndarray, cut: int) -> None:
        """Sides of subjects, and what the cut date leaves of them."""
        late = self.histories.time_n > cut
        tested = side_n == TEST
        self.split_n[:] = side_n
        self._set_aside(late & ~tested, Reason.AFTER_CUT)
        unknown = ~tested & (self.intention.known_n > cut)
        self.intention = self.intention.without(unknown, IntentReason.KNOWN_LATE)
        self._mask(tested & ~late, IntentReason.BEFORE_CUT)

    def leave_copies(self, exact_first_n: np.ndarray) -> None:
        """Of equal texts on one side only the first carries a sentiment label."""
        labelled = np.flatnonzero(self.label_n != NO_LABEL)
        key = exact_first_n[labelled] * len(SPLIT_NAMES) + self.split_n[labelled]
        again = np.ones(len(labelled), bool)
        again[np.unique(key, return_index=True)[1]] = False
        copies = np.zeros(len(self.label_n), bool)
        copies[labelled[again]] = True
        self._mask_sentiment(copies, IntentReason.COPY)

    def leave_unused(self, cut: int) -> None:
        """Sets aside what no window in use holds, unless it has a label of its own.

        After the cut date every window of a test subject is in use, answered or not:
        people want to see the latest.
        """
        window_nw = self._windows()
        kept = self.split_n != SET_ASIDE
        answered = self.intention.label_n != NO_LABEL
        shown = (self.split_n == TEST) & (self.histories.time_n > cut)
        held = window_nw[kept & (answered | shown)]
        used = self.label_n != NO_LABEL
        used[held[held >= 0]] = True
        self._set_aside(kept & ~used, Reason.UNUSED)

    def leave_authors(self, group_n: np.ndarray) -> None:
        """Sets aside what an author of a later side wrote on an earlier one."""
        known = (group_n != NO_GROUP) & (self.split_n != SET_ASIDE)
        self._set_aside(self._earlier(group_n, known), Reason.AUTHOR)

    def leave_near(self, cluster_n: np.ndarray, short_n: np.ndarray) -> None:
        """Sets aside near duplicates of later sides; short texts only lose labels."""
        earlier = self._earlier(cluster_n, self.split_n != SET_ASIDE)
        self._set_aside(earlier & ~short_n, Reason.NEAR_LATER)
        self._mask(earlier & short_n, IntentReason.COMMON_TEXT)

    def done(self, cut: int) -> HistorySplits:
        """The split as it is now."""
        histories = self.histories._replace(window_nw=self._windows())
        return HistorySplits(
            self.split_n,
            self.reason_n,
            self.label_n,
            self.intention,
            histories,
            self._masked(),
            cut,
        )

    def _earlier(self, key_n: np.ndarray, among: np.ndarray) -> np.ndarray:
        """bool [n] reviews whose key also stands on a later side."""
        chosen = np.flatnonzero(among)
        values, key = np.unique(key_n[chosen], return_inverse=True)
        latest = np.full(len(values), SET_ASIDE, np.int8)
        np.maximum.at(latest, key, self.split_n[chosen])
        earlier = np.zeros(len(key_n), bool)
        earlier[chosen] = self.split_n[chosen] < latest[key]
        return earlier

    def _windows(self) -> np.ndarray:
        histories = self.histories
        kept = self.split_n != SET_ASIDE
        width = histories.window_nw.shape[1]
        return cut_windows(histories.order_n, histories.subject_n, kept, width)

    def _set_aside(self, chosen: np.ndarray, reason: Reason) -> None:
        chosen = chosen & (self.split_n != SET_ASIDE)
        self.split_n[chosen], self.reason_n[chosen] = SET_ASIDE, reason
        self.label_n = np.where(chosen, NO_LABEL, self.label_n).astype(np.int32)
        self.intention = self.intention.without(chosen, IntentReason.SET_ASIDE)

    def _mask(self, chosen: np.ndarray, reason: IntentReason) -> None:
        """Takes both labels; the review keeps its place."""
        self.intention = self.intention.without(chosen, reason)
        self._mask_sentiment(chosen, reason)

    def _mask_sentiment(self, chosen: np.ndarray, reason: IntentReason) -> None:
        gone = chosen & (self.label_n != NO_LABEL) & (self.split_n != SET_ASIDE)
        self.label_n = np.where(gone, NO_LABEL, self.label_n).astype(np.int32)
        self.masked_n[gone] = reason

    def _masked(self) -> dict[str, int]:
        """Sentiment labels that were taken from reviews that stay, by reason."""
        reasons = self.masked_n[self.split_n != SET_ASIDE].tolist()
        counts = Counter(IntentReason(reason).sentence for reason in reasons if reason)
        return dict(counts.most_common())


def check_sides(
    split_n: np.ndarray,
    label_n: np.ndarray,
    classes: tuple[str, ...],
    what: str,
    cut: int | None,
    unlabelled: Mapping[str, int] | None = None,
) -> None:
    """Refuses a side without answers, or with one class alone.

    Args:
      split_n: int8 split of every review.
      label_n: int class, or ``NO_LABEL``.
      classes: their names; train needs every one of them.
      what: what the answers are about, such as ``intention``.
      cut: the cut date (seconds), for the message; None where there is none.
      unlabelled: reason -> reviews without an answer, for the message.

    Raises:
      InputError: says which side, and what all sides hold.
    """
    held = label_n != NO_LABEL
    counts = {
        name: np.bincount(label_n[held & (split_n == side)], minlength=len(classes))
        for side, name in enumerate(SPLIT_NAMES)
    }
    listed = {
        name: ", ".join(f"{n:,} {c}" for c, n in zip(classes, each, strict=True))
        for name, each in counts.items()
    }
    shown = "; ".join(f"{name}: {each}" for name, each in listed.items())
    where = shown if cut is None else f"cut date {iso_date(cut)}; {shown}"
    if unlabelled:
        why = ", ".join(f"{reason} ({n:,})" for reason, n in unlabelled.items())
        where = f"{where}; without an answer: {why}"
    fix = (
        "Change intention.cut_fraction, split.test_fraction or validation_fraction, "
        "another split.seed, a shorter horizon, or bring more rows."
    )
    for name, each in counts.items():
        if not each.any():
            raise InputError(f"No {what} is known in {name}.", where=where, fix=fix)
        if (each > 0).sum() == 1:
            only = classes[int(each.argmax())]
            raise InputError(
                f"All answers about {what} in {name} are {only!r}: one class alone.",
                where=where,
                fix=fix,
            )
    absent = np.flatnonzero(counts["train"] == 0)
    if len(absent):
        raise InputError(
            f"Train would have no answer about {what} of class {classes[absent[0]]!r}.",
            where=where,
            fix=fix,
        )
