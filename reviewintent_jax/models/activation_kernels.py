"""Bias and activation as one kernel of an NVIDIA GPU, forwards and backwards.

Stage: inside the encoder, between the two products of its feed-forward layers. In: the
first product, which still lacks its bias. Out: what the second one reads.

The product is there anyway, so it alone is kept for the gradient, and the bias sums its
own gradient on the way. XLA does the same passes over memory; but it spends some forty
instructions on a number, more than memory takes to bring it. Here it is half of that:
gelu in bfloat16 by one exponential, multiplied and added at once.

Letters: ``t`` tokens, ``f`` features.
"""

import functools
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from reviewintent_jax.models.activations import Activation, value_and_slope

_TILE = 4  # rows that a program holds at once
_ROWS = 64  # of a program of the gradient, whose sums over rows are then few
_MOST_FEATURES = 1_024  # of a program
_LEAST_FEATURES = 256
_OF_A_WARP = 256  # features: 8 numbers a thread, as many as it can ask for at once


class BiasedActivation(NamedTuple):
    """What is fixed when the kernels are compiled.

    Attributes:
      kind: which function.
      interpret: runs them without a GPU, slowly: for tests.
    """

    kind: Activation
    interpret: bool = False


def fits_activation(rows: int, features: int) -> bool:
    """Whether so many rows, so wide, suit the kernels: multiples of 64 and of 256."""
    return rows % _ROWS == 0 and _width(features) >= _LEAST_FEATURES


def _width(features: int) -> int:
    """Features of a program: the largest power of two that divides them, up to 1,024.

    Example: 3,072 -> 1,024.
    """
    return min(_MOST_FEATURES, features & -features)


@functools.partial(jax.custom_vjp, nondiff_argnums=(0,))
def activate_product(
    choice: BiasedActivation, product_tf: jax.Array, bias_f: jax.Array
) -> jax.Array:
    """Activations of ``product + bias``; reverse-mode derivatives only.

    Args:
      choice: what is fixed.
      product_tf: of a dense layer.
      bias_f: of the same layer and type.

    Returns:
      ``[t, f]`` in the type of the product.
    """
    return _run(choice, product_tf, bias_f)[0]


def _forward(choice, product, bias):
    return activate_product(choice, product, bias), (product, bias)


def _backward(choice, saved, gradient):
    product, bias = saved
    found = _run(choice, product, bias, gradient.astype(product.dtype))
    of_product, of_bias = found
    return of_product, of_bias.astype(bias.dtype)


activate_product.defvjp(_forward, _backward)


def _run(choice: BiasedActivation, *given: jax.Array) -> list[jax.Array]:
    """The activations; where a gradient is given, those of product and bias."""
    kernel = functools.partial(_by_kernel, choice)
    if choice.interpret:
        return kernel(*given)
    plainly = functools.partial(_plainly, choice)
    return jax.lax.platform_dependent(*given, cuda=kernel, default=plainly)


def _plainly(
    choice: BiasedActivation, product: jax.Array, bias: jax.Array, *gradient: jax.Array
) -> list[jax.Array]:
    found = _answer(choice, product, bias[None], *gradient)
    if not gradient:
        return [found]
    return [found, found.astype(jnp.float32).sum(axis=0)]


def _answer(
    choice: BiasedActivation, product: Any, bias: Any, *gradient: jax.Array
) -> jax.Array:
    """Of some rows: the activations, or the gradient of the product."""
    value, slope = value_and_slope(choice.kind, product + bias)
    if not gradient:
        return value.astype(product.dtype)
    # As if the slope had been kept.
    return gradient[0] * slope.astype(product.dtype)


def _by_kernel(
    choice: BiasedActivation, product: jax.Array, bias: jax.Array, *gradient: jax.Array
) -> list[jax.Array]:
    """The same, a program for so many rows and features."""
    # Slow to import, and wanted by those alone who ask for kernels.
    from jax.experimental import pallas
    from jax.experimental.pallas import triton

    rows, features = product.shape
    width, of_program = _width(features), _ROWS if gradient else _TILE
    programs = rows // of_program

    def program(*refs: Any) -> None:
        product_ref, bias_ref, *gradient_refs = refs[: len(given)]
        found_ref, *sum_refs = refs[len(given) :]
        bias = bias_ref[...][None]

        def of_tile(number: Any, total: Any) -> Any:
            tile = pallas.ds(number * _TILE, _TILE), slice(None)
            more = [ref[tile] for ref in gradient_refs]
            found = _answer(choice, product_ref[tile], bias, *more)
            found_ref[tile] = found
            return total + found.astype(jnp.float32) if gradient else total

        none = jnp.zeros((_TILE, width) if gradient else (), jnp.float32)
        total = jax.lax.fori_loop(0, of_program // _TILE, of_tile, none)
        for ref in sum_refs:
            ref[...] = total.sum(axis=0)

    given = product, bias, *gradient
    block = pallas.BlockSpec((of_program, width), lambda row, column: (row, column))
    of_bias = pallas.BlockSpec((width,), lambda row, column: (column,))
    of_sum = pallas.BlockSpec((None, width), lambda row, column: (row, column))
    sums = [jax.ShapeDtypeStruct((programs, features), jnp.float32)] * len(gradient)
    found, *partial = pallas.pallas_call(
        program,
        grid=(programs, features // width),
        in_specs=[block, of_bias, *[block] * len(gradient)],
        out_specs=[block, *[of_sum] * len(gradient)],
        out_shape=[jax.ShapeDtypeStruct(product.shape, product.dtype), *sums],
        compiler_params=triton.CompilerParams(
            num_warps=max(1, width // _OF_A_WARP), num_stages=1
        ),
        interpret=choice.interpret,
    )(*given)
    return [found, *(x.sum(axis=0) for x in partial)]
