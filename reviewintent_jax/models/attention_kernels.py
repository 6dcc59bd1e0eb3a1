"""Attention inside short blocks as one kernel of an NVIDIA GPU, forwards and backwards.

Stage: inside the encoder. In: queries, keys and values as its dense layers leave them,
the segment of every token, and what decides about dropout. Out: what
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
_TINY = 1e-30


class BlockAttention(NamedTuple):
    """What is fixed when the kernels are compiled.

    Attributes:
      rate: of dropout of the probabilities, in [0, 1).
      interpret: runs them without a GPU, slowly: for tests.
    """

    rate: float = 0.0
    interpret: bool = False


def fits_blocks(tokens: int, features: int) -> bool:
    """Whether blocks of so many tokens, and heads so wide, suit the kernels."""
    powers = all(size & (size - 1) == 0 for size in (tokens, features))
    return powers and 16 <= tokens <= _MOST_TOKENS and 16 <= features <= 128


@functools.partial(jax.custom_vjp, nondiff_argnums=(0,))
def attend_blocks(
    choice: BlockAttention,
    query_gihe: jax.Array,
    key_gjhe: jax.Array,
    value_gjhe: jax.Array,
    segment_ids_gi: jax.Array,
    words: jax.Array,
) -> jax.Array:
    """Scaled dot-product attention of every token over its own segment.

    Args:
      choice: what is fixed.
      query_gihe: queries.
      key_gjhe: keys.
      value_gjhe: values, all of one type and shape.
      segment_ids_gi: segments of the tokens of each block, 0 = padding.
      words: uint32 ``[2]``, which decide what is dropped (``dropout.key_words``); the
        same numbers are dropped as by ``attention.attend`` and ``dropout.kept``.

    Returns:
      ``[g, i, h, e]`` in the type of the values; zeros where a token is padding.
    """
    given = query_gihe, key_gjhe, value_gjhe
    return _call(choice, _forward_block, given, segment_ids_gi, words, 1)[0]


def _forward(choice, query, key, value, segments, words):
    found = attend_blocks(choice, query, key, value, segments, words)
    return found, (query, key, value, segments, words)


def _backward(choice, saved, gradient):
    *given, segments, words = saved
    given = *given, gradient.astype(given[2].dtype)
    return *_call(choice, _backward_block, given, segments, words, 3), None, None


attend_blocks.defvjp(_forward, _backward)


def _call(
    choice: BlockAttention,
    block: Any,
    given: tuple,
    segments: jax.Array,
    words: jax.Array,
    results: int,
) -> list[jax.Array]:
    """Runs ``block`` for every block and head; as a kernel, where there are kernels."""
    kernels = functools.partial(_by_kernel, choice, block, results)
    if choice.interpret:
        return kernels(given, segments, words)
    plainly = functools.partial(_plainly, choice, block)
    return jax.lax.platform_dependent(
        given, segments, words, cuda=kernels, default=plainly
    )


def _plainly(
    choice: BlockAttention, block: Any, given: tuple, segments: jax.Array, words: Any
) -> list[jax.Array]:
    """The same by XLA."""
    _, tokens, heads, _ = given[0].shape

    def one(place: jax.Array, segment: jax.Array, inputs: list) -> list:
        kept = None
        if choice.rate:
            kept = _kept(choice.rate, words, place.astype(jnp.uint32), tokens)
        return [x.astype(inputs[0].dtype) for x in block(inputs, _seen(segment), kept)]

    of_heads = jax.vmap(one, in_axes=(0, None, 1), out_axes=1)
    places = jnp.arange(segments.shape[0] * heads).reshape(-1, heads)
    return jax.vmap(of_heads)(places, segments, list(given))


def _by_kernel(
    choice: BlockAttention,
    block: Any,
    results: int,
    given: tuple,
    segments: jax.Array,
    words: jax.Array,
) -> list[jax.Array]:
    """The same, a program for every block and head."""
    from jax.experimental import pallas  # needs parts that not every device has
    from jax.experimental.pallas import triton

    blocks, tokens, heads, features = given[0].shape
    tile = pallas.BlockSpec((None, tokens, None, features), lambda g, h: (g, 0, h, 0))
    ids = pallas.BlockSpec((None, tokens), lambda g, h: (g, 0))
    whole = pallas.BlockSpec((2,), lambda g, h: (0,))

    def program(segment_ref: Any, words_ref: Any, *refs: Any) -> None:
        inputs, outputs = refs[: len(given)], refs[len(given) :]
        kept = None
        if choice.rate:
            place = pallas.program_id(0) * heads + pallas.program_id(1)
            kept = _kept(choice.rate, words_ref, place.astype(jnp.uint32), tokens)
        found = block([ref[...] for ref in inputs], _seen(segment_ref[...]), kept)
        for ref, x in zip(outputs, found, strict=True):
            ref[...] = x.astype(ref.dtype)

    call = pallas.pallas_call(
        program,
        grid=(blocks, heads),
        in_specs=[ids, whole, *[tile] * len(given)],
        out_specs=[tile] * results,
        out_shape=[jax.ShapeDtypeStruct(given[0].shape, given[0].dtype)] * results,
        compiler_params=triton.CompilerParams(num_warps=_WARPS, num_stages=1),
        interpret=choice.interpret,
    )
    return list(call(segments, words, *given))


def _seen(segment: jax.Array) -> jax.Array:
    """Which token ``[i, j]`` of a block may look at which."""
    return (segment[:, None] == segment[None, :]) & (segment[:, None] > 0)


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


def _probability(query: jax.Array, key: jax.Array, seen: jax.Array) -> jax.Array:
    score = _product(query, key, (1, 1)) * (1 / math.sqrt(query.shape[-1]))
    score = jnp.where(seen, score, -1e30)
    top = jnp.max(score, axis=1)
    exponent = jnp.where(seen, jnp.exp(score - top[:, None]), 0.0)
    return exponent / jnp.maximum(jnp.sum(exponent, axis=1), _TINY)[:, None]


def _forward_block(given: list, seen: jax.Array, kept: jax.Array | None) -> list:
    query, key, value = given
    probability = _probability(query, key, seen)
    share = probability if kept is None else probability * kept
    return [_product(share.astype(value.dtype), value, (1, 0))]


def _backward_block(given: list, seen: jax.Array, kept: jax.Array | None) -> list:
    query, key, value, gradient = given
    dtype = value.dtype
    probability = _probability(query, key, seen)
    of_share = _product(gradient, value, (1, 1))
    share = probability
    if kept is not None:
        share, of_share = probability * kept, of_share * kept
    mean = jnp.sum(probability * of_share, axis=1)
    scale = 1 / math.sqrt(query.shape[-1])
    of_score = (probability * (of_share - mean[:, None]) * scale).astype(dtype)
    return [
        _product(of_score, key, (1, 0)),
        _product(of_score, query, (0, 0)),
        _product(share.astype(dtype), gradient, (0, 0)),
    ]
