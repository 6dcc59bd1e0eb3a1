"""One update, pure: (state, batch) -> (state, metrics)."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from flax import linen as nn

from reviewintent_jax.schema import PageBatch
from reviewintent_jax.training.losses import LossSums, sentiment_loss
from reviewintent_jax.training.state import TrainState


class StepMetrics(NamedTuple):
    """What one update tells (float32 scalars).

    Attributes:
      loss: weighted mean cross-entropy of the batch, in nats.
      accuracy: share of its reviews classified correctly, before the update.
      reviews: how many labelled reviews it held.
      gradient_norm: global norm before clipping.
    """

    loss: jax.Array
    accuracy: jax.Array
    reviews: jax.Array
    gradient_norm: jax.Array


TrainStep = Callable[[TrainState, PageBatch], tuple[TrainState, StepMetrics]]


def make_train_step(
    model: nn.Module,
    optimizer: optax.GradientTransformation,
    *,
    seed: int,
    accumulate: int,
    label_smoothing: float,
) -> TrainStep:
    """Builds the jitted step; the state it is given is donated.

    With ``accumulate`` = a > 1 the batch's pages are cut into ``a`` micro-batches whose
    gradients are summed before the one update: the same update as in one piece, in less
    memory. The number of pages must be a multiple of ``a``.
    """

    def sums(params: Any, batch: PageBatch, key: jax.Array) -> tuple[Any, LossSums]:
        output = model.apply(
            {"params": params}, batch, deterministic=False, rngs={"dropout": key}
        )
        parts = sentiment_loss(output, batch, label_smoothing=label_smoothing)  # type: ignore[arg-type]
        return parts.loss, parts

    gradient_of = jax.grad(sums, has_aux=True)

    def step(state: TrainState, batch: PageBatch) -> tuple[TrainState, StepMetrics]:
        key = jax.random.fold_in(jax.random.key(seed, impl="rbg"), state.step)
        if accumulate == 1:
            gradient, parts = gradient_of(state.params, batch, key)
        else:
            gradient, parts = _accumulated(
                gradient_of, state.params, batch, key, accumulate
            )
        weight = jnp.maximum(parts.weight, 1e-8)
        gradient = jax.tree.map(lambda g: g / weight, gradient)
        updates, moments = optimizer.update(gradient, state.moments, state.params)
        params = optax.apply_updates(state.params, updates)
        metrics = StepMetrics(
            loss=parts.loss / weight,
            accuracy=parts.correct / jnp.maximum(parts.reviews, 1.0),
            reviews=parts.reviews,
            gradient_norm=optax.tree.norm(gradient),
        )
        return TrainState(state.step + 1, params, moments), metrics

    return jax.jit(step, donate_argnums=0)


def _accumulated(
    gradient_of: Callable, params: Any, batch: PageBatch, key: jax.Array, pieces: int
) -> tuple[Any, LossSums]:
    """Sums gradients and loss parts over ``pieces`` micro-batches of the pages."""
    split = jax.tree.map(lambda x: x.reshape(pieces, -1, *x.shape[1:]), batch)
    zero = jax.tree.map(jnp.zeros_like, params)

    def body(total: tuple, item: tuple) -> tuple[tuple, None]:
        piece, number = item
        new = gradient_of(params, piece, jax.random.fold_in(key, number))
        return jax.tree.map(jnp.add, total, new), None

    nothing = LossSums(*(jnp.zeros(()) for _ in LossSums._fields))
    total, _ = jax.lax.scan(body, (zero, nothing), (split, jnp.arange(pieces)))
    return total
