"""The record of a measurement says what was done, how fast and in how much memory."""

import json
import time
from pathlib import Path

import numpy as np
import pytest

from reviewintent_jax.benchmark.memory import drawn_signatures, measure, watched
from reviewintent_jax.benchmark.memory_page import memory_page
from reviewintent_jax.build import plain_values
from reviewintent_jax.data.duplicates import DuplicateIndex, DuplicateSpec


@pytest.mark.slow
def test_preparing_is_timed_in_a_process_of_its_own(tiny_config):
    record = measure("prepare", 120, json.dumps(plain_values(tiny_config)))
    assert record["job"] == "prepare"
    assert record["rows"] == 120
    assert record["encoder"] == tiny_config.encoder.source
    assert record["rows_per_second"] == pytest.approx(120 / record["seconds"], rel=0.5)
    assert 2**26 < record["peak_own_bytes"] < record["peak_bytes"] < 2**34
    assert record["peak_worker_bytes"] == 0


@pytest.mark.slow
def test_stages_are_measured_alone(tiny_config):
    config = json.dumps(plain_values(tiny_config))
    for job in ("compare", "plan"):
        record = measure(job, 3000, config)
        assert (record["job"], record["rows"]) == (job, 3000)
        assert record["peak_own_bytes"] < 2**30


def test_the_peak_is_of_the_time_that_is_watched():
    with watched() as own:
        before = own()
        held = np.ones(1 << 24)  # 128 MiB, written to
        time.sleep(0.2)
        assert own() - before > 0.9 * held.nbytes
        del held
        assert own() - before > 100e6  # the peak stays


def test_drawn_copies_are_found():
    """What is searched in the measurement is what the search is made for."""
    spec = DuplicateSpec(near_threshold=0.8, permutations=64, seed=0)
    random = np.random.default_rng(0)
    index = DuplicateIndex(spec)
    index.add(drawn_signatures(4000, spec, random))
    clusters = len(np.unique(index.finish().cluster_n))
    assert 0.94 * 4000 < clusters < 0.96 * 4000


def test_the_page_is_that_of_the_figures():
    folder = Path(__file__).parents[2] / "docs/results"
    stored = json.loads((folder / "memory.json").read_text("utf-8"))
    assert memory_page(stored) == (folder / "size.md").read_text("utf-8")


def test_what_was_not_taken_is_said(tmp_path):
    old = {"job": "plan", "workers": 1, "encoder": "none", "seconds": 2.0}
    old |= {"rows_per_second": 5.0, "peak_bytes": 3e6, "peak_own_bytes": None}
    old |= {"peak_worker_bytes": 0}
    old |= {"environment": {"device": "cpu", "cores": 2}, "load": 0.5}
    page = memory_page({"records": [old | {"rows": 10}, old | {"rows": 20}]})
    assert "| 10 | 2.0 | 5 | 3 | not taken |  | 0.5 |" in page
    assert "| 20 | 2.0 | 5 | 3 | not taken | not taken | 0.5 |" in page
