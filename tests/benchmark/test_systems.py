"""Jobs of the benchmark on small systems: what is asked and useful, how it grows."""

import os

import numpy as np
import pytest

from reviewintent_jax.benchmark.absent import AbsentError
from reviewintent_jax.benchmark.cost import measure_cost
from reviewintent_jax.benchmark.flops import count_flops, review_work
from reviewintent_jax.benchmark.latency import measure_latency
from reviewintent_jax.benchmark.runner import Job, Part, run_part
from reviewintent_jax.benchmark.start import measure_start
from reviewintent_jax.benchmark.systems import build_system
from reviewintent_jax.build import plain_values
from reviewintent_jax.data.batches import Position
from tests.data.purchases import purchase_config
from tests.training.test_msdp_task import tiny


@pytest.fixture
def values(tiny_config):
    return plain_values(tiny_config)


def first_batch(system):
    return next(system.task.train_batches().batches(Position(0, 0))).batch


def test_useful_operations_are_those_of_each_review_alone(values, tmp_path):
    system = build_system(values, str(tmp_path))
    batch = first_batch(system)
    tokens, places, flops = system.useful(batch)
    lengths = np.asarray(batch.slot_length_bk)
    lengths = lengths[lengths > 0]
    assert tokens == lengths.sum() < places
    spec, chunk = system.task.model.spec, system.task.pages.chunk_tokens
    alone = 0
    for length in lengths.tolist():
        chunks = [chunk] * (length // chunk) + [length % chunk] * (length % chunk > 0)
        alone += count_flops(spec, review_work(chunks, 6)).update
    assert flops == alone


def test_useful_operations_of_cases_leave_out_events_that_are_not_there(tmp_path):
    config = tiny(purchase_config(tmp_path, customers=60))
    config.data.dates = config.events.texts = ()
    system = build_system(plain_values(config), str(tmp_path / "run"))
    batch = first_batch(system)
    cases, places, flops = system.useful(batch)
    assert 0 < cases <= places
    full = batch._replace(event_length_b=np.full_like(batch.event_length_b, 32))
    none = batch._replace(event_length_b=np.zeros_like(batch.event_length_b))
    assert system.useful(none)[2] < flops < system.useful(full)[2]


@pytest.mark.slow
def test_latency_is_asked_at_lengths_that_are_read(values, tmp_path):
    asked = {"batches": (1, 3), "lengths": (16, 64, 128), "calls": 4, "seconds": 60.0}
    asked["few_calls"] = 2
    facts, *records = measure_latency(values=values, folder=str(tmp_path), **asked)
    assert facts["lengths"] == [16, 64]  # pages.max_tokens is 64
    pairs = [(each["length"], each["batch"]) for each in records]
    assert pairs == [(16, 1), (16, 3), (64, 1), (64, 3)]
    for one, three in zip(records[::2], records[1::2], strict=True):
        assert three["flops"] == 3 * one["flops"]
    for each in records:
        assert each["calls"] == 4
        seconds = each["seconds"]
        assert 0 < seconds["p50"] <= seconds["p99"] <= seconds["longest"]
        assert each["peak_bytes"] is None or each["peak_bytes"] > 0


@pytest.mark.slow
def test_few_calls_are_made_where_all_do_not_fit(values, tmp_path):
    asked = {"batches": (1,), "lengths": (16,), "calls": 50}
    limits = {"seconds": 0.0, "few_calls": 7}
    told = measure_latency(values=values, folder=str(tmp_path), **asked, **limits)
    assert [each["calls"] for each in told if "calls" in each] == [7]


@pytest.mark.slow
def test_training_is_cold_then_warm_then_goes_on_in_rounds(values, tmp_path):
    """In a process of its own, as JAX takes one folder of programs in its life."""
    job = {"values": values, "folder": str(tmp_path), "updates": 2}
    (said,) = run_part(Part("training", {"model": Job("training", job)}, 2)).values()
    facts = said["facts"]
    assert max(facts["first_again_seconds"]) < facts["first_update_seconds"]
    assert facts["temporary_bytes"] > 0
    assert [each["updates"] for each in said["rounds"]] == [2, 2]
    for each in said["rounds"]:
        assert 0 < each["useful"] <= each["places"]
        assert each["useful_flops"] > 0


@pytest.mark.slow
@pytest.mark.parametrize(
    ("over", "sizes", "grown"), [("window", (2, 4), 2.0), ("tokens", (16, 32), 2.0)]
)
def test_cost_is_that_of_one_item(values, over, sizes, grown):
    given = {"over": over, "sizes": sizes, "tokens": 128, "rounds": 1}
    facts, small, large = measure_cost(values=values, **given)
    assert facts["over"] == over
    assert (small["size"], large["size"]) == sizes
    assert small["seconds"]["median"] > 0
    # An item is a whole history, or a review: both grow in proportion at least.
    assert grown * 0.9 < large["flops"] / small["flops"] < grown * 1.5


@pytest.mark.slow
def test_a_start_is_that_of_the_command(values, tmp_path):
    starts = measure_start(values=values, folder=str(tmp_path / "start"))
    for _ in ("cold", "warm"):
        took = next(starts)
        cores = os.cpu_count() or 1
        assert 0 < took["cpu_seconds"] < took["seconds"] * cores + 1
    run = tmp_path / "start" / "run"
    assert '"kind": "train", "step": 1' in (run / "log.jsonl").read_text("utf-8")
    assert any((tmp_path / "start" / "cache").rglob("*"))


def test_what_is_not_there_is_absent(values, tmp_path):
    lost = {**values["encoder"], "source": "runs/never_trained/encoder"}
    with pytest.raises(AbsentError, match="no run has left runs/never_trained"):
        build_system({**values, "encoder": lost}, str(tmp_path))
    data = {**values["data"], "kind": "table", "path": "nowhere.csv"}
    with pytest.raises(AbsentError, match=r"the data are not there: nowhere\.csv"):
        next(measure_start(values={**values, "data": data}, folder=str(tmp_path / "a")))
