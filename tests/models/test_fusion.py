import dataclasses

import jax
import numpy as np
import pytest
from lstnet_cases import (
    FEATURES,
    OTHERS,
    VALID_SPEC,
    forward,
    random,
    slots,
    variables_of,
)

from reviewintent_jax.models.lstnet_spec import Padding
from reviewintent_jax.models.recurrent import Candidate


@pytest.mark.parametrize("padding", list(Padding))
def test_attention_weighs_the_steps_of_its_own_slot_alone(padding):
    spec = dataclasses.replace(OTHERS[0], padding=padding)
    variables, x = variables_of(spec), random(1, 16, FEATURES)
    start, length = [1, 9, 14], [7, 5, 2]
    out = forward(spec, variables, x, *slots(start, length))
    lost = 0 if padding is Padding.CAUSAL else 4
    states = np.asarray(out.recurrent_btr[0])
    for k in range(3):
        steps = range(start[k] + lost, start[k] + length[k])
        weights = np.zeros(16)
        if steps:
            scores = states[steps] @ states[steps[-1]] / np.sqrt(6)
            weights[list(steps)] = np.exp(scores) / np.exp(scores).sum()
        np.testing.assert_allclose(out.weight_bkt[0, k], weights, atol=1e-6)


def test_the_trend_fusion_reads_no_more_than_the_last_trend_through_a_gate():
    spec = OTHERS[1]
    variables, x = variables_of(spec), random(1, 9, FEATURES)
    out = forward(spec, variables, x, *slots([0], [9]))
    p = jax.tree.map(np.asarray, variables["params"]["fuse"])
    h, s = np.asarray(out.convolved_btc[0, -1]), np.asarray(out.recurrent_btr[0, -1])
    asked = np.tanh(np.concatenate([h, s]) @ p["joint"]["kernel"]) @ p["gate"]["kernel"]
    gate = np.exp(asked) / np.exp(asked).sum()
    expected = (h @ p["trend"]["kernel"]) * gate
    np.testing.assert_allclose(out.fused_bkm[0, 0], expected, rtol=1e-4, atol=1e-6)
    assert out.skip_btr is None


def test_valid_padding_gives_the_skip_gru_whole_periods_counted_from_the_end():
    spec = dataclasses.replace(
        VALID_SPEC, kernel_sizes=(3,), candidate=Candidate.TANH, highway_window=0
    )
    for length, read in ((11, 8), (10, 4), (7, 4), (6, 0)):  # 4 * ((length - 3) // 4)
        out = forward(
            spec, variables_of(spec), random(1, 13, FEATURES), *slots([1], [length])
        )
        used = np.abs(out.skip_btr[0]).sum(-1) > 0
        step = np.arange(13)
        expected = (step >= 1 + length - read) & (step < 1 + length)
        np.testing.assert_array_equal(used, expected)
