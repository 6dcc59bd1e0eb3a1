"""Losses: model output and labels -> figures that add up over micro-batches.

A loss is divided by the weights of the whole batch before it is summed over pieces,
never averaged over pieces, because means of pieces of different size do not average.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax

from reviewintent_jax.schema import NO_LABEL, ModelOutput, PageBatch


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


def sentiment_weight(batch: PageBatch) -> jax.Array:
    """Summed weight of the labelled reviews of a batch, above 0."""
    known_bk = jnp.asarray(batch.label_bk) != NO_LABEL
    return jnp.maximum(jnp.where(known_bk, batch.weight_bk, 0.0).sum(), 1e-8)


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
    label_bk = jnp.asarray(batch.label_bk)
    known_bk = label_bk != NO_LABEL
    weight_bk = jnp.where(known_bk, batch.weight_bk, 0.0)
    classes = output.logits_bky.shape[-1]
    one_hot_bky = jax.nn.one_hot(label_bk, classes)
    target_bky = optax.smooth_labels(one_hot_bky, label_smoothing)
    loss_bk = optax.softmax_cross_entropy(output.logits_bky, target_bky)
    hit_bk = (output.logits_bky.argmax(-1) == label_bk) & known_bk
    return LossSums(
        loss=jnp.sum(jnp.where(known_bk, loss_bk, 0.0) * weight_bk) / weight,
        tallies={
            "accuracy": Tally(
                hit_bk.sum().astype(jnp.float32), known_bk.sum().astype(jnp.float32)
            )
        },
    )
