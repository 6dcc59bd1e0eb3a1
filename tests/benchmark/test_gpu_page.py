"""The page of a GPU is what the records say."""

import copy
import json
import re
from pathlib import Path

import pytest

from reviewintent_jax.benchmark.gpu_page import gpu_page

DOCS = Path(__file__).parents[2] / "docs"


def kept(name):
    return json.loads((DOCS / "results" / name).read_text("utf-8"))


@pytest.fixture
def records():
    return kept("gpu_benchmark.json"), kept("gpu_development.json")


def test_the_page_is_written_from_its_records(records):
    assert (DOCS / "gpu.md").read_text("utf-8") == gpu_page(*records)


def test_the_records_hold_no_path_of_a_machine(records):
    assert not re.search(r"(?<![\w.])/\w+/", json.dumps(records))


def test_what_was_not_reached_is_said(records):
    results, development = copy.deepcopy(records)
    results["parts"].pop("latency", None)
    results["parts"]["scoring"] = {"failed": "OutOfMemory: 3 GB"}
    page = gpu_page(results, development)
    assert "## Scoring\n\n**Not measured: OutOfMemory: 3 GB.**" in page
    assert "## Latency\n\n**Not measured: it was not reached.**" in page


def test_latencies_are_printed_by_way_and_tokens(records):
    results, development = copy.deepcopy(records)
    found = {"p50": 1.25e-3, "p90": 1.5e-3, "p99": 2e-3}
    results["parts"]["latency"] = {
        "attention": "kernel",
        "epilogues": "xla",
        "seconds_by_tokens": {"FrozenScorer": {"128": found}},
    }
    page = gpu_page(results, development)
    assert "| FrozenScorer, 128 | 1.25 | 1.50 | 2.00 |" in page
    assert "attention: kernel, epilogues: xla" in page
    assert "While the scorer for services was made" not in page


def test_training_in_turns_stands_in_the_place_of_that_before(records):
    results, development = copy.deepcopy(records)
    rate = {"median": 100.0, "low": 90.0, "high": 110.0}
    flops = {name: each * 4e12 for name, each in rate.items()}
    system = {
        "reviews_per_second": rate,
        "useful_flops": flops,
        "useful_flops_of_all": 360e12,
        "useful_share": 0.5,
        "ours_is_faster": {"median": 1.0, "low": 1.0, "high": 1.0},
    }
    results["parts"]["peak"]["flops"] = {"median": 800e12}
    for name in ("yelp10k", "airline_tweets"):
        results["parts"][f"training: {name}"] = {
            "first_update_seconds": 30.0,
            "systems": {"ours": system},
            "not_measured": {"PyTorch": "No module named 'torch'"},
        }
    page = gpu_page(results, development)
    row = "| ours | 100 (90.0 to 110) | 1.00 (1.00 to 1.00) | 400 (360 to 440) "
    assert row + "| 45.0% | 50.0% |" in page
    assert "- PyTorch: No module named 'torch'" in page
    assert "While the kernels were made" not in page


def test_a_call_that_ended_before_training_says_so(records):
    results, development = copy.deepcopy(records)
    parts = results["parts"]
    results["parts"] = {"peak": {"failed": "no kernel"}, "layers": parts["layers"]}
    page = gpu_page(results, development)
    assert "**The peak was not measured.**" in page
    assert "- yelp10k: it was not reached" in page
    assert "While the kernels were made" in page


def test_all_rounds_count_where_epochs_end(records):
    results, development = copy.deepcopy(records)
    del results["parts"]["training: yelp10k"]  # what was before stands in its place
    ours = development["runs"][1]["systems"]["ours"]
    seconds, flops = ours["seconds_an_update"], ours["useful_flops"]
    total = sum(a * b for a, b in zip(seconds, flops, strict=True)) / sum(seconds)
    assert f"| {total / 1e12:.0f} |" in gpu_page(results, development)
