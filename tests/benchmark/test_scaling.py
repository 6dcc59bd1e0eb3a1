"""Plans for devices that are not there, held against programs for eight that are."""

import dataclasses
import json
from pathlib import Path

import jax
import pytest

from configs import demo
from reviewintent_jax.benchmark import scaling
from reviewintent_jax.benchmark.devices import H200, V5E
from reviewintent_jax.benchmark.flops import count_flops, page_work
from reviewintent_jax.benchmark.here import measure_here
from reviewintent_jax.benchmark.roofline import Traffic
from reviewintent_jax.benchmark.scaling import Case, Needs, at_depth, needs_of, plan
from reviewintent_jax.benchmark.scaling_page import scaling_page
from reviewintent_jax.build import make_model, plain_values
from reviewintent_jax.configuration import read_config
from reviewintent_jax.training.sharding import make_mesh
from tests.conftest import tiny_encoder_spec

ROOT = Path(__file__).parents[2]
CASE = Case("tiny", H200, 8, 4)


@pytest.fixture
def config(monkeypatch):
    """A small config, and a tiny encoder among those that are known by name."""
    values = demo.get_config()
    values.pages.update(page_tokens=32, chunk_tokens=16, max_tokens=32, slots=4)
    spec = dataclasses.replace(tiny_encoder_spec(96), num_layers=5)
    monkeypatch.setitem(scaling.ENCODERS, "tiny", spec)
    return read_config(plain_values(values))


def test_layers_are_counted_on_in_equal_steps():
    """The example of the docstring, and a kind of message that one layer has not."""
    shallow = Needs(1.0, 10e9, [Traffic("all-gather", 8, 8, 3.0)])
    more = [Traffic("all-gather", 8, 8, 7.0), Traffic("all-to-all", 8, 8, 2.0)]
    found = at_depth(12, shallow, Needs(3.0, 14e9, more))
    assert found == Needs(
        12.0,
        32e9,
        [Traffic("all-gather", 8, 8, 25.0), Traffic("all-to-all", 8, 8, 11.0)],
    )


@pytest.mark.slow
def test_a_program_of_all_layers_needs_what_was_planned(config, monkeypatch):
    """Compiled for the eight devices of the tests, in place of those of a topology."""
    monkeypatch.setattr(scaling, "mesh_of", lambda *where: make_mesh(where[2]))
    monkeypatch.setitem(scaling._OPTIONS, "cuda", {})
    few, more, whole = (needs_of(CASE, config, layers) for layers in (1, 3, 5))
    planned = at_depth(5, few, more)
    assert planned.state_bytes == whole.state_bytes
    assert planned.peak_bytes == pytest.approx(whole.peak_bytes, rel=0.05)
    assert {each[:3]: each.sent_bytes for each in planned.traffic} == pytest.approx(
        {each[:3]: each.sent_bytes for each in whole.traffic}, rel=0.01
    )


def test_a_plan_follows_from_needs(config):
    needs = Needs(1e9, 2.4e9, [Traffic("all-reduce", 8, 8, 450e9)])
    found = plan(CASE, config, needs, page_reviews=2.5)
    spec = scaling.model_of(CASE, config, 5).spec
    flops = count_flops(spec, page_work(4, 32, 4, 16)).update
    assert found["flops"] == flops
    assert found["mesh"] == [1, 8, 1]
    assert found["fits"]
    # A millisecond of memory, hardly any of products, a second of network.
    assert found["seconds"]["exposed"] == pytest.approx(1.001)
    assert found["seconds"]["hidden"] == pytest.approx(1.0)
    assert found["mfu"] == pytest.approx(flops / H200.flops / 1.001)
    assert found["reviews_per_second"] == pytest.approx(8 * 4 * 2.5 / 1.001)
    seconds = 1e6 / found["reviews_per_second"]
    price = seconds / 3600 * 8 * H200.hourly_price
    assert found["million_reviews_price"] == pytest.approx(price)


def test_what_is_too_large_is_said_not_to_fit(config):
    needs = Needs(1e9, 17e9, [])
    case = Case("tiny", V5E, 256, 4)
    assert not plan(case, config, needs, page_reviews=1.0)["fits"]
    assert plan(case, config, needs, page_reviews=1.0)["mesh"] == [32, 8, 1]


@pytest.mark.slow
def test_the_device_at_hand_is_measured(config, monkeypatch):
    monkeypatch.setattr("reviewintent_jax.benchmark.here._STREAM", 2**20)
    monkeypatch.setattr("reviewintent_jax.benchmark.here._SIDE", 256)
    model = make_model(config, tiny_encoder_spec(96), 2, None)
    found = measure_here(model, config, pages=2, rounds=1)
    assert found["device"] == jax.devices()[0].device_kind
    assert found["flops"] == count_flops(model.spec, page_work(2, 32, 4, 16)).update
    bounds = {
        "compute": found["flops"] / found["peak_flops"],
        "memory": found["memory_bytes"] / found["peak_bandwidth"],
    }
    assert found["predicted_seconds"] == bounds[found["bound"]] == max(bounds.values())
    assert found["ratio"] * found["predicted_seconds"] == found["measured_seconds"]


def test_the_page_is_that_of_the_figures():
    stored = json.loads((ROOT / "docs/results/scaling.json").read_text("utf-8"))
    assert scaling_page(stored) == (ROOT / "docs/scaling.md").read_text("utf-8")


def test_no_device_holds_more_where_there_are_more_of_them():
    """Pages of a device are the same, so it must not hold those of others."""
    stored = json.loads((ROOT / "docs/results/scaling.json").read_text("utf-8"))
    peaks = {}
    for each in stored["plans"]:
        key = each["encoder"], each["device"]
        peaks.setdefault(key, {})[each["devices"]] = each["peak_bytes"]
        assert each["fits"], key
    for by_devices in peaks.values():
        many = [peak for devices, peak in by_devices.items() if devices >= 8]
        assert max(many) < 2 * by_devices[8]
