"""Attention inside short blocks as one kernel of an NVIDIA GPU, forwards and backwards.

Stage: inside the encoder. In: the products of queries, keys and values, which still
lack their biases, the segment of every token, and what decides about dropout. Out: what
``attention.attend`` gives.

A block is short enough for a program to hold all its scores of one head. Nothing but
what the encoder keeps anyway is kept for the gradient: the probabilities are computed
again, and one program gives the gradients of queries, keys and values of its block,
where kernels for long texts (Dao et al. 2022, "FlashAttention") meet over memory.

Letters as in :mod:`~reviewintent_jax.models.attention`.
"""

import functools
import math
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from reviewintent_jax.models.dropout import keep_places

_WARPS = 8  # 32 threads each
_MOST_TOKENS = 128  # of a block whose scores fit into registers
_MOST_BYTES = 128 * 64 * 2  # of the queries of a block and head


class BlockAttention(NamedTuple):
    """What is fixed when the kernels are compiled.

    Attributes:
      rate: of dropout of the probabilities, in [0, 1).
      interpret: runs them without a GPU, slowly: for tests.
    """

    rate: float = 0.0
    interpret: bool = False


def fits_blocks(tokens: int, features: int, dtype: Any) -> bool:
    """Whether blocks of so many tokens, and heads so wide, suit the kernels.

    Both must be powers of two from 16 on, tokens at most 128, and the queries of a
    block and head no more bytes than 128 tokens of 64 features in bfloat16 have.
    """
    powers = all(size & (size - 1) == 0 for size in (tokens, features))
    size = tokens * features * jnp.dtype(dtype).itemsize
    small = tokens <= _MOST_TOKENS and size <= _MOST_BYTES
    return powers and small and min(tokens, features) >= 16


class Projected(NamedTuple):
    """Queries, keys and values ``[g, i, h, e]``, or the biases ``[h, e]`` of them."""

    query: jax.Array
    key: jax.Array
    value: jax.Array


@functools.partial(jax.custom_vjp, nondiff_argnums=(0,))
def attend_blocks(
    choice: BlockAttention,
    products: Projected,
    biases: Projected,
    segment_ids_gi: jax.Array,
    words: jax.Array,
) -> jax.Array:
    """Scaled dot-product attention of every token over its own segment.

    Reverse-mode derivatives only.

    Args:
      choice: what is fixed.
      products: ``[g, i, h, e]`` each, all of one type.
      biases: ``[h, e]`` each, added to them in the same type.
      segment_ids_gi: segments of the tokens of each block, 0 = padding.
      words: uint32 ``[2]``, which decide what is dropped (``dropout.key_words``); the
        same numbers are dropped as by ``attention.attend`` and ``dropout.kept``.

    Returns:
      ``[g, i, h, e]`` in the type of the products; zeros where a token is padding.
    """
    given = segment_ids_gi, words, biases, products
    return _call(choice, _forward_block, given, 1)[0]


def _forward(choice, products, biases, segments, words):
    found = attend_blocks(choice, products, biases, segments, words)
    return found, (segments, words, biases, products)


def _backward(choice, saved, gradient):
    segments, words, biases, products = saved
    gradient = gradient.astype(products.value.dtype)
    given = segments, words, biases, (*products, gradient)
    of_products = Projected(*_call(choice, _backward_block, given, 3))
    of_biases = Projected(*(x.sum((0, 1), dtype=x.dtype) for x in of_products))
    return of_products, of_biases, None, None


attend_blocks.defvjp(_forward, _backward)


def _call(
    choice: BlockAttention, block: Any, given: tuple, results: int
) -> list[jax.Array]:
    """Runs ``block`` for every block and head; as a kernel, where there are kernels."""
    kernels = functools.partial(_by_kernel, choice, block, results)
    if choice.interpret:
        return kernels(*given)
    plainly = functools.partial(_plainly, choice, block)
    return jax.lax.platform_dependent(*given, cuda=kernels, default=plainly)


def _plainly(
    choice: BlockAttention,
    block: Any,
    segments: jax.Array,
    words: Any,
    biases: Projected,
    given: tuple,
) -> list[jax.Array]:
    """The same by XLA."""
    _, tokens, heads, _ = given[0].shape

    def one(place: Any, segment: jax.Array, biases: list, inputs: list) -> list:
        kept = None
        if choice.rate:
            kept = _kept(choice.rate, words, place.astype(jnp.uint32), tokens)
        found = block(inputs, biases, segment, kept)
        return [x.astype(inputs[0].dtype) for x in found]

    of_heads = jax.vmap(one, in_axes=(0, None, 0, 1), out_axes=1)
    of_blocks = jax.vmap(of_heads, in_axes=(0, 0, None, 0))
    places = jnp.arange(segments.shape[0] * heads).reshape(-1, heads)
    return of_blocks(places, segments, list(biases), list(given))


def _by_kernel(
    choice: BlockAttention,
    block: Any,
    results: int,
    segments: jax.Array,
    words: jax.Array,
    biases: Projected,
    given: tuple,
) -> list[jax.Array]:
    """The same, a program for every block and head."""
    # Slow to import, and wanted by those alone who ask for kernels.
    from jax.experimental import pallas
    from jax.experimental.pallas import triton

    blocks, tokens, heads, features = given[0].shape
    tile = pallas.BlockSpec((None, tokens, None, features), lambda g, h: (g, 0, h, 0))
    bias = pallas.BlockSpec((None, features), lambda g, h: (h, 0))
    ids = pallas.BlockSpec((None, tokens), lambda g, h: (g, 0))
    whole = pallas.BlockSpec((2,), lambda g, h: (0,))

    def program(segment_ref: Any, words_ref: Any, *refs: Any) -> None:
        kept = None
        if choice.rate:
            place = pallas.program_id(0) * heads + pallas.program_id(1)
            kept = _kept(choice.rate, words_ref, place.astype(jnp.uint32), tokens)
        inputs = refs[3 : 3 + len(given)]
        found = block(inputs, refs[:3], segment_ref, kept)
        for ref, x in zip(refs[3 + len(given) :], found, strict=True):
            ref[...] = x.astype(ref.dtype)

    call = pallas.pallas_call(
        program,
        grid=(blocks, heads),
        in_specs=[ids, whole, *[bias] * 3, *[tile] * len(given)],
        out_specs=[tile] * results,
        out_shape=[jax.ShapeDtypeStruct(given[0].shape, given[0].dtype)] * results,
        compiler_params=triton.CompilerParams(num_warps=_WARPS, num_stages=1),
        interpret=choice.interpret,
    )
    return list(call(segments, words, *biases, *given))


def _kept(rate: float, words_ref: Any, place: jax.Array, tokens: int) -> jax.Array:
    """Dropout of block and head number ``place``: as ``dropout.kept`` of all."""
    row = jax.lax.broadcasted_iota(jnp.uint32, (tokens, tokens), 0)
    column = jax.lax.broadcasted_iota(jnp.uint32, (tokens, tokens), 1)
    places = (place * jnp.uint32(tokens) + row) * jnp.uint32(tokens) + column
    return keep_places(places, words_ref[0], words_ref[1], rate)


def _product(x: jax.Array, y: jax.Array, axes: tuple[int, int]) -> jax.Array:
    """Sum over an axis of each, float32."""
    numbers = ((axes[0],), (axes[1],)), ((), ())
    return jax.lax.dot_general(x, y, numbers, preferred_element_type=jnp.float32)


def _biased(inputs: Any, biases: Any, number: int) -> jax.Array:
    """One of queries, keys and values; read here, late, so that no register waits."""
    return inputs[number][...] + biases[number][...][None]


def _exponents(
    query: jax.Array, key: jax.Array, segment: Any
) -> tuple[jax.Array, jax.Array]:
    """Shares of the keys before they sum to 1, and what each row is multiplied by."""
    score = _product(query, key, (1, 1)) * (1 / math.sqrt(query.shape[-1]))
    segment = segment[...]
    score = jnp.where(segment[:, None] == segment[None, :], score, -1e30)
    exponent = jnp.exp(score - jnp.max(score, axis=1)[:, None])
    # Padding sees padding up to here.
    return exponent, jnp.where(segment > 0, 1 / jnp.sum(exponent, axis=1), 0.0)


def _forward_block(
    inputs: Any, biases: Any, segment: Any, kept: jax.Array | None
) -> list[jax.Array]:
    query, key = (_biased(inputs, biases, number) for number in (0, 1))
    exponent, share = _exponents(query, key, segment)
    if kept is not None:
        exponent *= kept
    value = _biased(inputs, biases, 2)
    return [_product(exponent.astype(value.dtype), value, (1, 0)) * share[:, None]]


def _backward_block(
    inputs: Any, biases: Any, segment: Any, kept: jax.Array | None
) -> list[jax.Array]:
    query, key = (_biased(inputs, biases, number) for number in (0, 1))
    exponent, share = _exponents(query, key, segment)
    # In the type of the queries: half the registers of float32.
    probability = (exponent * share[:, None]).astype(query.dtype)
    gradient = inputs[3][...]
    dropped = probability if kept is None else _dropped(probability, kept)
    of_value = _product(dropped, gradient, (0, 0))
    of_share = _product(gradient, _biased(inputs, biases, 2), (1, 1))
    if kept is not None:
        of_share *= kept
    probability = probability.astype(jnp.float32)
    mean = jnp.sum(probability * of_share, axis=1)
    scale = 1 / math.sqrt(query.shape[-1])
    of_score = (probability * (of_share - mean[:, None]) * scale).astype(query.dtype)
    of_query = _product(of_score, key, (1, 0))
    return [of_query, _product(of_score, query, (0, 0)), of_value]


def _dropped(probability: jax.Array, kept: jax.Array) -> jax.Array:
    return (probability.astype(jnp.float32) * kept).astype(probability.dtype)
