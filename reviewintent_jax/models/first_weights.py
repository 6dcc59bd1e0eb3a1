"""First parameters, drawn from a seed by a program that runs once.

In: a function of a random key, and a seed. Out: its tree of parameters.
"""

from collections.abc import Callable
from typing import Any

import jax
from jax.core import Tracer

# Of what compiling takes on a CPU a third goes to passes that make a program fast, and
# this one draws a few million numbers once. Level 1 draws the same bits as level 2;
# level 0 does not.
_HURRIED = {"xla_backend_optimization_level": 1}


def draw_parameters(draw: Callable[[jax.Array], Any], seed: int) -> dict[str, Any]:
    """What ``draw`` makes of the key of ``seed``, compiled in a hurry.

    Inside a transformation such as ``jax.eval_shape`` nothing is compiled.

    Args:
      draw: pure; key -> parameters by the names of their parts. What it does not
        return is not computed.
      seed: 0 or more.
    """
    key = jax.random.key(seed)
    if isinstance(key, Tracer):
        return dict(draw(key))
    hurried = _HURRIED if jax.default_backend() == "cpu" else None
    return dict(jax.jit(draw, compiler_options=hurried)(key))
