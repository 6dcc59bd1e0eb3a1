"""What training changes: parameters, optimizer moments and the number of updates done.

Random keys are not state: they are folded from the seed and the step, so a run that is
resumed draws what the unbroken run would have drawn.
"""

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from jax.sharding import Mesh, NamedSharding

from reviewintent_jax.compiling import compiled_ahead
from reviewintent_jax.kept_traces import KeptTraces
from reviewintent_jax.models.first_weights import FirstParameters
from reviewintent_jax.training.placement import put_tree
from reviewintent_jax.training.sharding import one_device, shardings_of


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
    """

    def __init__(
        self,
        params: FirstParameters,
        optimizer: optax.GradientTransformation,
        mesh: Mesh,
    ) -> None:
        self._params = params
        self._optimizer = optimizer
        self._mesh = mesh
        self._init: Callable[..., Any] | None = None

    def kept(self, traces: KeptTraces) -> "FirstState":
        """The same, whose parameters are looked for there before they are traced."""
        return FirstState(self._params.kept(traces), self._optimizer, self._mesh)

    @functools.cached_property
    def _plan(self) -> "_Plan":
        return _Plan(self._params.shapes, self._optimizer, self._mesh)

    @property
    def layout(self) -> TrainState:
        """Shape, type and place of every leaf, by tracing alone."""
        return self._plan.layout

    def compile_ahead(self) -> None:
        """Begins to compile, in threads, what :meth:`draw` runs."""
        self._params.compile_ahead()
        self._init = compiled_ahead(self._plan.init.lower(self.layout.params))

    def draw(self) -> TrainState:
        """The state itself, each leaf where it belongs.

        Moments are made where they belong: no device ever holds more than its part.
        """
        return self._plan.filled(self._params.draw(), self._init or self._plan.init)


class _Plan:
    """Where every leaf of a first state belongs, and what makes its moments."""

    def __init__(
        self, params: Any, optimizer: optax.GradientTransformation, mesh: Mesh
    ) -> None:
        step = jnp.zeros((), jnp.int32)
        state = TrainState(step, params, jax.eval_shape(optimizer.init, params))
        self._places = shardings_of(state, mesh)
        self.init = jax.jit(optimizer.init, out_shardings=self._places.moments)
        self._state = state

    @property
    def layout(self) -> TrainState:
        """Shape, type and place of every leaf."""

        def describe(leaf: Any, place: NamedSharding) -> jax.ShapeDtypeStruct:
            return jax.ShapeDtypeStruct(leaf.shape, leaf.dtype, sharding=place)

        return jax.tree.map(describe, self._state, self._places)

    def filled(self, params: Any, init: Callable[..., Any]) -> TrainState:
        """The state of such parameters, whose moments ``init`` makes."""
        params = put_tree(params, self._places.params)
        return TrainState(
            put_tree(self._state.step, self._places.step), params, init(params)
        )


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
    plan = _Plan(params, optimizer, mesh or one_device())
    return plan.filled(params, plan.init)


def count_parameters(params: Any) -> dict[str, int]:
    """Numbers of parameters of each part of the model (top level of the tree)."""
    return {
        part: sum(leaf.size for leaf in jax.tree.leaves(tree))
        for part, tree in params.items()
    }
