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
from reviewintent_jax.models.own_rows import from_row, on_own_rows

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


@functools.partial(jax.custom_vjp, nondiff_argnums=(0,))
def attend_blocks(
    choice: BlockAttention,
    product_gi3he: jax.Array,
    bias_3he: jax.Array,
    segment_ids_gi: jax.Array,
    words: jax.Array,
) -> jax.Array:
    """Scaled dot-product attention of every token over its own segment.

    Reverse-mode derivatives only.

    Args:
      choice: what is fixed.
      product_gi3he: queries, keys and values of every token.
      bias_3he: added to them, of the same type.
      segment_ids_gi: segments of the tokens of each block, 0 = padding.
      words: uint32 ``[2]``, which decide what is dropped (``dropout.key_words``); the
        same numbers are dropped as by ``attention.attend`` and ``dropout.kept``.

    Returns:
      ``[g, i, h, e]`` in the type of the product; zeros where a token is padding.
    """
    return _call(choice, segment_ids_gi, words, bias_3he, product_gi3he)


def _forward(choice, product, bias, segments, words):
    found = attend_blocks(choice, product, bias, segments, words)
    return found, (segments, words, bias, product)


def _backward(choice, saved, gradient):
    product = saved[-1]
    of_product = _call(choice, *saved, gradient.astype(product.dtype))
    return of_product, of_product.sum((0, 1), dtype=product.dtype), None, None


attend_blocks.defvjp(_forward, _backward)


def _call(choice: BlockAttention, *given: jax.Array) -> jax.Array:
    """Attention, or its gradient where one is given: a block and head at a time."""

    def kernel(*given: jax.Array) -> jax.Array:
        cut = 0, None, None, 0, *[0] * (len(given) - 4)
        run = functools.partial(_by_kernel, choice)
        return on_own_rows(run, given, cut=cut, found=(0,))[0]

    if choice.interpret:
        return kernel(*given)
    plainly = functools.partial(_plainly, choice)
    return jax.lax.platform_dependent(*given, cuda=kernel, default=plainly)


def _plainly(
    choice: BlockAttention,
    segments: jax.Array,
    words: jax.Array,
    bias: jax.Array,
    product: jax.Array,
    *gradient: jax.Array,
) -> jax.Array:
    """The same by XLA."""
    _, tokens, _, heads, _ = product.shape
    backwards = len(gradient)

    def one(place: Any, segment: Any, bias: Any, product: Any, *gradient: Any) -> Any:
        kept = None
        if choice.rate:
            kept = _kept(choice.rate, words, place.astype(jnp.uint32), tokens)
        found = _block(product, bias, segment, kept, *gradient)
        found = jnp.stack(found, axis=1) if backwards else found[0]
        return found.astype(product.dtype)

    axes = (0, None, 1, 2, *[1] * backwards)
    of_heads = jax.vmap(one, in_axes=axes, out_axes=1 + backwards)
    of_blocks = jax.vmap(of_heads, in_axes=(0, 0, None, 0, *[0] * backwards))
    places = jnp.arange(segments.shape[0] * heads).reshape(-1, heads)
    return of_blocks(places, segments, bias, product, *gradient)


def _by_kernel(
    choice: BlockAttention,
    first: jax.Array,
    segments: jax.Array,
    words: jax.Array,
    bias: jax.Array,
    product: jax.Array,
    *gradient: jax.Array,
) -> list[jax.Array]:
    """The same, a program for every block and head; ``first`` numbers the blocks."""
    # Slow to import, and wanted by those alone who ask for kernels.
    from jax.experimental import pallas
    from jax.experimental.pallas import triton

    blocks, tokens, _, heads, size = product.shape
    all_three = pallas.BlockSpec(
        (None, tokens, 3, None, size), lambda g, h: (g, 0, 0, h, 0)
    )
    tile = pallas.BlockSpec((None, tokens, None, size), lambda g, h: (g, 0, h, 0))
    of_bias = pallas.BlockSpec((3, None, size), lambda g, h: (0, h, 0))
    ids = pallas.BlockSpec((None, tokens), lambda g, h: (g, 0))
    whole = pallas.BlockSpec((4,), lambda g, h: (0,))

    def program(segment_ref: Any, words_ref: Any, *refs: Any) -> None:
        bias_ref, product_ref, *gradient_refs, found_ref = refs
        kept = None
        if choice.rate:
            block = words_ref[2] + pallas.program_id(0).astype(jnp.uint32)
            head = pallas.program_id(1).astype(jnp.uint32)
            place = block * jnp.uint32(heads) + head
            kept = _kept(choice.rate, words_ref, place, tokens)
        found = _block(product_ref, bias_ref, segment_ref, kept, *gradient_refs)
        if not gradient:
            found_ref[...] = found[0].astype(found_ref.dtype)
            return
        for number, x in enumerate(found):
            found_ref[:, number, :] = x.astype(found_ref.dtype)

    shape = product.shape if gradient else (blocks, tokens, heads, size)
    call = pallas.pallas_call(
        program,
        grid=(blocks, heads),
        in_specs=[ids, whole, of_bias, all_three, *[tile] * len(gradient)],
        out_specs=all_three if gradient else tile,
        out_shape=jax.ShapeDtypeStruct(shape, product.dtype),
        compiler_params=triton.CompilerParams(num_warps=_WARPS, num_stages=1),
        interpret=choice.interpret,
    )
    return [call(segments, from_row(words, first), bias, product, *gradient)]


def _block(product: Any, bias: Any, segment: Any, kept: Any, *gradient: Any) -> list:
    """Attention of one block and head, or the gradients of queries, keys and values."""
    if not gradient:
        return _forward_block(product, bias, segment, kept)
    return _backward_block(product, bias, segment, kept, *gradient)


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


def _biased(product: Any, bias: Any, number: int) -> jax.Array:
    """One of queries, keys and values; read here, late, so that no register waits."""
    return product[:, number, :] + bias[number, :][None]


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
    product: Any, bias: Any, segment: Any, kept: jax.Array | None
) -> list[jax.Array]:
    query, key = (_biased(product, bias, number) for number in (0, 1))
    exponent, share = _exponents(query, key, segment)
    if kept is not None:
        exponent *= kept
    value = _biased(product, bias, 2)
    return [_product(exponent.astype(value.dtype), value, (1, 0)) * share[:, None]]


def _backward_block(
    product: Any, bias: Any, segment: Any, kept: jax.Array | None, gradient: Any
) -> list[jax.Array]:
    query, key = (_biased(product, bias, number) for number in (0, 1))
    exponent, share = _exponents(query, key, segment)
    # In the type of the queries: half the registers of float32.
    probability = (exponent * share[:, None]).astype(query.dtype)
    gradient = gradient[...]
    dropped = probability if kept is None else _dropped(probability, kept)
    of_value = _product(dropped, gradient, (0, 0))
    of_share = _product(gradient, _biased(product, bias, 2), (1, 1))
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
