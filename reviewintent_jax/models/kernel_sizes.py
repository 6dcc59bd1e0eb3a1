"""Where a kernel was asked for and is not used: no GPU, or sizes do not suit it.

In: specs. Out: a line for people for each place that is computed without the kernel.
"""

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp

from reviewintent_jax.models.attention_kernels import fits_blocks
from reviewintent_jax.models.encoder_spec import (
    AttentionPath,
    EncoderSpec,
    EpiloguePath,
)
from reviewintent_jax.models.lstnet_spec import Fusion, LSTNetSpec
from reviewintent_jax.models.norm_kernels import fits_rows
from reviewintent_jax.models.scan_kernels import fits_kernel
from reviewintent_jax.models.scans import GateFusion


def unused_kernels(
    encoder: EncoderSpec | None,
    lstnets: Mapping[str, LSTNetSpec],
    dtype: Any,
    block_tokens: int = 0,
) -> list[str]:
    """A line for each kernel that was asked for and is not used here, and why.

    Args:
      encoder: spec of the encoder, if there is one.
      lstnets: groups of settings, such as ``lstnet``, and their specs.
      dtype: of the LSTNets' matrix products.
      block_tokens: what attention spans.
    """
    if jax.default_backend() != "gpu":
        return unused_without_gpu(encoder, lstnets)
    found = [] if encoder is None else unused_in_encoder(encoder, block_tokens)
    for where, spec in lstnets.items():
        found += unused_scans(where, spec, dtype)
    return found


def unused_without_gpu(
    encoder: EncoderSpec | None, lstnets: Mapping[str, LSTNetSpec]
) -> list[str]:
    """A line where kernels were asked for and there is no GPU; else nothing.

    Args:
      encoder: spec of the encoder, if there is one.
      lstnets: groups of settings, such as ``lstnet``, and their specs.
    """
    asked = []
    if encoder is not None and encoder.attention is AttentionPath.KERNEL:
        asked.append("encoder.attention")
    if encoder is not None and encoder.epilogues is EpiloguePath.KERNEL:
        asked.append("encoder.epilogues")
    for where, spec in lstnets.items():
        if spec.gate_fusion is GateFusion.KERNEL:
            asked.append(f"{where}.gate_fusion")
    if not asked:
        return []
    return [
        f"{', '.join(asked)}: kernels are for NVIDIA GPUs, and there is none; the same "
        "is computed as by xla and separate."
    ]


def unused_in_encoder(spec: EncoderSpec, block_tokens: int) -> list[str]:
    """Why the encoder does without its kernels; nothing where it does not.

    Args:
      spec: of the encoder.
      block_tokens: what attention spans.
    """
    found, size = [], spec.hidden_size // spec.num_heads
    attends = spec.attention is AttentionPath.KERNEL
    if attends and not fits_blocks(block_tokens, size, spec.dtype):
        found.append(
            f"encoder.attention=kernel does not suit chunks of {block_tokens} tokens "
            f"and heads of {size} features in {spec.dtype}: attention is computed as "
            "by xla."
        )
    ends = spec.epilogues is EpiloguePath.KERNEL
    if ends and not fits_rows(spec.hidden_size):
        found.append(
            f"encoder.epilogues=kernel does not suit {spec.hidden_size} features: the "
            "ends of sub-layers are computed as by xla."
        )
    return found


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
