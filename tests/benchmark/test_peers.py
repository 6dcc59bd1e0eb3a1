"""The PyTorch comparison: clear where torch is absent, real where it is found."""

import importlib.util
import sys

import pytest

from reviewintent_jax.benchmark.peers import PeerSpec, finetune_with_torch
from reviewintent_jax.build import build_experiment, plain_values, read_config
from reviewintent_jax.schema import InputError, RunFolder


@pytest.fixture
def run_and_spec(tiny_config, tiny_encoder, tmp_path):
    values = plain_values(tiny_config)
    config = read_config(values)
    experiment = build_experiment(values, RunFolder(tmp_path))
    spec = PeerSpec(
        folder=str(tiny_encoder),
        max_tokens=32,
        epochs=2,
        batch_reviews=16,
        optimizer=config.optimizer,
        evaluation=config.evaluation,
        seed=1,
    )
    return experiment.prepared, spec


def test_without_torch_the_error_says_what_to_do(run_and_spec, monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(InputError, match="pip install torch"):
        finetune_with_torch(*run_and_spec)


@pytest.mark.torch
@pytest.mark.skipif(importlib.util.find_spec("torch") is None, reason="needs PyTorch")
@pytest.mark.filterwarnings("ignore")
def test_the_peer_is_trained_and_scored_on_the_same_test_split(run_and_spec):
    prepared, spec = run_and_spec
    peer = finetune_with_torch(prepared, spec)
    assert peer["test"]["n"] == prepared.summary["splits"]["test"]["rows"]
    assert 0 <= peer["test"]["accuracy"]["value"] <= 1
    assert peer["seconds"] > 0
    assert peer["epochs"] == 2
