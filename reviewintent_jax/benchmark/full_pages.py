"""Pages without padding, of reviews that all have one length.

In: sizes. Out: :class:`~reviewintent_jax.schema.PageBatch`, of random tokens; what a
program costs does not depend on which.
"""

import numpy as np

from reviewintent_jax.data.ids import SpecialIds
from reviewintent_jax.data.pages import PageSpec, empty_pages
from reviewintent_jax.models.review_intent import ReviewIntentSpec
from reviewintent_jax.schema import HistoryBatch, PageBatch, WordBatch


def full_pages(
    model: ReviewIntentSpec, spec: PageSpec, pages: int, tokens: int, *, window: int
) -> PageBatch:
    """``pages`` pages, full of reviews of ``tokens`` tokens.

    Args:
      model: whose vocabulary and covariates the pages have.
      spec: of the pages; as many reviews lie on each as fit, ``slots`` at most.
      pages: how many.
      tokens: of a review: whole chunks, or a part of one.
      window: reviews of a history, ending at the last slot of each page; 0 = none.
    """
    rng = np.random.default_rng(0)
    # Without an encoder nobody reads the tokens.
    vocabulary = 2 if model.encoder is None else model.encoder.vocab_size
    empty = empty_pages(pages, SpecialIds(2, 3, 0), spec)
    shape, chunk = (pages, spec.page_tokens), min(spec.chunk_tokens, tokens)
    filled = min(spec.page_tokens // tokens, spec.slots)
    starts = np.zeros((pages, spec.slots), np.int32)
    starts[:, :filled] = np.arange(filled) * tokens
    there = np.arange(spec.slots)[None] < filled
    step = np.broadcast_to(np.arange(spec.page_tokens), shape)
    inside = step < filled * tokens
    segments = np.where(inside, step // chunk + 1, 0)
    batch = empty._replace(
        token_ids_bt=rng.integers(1, vocabulary, shape, np.int32),
        segment_ids_bt=segments.astype(np.int32),
        position_ids_bt=np.where(inside, step % chunk, 0).astype(np.int32),
        slot_start_bk=starts,
        slot_length_bk=np.broadcast_to(there * tokens, starts.shape).astype(np.int32),
        label_bk=np.broadcast_to(np.where(there, 1, -1), starts.shape).astype(np.int32),
        weight_bk=np.broadcast_to(there, starts.shape).astype(np.float32),
    )
    if model.words is not None:
        lengths = there * max(tokens - 2, 1)
        batch = batch._replace(
            words=WordBatch(
                rng.integers(0, model.words.vocabulary, shape, np.int32),
                np.broadcast_to(lengths, starts.shape).astype(np.int32),
            )
        )
    if model.history is None:
        return batch
    windows = np.full((*starts.shape, window), -1, np.int32)
    seen = min(filled, window)
    windows[:, filled - 1, window - seen :] = np.arange(filled - seen, filled)
    anchored = np.zeros(starts.shape, np.float32)
    anchored[:, filled - 1] = 1
    history = HistoryBatch(
        window_slots_bkw=windows,
        covariate_bkx=np.zeros((*starts.shape, model.history.covariates), np.float32),
        intent_label_bk=np.where(anchored, 1, -1).astype(np.int32),
        intent_weight_bk=anchored,
    )
    return batch._replace(history=history)
