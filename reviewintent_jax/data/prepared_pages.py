"""Stage 7, paged: what :mod:`~reviewintent_jax.data.batches` makes pages from.

In: prepared reviews. Out: :class:`~reviewintent_jax.data.batches.PageSource`: reviews
one by one where sentiment alone is asked about, whole subjects with their windows where
intention is.
"""

import numpy as np

from reviewintent_jax.data.batches import PageSource
from reviewintent_jax.data.histories import CovariateScale, Histories
from reviewintent_jax.data.pages import PageSpec, ReviewFields, empty_pages
from reviewintent_jax.data.prepared import Prepared
from reviewintent_jax.data.splits import NO_GROUP
from reviewintent_jax.data.subject_pages import SubjectPlanner
from reviewintent_jax.data.tokens import SpecialIds
from reviewintent_jax.data.windows import HistoryFields, empty_history
from reviewintent_jax.data.words import WordLookup
from reviewintent_jax.schema import PageBatch


def page_source(
    prepared: Prepared,
    special: SpecialIds,
    spec: PageSpec,
    scale: CovariateScale | None,
    *,
    weight_n: np.ndarray | None = None,
    intent_weight_n: np.ndarray | None = None,
    words: WordLookup | None = None,
) -> PageSource:
    """What pages of prepared reviews are made from.

    Args:
      prepared: the reviews.
      special: ids that frame chunks.
      spec: sizes.
      scale: standardises the covariates; None where no histories are read, although
        there may be some.
      weight_n: float32 weight of each review in the loss; None = 1.
      intent_weight_n: the same of the window that ends at each review.
      words: makes words of tokens; None where the model reads none.
    """
    ones_n = np.ones(len(prepared.label_n), np.float32)
    fields = ReviewFields(prepared.label_n, ones_n if weight_n is None else weight_n)
    histories, intention = prepared.histories, prepared.intention
    if scale is None or histories is None or intention is None:
        return PageSource(prepared.store, fields, special, spec, words=words)
    window_nw = whole_windows(histories)
    history = HistoryFields(
        window_nw=window_nw,
        covariate_nx=scale.apply(histories.covariate_nx),
        intent_label_n=intention.label_n,
        intent_weight_n=ones_n if intent_weight_n is None else intent_weight_n,
    )
    planner = SubjectPlanner(histories.order_n, window_nw)
    fields = fields._replace(history=history)
    return PageSource(prepared.store, fields, special, spec, planner, words)


def whole_windows(histories: Histories) -> np.ndarray:
    """int64 [n, w] windows; w is 1 where no review has a subject, whatever was set.

    Reviews that stand alone would otherwise ask for pages that hold w of them.
    """
    if (histories.subject_n == NO_GROUP).all():
        return histories.window_nw[:, -1:]
    return histories.window_nw


def blank_page(
    special: SpecialIds, spec: PageSpec, covariates: int | None, *, words: bool
) -> PageBatch:
    """One page without a review, from which a model's shapes are read.

    ``covariates`` is their number; None where the model reads no histories. ``words``
    says whether it reads words.
    """
    page = empty_pages(1, special, spec, words=words)
    if covariates is None:
        return page
    none, windows = np.zeros(0, np.int32), np.zeros((0, 1), np.int64)
    numbers = np.zeros((0, covariates), np.float32)
    fields = HistoryFields(windows, numbers, none, none.astype(np.float32))
    return page._replace(history=empty_history(1, spec.slots, fields))
