"""A scan whose rows know nothing of each other, as one kernel of an NVIDIA GPU.

Stage: inside :mod:`~reviewintent_jax.models.scans`. In: a step and what it is given.
Out: what it gives after every step.

``lax.scan`` starts several kernels a step, and at the sizes of LSTNet starting them
takes longer than their work. Here a program takes :data:`ROWS` rows through all steps:
the matrices are read once, and the state does not leave the processor. After Diamos et
al. (2016, "Persistent RNNs"), in Pallas.
"""

import functools
import math
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from reviewintent_jax.models.own_rows import on_own_rows

ROWS = 16
"""Rows of a program: the fewest that tensor cores multiply."""

_MATRIX_BYTES = 3 * 128 * 128 * 2
"""Of matrices that fit beside each other into the registers of a program."""

_WARPS = 8  # at most; 32 threads each

Step = Callable[[Any, Any, Any], tuple[Any, Any]]
"""``step(constants, carry, given) -> (carry, outputs)``, of some rows."""


def fits_kernel(constants: Any, features: int) -> bool:
    """Whether a program can hold so much: features a power of two from 16 on."""
    size = sum(x.size * x.dtype.itemsize for x in jax.tree.leaves(constants))
    matrices = size <= _MATRIX_BYTES + 4 * features  # a bias stands beside them
    return matrices and features >= 16 and features & (features - 1) == 0


def scan_kernel(
    step: Step,
    constants: Any,
    start: Any,
    given: Any,
    *,
    reverse: bool,
    interpret: bool = False,
) -> Any:
    """What ``lax.scan`` over the first axis of ``given`` stacks; no derivatives.

    Args:
      step: pure; rows must not meet in it.
      constants: arrays that every step reads whole.
      start: carry ``[n, r]``, zeros: only its shapes and types are read.
      given: arrays ``[q, n, f]``; f a power of two.
      reverse: from the last step to the first.
      interpret: runs it without a GPU, slowly: for tests.

    Returns:
      Arrays ``[q, n, r]``.
    """
    one = jax.tree.map(lambda x: jax.ShapeDtypeStruct(x.shape[1:], x.dtype), given)
    made = jax.eval_shape(step, constants, start, one)[1]
    outline = jax.tree.structure(made)

    def kernel(first: jax.Array, *given: Any) -> list[jax.Array]:
        del first  # a row knows nothing of others, and nothing is dropped
        return _all_rows(step, *given, reverse=reverse, interpret=interpret)

    found = (1,) * outline.num_leaves
    of_all = on_own_rows(
        kernel, (constants, start, given), cut=(None, 0, 1), found=found
    )
    return jax.tree.unflatten(outline, of_all)


def _all_rows(
    step: Step,
    constants: Any,
    start: Any,
    given: Any,
    *,
    reverse: bool,
    interpret: bool,
) -> list[jax.Array]:
    """What :func:`scan_kernel` returns, of the rows of one device: its leaves."""
    # Slow to import, and wanted by those alone who ask for kernels.
    from jax.experimental import pallas
    from jax.experimental.pallas import triton

    steps, rows = jax.tree.leaves(given)[0].shape[:2]
    programs = math.ceil(rows / ROWS)
    missing = programs * ROWS - rows
    marks = jax.tree.map(lambda x: x.dtype == jnp.bool_, given)
    given = jax.tree.map(functools.partial(_laid_out, missing=missing), given)
    carry = jax.tree.map(lambda x: jnp.zeros((ROWS, *x.shape[1:]), x.dtype), start)
    one = jax.tree.map(_row_block, given, marks)
    outputs = jax.tree.leaves(jax.eval_shape(step, constants, carry, one)[1])
    block = lambda x: pallas.BlockSpec(  # noqa: E731
        (steps, ROWS, x.shape[-1]), lambda program: (0, program, 0)
    )
    whole = lambda x: pallas.BlockSpec(x.shape, lambda _: (0,) * x.ndim)  # noqa: E731
    features = jax.tree.leaves(start)[0].shape[-1]
    warps = max(1, min(_WARPS, features // 16))
    call = pallas.pallas_call(
        _program(step, carry, marks, steps, reverse=reverse),
        grid=(programs,),
        in_specs=[jax.tree.map(whole, constants), jax.tree.map(block, given)],
        out_specs=[block(x) for x in outputs],
        out_shape=[
            jax.ShapeDtypeStruct((steps, programs * ROWS, x.shape[-1]), x.dtype)
            for x in outputs
        ],
        compiler_params=triton.CompilerParams(num_warps=warps, num_stages=1),
        interpret=interpret,
    )
    return [x[:, :rows] for x in call(constants, given)]


def _program(
    step: Step, start: Any, marks: Any, steps: int, *, reverse: bool
) -> Callable[..., None]:
    """All steps of some rows, for Pallas: references in the place of arrays."""

    def all_steps(constant_refs: Any, given_refs: Any, *output_refs: Any) -> None:
        constants = jax.tree.map(lambda ref: ref[...], constant_refs)

        def place_of(count: Any) -> Any:
            return steps - 1 - count if reverse else count

        def take(count: Any) -> Any:
            return jax.tree.map(lambda ref: ref[place_of(count)], given_refs)

        def body(count: Any, carried: Any) -> Any:
            carry, taken = carried
            # Asked for a step ahead: memory answers while this step is computed.
            ahead = take(jnp.minimum(count + 1, steps - 1))
            taken = jax.tree.map(lambda x, mark: x != 0 if mark else x, taken, marks)
            carry, found = step(constants, carry, taken)
            for ref, x in zip(output_refs, jax.tree.leaves(found), strict=True):
                ref[place_of(count)] = x
            return carry, ahead

        zeros = jax.tree.map(lambda x: jnp.zeros(x.shape, x.dtype), start)
        jax.lax.fori_loop(0, steps, body, (zeros, take(0)))

    return all_steps


def _laid_out(x: jax.Array, *, missing: int) -> jax.Array:
    """With rows for the last program, and marks as numbers."""
    x = x.astype(jnp.int32) if x.dtype == jnp.bool_ else x
    return jnp.pad(x, ((0, 0), (0, missing), (0, 0))) if missing else x


def _row_block(x: jax.Array, mark: bool) -> jax.ShapeDtypeStruct:
    """What a step of one program is given."""
    return jax.ShapeDtypeStruct((ROWS, x.shape[-1]), jnp.bool_ if mark else x.dtype)
