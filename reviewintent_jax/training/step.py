"""One update, pure: (state, batch) -> (state, metrics)."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from reviewintent_jax.compiling import compiled_ahead
from reviewintent_jax.training.losses import LossSums
from reviewintent_jax.training.sharding import (
    BATCH,
    batch_sharding,
    gathered,
    on_mesh,
    replicated,
)
from reviewintent_jax.training.state import TrainState
from reviewintent_jax.training.task import Objective


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


class TrainStep:
    """``step(state, batch) -> (state, metrics)``, with the seed of a run.

    The seed is given to the program and not part of it, so that runs which differ in
    nothing else find it compiled.
    """

    def __init__(self, program: jax.stages.Wrapped, seed: int) -> None:
        self._program = program
        self._call: Callable[..., tuple[TrainState, StepMetrics]] = program
        self._seed = np.uint32(seed)

    def compile_ahead(self, state: Any, batch: Any) -> None:
        """Begins to compile, in a thread, for arrays or shapes like these.

        From here on all updates take this program; the first one waits until it is
        there, and raises what went wrong.
        """
        self._call = compiled_ahead(self.lower(state, batch))

    def __call__(self, state: TrainState, batch: Any) -> tuple[TrainState, StepMetrics]:
        """One update; the state it is given is donated."""
        return self._call(state, batch, self._seed)

    def lower(self, state: Any, batch: Any) -> jax.stages.Lowered:
        """The program before it is compiled, for arrays or shapes of them."""
        return self._program.lower(state, batch, self._seed)


def make_train_step(
    task: Objective,
    optimizer: optax.GradientTransformation,
    state: TrainState,
    *,
    accumulate: int,
) -> TrainStep:
    """Builds the jitted step; the state it is given is donated.

    Every leaf of the new state lies where that of ``state`` does. The devices' parts of
    the sums over a batch are joined by the compiler: the loss is that of one device.

    With ``accumulate`` = a > 1 the batch's pages are cut into ``a`` micro-batches whose
    gradients are summed before the one update: the same update as in one piece, in less
    memory. The number of pages must be a multiple of ``a``, and that of a micro-batch
    one of the devices that share a batch.

    Args:
      task: what is learned.
      optimizer: how.
      state: any state of the run, on its mesh, or its layout; only where it lies is
        read.
      accumulate: micro-batches in an update.
    """
    placed = jax.tree.map(lambda leaf: leaf.sharding, state)
    mesh = placed.step.mesh

    def loss(params: Any, batch: Any, totals: Any, key: jax.Array) -> tuple:
        sums = task.loss(params, batch, totals, key)
        return sums.loss, sums

    whole = gathered(placed.params)

    def gradient_of(params: Any, *rest: Any) -> tuple[Any, LossSums]:
        params = jax.lax.with_sharding_constraint(params, whole)
        gradient, sums = jax.grad(loss, has_aux=True)(params, *rest)
        # Cut as the parameters are, so that no device sums more than its part.
        return jax.lax.with_sharding_constraint(gradient, placed.params), sums

    def step(state: TrainState, batch: Any, seed: jax.Array) -> tuple:
        key = jax.random.fold_in(jax.random.key(seed, impl="rbg"), state.step)
        totals = task.totals(batch)
        if accumulate == 1:
            gradient, sums = gradient_of(state.params, batch, totals, key)
        else:
            pieces = _pieces(batch, accumulate, mesh)
            gradient, sums = _accumulated(
                gradient_of, state.params, pieces, totals, key
            )
        updates, moments = optimizer.update(gradient, state.moments, state.params)
        params = optax.apply_updates(state.params, updates)
        return TrainState(state.step + 1, params, moments), _metrics(sums, gradient)

    program = jax.jit(
        on_mesh(mesh, step),
        in_shardings=(placed, batch_sharding(mesh), replicated(mesh)),
        out_shardings=(placed, replicated(mesh)),
        donate_argnums=0,
    )
    return TrainStep(program, task.seed)


def _metrics(sums: LossSums, gradient: Any) -> StepMetrics:
    """What an update tells of itself."""
    figures = {
        name: tally.total / jnp.maximum(tally.count, 1.0)
        for name, tally in sums.tallies.items()
    }
    return StepMetrics(sums.loss, figures, optax.tree.norm(gradient))


def _pieces(batch: Any, pieces: int, mesh: Mesh) -> Any:
    """The micro-batches of a batch, each of them spread over all devices."""
    spread = NamedSharding(mesh, PartitionSpec(None, *BATCH))

    def cut(x: jax.Array) -> jax.Array:
        split = x.reshape(pieces, len(x) // pieces, *x.shape[1:])
        return jax.lax.with_sharding_constraint(split, spread)

    return jax.tree.map(cut, batch)


def _accumulated(
    gradient_of: Callable, params: Any, split: Any, totals: Any, key: jax.Array
) -> tuple[Any, LossSums]:
    """Sums gradients and losses over micro-batches, which lie on the first axis."""
    pieces = len(jax.tree.leaves(split)[0])

    def piece_of(piece: Any, number: jax.Array | int) -> tuple[Any, LossSums]:
        return gradient_of(params, piece, totals, jax.random.fold_in(key, number))

    def body(total: tuple, item: tuple) -> tuple[tuple, None]:
        return jax.tree.map(jnp.add, total, piece_of(*item)), None

    first = jax.eval_shape(piece_of, jax.tree.map(lambda x: x[0], split), 0)
    zero = jax.tree.map(lambda leaf: jnp.zeros(leaf.shape, leaf.dtype), first)
    total, _ = jax.lax.scan(body, zero, (split, jnp.arange(pieces)))
    return total
