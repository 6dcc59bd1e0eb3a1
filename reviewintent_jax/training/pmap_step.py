"""The update by ``jax.pmap``: one program a device, the sums joined by hand.

For those who know and ask for ``pmap``. It does what :mod:`~reviewintent_jax.training.
step` does on a mesh of data alone, in as many words as that takes, and is tested to
give the same losses. Runs use the other one; ``docs/clusters.md`` says why.
"""

from collections.abc import Callable
from typing import Any

import jax
import optax

from reviewintent_jax.training.losses import LossSums
from reviewintent_jax.training.state import TrainState
from reviewintent_jax.training.task import Task

_AXIS = "device"

PmapStep = Callable[[TrainState, Any], tuple[TrainState, jax.Array]]
"""(states, batches) -> (states, losses), every leaf with a leading axis of devices."""


def make_pmap_step(task: Task, optimizer: optax.GradientTransformation) -> PmapStep:
    """Builds the step; each device has the whole state and its own part of the pages.

    Dropout must be off, or each device would draw its masks as if it were the first.

    Args:
      task: what is learned.
      optimizer: how.
    """

    def loss(params: Any, batch: Any, totals: Any, key: jax.Array) -> tuple:
        sums = task.loss(params, batch, totals, key)
        return sums.loss, sums

    def step(state: TrainState, batch: Any) -> tuple[TrainState, jax.Array]:
        key = jax.random.fold_in(jax.random.key(task.seed, impl="rbg"), state.step)
        # A loss is a sum over pages divided by the weights of the whole batch, so the
        # parts add up: psum where a mean of means would be wrong.
        totals = jax.lax.psum(task.totals(batch), _AXIS)
        gradient, sums = jax.grad(loss, has_aux=True)(state.params, batch, totals, key)
        gradient, sums = jax.lax.psum((gradient, sums), _AXIS)
        assert isinstance(sums, LossSums)
        updates, moments = optimizer.update(gradient, state.moments, state.params)
        params = optax.apply_updates(state.params, updates)
        return TrainState(state.step + 1, params, moments), sums.loss

    return jax.pmap(step, axis_name=_AXIS)


def on_every_device(state: TrainState, devices: int) -> TrainState:
    """The state once for each device, on a new leading axis."""
    return jax.tree.map(
        lambda leaf: jax.numpy.broadcast_to(leaf, (devices, *leaf.shape)), state
    )


def split_over(batch: Any, devices: int) -> Any:
    """Deals pages to devices: ``[b, ...]`` -> ``[device, part, ...]``."""
    return jax.tree.map(lambda x: x.reshape(devices, -1, *x.shape[1:]), batch)
