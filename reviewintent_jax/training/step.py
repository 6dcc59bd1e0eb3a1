"""One update, pure: (state, batch) -> (state, metrics)."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

from reviewintent_jax.training.losses import LossSums
from reviewintent_jax.training.state import TrainState
from reviewintent_jax.training.task import Task


class StepMetrics(NamedTuple):
    """What one update tells (float32 scalars), before the parameters move.

    Attributes:
      loss: of the batch.
      figures: what the task reports of it, by name, such as ``accuracy``.
      gradient_norm: global norm before clipping.
    """

    loss: jax.Array
    figures: dict[str, jax.Array]
    gradient_norm: jax.Array


TrainStep = Callable[[TrainState, Any], tuple[TrainState, StepMetrics]]


def make_train_step(
    task: Task, optimizer: optax.GradientTransformation, *, accumulate: int
) -> TrainStep:
    """Builds the jitted step; the state it is given is donated.

    With ``accumulate`` = a > 1 the batch's pages are cut into ``a`` micro-batches whose
    gradients are summed before the one update: the same update as in one piece, in less
    memory. The number of pages must be a multiple of ``a``.
    """

    def loss(params: Any, batch: Any, totals: Any, key: jax.Array) -> tuple:
        sums = task.loss(params, batch, totals, key)
        return sums.loss, sums

    gradient_of = jax.grad(loss, has_aux=True)

    def step(state: TrainState, batch: Any) -> tuple[TrainState, StepMetrics]:
        key = jax.random.fold_in(jax.random.key(task.seed, impl="rbg"), state.step)
        totals = task.totals(batch)
        if accumulate == 1:
            gradient, sums = gradient_of(state.params, batch, totals, key)
        else:
            gradient, sums = _accumulated(
                gradient_of, state.params, batch, totals, key, accumulate
            )
        updates, moments = optimizer.update(gradient, state.moments, state.params)
        params = optax.apply_updates(state.params, updates)
        metrics = StepMetrics(
            loss=sums.loss,
            figures={
                name: tally.total / jnp.maximum(tally.count, 1.0)
                for name, tally in sums.tallies.items()
            },
            gradient_norm=optax.tree.norm(gradient),
        )
        return TrainState(state.step + 1, params, moments), metrics

    return jax.jit(step, donate_argnums=0)


def _accumulated(
    gradient_of: Callable,
    params: Any,
    batch: Any,
    totals: Any,
    key: jax.Array,
    pieces: int,
) -> tuple[Any, LossSums]:
    """Sums gradients and losses over ``pieces`` micro-batches of the pages."""
    split = jax.tree.map(lambda x: x.reshape(pieces, -1, *x.shape[1:]), batch)

    def piece_of(piece: Any, number: jax.Array | int) -> tuple[Any, LossSums]:
        return gradient_of(params, piece, totals, jax.random.fold_in(key, number))

    def body(total: tuple, item: tuple) -> tuple[tuple, None]:
        return jax.tree.map(jnp.add, total, piece_of(*item)), None

    first = jax.eval_shape(piece_of, jax.tree.map(lambda x: x[0], split), 0)
    zero = jax.tree.map(lambda leaf: jnp.zeros(leaf.shape, leaf.dtype), first)
    total, _ = jax.lax.scan(body, zero, (split, jnp.arange(pieces)))
    return total
