"""Attention inside segments by the kernels of a GPU, beside our own on any device.

In: queries, keys and values of blocks of tokens, and the segment of every token. Out:
what ``attention.attend`` returns, up to rounding; zeros where a token is padding. Which
path is the fastest differs by device: ``launch/gpu_benchmark.py`` measures them, and
holds each to the test that a neighbour's tokens change nothing.
"""

import math
from typing import Any

import jax
import jax.numpy as jnp

from reviewintent_jax.models.attention import segment_mask
from reviewintent_jax.models.encoder_spec import AttentionPath


def attend_by(
    path: AttentionPath,
    query_ghie: jax.Array,
    key_ghje: jax.Array,
    value_ghje: jax.Array,
    segment_ids_gi: jax.Array,
    *,
    interpret: bool = False,
) -> jax.Array:
    """Scaled dot-product attention of every token over its own segment; no dropout.

    Args:
      path: any but ``xla``.
      query_ghie: queries; bfloat16 for cuDNN.
      key_ghje: keys.
      value_ghje: values.
      segment_ids_gi: segments of the tokens of each block, 0 = padding. For
        ``cudnn_lengths`` a block must hold one segment at most, at its beginning: this
        path knows lengths and no segments, and would let others leak.
      interpret: runs the Pallas kernel without a GPU, slowly: for tests.

    Returns:
      ``[g, h, i, e]`` in the type of the values.
    """
    # All three want the heads after the tokens.
    rows = [x.swapaxes(1, 2) for x in (query_ghie, key_ghje, value_ghje)]
    scale = 1 / math.sqrt(query_ghie.shape[-1])
    filled_gi = segment_ids_gi > 0
    if path is AttentionPath.PALLAS:
        # Imported here: it needs Triton's part of jax, which not every device has.
        from jax.experimental.pallas.ops.gpu.attention import mha

        found: Any = mha(*rows, segment_ids_gi, sm_scale=scale, interpret=interpret)
    elif path is AttentionPath.CUDNN_LENGTHS:
        length_g = filled_gi.sum(axis=-1, dtype=jnp.int32)
        found = jax.nn.dot_product_attention(
            *rows,
            scale=scale,
            query_seq_lengths=length_g,
            key_value_seq_lengths=length_g,
            implementation="xla" if interpret else "cudnn",
        )
    else:
        found = jax.nn.dot_product_attention(
            *rows,
            scale=scale,
            mask=segment_mask(segment_ids_gi)[:, None],
            implementation="xla" if interpret else "cudnn",
        )
    kept_gihe = jnp.where(filled_gi[:, :, None, None], found, 0)
    return kept_gihe.swapaxes(1, 2).astype(value_ghje.dtype)
