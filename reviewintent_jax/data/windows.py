"""Stage 7, paged: histories by review -> windows over the slots of a page.

In: for every review the run of reviews that ends with it. Out:
:class:`~reviewintent_jax.schema.HistoryBatch`, filled page by page.
"""

from typing import NamedTuple

import numpy as np

from reviewintent_jax.schema import NO_LABEL, HistoryBatch


class HistoryFields(NamedTuple):
    """What a page says of the histories of its reviews, by review index.

    Attributes:
      window_nw: int64 reviews of the window that ends at each review, oldest first;
        -1 = missing. Reviews that are not on the page are left out.
      covariate_nx: float32, standardised.
      intent_label_n: int32 class of the intention after the window, or ``NO_LABEL``.
      intent_weight_n: float32 weight of the window in the loss.
    """

    window_nw: np.ndarray
    covariate_nx: np.ndarray
    intent_label_n: np.ndarray
    intent_weight_n: np.ndarray


def empty_history(size: int, slots: int, fields: HistoryFields) -> HistoryBatch:
    """Histories of ``size`` pages without a review; sizes w and x as in ``fields``."""
    window, covariates = fields.window_nw.shape[1], fields.covariate_nx.shape[1]
    return HistoryBatch(
        window_slots_bkw=np.full((size, slots, window), -1, np.int32),
        covariate_bkx=np.zeros((size, slots, covariates), np.float32),
        intent_label_bk=np.full((size, slots), NO_LABEL, np.int32),
        intent_weight_bk=np.zeros((size, slots), np.float32),
    )


def write_history(
    history: HistoryBatch,
    b: int,
    review_k: np.ndarray,
    own_k: np.ndarray,
    fields: HistoryFields,
) -> None:
    """Fills page ``b``, whose slots hold ``review_k``; context gets covariates only."""
    slots = np.flatnonzero(own_k)
    own = review_k[slots]
    history.window_slots_bkw[b, slots] = window_slots(review_k, fields.window_nw[own])
    history.covariate_bkx[b, : len(review_k)] = fields.covariate_nx[review_k]
    history.intent_label_bk[b, slots] = fields.intent_label_n[own]
    history.intent_weight_bk[b, slots] = fields.intent_weight_n[own]


def window_slots(review_k: np.ndarray, window_nw: np.ndarray) -> np.ndarray:
    """Slots of the steps of windows; steps that are not on the page are left out.

    What is left keeps its order and moves to the right, so that -1 is always on the
    left.

    Example: slots hold reviews [7, 3, 9]; windows [[-1, 3, 7], [3, 5, 9]] ->
    [[-1, 1, 0], [-1, 1, 2]] (review 5 lies elsewhere).
    """
    order = np.argsort(review_k, kind="stable")
    at = np.searchsorted(review_k, window_nw, sorter=order)
    slot_nw = order[np.minimum(at, len(review_k) - 1)]
    here_nw = (review_k[slot_nw] == window_nw) & (window_nw >= 0)
    slot_nw = np.where(here_nw, slot_nw, -1).astype(np.int32)
    # A stable sort by "is there" keeps the order of what is there.
    return np.take_along_axis(
        slot_nw, np.argsort(here_nw, axis=1, kind="stable"), axis=1
    )
