"""Losses: model output and labels -> sums that add up over micro-batches and devices.

Everything is a sum and the weight it must be divided by, never a mean, because means
of batches of different size do not average.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax

from reviewintent_jax.schema import NO_LABEL, ModelOutput, PageBatch


class LossSums(NamedTuple):
    """Sums over the labelled reviews of a batch (float32 scalars).

    Attributes:
      loss: sum of weight x cross-entropy in nats.
      weight: sum of the reviews' weights; the loss divides by it.
      correct: number of reviews whose largest logit is the label.
      reviews: number of labelled reviews.
    """

    loss: jax.Array
    weight: jax.Array
    correct: jax.Array
    reviews: jax.Array


def sentiment_loss(
    output: ModelOutput, batch: PageBatch, *, label_smoothing: float
) -> LossSums:
    """Softmax cross-entropy of every labelled slot of ``[b, k]``; empty slots weigh 0.

    ``label_smoothing`` in [0, 1) mixes the one-hot target with the uniform one.
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
        loss=jnp.sum(jnp.where(known_bk, loss_bk, 0.0) * weight_bk),
        weight=weight_bk.sum(),
        correct=hit_bk.sum().astype(jnp.float32),
        reviews=known_bk.sum().astype(jnp.float32),
    )
