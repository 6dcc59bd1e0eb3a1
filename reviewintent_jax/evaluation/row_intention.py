"""The intention that single rows state: rows of a table -> what the model is asked.

Where a run learned intention without histories (``stated`` or ``proxy_rating`` without
a subject), every row stands alone: its window is itself, and the numbers beside its
text are its own.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from reviewintent_jax.data.events import Event, read_event
from reviewintent_jax.data.histories import CovariateScale, build_histories
from reviewintent_jax.data.intention import Covariate, IntentionSpec
from reviewintent_jax.data.prepared_pages import whole_windows
from reviewintent_jax.data.splits import NO_GROUP, NO_TIME
from reviewintent_jax.data.subject_pages import SubjectPlanner
from reviewintent_jax.data.windows import HistoryFields
from reviewintent_jax.schema import NO_LABEL, RawRow, Rejected, Review


class RowIntention(NamedTuple):
    """What answers about the intention of single rows need beside the weights.

    Attributes:
      spec: what intention is; without a subject.
      scale: standardises the numbers beside the text.
      classes: names of the classes of intention.
      temperature: calibrates its logits.
      threshold: the probability from which class 1 of two is answered; None = the most
        probable class.
    """

    spec: IntentionSpec
    scale: CovariateScale
    classes: tuple[str, ...]
    temperature: float
    threshold: float | None

    def columns(self) -> dict[str, type]:
        """Columns that the answers add, and their types."""
        numbers = {f"intention_probability_{name}": float for name in self.classes}
        return {"intention": str, **numbers}


class RowNumbers(NamedTuple):
    """The numbers beside the texts of some rows.

    Attributes:
      time_n: int64 seconds since 1970 UTC; ``NO_TIME`` where none.
      stars_n, helpful_n: float32; NaN where none.
      words_n: int64 words of the cleaned text.
    """

    time_n: np.ndarray
    stars_n: np.ndarray
    helpful_n: np.ndarray
    words_n: np.ndarray


def covariate_columns(spec: IntentionSpec, time: str) -> dict[str, str]:
    """Field of the config -> column, of those that the numbers beside a text need.

    Args:
      spec: what intention is.
      time: column of the time.
    """
    needs = {
        Covariate.STARS: ("intention.stars", spec.stars),
        Covariate.HELPFUL: ("intention.helpful", spec.helpful),
        Covariate.SEASON: ("data.time", time),
    }
    return dict(needs[each] for each in spec.covariates if each in needs)


def read_numbers(
    spec: IntentionSpec,
    raws: Sequence[RawRow],
    reviews: Sequence[Review],
    texts: Sequence[str],
) -> RowNumbers:
    """Reads the numbers beside the texts of some rows.

    Args:
      spec: what intention is; without a subject, so that no row is refused.
      raws: the rows.
      reviews: the reviews that they hold.
      texts: the cleaned texts of these.
    """
    events: list[Event] = []
    for raw, review in zip(raws, reviews, strict=True):
        event = read_event(raw, review, spec, "", 0)
        if isinstance(event, Rejected):
            raise ValueError("a row of no history was refused")
        events.append(event)
    times = [NO_TIME if review.time is None else review.time for review in reviews]
    return RowNumbers(
        time_n=np.array(times, np.int64),
        stars_n=np.array([event.stars for event in events], np.float32),
        helpful_n=np.array([event.helpful for event in events], np.float32),
        words_n=np.array([len(text.split()) for text in texts], np.int64),
    )


def row_histories(
    intention: RowIntention, numbers: RowNumbers
) -> tuple[HistoryFields, SubjectPlanner]:
    """Windows of one review each, and what lays them on pages."""
    count = len(numbers.time_n)
    histories = build_histories(
        intention.spec,
        subject_n=np.full(count, NO_GROUP, np.int64),
        time_n=numbers.time_n,
        stars_n=numbers.stars_n,
        helpful_n=numbers.helpful_n,
        words_n=numbers.words_n,
    )
    window_nw = whole_windows(histories)
    fields = HistoryFields(
        window_nw=window_nw,
        covariate_nx=intention.scale.apply(histories.covariate_nx),
        intent_label_n=np.full(count, NO_LABEL, np.int32),
        intent_weight_n=np.ones(count, np.float32),
    )
    return fields, SubjectPlanner(histories.order_n, window_nw)
