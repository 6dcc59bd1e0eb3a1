"""Kernels that were asked for and are not used are said."""

import dataclasses

import jax.numpy as jnp
import pytest

from reviewintent_jax.benchmark.gpu_plan import full_plan
from reviewintent_jax.models.encoder_spec import AttentionPath, EpiloguePath
from reviewintent_jax.models.kernel_sizes import (
    unused_in_encoder,
    unused_kernels,
    unused_scans,
)
from reviewintent_jax.models.lstnet_spec import Fusion
from reviewintent_jax.models.recurrent import GateFusion

PLAN = (
    full_plan()
    .with_attention(AttentionPath.KERNEL)
    .with_epilogues(EpiloguePath.KERNEL)
    .with_scan(GateFusion.KERNEL, 1)
)


def test_the_sizes_that_were_measured_are_used():
    assert unused_in_encoder(PLAN.encoder, 128) == []
    assert unused_scans("lstnet", PLAN.lstnet, jnp.bfloat16) == []


def test_kernels_are_said_where_there_is_no_gpu():
    lstnets = {"lstnet": PLAN.lstnet, "history.lstnet": full_plan().lstnet}
    (line,) = unused_kernels(PLAN.encoder, lstnets, "float32", 128)
    asked = "encoder.attention, encoder.epilogues, lstnet.gate_fusion: kernels are for"
    assert line.startswith(asked)
    plain = full_plan()
    alone = {"lstnet": plain.lstnet}
    assert unused_kernels(plain.encoder, alone, "float32", 128) == []
    assert unused_kernels(None, {}, "float32") == []


def test_sizes_that_do_not_suit_are_said_where_there_is_a_gpu(monkeypatch):
    monkeypatch.setattr("jax.default_backend", lambda: "gpu")
    odd = dataclasses.replace(PLAN.lstnet, recurrent_features=1_000)
    lines = unused_kernels(PLAN.encoder, {"lstnet": odd}, "float32", 128)
    assert any(line.startswith("lstnet.gate_fusion=kernel") for line in lines)
    assert not any("there is none" in line for line in lines)


def test_long_chunks_are_said():
    (line,) = unused_in_encoder(PLAN.encoder, 256)
    assert "256 tokens" in line


def test_features_that_epilogues_do_not_suit_are_said():
    spec = dataclasses.replace(PLAN.encoder, hidden_size=1_536, num_heads=24)
    (line,) = unused_in_encoder(spec, 128)
    assert "1536 features" in line


def test_what_asks_for_no_kernel_says_nothing():
    plan = full_plan()
    assert unused_in_encoder(plan.encoder, 256) == []
    assert unused_scans("lstnet", plan.lstnet, jnp.float32) == []


@pytest.mark.parametrize(
    ("changes", "dtype", "said"),
    [
        ({}, jnp.float32, ["128 features in float32"]),
        ({"recurrent_features": 100}, jnp.bfloat16, ["100 features in bfloat16"]),
        ({"skip_features": 10}, jnp.bfloat16, ["10 features in bfloat16"]),
        ({"skip_features": 10, "skip_period": 0}, jnp.bfloat16, []),
        ({"fusion": Fusion.TREND}, jnp.bfloat16, ["128 features in bfloat16"]),
        ({"fusion": Fusion.TREND, "recurrent_features": 64}, jnp.bfloat16, []),
    ],
)
def test_states_that_do_not_fit_are_said(changes, dtype, said):
    lines = unused_scans("lstnet", dataclasses.replace(PLAN.lstnet, **changes), dtype)
    assert len(lines) == len(said)
    assert all(words in line for words, line in zip(said, lines, strict=True))
