"""The PyTorch comparison: clear where torch is absent, real where it is found."""

import importlib.util
import sys

import numpy as np
import pytest

from reviewintent_jax.benchmark.peers import PeerSpec, finetune_with_torch
from reviewintent_jax.build import build_experiment, plain_values
from reviewintent_jax.configuration import read_config
from reviewintent_jax.schema import InputError, RunFolder


@pytest.fixture
def run_and_spec(tiny_config, tiny_encoder, tmp_path):
    values = plain_values(tiny_config)
    config = read_config(values)
    experiment = build_experiment(values, RunFolder(tmp_path))
    spec = PeerSpec(
        folder=str(tiny_encoder),
        max_tokens=32,
        reviews=190,  # one pass and a part of the next
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
def test_the_peer_sees_as_many_reviews_and_answers_the_same_test_split(run_and_spec):
    prepared, spec = run_and_spec
    peer = finetune_with_torch(prepared, spec)
    splits = prepared.summary["splits"]
    assert splits["train"]["rows"] < spec.reviews < 2 * splits["train"]["rows"]
    assert peer.log_prob_ny.shape == (splits["test"]["rows"], 2)
    np.testing.assert_allclose(np.exp(peer.log_prob_ny).sum(axis=1), 1, rtol=1e-6)
    assert peer.facts["seconds"] > 0
    assert (peer.facts["reviews"], peer.facts["epochs"]) == (190, 2)
    assert "threshold" not in peer.facts
