"""One update, pure: (state, batch) -> (state, metrics)."""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from reviewintent_jax.compiling import compiled_ahead
from reviewintent_jax.kept_traces import TRACED_ANEW, KeptTraces
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

    def __init__(
        self, step: Callable[..., tuple], places: "_Places", seed: int
    ) -> None:
        self._step = step
        self._places = places
        # Without compile_ahead, for trees of any type; lower() makes one of lists.
        self._program = jax.jit(step, **places.options(places.state))
        self._call: Callable[..., tuple[TrainState, StepMetrics]] = self._program
        self._seed = np.uint32(seed)

    def compile_ahead(
        self, state: Any, batch: Any, traces: KeptTraces = TRACED_ANEW
    ) -> None:
        """Begins to compile, in a thread, for arrays or shapes like these.

        From here on all updates take this program; the first one waits until it is
        there, and raises what went wrong.

        Args:
          state: arrays, or shapes of them.
          batch: the same.
          traces: where the program is looked for before it is traced.
        """
        compiled = compiled_ahead(self.lower(state, batch, traces))

        def call(state: TrainState, batch: Any, seed: Any) -> tuple:
            leaves, metrics = compiled(*_plain(state, batch), seed)
            state = jax.tree.unflatten(jax.tree.structure(state), leaves)
            return state, StepMetrics(**metrics)

        self._call = call

    def __call__(self, state: TrainState, batch: Any) -> tuple[TrainState, StepMetrics]:
        """One update; the state it is given is donated."""
        return self._call(state, batch, self._seed)

    def lower(
        self, state: Any, batch: Any, traces: KeptTraces = TRACED_ANEW
    ) -> jax.stages.Lowered:
        """The program before it is compiled, for arrays or shapes of them.

        It reads state and batch as lists of leaves, and returns the state as one and
        the metrics by name: trees of other types cannot be kept.
        """
        arguments = (*_plain(state, batch), self._seed)
        outlines = map(jax.tree.structure, (state, batch))
        program = traces.jit(
            "update",
            partial(_plain_step, self._step, *outlines),
            arguments,
            **self._places.options(jax.tree.leaves(self._places.state)),
        )
        return program.lower(*arguments)


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

    return TrainStep(on_mesh(mesh, step), _Places(placed, mesh), task.seed)


class _Places(NamedTuple):
    """Where the arguments of an update lie, and its results."""

    state: Any
    mesh: Mesh

    def options(self, state: Any) -> dict[str, Any]:
        """Of ``jax.jit``; ``state`` is the tree of places of its first argument."""
        return {
            "in_shardings": (state, batch_sharding(self.mesh), replicated(self.mesh)),
            "out_shardings": (state, replicated(self.mesh)),
            "donate_argnums": 0,
        }


def _plain(state: Any, batch: Any) -> tuple[list, list]:
    """As lists of leaves, which a program can be kept for."""
    return jax.tree.leaves(state), jax.tree.leaves(batch)


def _plain_step(
    step: Callable[..., tuple], of_state: Any, of_batch: Any, *arguments: Any
) -> tuple[list, dict[str, Any]]:
    """The step from lists of leaves to a list of leaves and the metrics by name."""
    state, batch, seed = arguments
    state, metrics = step(
        jax.tree.unflatten(of_state, state), jax.tree.unflatten(of_batch, batch), seed
    )
    return jax.tree.leaves(state), metrics._asdict()


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
