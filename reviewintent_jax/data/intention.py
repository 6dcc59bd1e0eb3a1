"""Stage 4, labelled: histories -> what the customer does next, or a reason for none.

In: the reviews of every subject in time order. Out: :class:`Intention`, one answer for
each *anchor*, the review at which a window of history ends. What decides the answer
lies strictly later than everything in the window (STATED and PROXY_RATING excepted:
they are said in the anchor itself)::

    one shopper, horizon 30 days          day 0    day 9    day 50   day 60 (the end)
    repurchase                               1        0    censored
    next_positive (stars 5, 2, 4)            0        1    no later review
"""

import dataclasses
import enum
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from reviewintent_jax.data.labels import LabelSpec
from reviewintent_jax.data.splits import NO_GROUP, NO_TIME
from reviewintent_jax.schema import NO_LABEL, InputError

DAY = 86_400

NO_INTENTION: dict[str, Any] = {
    **{"kind": "none", "subject": "", "label": "", "stars": "", "helpful": ""},
    "labels": {
        **{"kind": "auto", "classes": (), "aliases": ()},
        **{"negative_stars": (), "neutral_stars": (), "positive_stars": ()},
    },
    **{"positive_stars": (4.0, 5.0), "horizon_days": 30, "window": 7},
    **{"cut_fraction": 0.7, "covariates": ()},
}
"""Settings, as plain values, of runs that were begun before there was intention."""


class IntentionKind(enum.StrEnum):
    """What is meant by intention.

    ``NONE``: nothing; sentiment only. ``STATED``: the review's own flag or annotation.
    ``REPURCHASE``: the subject's next review falls within the horizon.
    ``NEXT_POSITIVE``: the subject's next review is positive. ``PROXY_RATING``: the
    review itself is positive, which is sentiment by another name: circular.
    """

    NONE = "none"
    STATED = "stated"
    REPURCHASE = "repurchase"
    NEXT_POSITIVE = "next_positive"
    PROXY_RATING = "proxy_rating"


class Covariate(enum.StrEnum):
    """A number beside the text of each step of a history.

    ``GAP``: log1p of days since the subject's previous review, 0 for the first one.
    ``FIRST``: 1 for the subject's first review. ``STARS``: as given. ``HELPFUL``:
    log1p of helpful votes; they were counted when the data were collected, which may
    be later than the anchor. ``LENGTH``: log1p of words. ``SEASON``: sine and cosine
    of the day of the year, two numbers.
    """

    GAP = "gap"
    FIRST = "first"
    STARS = "stars"
    HELPFUL = "helpful"
    LENGTH = "length"
    SEASON = "season"


class IntentReason(enum.IntEnum):
    """Why an anchor has no intention label."""

    NONE = 0
    NOT_LAST = 1
    CENSORED = 2
    NO_LATER = 3
    NO_STARS = 4
    NO_STATEMENT = 5
    TORN = 6
    COPY = 7
    KNOWN_LATE = 8
    BEFORE_CUT = 9
    COMMON_TEXT = 10
    SET_ASIDE = 11

    @property
    def sentence(self) -> str:
        """The reason as the summary and the report print it."""
        return _SENTENCES[self]


_SENTENCES = {
    IntentReason.NONE: "",
    IntentReason.NOT_LAST: "not the last review of its moment",
    IntentReason.CENSORED: "follow-up shorter than the horizon",
    IntentReason.NO_LATER: "no later review",
    IntentReason.NO_STARS: "no stars where the answer lies",
    IntentReason.NO_STATEMENT: "no stated intention of a known class",
    IntentReason.TORN: "same text with different intentions",
    IntentReason.COPY: "same text as an earlier row",
    IntentReason.KNOWN_LATE: "answer known only after the cut date",
    IntentReason.BEFORE_CUT: "before the cut date, of a subject that is tested",
    IntentReason.COMMON_TEXT: "short text that also stands in validation or test",
    IntentReason.SET_ASIDE: "its review was set aside",
}


@dataclasses.dataclass(frozen=True)
class IntentionSpec:
    """What intention is, and what a history consists of.

    Attributes:
      kind: the definition.
      subject: column of whose reviews form a history (shopper, product, business);
        empty: each review is alone, its window is itself (STATED and PROXY_RATING).
      label: column of the stated intention (STATED).
      labels: how that column becomes classes (STATED).
      stars: column of the stars; empty where there are none.
      positive_stars: lowest to highest of these stars is positive.
      horizon_days: REPURCHASE: days within which the next review must follow, from 1.
      window: reviews that a window holds at most, its anchor included, from 1.
      cut_fraction: share of the anchors at or before the global cut date, above 0 and
        below 1; for histories of subjects.
      covariates: what stands beside the text, in this order.
      helpful: column of helpful votes; empty where there are none.
    """

    kind: IntentionKind
    subject: str
    label: str
    labels: LabelSpec
    stars: str
    positive_stars: tuple[float, ...]
    horizon_days: int
    window: int
    cut_fraction: float
    covariates: tuple[Covariate, ...]
    helpful: str

    def __post_init__(self) -> None:
        for name in ("horizon_days", "window"):
            if getattr(self, name) < 1:
                raise InputError(
                    f"{name} is {getattr(self, name)}.",
                    where=f"field intention.{name}",
                    fix="Give a whole number from 1.",
                )
        if not 0.0 < self.cut_fraction < 1.0:
            raise InputError(
                f"cut_fraction is {self.cut_fraction}.",
                where="field intention.cut_fraction",
                fix="Give a share above 0 and below 1.",
            )
        if len(set(self.covariates)) < len(self.covariates):
            raise InputError(
                "A covariate is listed twice.", where="field intention.covariates"
            )
        if self.kind is not IntentionKind.NONE:
            self._check_columns()

    def _check_columns(self) -> None:
        """Refuses a definition or a covariate whose column is not named."""
        kind, listed = self.kind, set(self.covariates)
        by_time = kind in (IntentionKind.REPURCHASE, IntentionKind.NEXT_POSITIVE)
        by_stars = kind in (IntentionKind.NEXT_POSITIVE, IntentionKind.PROXY_RATING)
        needs = (
            ("subject", by_time, kind),
            ("label", kind is IntentionKind.STATED, kind),
            ("stars", by_stars, kind),
            ("positive_stars", by_stars, kind),
            ("stars", Covariate.STARS in listed, "the covariate stars"),
            ("helpful", Covariate.HELPFUL in listed, "the covariate helpful"),
            ("subject", bool(listed & _OF_HISTORIES), "a covariate gap or first"),
        )
        for field, needed, what in needs:
            if needed and not getattr(self, field):
                raise InputError(
                    f"intention.{field} is empty, but {what} needs it.",
                    where=f"field intention.{field}",
                    fix=f"Set --config.intention.{field}=COLUMN."
                    if field != "positive_stars"
                    else "List the stars that are positive, such as (4.0, 5.0).",
                )
        if kind is IntentionKind.PROXY_RATING and Covariate.STARS in listed:
            raise InputError(
                "With proxy_rating the covariate stars is the answer itself.",
                where="field intention.covariates",
                fix="Leave stars out of the list.",
            )

    @property
    def over_time(self) -> bool:
        """Whether there are histories of subjects, split by subject and cut date."""
        return self.kind is not IntentionKind.NONE and bool(self.subject)

    @property
    def circular(self) -> bool:
        """Whether the label is said by the stars of the very review that is read."""
        return self.kind is IntentionKind.PROXY_RATING

    @property
    def named_columns(self) -> dict[str, str]:
        """Field of the config -> column, for those that are read."""
        if self.kind is IntentionKind.NONE:
            return {}
        fields = ["subject", "stars", "helpful"]
        fields += ["label"] if self.kind is IntentionKind.STATED else []
        named = {f"intention.{field}": getattr(self, field) for field in fields}
        return {field: column for field, column in named.items() if column}

    @property
    def covariate_names(self) -> tuple[str, ...]:
        """Names of the numbers per step, in order.

        Example: covariates (gap, season) -> ``gap``, ``season_sin``, ``season_cos``.
        """
        season = ("season_sin", "season_cos")
        parts = [season if c is Covariate.SEASON else (c,) for c in self.covariates]
        return tuple(str(name) for part in parts for name in part)

    def describe(self) -> str:
        """The definition in words, for people."""
        low, high = positive_range(self.positive_stars)
        stars = f"{low:g} to {high:g} stars"
        whose = self.subject or "the review"
        return {
            IntentionKind.NONE: "none",
            IntentionKind.STATED: f"what the review itself states in {self.label!r}",
            IntentionKind.REPURCHASE: f"the next review of the same {whose!r} follows "
            f"within {self.horizon_days} days",
            IntentionKind.NEXT_POSITIVE: f"the next review of the same {whose!r} has "
            f"{stars}",
            IntentionKind.PROXY_RATING: f"the review itself has {stars}: this is "
            "sentiment by another name (circular)",
        }[self.kind]


_OF_HISTORIES = {Covariate.GAP, Covariate.FIRST}


class Intention(NamedTuple):
    """What comes after each review.

    Attributes:
      label_n: int32 class of the anchor's intention, ``NO_LABEL`` where none.
      known_n: int64 moment (seconds UTC) at which the answer is known; ``NO_TIME``
        where there is no label, or no time.
      reason_n: int8 ``IntentReason``; NONE where there is a label.
      classes: names of the classes; of two, the second is the one that buys or likes.
    """

    label_n: np.ndarray
    known_n: np.ndarray
    reason_n: np.ndarray
    classes: tuple[str, ...]

    def without(self, chosen: np.ndarray, reason: IntentReason) -> "Intention":
        """Takes the labels of some reviews (bool [n]), where they have one."""
        gone = chosen & (self.label_n != NO_LABEL)
        return self._replace(
            label_n=np.where(gone, NO_LABEL, self.label_n).astype(np.int32),
            known_n=np.where(gone, NO_TIME, self.known_n),
            reason_n=np.where(gone, reason, self.reason_n).astype(np.int8),
        )

    def reasons(self) -> dict[str, int]:
        """How many reviews have no label for each reason that occurs."""
        counts = np.bincount(self.reason_n, minlength=len(IntentReason))
        return {r.sentence: int(counts[r]) for r in IntentReason if r and counts[r]}


def find_intention(
    spec: IntentionSpec,
    *,
    order_n: np.ndarray,
    subject_n: np.ndarray,
    time_n: np.ndarray,
    stars_n: np.ndarray,
    stated_n: np.ndarray,
    stated_classes: tuple[str, ...],
) -> Intention:
    """The intention that follows each review; see the picture above.

    REPURCHASE is answered only where the whole horizon lies within the data, for
    those who come back as well as for those who do not: taking the early answers of
    the last days would take the positive ones alone. So its answer counts as known
    when the horizon is over.

    Args:
      spec: what intention is.
      order_n: int64 reviews, subject after subject, oldest first.
      subject_n, time_n: int64, see :class:`~reviewintent_jax.data.histories.Histories`.
      stars_n: float32 stars, NaN where none.
      stated_n: int32 class of the stated intention, or ``NO_LABEL``; for STATED.
      stated_classes: their names.
    """
    low, high = positive_range(spec.positive_stars)
    liked_n = np.where((stars_n >= low) & (stars_n <= high), 1, 0)
    liked_n = np.where(np.isnan(stars_n), NO_LABEL, liked_n)
    classes = ("not positive", "positive")
    next_n = following(order_n, subject_n)
    later = next_n >= 0
    not_last = later & (time_n[next_n] == time_n)
    if spec.kind is IntentionKind.STATED:
        label_n, known_n, classes = stated_n, time_n, stated_classes
        reason_n = np.where(label_n == NO_LABEL, IntentReason.NO_STATEMENT, 0)
    elif spec.kind is IntentionKind.PROXY_RATING:
        label_n, known_n = liked_n, time_n
        reason_n = np.where(label_n == NO_LABEL, IntentReason.NO_STARS, 0)
    elif spec.kind is IntentionKind.NEXT_POSITIVE:
        label_n = np.where(later, liked_n[next_n], NO_LABEL)
        reason_n = np.where(label_n == NO_LABEL, IntentReason.NO_STARS, 0)
        reason_n = np.where(later, reason_n, IntentReason.NO_LATER)
        known_n = np.where(later, time_n[next_n], NO_TIME)
    else:
        horizon = spec.horizon_days * DAY
        known_n, classes = time_n + horizon, ("no repurchase", "repurchase")
        label_n = np.where(later & (time_n[next_n] - time_n <= horizon), 1, 0)
        censored = known_n > time_n.max(initial=NO_TIME)
        reason_n = np.where(censored, IntentReason.CENSORED, 0)
    reason_n = np.where(not_last, IntentReason.NOT_LAST, reason_n)
    none = reason_n != IntentReason.NONE
    return Intention(
        np.where(none, NO_LABEL, label_n).astype(np.int32),
        np.where(none, NO_TIME, known_n).astype(np.int64),
        reason_n.astype(np.int8),
        tuple(classes),
    )


def following(order_n: np.ndarray, subject_n: np.ndarray) -> np.ndarray:
    """int64 [n] the subject's next review in order, or -1.

    Example: order ``[2, 0, 1]``, subjects ``[4, 9, 4]`` -> ``[-1, -1, 0]``.
    """
    next_n = np.full(len(order_n), -1, np.int64)
    subject = subject_n[order_n]
    same = (subject[1:] == subject[:-1]) & (subject[1:] != NO_GROUP)
    next_n[order_n[:-1][same]] = order_n[1:][same]
    return next_n


def positive_range(stars: Sequence[float]) -> tuple[float, float]:
    """Lowest and highest of the positive stars; a range of nothing where none are."""
    return min(stars, default=np.inf), max(stars, default=-np.inf)
