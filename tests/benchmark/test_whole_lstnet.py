"""Whole LSTNets: the peers give our answers, and all are timed."""

import dataclasses
import importlib.util
import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from launch.layer_uses import whole_uses
from reviewintent_jax.benchmark.linen_lstnet import (
    LinenLSTNet,
    linen_weights,
    skip_layout,
)
from reviewintent_jax.benchmark.recurrent import PASSES
from reviewintent_jax.benchmark.torch_lstnet import make_torch_lstnet, take_lstnet
from reviewintent_jax.benchmark.whole_lstnet import (
    LINEN,
    OURS,
    TORCH,
    WholeUse,
    measure_whole,
)
from reviewintent_jax.models.lstnet import LSTNet
from reviewintent_jax.models.recurrent import Candidate
from reviewintent_jax.settings import read_settings
from tests.models.lstnet_cases import FEATURES, SPEC, VALID_SPEC, random, variables_of

WITHOUT_SKIP = dataclasses.replace(SPEC, skip_period=0, skip_features=0)
AS_WIDE = dataclasses.replace(VALID_SPEC, summary_features=FEATURES, highway_window=30)
EACH = pytest.mark.parametrize(
    "spec",
    [SPEC, VALID_SPEC, WITHOUT_SKIP, AS_WIDE],
    ids=["causal", "valid", "without skip", "as wide as the input"],
)
STEPS = pytest.mark.parametrize("steps", [13, 16])


def ours_of(spec, variables, x):
    start = jnp.zeros((len(x), 1), jnp.int32)

    def answer(x):
        read = LSTNet(spec).apply(
            variables, x, start, start + x.shape[1], deterministic=True
        )
        return read.summary_bkm[:, 0]

    return with_gradient(answer, x)


def with_gradient(answer, x):
    """The answer to ``x``, and the gradient of a sum of its squares."""
    x = jnp.asarray(x)
    return answer(x), jax.grad(lambda x: jnp.square(answer(x)).sum())(x)


@EACH
@STEPS
def test_linen_gives_our_answers(spec, steps):
    variables, x = variables_of(spec), random(3, steps, FEATURES)
    ours, gradient = ours_of(spec, variables, x)
    weights = {"params": linen_weights(variables["params"])}
    theirs = with_gradient(lambda x: LinenLSTNet(spec).apply(weights, x), x)
    np.testing.assert_allclose(theirs[0], ours, atol=1e-5)
    np.testing.assert_allclose(theirs[1], gradient, atol=1e-3, rtol=1e-4)


@pytest.mark.torch
@pytest.mark.skipif(importlib.util.find_spec("torch") is None, reason="needs PyTorch")
@EACH
@STEPS
def test_pytorch_gives_our_answers(spec, steps):
    import torch

    spec = dataclasses.replace(spec, candidate=Candidate.TANH)
    variables, x = variables_of(spec), random(3, steps, FEATURES)
    ours, gradient = ours_of(spec, variables, x)
    module = make_torch_lstnet(torch, FEATURES, spec).eval()
    take_lstnet(torch, module, variables["params"])
    given = torch.tensor(x, requires_grad=True)
    theirs = module(given)
    theirs.square().sum().backward()
    np.testing.assert_allclose(theirs.detach().numpy(), ours, atol=1e-5)
    np.testing.assert_allclose(given.grad.numpy(), gradient, atol=1e-3, rtol=1e-4)


def test_whole_periods_end_with_the_last_step():
    causal = [skip_layout(SPEC, steps) for steps in (8, 10, 12)]
    valid = [skip_layout(VALID_SPEC, steps) for steps in (8, 10, 13)]
    assert causal == [(2, 0, 0), (3, 0, 2), (3, 0, 0)]
    assert valid == [(1, 4, 0), (2, 2, 0), (3, 1, 0)]


def test_every_system_is_timed_in_both_passes_or_said_to_be_absent():
    use = {"name": "tiny", "rows": 2, "steps": 9, "inputs": FEATURES}
    use["lstnet"] = json.loads(json.dumps(dataclasses.asdict(SPEC)))
    facts, *said = list(measure_whole(uses=[use], rounds=3))
    found = [each["record"] for each in said]
    assert facts == {"uses": ["tiny"]}
    pairs = [(each["pass"], each["system"]) for each in found]
    assert sorted(pairs) == sorted(
        (passed, system) for passed in PASSES for system in (OURS, LINEN, TORCH)
    )
    for each in found:
        if "absent" in each:
            assert each["system"] == TORCH
            continue
        assert each["ratio"]["low"] <= each["ratio"]["median"] <= each["ratio"]["high"]
        assert each["milliseconds"]["median"] > 0
        if each["system"] == OURS:
            assert each["ratio"]["median"] == 1.0


def test_the_uses_are_those_of_the_configs():
    found = [read_settings(WholeUse, use, "use") for use in whole_uses()]
    sizes = {use.name: (use.rows, use.steps, use.inputs) for use in found}
    assert sizes == {
        "tokens of reviews": (4, 512, 384),
        "histories of subjects": (192, 7, 10),
        "numeric tables": (128, 168, 8),
    }
