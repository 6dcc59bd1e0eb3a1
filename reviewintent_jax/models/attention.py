"""Multi-head attention inside segments of packed pages.

In: queries, keys and values of blocks of tokens, and the segment of every token.
Out: for every token the mean of its own segment's values, weighted by attention.

Letters beside the axis alphabet: ``g`` block of tokens, ``i`` query token and ``j`` key
token inside a block, ``e`` feature inside one head.
"""

import math

import jax
import jax.numpy as jnp

_HIDDEN = -1e30
"""Added to the score of a key that is hidden: its exponential is exactly 0."""


def segment_mask(segment_ids_gi: jax.Array) -> jax.Array:
    """Which token may look at which: bool ``[g, i, j]``.

    Both must carry the same segment id, and 0 (padding) matches nothing::

        segment ids     1 1 2 0
        token 0 sees    x x . .
        token 1 sees    x x . .
        token 2 sees    . . x .
        token 3 sees    . . . .      padding attends to nothing and is attended by none
    """
    query, key = segment_ids_gi[:, :, None], segment_ids_gi[:, None, :]
    return (query == key) & (query > 0)


def attend(
    query_ghie: jax.Array,
    key_ghje: jax.Array,
    value_ghje: jax.Array,
    mask_gij: jax.Array,
    kept_ghij: jax.Array | None,
) -> jax.Array:
    """Scaled dot-product attention (Vaswani et al. 2017, eq. 1) under a mask.

    Scores and softmax are float32 whatever the type of the inputs. A query with no
    allowed key gets zeros, so padding stays finite and reads nobody.

    The backward pass is written out, so that of all ``[g, h, i, j]`` arrays only the
    exponentials (and dropout) are kept. Reverse-mode derivatives only.

    Args:
      query_ghie: queries.
      key_ghje: keys.
      value_ghje: values.
      mask_gij: True where token i may look at token j. A token that may look at any
        may look at itself (:func:`segment_mask`).
      kept_ghij: dropout of the probabilities: 0 where dropped, 1 / (1 - rate) where
        kept; None for no dropout.

    Returns:
      ``[g, h, i, e]`` in the type of the values.
    """
    return _attend(query_ghie, key_ghje, value_ghje, mask_gij, kept_ghij)


def _attend_forward(query_ghie, key_ghje, value_ghje, mask_gij, kept_ghij):
    # The softmax's division comes after the product, on fewer numbers; whatever looks
    # at the mask again comes after the division. So XLA makes few loops of it all.
    dtype = value_ghje.dtype
    scale = jnp.float32(1 / math.sqrt(query_ghie.shape[-1]))
    query_ghie, mask_gij, scale = _own(query_ghie, mask_gij, scale)
    scores_ghij = jnp.einsum(
        "ghie,ghje->ghij", query_ghie, key_ghje, preferred_element_type=jnp.float32
    )
    masked = scores_ghij * scale + jnp.where(mask_gij, 0, _HIDDEN)[:, None]
    exponential = jnp.exp(masked - masked.max(axis=-1, keepdims=True))
    total_ghix = exponential.sum(axis=-1, keepdims=True)
    exponential = exponential.astype(dtype)
    kept = _dropped(exponential, kept_ghij)
    context = jnp.einsum(
        "ghij,ghje->ghie", kept, value_ghje, preferred_element_type=jnp.float32
    )
    reads_ghix = jnp.diagonal(mask_gij, axis1=1, axis2=2)[:, None, :, None]
    context = jnp.where(reads_ghix, context / total_ghix, 0).astype(dtype)
    share_ghix = jnp.where(reads_ghix, 1 / total_ghix, 0)
    saved = exponential, share_ghix, context
    return context, (query_ghie, key_ghje, value_ghje, kept_ghij, *saved)


def _attend_backward(residuals, grad_ghie):
    query_ghie, key_ghje, value_ghje, kept_ghij, exponential, share_ghix, context = (
        residuals
    )
    dtype = value_ghje.dtype
    scale = 1 / math.sqrt(query_ghie.shape[-1])
    # Each row's share goes to its gradient: the same products, over fewer numbers.
    grad_ghie = (grad_ghie * share_ghix).astype(dtype)
    grad_kept = jnp.einsum(
        "ghie,ghje->ghij", grad_ghie, value_ghje, preferred_element_type=jnp.float32
    )
    # Of a row: sum over j of probability times its gradient (Dao et al. 2022, eq. 4).
    mean_ghix = (grad_ghie.astype(jnp.float32) * context).sum(axis=-1, keepdims=True)
    grad_score = exponential * (_dropped(grad_kept, kept_ghij) - mean_ghix)
    # The products read what stands behind the barrier: made once, on all cores.
    grad_score, kept = jax.lax.optimization_barrier(
        (grad_score.astype(dtype), _dropped(exponential, kept_ghij))
    )
    return (
        jnp.einsum("ghij,ghje->ghie", grad_score, key_ghje * scale).astype(dtype),
        jnp.einsum("ghij,ghie->ghje", grad_score, query_ghie * scale).astype(dtype),
        jnp.einsum("ghij,ghie->ghje", kept, grad_ghie),
        None,
        None,
    )


def _own(query_ghie: jax.Array, *shared: jax.Array) -> list[jax.Array]:
    """The same arrays, of which a layer does not know that others have them too.

    On a CPU XLA would otherwise spread the mask and the scale over ``[g, h, i, j]``
    once for all layers, and each would read both from memory.
    """
    return jax.lax.platform_dependent(
        query_ghie,
        *shared,
        cpu=lambda *arrays: list(jax.lax.optimization_barrier(arrays)),
        default=lambda *arrays: list(arrays),
    )


def _dropped(x_ghij: jax.Array, kept_ghij: jax.Array | None) -> jax.Array:
    return x_ghij if kept_ghij is None else (x_ghij * kept_ghij).astype(x_ghij.dtype)


_attend = jax.custom_vjp(lambda *args: _attend_forward(*args)[0])
_attend.defvjp(_attend_forward, _attend_backward)
