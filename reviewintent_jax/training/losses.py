"""Losses: model output and labels -> figures that add up over micro-batches.

A loss is divided by the weights of the whole batch before it is summed over pieces,
never averaged over pieces, because means of pieces of different size do not average.
"""

import dataclasses
import enum
import math
from collections.abc import Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

from reviewintent_jax.schema import (
    NO_LABEL,
    ArrayLike,
    HistoryBatch,
    InputError,
    ModelOutput,
    PageBatch,
)


class Tally(NamedTuple):
    """A figure to report, as float32 scalars that add up: ``total / count``."""

    total: jax.Array
    count: jax.Array


class LossSums(NamedTuple):
    """The loss of a batch or of a piece of it; those of the pieces add up.

    Attributes:
      loss: float32 scalar, what the gradient is taken of.
      tallies: figures to report, by name; the same names in every batch.
    """

    loss: jax.Array
    tallies: dict[str, Tally]


class TaskWeighting(enum.StrEnum):
    """How sentiment and intention share the parameters they have in common."""

    FIXED = "fixed"  # by the two weights
    LEARNED = "learned"  # by a log variance each; the weights are where they begin


@dataclasses.dataclass(frozen=True)
class IntentionLossSpec:
    """How the losses of sentiment and intention become one.

    Fixed: ``sentiment_weight * L_s + intention_weight * L_i``. Learned (Kendall et al.,
    CVPR 2018): ``exp(-v_s) L_s + v_s + exp(-v_i) L_i + v_i``, where the log variances v
    are parameters that begin at minus the logarithm of the weights.

    Attributes:
      weighting: fixed or learned.
      sentiment_weight: 0 or more; 0 = intention alone. Above 0 where learned.
      intention_weight: 0 or more. Above 0 where learned.
    """

    weighting: TaskWeighting
    sentiment_weight: float
    intention_weight: float

    def __post_init__(self) -> None:
        weights = self.sentiment_weight, self.intention_weight
        if min(weights) < 0 or not sum(weights) < math.inf or max(weights) == 0:
            raise InputError(
                f"history.loss: sentiment_weight is {weights[0]} and intention_weight"
                f" {weights[1]}; neither may be negative, nor both be 0."
            )
        if self.weighting is TaskWeighting.LEARNED and min(weights) == 0:
            raise InputError(
                "history.loss: a weight of 0 cannot be learned from.",
                fix="Set --config.history.loss.weighting=fixed.",
            )


class LossTotals(NamedTuple):
    """Summed weights of a whole batch, above 0: what the losses are divided by."""

    sentiment: jax.Array
    intention: jax.Array


def _known_weight(label_bk: ArrayLike, weight_bk: ArrayLike) -> jax.Array:
    """Weights of the slots with a label; 0 elsewhere."""
    return jnp.where(jnp.asarray(label_bk) != NO_LABEL, weight_bk, 0.0)


def sentiment_weight(batch: PageBatch) -> jax.Array:
    """Summed weight of the labelled reviews of a batch, above 0."""
    return jnp.maximum(_known_weight(batch.label_bk, batch.weight_bk).sum(), 1e-8)


def loss_totals(batch: PageBatch) -> LossTotals:
    """Summed weights of the labelled reviews and of the labelled windows."""
    history = _history(batch)
    known_bk = _known_weight(history.intent_label_bk, history.intent_weight_bk)
    return LossTotals(sentiment_weight(batch), jnp.maximum(known_bk.sum(), 1e-8))


def task_parameters(spec: IntentionLossSpec | None) -> dict[str, jax.Array]:
    """Parameters of the loss, for the top level of the parameter tree.

    Returns:
      ``task_log_variance`` float32 ``[2]``, sentiment and intention, where they are
      learned; nothing otherwise.
    """
    if spec is None or spec.weighting is not TaskWeighting.LEARNED:
        return {}
    weights = jnp.asarray([spec.sentiment_weight, spec.intention_weight], jnp.float32)
    return {"task_log_variance": log_variances(weights)}


def sentiment_loss(
    output: ModelOutput,
    batch: PageBatch,
    weight: jax.Array,
    *,
    label_smoothing: float,
) -> LossSums:
    """Softmax cross-entropy of every labelled slot of ``[b, k]``; empty slots weigh 0.

    Args:
      output: logits.
      batch: labels and weights; a whole batch or a piece of one.
      weight: :func:`sentiment_weight` of the whole batch, so that the losses of its
        pieces add up to its weighted mean, in nats.
      label_smoothing: in [0, 1), mixes the one-hot target with the uniform one.

    Returns:
      The loss, and ``accuracy`` over the labelled reviews.
    """
    targets = batch.label_bk, batch.weight_bk
    if output.logits_bky is None:
        raise ValueError("the model has no sentiment")
    loss, hits = _cross_entropy(output.logits_bky, *targets, weight, label_smoothing)
    return LossSums(loss, {"accuracy": hits})


def joint_loss(
    params: Mapping[str, Any],
    output: ModelOutput,
    batch: PageBatch,
    totals: LossTotals,
    spec: IntentionLossSpec,
    *,
    label_smoothing: float,
) -> LossSums:
    """Losses of sentiment and intention, weighted, and that of the text-only head.

    The text-only head always weighs 1: it shares no parameter with the others, so no
    weight could balance anything.

    Args:
      params: the parameter tree; only those of :func:`task_parameters` are read.
      output: logits of a model that reads histories.
      batch: labels and weights; a whole batch or a piece of one.
      totals: :func:`loss_totals` of the whole batch.
      spec: how the two losses become one.
      label_smoothing: in [0, 1), of all targets.

    Returns:
      The loss, which is that of intention alone where the model has no sentiment;
      accuracies over what is labelled, the three losses in nats, and the two weights in
      force where they are learned.
    """
    if output.intent_bky is None or output.text_intent_bky is None:
        raise ValueError("the model reads no histories")
    _, _, intent_label_bk, intent_weight_bk = _history(batch)
    review = batch.label_bk, batch.weight_bk, totals.sentiment, label_smoothing
    window = intent_label_bk, intent_weight_bk, totals.intention, label_smoothing
    if output.logits_bky is None:
        return _intention_alone(output, window)
    sentiment, hits = _cross_entropy(output.logits_bky, *review)
    intention, intention_hits = _cross_entropy(output.intent_bky, *window)
    text, text_hits = _cross_entropy(output.text_intent_bky, *window)
    # The part of the batch's weights that this piece has; over all pieces they make 1,
    # or 0 where nothing is labelled.
    share_s = _known_weight(*review[:2]).sum() / totals.sentiment
    share_i = _known_weight(*window[:2]).sum() / totals.intention
    tallies = {
        "accuracy": hits,
        "intention_accuracy": intention_hits,
        "text_intention_accuracy": text_hits,
        "sentiment_loss": Tally(sentiment, share_s),
        "intention_loss": Tally(intention, share_i),
        "text_intention_loss": Tally(text, share_i),
    }
    if spec.weighting is TaskWeighting.FIXED:
        joint = spec.sentiment_weight * sentiment + spec.intention_weight * intention
        return LossSums(joint + text, tallies)
    losses, shares = jnp.stack([sentiment, intention]), jnp.stack([share_s, share_i])
    joint, weights = weigh_tasks(params["task_log_variance"], losses, shares)
    tallies["sentiment_weight"] = Tally(weights[0] * share_s, share_s)
    tallies["intention_weight"] = Tally(weights[1] * share_i, share_i)
    return LossSums(joint + text, tallies)


def log_variances(weights: jax.Array) -> jax.Array:
    """Log variances at which tasks weigh as ``weights`` say, float32."""
    return -jnp.log(weights)


def weigh_tasks(
    log_variances: jax.Array, losses: jax.Array, shares: jax.Array
) -> tuple[jax.Array, jax.Array]:
    """Losses balanced by learned uncertainty: ``sum_k exp(-v_k) L_k + v_k share_k``.

    Args:
      log_variances: v, a parameter for each task.
      losses: L, of a batch or a piece of it.
      shares: the part of the batch's weights that this piece has, 0 where a task has no
        label. A log variance weighs as its labels do: once in a batch, however it is
        cut, and not at all where a task has no label, so that nothing drives it down
        for ever.

    Returns:
      The joint loss and the weights in force.
    """
    weights = jnp.exp(-log_variances)
    return (weights * losses + log_variances * shares).sum(), weights


def _intention_alone(output: ModelOutput, window: tuple) -> LossSums:
    """The loss of a model without sentiment; there is nothing to weigh against."""
    if output.intent_bky is None or output.text_intent_bky is None:
        raise ValueError("the model reads no histories")
    label_bk, weight_bk, total, _ = window
    share = _known_weight(label_bk, weight_bk).sum() / total
    intention, hits = _cross_entropy(output.intent_bky, *window)
    text, text_hits = _cross_entropy(output.text_intent_bky, *window)
    tallies = {
        "accuracy": hits,
        "text_intention_accuracy": text_hits,
        "text_intention_loss": Tally(text, share),
    }
    return LossSums(intention + text, tallies)


def _cross_entropy(
    logits_bky: jax.Array,
    label_bk: ArrayLike,
    weight_bk: ArrayLike,
    total: jax.Array,
    label_smoothing: float,
) -> tuple[jax.Array, Tally]:
    """Weighted cross-entropy of the labelled slots over ``total``, and how many hit."""
    label_bk = jnp.asarray(label_bk)
    known_bk = label_bk != NO_LABEL
    one_hot_bky = jax.nn.one_hot(label_bk, logits_bky.shape[-1])
    target_bky = optax.smooth_labels(one_hot_bky, label_smoothing)
    loss_bk = optax.softmax_cross_entropy(logits_bky, target_bky)
    weighted_bk = jnp.where(known_bk, loss_bk, 0.0) * _known_weight(label_bk, weight_bk)
    hit_bk = (logits_bky.argmax(-1) == label_bk) & known_bk
    counts = hit_bk.sum(), known_bk.sum()
    return weighted_bk.sum() / total, Tally(*(n.astype(jnp.float32) for n in counts))


def _history(batch: PageBatch) -> HistoryBatch:
    if batch.history is None:
        raise ValueError("the batch has no histories")
    return batch.history
