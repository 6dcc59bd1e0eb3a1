"""What training changes: parameters, optimizer moments and the number of updates done.

Random keys are not state: they are folded from the seed and the step, so a run that is
resumed draws what the unbroken run would have drawn.
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax


class TrainState(NamedTuple):
    """State of a run after ``step`` updates.

    Attributes:
      step: int32 scalar.
      params: parameter tree, float32.
      moments: the optimizer's state.
    """

    step: jax.Array
    params: Any
    moments: optax.OptState


def make_state(params: Any, optimizer: optax.GradientTransformation) -> TrainState:
    """State before the first update; ``params`` may be NumPy arrays."""
    params = jax.tree.map(jnp.asarray, params)
    return TrainState(jnp.zeros((), jnp.int32), params, jax.jit(optimizer.init)(params))


def count_parameters(params: Any) -> dict[str, int]:
    """Numbers of parameters of each part of the model (top level of the tree)."""
    return {
        part: sum(leaf.size for leaf in jax.tree.leaves(tree))
        for part, tree in params.items()
    }
