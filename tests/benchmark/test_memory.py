"""The record of a measurement says what was done, how fast and in how much memory."""

import json

import pytest

from reviewintent_jax.benchmark.memory import measure
from reviewintent_jax.build import plain_values


@pytest.mark.slow
def test_preparing_is_timed_in_a_process_of_its_own(tiny_config):
    record = measure("prepare", 120, json.dumps(plain_values(tiny_config)))
    assert record["job"] == "prepare"
    assert record["rows"] == 120
    assert record["encoder"] == tiny_config.encoder.source
    assert record["rows_per_second"] == pytest.approx(120 / record["seconds"], rel=0.5)
    assert 2**26 < record["peak_bytes"] < 2**34
