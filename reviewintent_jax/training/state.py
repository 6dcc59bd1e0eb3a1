"""What training changes: parameters, optimizer moments and the number of updates done.

Random keys are not state: they are folded from the seed and the step, so a run that is
resumed draws what the unbroken run would have drawn.
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from jax.sharding import Mesh, NamedSharding

from reviewintent_jax.compiling import compiled_ahead
from reviewintent_jax.models.first_weights import FirstParameters
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


class FirstState:
    """State before the first update: first how it is laid out, and then drawn.

    Args:
      params: those before the first update.
      optimizer: makes the moments.
      mesh: of devices.

    Attributes:
      layout: shape, type and place of every leaf, by tracing alone.
    """

    def __init__(
        self,
        params: FirstParameters,
        optimizer: optax.GradientTransformation,
        mesh: Mesh,
    ) -> None:
        shapes = params.shapes
        step: Any = jax.ShapeDtypeStruct((), jnp.int32)
        state = TrainState(step, shapes, jax.eval_shape(optimizer.init, shapes))
        places = shardings_of(state, mesh)
        self.layout: TrainState = jax.tree.map(_placed, state, places)
        self._params, self._places = params, places
        self._init = jax.jit(optimizer.init, out_shardings=places.moments)

    def compile_ahead(self) -> None:
        """Begins to compile, in threads, what :meth:`draw` runs."""
        self._params.compile_ahead()
        self._init = compiled_ahead(self._init.lower(self.layout.params))

    def draw(self) -> TrainState:
        """The state itself, each leaf where it belongs.

        Moments are made where they belong: no device ever holds more than its part.
        """
        params = put_tree(self._params.draw(), self._places.params)
        step = put_tree(jnp.zeros((), jnp.int32), self._places.step)
        return TrainState(step, params, self._init(params))


def _placed(leaf: Any, place: NamedSharding) -> jax.ShapeDtypeStruct:
    return jax.ShapeDtypeStruct(leaf.shape, leaf.dtype, sharding=place)


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
