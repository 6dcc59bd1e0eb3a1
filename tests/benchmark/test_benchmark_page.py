"""The page and its plots are what the records say."""

import json
import re
from pathlib import Path

import pytest

from reviewintent_jax.benchmark.benchmark_page import benchmark_page, benchmark_plots

DOCS = Path(__file__).parents[2] / "docs"
KEPT = DOCS / "results" / "benchmark.json"


@pytest.fixture(scope="module")
def results():
    return json.loads(KEPT.read_text("utf-8"))


def test_the_page_is_written_from_its_records(results):
    assert (DOCS / "benchmark.md").read_text("utf-8") == benchmark_page(results)


def test_the_plots_are_drawn_from_its_records(results):
    for name, svg in benchmark_plots(results).items():
        assert (DOCS / "images" / f"{name}.svg").read_text("utf-8") == svg


def test_the_records_hold_no_path_of_a_machine(results):
    assert not re.search(r"(?<![\w.])/\w+/", json.dumps(results))


def part(workers):
    environment = {"device": "cpu", "cores": 2, "python": "3", "jax": "1", "flax": "1"}
    return {
        "settings": {},
        "environment": {**environment, "optax": "1"},
        "load_before": 0.5,
        "load_after": 0.5,
        "workers": workers,
    }


def rounds(*seconds):
    return [
        {"seconds": s, "cpu_seconds": 2 * s, "items": 60, "useful": 50, "places": 100}
        for s in seconds
    ]


def test_a_ratio_is_that_of_turns_and_what_is_absent_is_said():
    ours = {"facts": {}, "rounds": rounds(1, 10, 1), "peak_bytes": 2_000_000_000}
    theirs = {"facts": {}, "rounds": rounds(2, 20, 2), "peak_bytes": None}
    absent = {"absent": "torch is not installed"}
    name = "peers in training: tweets"
    workers = {"ours": ours, "slow": theirs, "other": absent}
    page = benchmark_page({"parts": {name: part(workers)}})
    assert "| ours | 60.0 (33.0 to 60.0) |  |  | 33.3 | 50% | 2.00 GB |" in page
    twice = "2.00 (2.00 to 2.00)"
    assert f"| slow | 30.0 (16.5 to 30.0) | {twice} | {twice} | 66.7 |" in page
    assert "- other: torch is not installed" in page


def test_growth_is_an_exponent():
    grown = [
        {"size": n, "seconds": {"median": n**2.0, "low": 1, "high": 1}}
        for n in (1, 2, 4, 8)
    ]
    worker = {"model": {"facts": {}, "rounds": grown, "peak_bytes": 1}}
    results = {"parts": {"cost by tokens": part(worker)}}
    assert "| tokens | 1 to 8 | 1,000 to 64,000 | 2.00 (2.00 to 2.00) |" in (
        benchmark_page(results)
    )
    assert benchmark_plots(results)["benchmark-cost-tokens"].startswith("<svg ")
