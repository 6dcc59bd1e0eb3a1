"""First parameters, drawn from a seed by a program that runs once.

In: a function of a random key, and a seed. Out: its tree of parameters, of which shapes
are known before anything is compiled or drawn.
"""

import functools
from collections.abc import Callable
from typing import Any

import jax
from jax.core import Tracer

from reviewintent_jax.compiling import compiled_ahead
from reviewintent_jax.kept_traces import TRACED_ANEW, KeptTraces

# Of what compiling takes on a CPU a third goes to passes that make a program fast, and
# this one draws a few million numbers once. Level 1 draws the same bits as level 2;
# level 0 does not.
_HURRIED = {"xla_backend_optimization_level": 1}


class FirstParameters:
    """What ``draw`` makes of the key of ``seed``, once it is asked for.

    Args:
      draw: pure; key -> parameters by the names of their parts. What it does not
        return is not computed.
      seed: 0 or more.
      finish: drawn parameters -> all, such as those that are given beside them; keeps
        the shapes of what it is given, which it may change in place.
      traces: where ``draw`` is looked for before it is traced.
    """

    def __init__(
        self,
        draw: Callable[[jax.Array], Any],
        seed: int,
        finish: Callable[[dict[str, Any]], dict[str, Any]] = dict,
        traces: KeptTraces = TRACED_ANEW,
    ) -> None:
        self._draw = draw
        self._seed = seed
        self._finish = finish
        self._traces = traces

    def kept(self, traces: KeptTraces) -> "FirstParameters":
        """The same, looked for there before they are traced."""
        return FirstParameters(self._draw, self._seed, self._finish, traces)

    @functools.cached_property
    def _traced(self) -> jax.stages.Traced:
        hurried = _HURRIED if jax.default_backend() == "cpu" else None
        key = jax.random.key(self._seed)
        program = self._traces.jit(
            "first_weights", self._draw, (key,), compiler_options=hurried
        )
        return program.trace(key)

    @functools.cached_property
    def _program(self) -> Callable[[jax.Array], Any]:
        return compiled_ahead(self._traced.lower())

    def compile_ahead(self) -> None:
        """Begins to compile what draws them, in a thread."""
        self._program  # noqa: B018 - compiled where it is first named

    @property
    def shapes(self) -> dict[str, Any]:
        """Their shapes and types; nothing is compiled or drawn."""
        return jax.eval_shape(self._finish, dict(self._traced.out_info))

    def draw(self) -> dict[str, Any]:
        """The parameters, compiled in a hurry.

        Inside a transformation such as ``jax.eval_shape`` nothing is compiled.
        """
        key = jax.random.key(self._seed)
        if isinstance(key, Tracer):
            return self._finish(dict(self._draw(key)))
        return self._finish(dict(self._program(key)))
