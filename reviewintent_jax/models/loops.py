"""A scan whose steps write over what they have read, for a CPU.

Stage: inside :mod:`~reviewintent_jax.models.scans`. In: a step and what it is given.
Out: what it gives after every step.

``lax.scan`` fills an array for everything that a step gives before the first step: on
a CPU that is memory which is in no cache. Where what a step gives is made of one array
each, it can take that array's place; nobody else reads that again.
"""

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp


def scan_in_place(
    step: Callable[[Any, Any], tuple[Any, Any]],
    start: Any,
    given: Any,
    *,
    over: Sequence[int] = (),
    reverse: bool,
) -> Any:
    """What ``lax.scan`` over the first axis of ``given`` stacks; no derivatives.

    Args:
      step: ``step(carry, given) -> (carry, outputs)``.
      start: the first carry.
      given: arrays ``[q, ...]``.
      over: for each output, the leaf of ``given`` that it takes the place of: of its
        own shape and type, and read by no other output, or XLA copies it every step.
        None of them = all outputs get arrays of their own.
      reverse: from the last step to the first.

    Returns:
      Arrays ``[q, ...]``.
    """
    arrays, outline = jax.tree.flatten(given)
    steps = len(arrays[0])
    one = [jax.ShapeDtypeStruct(x.shape[1:], x.dtype) for x in arrays]
    made = jax.eval_shape(step, start, jax.tree.unflatten(outline, one))[1]
    made, made_outline = jax.tree.flatten(made)

    def body(count: Any, carried: tuple) -> tuple:
        carry, written = carried
        place = steps - 1 - count if reverse else count
        now = dict(enumerate(arrays)) | dict(zip(over, written, strict=False))
        taken = [
            jax.lax.dynamic_index_in_dim(now[at], place, keepdims=False)
            for at in range(len(arrays))
        ]
        carry, found = step(carry, jax.tree.unflatten(outline, taken))
        news = zip(written, jax.tree.leaves(found), strict=True)
        return carry, [
            jax.lax.dynamic_update_index_in_dim(x, new, place, 0) for x, new in news
        ]

    # Of numbers that differ: of equal ones XLA fills one array, and copies that.
    own = (
        jnp.full((steps, *x.shape), number, x.dtype) for number, x in enumerate(made)
    )
    written = [arrays[at] for at in over] if over else list(own)
    _, written = jax.lax.fori_loop(0, steps, body, (start, written))
    return jax.tree.unflatten(made_outline, written)
