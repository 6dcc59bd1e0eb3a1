"""What the PyTorch peer shares with the run it is compared with."""

from launch.compare import peer_spec
from reviewintent_jax.build import plain_values


def test_the_peer_sees_as_many_reviews_as_the_run_did(tiny_config):
    config = plain_values(tiny_config)
    assert config["train"]["max_steps"] > 0
    spec = peer_spec({"config": config, "training": {"reviews": 77, "epochs": 0}})
    assert spec.reviews == 77
    assert spec.batch_reviews == config["train"]["batch_reviews"]


def test_a_run_that_knew_no_threshold_can_still_be_compared(tiny_config):
    config = plain_values(tiny_config)
    del config["evaluation"]["threshold"]
    spec = peer_spec({"config": config, "training": {"reviews": 5}})
    assert spec.evaluation.threshold == "argmax"
