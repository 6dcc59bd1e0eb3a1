"""Where a kernel was asked for and sizes do not suit it.

In: specs. Out: a line for people for each place that is computed without the kernel.
"""

from typing import Any

import jax
import jax.numpy as jnp

from reviewintent_jax.models.attention_kernels import fits_blocks
from reviewintent_jax.models.encoder_spec import AttentionPath, EncoderSpec
from reviewintent_jax.models.lstnet_spec import Fusion, LSTNetSpec
from reviewintent_jax.models.scan_kernels import fits_kernel
from reviewintent_jax.models.scans import GateFusion


def unused_attention(spec: EncoderSpec, block_tokens: int) -> list[str]:
    """Why the encoder's attention does without its kernel; nothing where it does not.

    Args:
      spec: of the encoder.
      block_tokens: what attention spans.
    """
    size = spec.hidden_size // spec.num_heads
    asked = spec.attention is AttentionPath.KERNEL
    if not asked or fits_blocks(block_tokens, size, spec.dtype):
        return []
    return [
        f"encoder.attention=kernel does not suit chunks of {block_tokens} tokens and "
        f"heads of {size} features in {spec.dtype}: attention is computed as by xla."
    ]


def unused_scans(where: str, spec: LSTNetSpec, dtype: Any) -> list[str]:
    """Why layers of an LSTNet do without their kernel; nothing where they do not.

    Args:
      where: the LSTNet's group of settings, such as ``lstnet``.
      spec: of the LSTNet.
      dtype: of its matrix products.
    """
    if spec.gate_fusion is not GateFusion.KERNEL:
        return []
    trend = spec.fusion is Fusion.TREND
    states = {spec.recurrent_features: 4 if trend else 3}
    if spec.fusion is Fusion.SKIP and spec.skip_period:
        states[spec.skip_features] = 3
    return [
        f"{where}.gate_fusion=kernel does not suit states of {size} features in "
        f"{jnp.dtype(dtype).name}: they are scanned as by separate."
        for size, gates in states.items()
        if not _fits(size, gates, dtype)
    ]


def _fits(size: int, gates: int, dtype: Any) -> bool:
    matrices = [jax.ShapeDtypeStruct((size, size), jnp.dtype(dtype))] * gates
    return fits_kernel(matrices, size)
