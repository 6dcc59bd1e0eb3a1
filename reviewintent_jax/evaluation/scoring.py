"""Runs a model over reviews: pages in, one row of logits a review out.

In: a model, its parameters and what pages are made from. Out: logits, and the table of
predictions from which every score is computed.
"""

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
from flax import linen as nn

from reviewintent_jax.data.pages import PageSpec, slot_lengths
from reviewintent_jax.data.prepare import Prepared
from reviewintent_jax.schema import InputError, PageBatch

ScoreStep = Callable[[Any, PageBatch], jax.Array]

_CPU_TOKENS = 1_024
"""Of a batch on a CPU, whose caches hold what a layer makes of them (docs/speed.md)."""


class ReviewLogits(NamedTuple):
    """What a model says of some reviews; where it says nothing, no columns.

    Attributes:
      sentiment_ny: float32 logits of the review's own sentiment.
      intent_ny: of the intention after the window that ends at the review.
      text_intent_ny: of the same, from the review's text alone.
    """

    sentiment_ny: np.ndarray
    intent_ny: np.ndarray
    text_intent_ny: np.ndarray


def pages_at_once(most: int, page_tokens: int, devices: int = 1) -> int:
    """Pages in a batch that is scored; how many does not change the answers.

    Args:
      most: as the config says.
      page_tokens: of a page.
      devices: that share a batch.

    Returns:
      ``most``, or fewer on CPUs: as many as their caches hold.
    """
    if jax.default_backend() != "cpu":
        return most
    return min(most, devices * max(1, _CPU_TOKENS // page_tokens))


def make_score_step(model: nn.Module) -> ScoreStep:
    """Jitted (params, batch) -> all logits of every slot side by side, float32.

    Sentiment, intention and intention from the text alone, ``[b, k, y + 2 y]``; those
    that the model lacks are left out. :func:`split_logits` takes them apart.
    """

    def score(params: Any, batch: PageBatch) -> jax.Array:
        output = model.apply({"params": params}, batch, deterministic=True)
        said = output.logits_bky, output.intent_bky, output.text_intent_bky  # type: ignore[union-attr]
        return jnp.concatenate([part for part in said if part is not None], axis=-1)

    return jax.jit(score)


def split_logits(logits_nz: np.ndarray, classes: int, intents: int) -> ReviewLogits:
    """Takes apart what :func:`make_score_step` put side by side.

    Example: 2 classes, 3 intents -> columns 0 1, 2 3 4 and 5 6 7.

    Args:
      logits_nz: float32, with ``classes + 2 intents`` columns.
      classes: of sentiment; 0 where the model has none.
      intents: classes of intention; 0 where the model has none.
    """
    if logits_nz.shape[1] != classes + 2 * intents:
        raise ValueError(f"{logits_nz.shape[1]} logits, {classes} and 2 x {intents}")
    ends = classes, classes + intents
    return ReviewLogits(*np.split(logits_nz, ends, axis=1))


def score_reviews(
    score: ScoreStep, params: Any, batches: Iterable[PageBatch], reviews: np.ndarray
) -> np.ndarray:
    """Logits ``[n, y]`` of ``reviews`` (ascending), from batches that hold them all.

    Results are read one batch late, so that the device never waits for the host.
    """
    logits: np.ndarray | None = None
    waiting: list[tuple[jax.Array, np.ndarray]] = []

    def collect() -> None:
        nonlocal logits
        result, review_bk = waiting.pop(0)
        result = np.asarray(result)
        if logits is None:
            logits = np.full((len(reviews), result.shape[-1]), np.nan, np.float32)
        filled = review_bk >= 0
        logits[np.searchsorted(reviews, review_bk[filled])] = result[filled]

    for batch in batches:
        waiting.append((score(params, batch), np.asarray(batch.review_bk)))
        if len(waiting) > 1:
            collect()
    while waiting:
        collect()
    if logits is None:
        raise InputError("There is not a single review to score.")
    return logits


def review_table(
    prepared: Prepared, spec: PageSpec, reviews: np.ndarray, logits_ny: np.ndarray
) -> pd.DataFrame:
    """The table of predictions of some reviews, without their texts.

    Args:
      prepared: the data.
      spec: sizes of a page, which decide where a text is cut.
      reviews: int [n].
      logits_ny: [n, y], their logits of sentiment.
    """
    ids = prepared.store.lengths()[reviews]
    table = {
        "review": reviews,
        "row": prepared.row_n[reviews],
        "label": prepared.label_n[reviews],
        "tokens": slot_lengths(ids, spec).slot_n,
    }
    columns = {f"logit_{y}": logits_ny[:, y] for y in range(logits_ny.shape[1])}
    return pd.DataFrame(table | columns)
