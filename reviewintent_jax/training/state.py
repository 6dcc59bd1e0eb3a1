"""What training changes: parameters, optimizer moments and the number of updates done.

Random keys are not state: they are folded from the seed and the step, so a run that is
resumed draws what the unbroken run would have drawn.
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from jax.sharding import Mesh

from reviewintent_jax.training.placement import put_tree
from reviewintent_jax.training.sharding import one_device, replicated, shardings_of


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


def make_state(
    params: Any, optimizer: optax.GradientTransformation, mesh: Mesh | None = None
) -> TrainState:
    """State before the first update, each leaf where the rules put it.

    Moments are made where they belong: no device ever holds more than its part.

    Args:
      params: the whole tree, of JAX or NumPy arrays.
      optimizer: makes the moments.
      mesh: of devices; None = the first device alone.
    """
    mesh = mesh or one_device()
    params = put_tree(params, shardings_of(params, mesh))
    moments = jax.eval_shape(optimizer.init, params)
    init = jax.jit(optimizer.init, out_shardings=shardings_of(moments, mesh))
    step = put_tree(jnp.zeros((), jnp.int32), replicated(mesh))
    return TrainState(step, params, init(params))


def count_parameters(params: Any) -> dict[str, int]:
    """Numbers of parameters of each part of the model (top level of the tree)."""
    return {
        part: sum(leaf.size for leaf in jax.tree.leaves(tree))
        for part, tree in params.items()
    }
