"""Floating-point operations of the matrix products of a model, from its spec alone.

In: a :class:`~reviewintent_jax.models.review_intent.ReviewIntentSpec` and how much is
read. Out: operations of every part, forward and backward. A multiplication and an
addition count as two, as in the peaks that makers of devices publish; what is no matrix
product (softmax, norms, activations, lookups) is left out, as is usual for MFU.

Two questions, one count:

- what a device *executes* for pages: padding, empty slots and all of a block's keys
  included (:func:`page_work`);
- what of that is *useful*: the tokens of a review, each seeing its own chunk
  (:func:`review_work`).
"""

import itertools
from collections.abc import Sequence

from reviewintent_jax.benchmark.part_flops import (
    Flops,
    Products,
    Work,
    dense_products,
    encoder_products,
    flops_of,
    lstnet_products,
    reader_products,
)
from reviewintent_jax.models.forecaster import ForecasterSpec
from reviewintent_jax.models.heading import DIRECTION_CLASSES, HeadingSpec
from reviewintent_jax.models.history import HistorySpec
from reviewintent_jax.models.lstnet_spec import LSTNetSpec
from reviewintent_jax.models.masked_language import MaskedLanguageSpec
from reviewintent_jax.models.review_intent import ReviewIntentSpec
from reviewintent_jax.models.word_reader import WordsSpec

__all__ = [
    "Flops",
    "Work",
    "count_flops",
    "count_masked_flops",
    "count_window_flops",
    "page_work",
    "review_work",
]


def page_work(
    pages: int, page_tokens: int, slots: int, block_tokens: int, window: int = 0
) -> Work:
    """What is executed for ``pages`` pages of ``slots`` slots each.

    Example: 2 pages of 12 tokens, 3 slots, blocks of 6 -> 24 tokens, each looking at
    the 6 of its block, and 6 slots that look at the 12 steps of their pages.
    """
    tokens, filled = pages * page_tokens, pages * slots
    steps = filled * page_tokens
    return Work(tokens, tokens * block_tokens, filled, steps, steps, window)


def review_work(chunks: Sequence[int], highway_window: int, window: int = 0) -> Work:
    """What is useful in one review whose chunks have so many tokens.

    Example: chunks of 6 and 3 tokens, a highway of 8 -> 9 tokens, 36 + 9 pairs, 9
    steps and 8 for the highway.
    """
    tokens = sum(chunks)
    pairs = sum(size * size for size in chunks)
    return Work(tokens, pairs, 1, tokens, min(tokens, highway_window), window)


def count_flops(spec: ReviewIntentSpec, work: Work) -> Flops:
    """Operations of ``spec`` reading ``work``."""
    parts: dict[str, list[Products]] = {}
    if spec.encoder is not None:
        width = spec.encoder.hidden_size
        parts |= encoder_products(spec.encoder, work)
        if isinstance(spec.reader, LSTNetSpec):
            parts["lstnet"] = lstnet_products(spec.reader, width, work, learned=True)
        else:
            parts["reader"] = reader_products(spec.reader, width, work)
    if spec.words is not None:
        parts["words"] = _words(spec.words, work)
    parts["sentiment"] = _head(spec, work)
    if spec.history is not None:
        parts["history"] = _history(spec.history, spec, work)
    return flops_of(parts)


def _head(spec: ReviewIntentSpec, work: Work) -> list[Products]:
    """Of the head of sentiment, if there is one."""
    if not spec.classes:
        return []
    sizes = [spec.summary_features, spec.classes]
    if spec.head_features:
        sizes.insert(1, spec.head_features)
    pairs = itertools.pairwise(sizes)
    return [Products.of(2 * work.slots * before * after) for before, after in pairs]


def _words(spec: WordsSpec, work: Work) -> list[Products]:
    """Of the reader; words stand where tokens do, though there are fewer of them."""
    return reader_products(spec.reader, spec.features, work)


def _history(spec: HistorySpec, model: ReviewIntentSpec, work: Work) -> list[Products]:
    """Of windows of ``work.window`` reviews, one for every slot."""
    summary, classes = model.summary_features, 2 * work.slots * spec.classes
    kept = spec.step_features if spec.step_features >= 0 else summary
    width = kept + model.classes + spec.covariates
    steps = work.slots * work.window
    window = Work(steps, 0, work.slots, steps, steps, 0)
    found = lstnet_products(spec.lstnet, width, window, learned=kept > 0)
    if spec.step_features > 0:
        found.append(Products.of(2 * work.slots * summary * kept))
    found.append(Products.of(classes * spec.lstnet.summary_features))
    # The head of the text alone sends no gradient back.
    found.append(Products.of(classes * summary, operands=1))
    return found


def count_window_flops(
    spec: ForecasterSpec | HeadingSpec, windows: int, steps: int
) -> Flops:
    """Operations of a model of windows of numbers, of ``steps`` steps each.

    By part: ``lstnet`` and, where directions are asked about, ``directions``.
    """
    heading = spec if isinstance(spec, HeadingSpec) else None
    lstnet = (heading.forecaster if heading else spec).lstnet  # type: ignore[union-attr]
    series, total = lstnet.summary_features, windows * steps
    work = Work(total, 0, windows, total, total, 0)
    parts = {"lstnet": lstnet_products(lstnet, series, work, learned=False)}
    if heading is not None:
        seen = lstnet.recurrent_features + 2 * series
        asked = 2 * windows * series * seen * DIRECTION_CLASSES
        parts["directions"] = [Products.of(asked)]
    return flops_of(parts)


def count_masked_flops(spec: MaskedLanguageSpec, work: Work, asked: int) -> Flops:
    """Operations of guessing ``asked`` hidden tokens of what is read.

    By part: ``encoder``, ``attention`` and ``guesses``, the head over the vocabulary.
    """
    width, vocabulary = spec.encoder.hidden_size, spec.encoder.vocab_size
    guesses = dense_products(asked, width, width, vocabulary)
    return flops_of({**encoder_products(spec.encoder, work), "guesses": guesses})
