"""Matrix products over all steps at once, laid out as each kind of device wants them.

In: features of every step, ``[..., d]``, and a matrix. Out: products in float32. XLA on
a CPU is slow at summing over several axes, so there all leading axes are one. Elsewhere
they stay apart: an axis that is cut over devices and then merged with one before it
cannot be cut any more, and each device would compute the whole batch.
"""

import jax
import jax.numpy as jnp
from jax import Array

SHARED = 64
"""Rows and features from which on a step's product gains by being shared by cores."""


@jax.custom_vjp
def project(x: Array, matrix: Array) -> Array:
    """``x @ matrix`` of every step; reverse-mode derivatives only.

    Args:
      x: ``[..., d]``.
      matrix: ``[d, r]``, of the type of ``x``.

    Returns:
      float32 ``[..., r]``.
    """
    return jax.lax.platform_dependent(x, matrix, cpu=_flat_product, default=_product)


def outer_product(x: Array, y: Array) -> Array:
    """Sum of ``x' y`` over steps: ``[..., d]``, ``[..., r]`` -> float32 ``[d, r]``."""
    return jax.lax.platform_dependent(x, y, cpu=_flat_outer, default=_outer)


def shared_product(x: Array, matrix: Array) -> Array:
    """``x @ matrix`` of one step of a scan, which all cores of a CPU compute together.

    XLA gives a product of this size to a library that takes it on one core, and keeps
    one to itself that is summed over the first axis of its left side. So the narrower
    of ``x`` and the answer is turned; the barriers keep XLA from turning it back. No
    derivatives of its own are needed: it stands inside scans that have theirs.

    Args:
      x: ``[n, d]``.
      matrix: ``[d, r]``, of the type of ``x``.

    Returns:
      float32 ``[n, r]``.
    """
    return jax.lax.platform_dependent(x, matrix, cpu=_turned_product, default=_product)


def _turned_product(x: Array, matrix: Array) -> Array:
    rows, (features, outputs) = len(x), matrix.shape
    if min(rows, features, outputs) < SHARED:
        return _product(x, matrix)
    barrier, product = jax.lax.optimization_barrier, jax.lax.dot_general
    if features <= outputs:
        sides, axes = (barrier(x.T), matrix), (0, 0)
    else:
        sides, axes = (matrix, x), (0, 1)
    numbers = ((axes[0],), (axes[1],)), ((), ())
    found = product(*sides, numbers, preferred_element_type=jnp.float32)
    return found if features <= outputs else barrier(found).T


def _product(x: Array, matrix: Array) -> Array:
    return jnp.matmul(x, matrix, preferred_element_type=jnp.float32)


def _flat_product(x: Array, matrix: Array) -> Array:
    return _product(_flat(x), matrix).reshape(*x.shape[:-1], -1)


def _outer(x: Array, y: Array) -> Array:
    lead = tuple(range(x.ndim - 1))
    numbers = (lead, lead), ((), ())
    return jax.lax.dot_general(x, y, numbers, preferred_element_type=jnp.float32)


def _flat_outer(x: Array, y: Array) -> Array:
    return _product(_flat(x).T, _flat(y))


def _flat(x: Array) -> Array:
    return x.reshape(-1, x.shape[-1])


def _project_forward(x: Array, matrix: Array) -> tuple[Array, tuple[Array, Array]]:
    return project(x, matrix), (x, matrix)


def _project_backward(
    saved: tuple[Array, Array], gradient: Array
) -> tuple[Array, Array]:
    x, matrix = saved
    gradient = gradient.astype(x.dtype)
    of_x = project(gradient, matrix.T).astype(x.dtype)
    return of_x, outer_product(x, gradient).astype(matrix.dtype)


project.defvjp(_project_forward, _project_backward)
