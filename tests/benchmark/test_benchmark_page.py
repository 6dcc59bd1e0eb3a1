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
    tweets = part(workers)
    page = benchmark_page({"parts": {name: tweets}})
    assert "| ours | 60.0 (33.0 to 60.0) |  |  | 33.3 | 50% | 2.00 GB |" in page
    twice = "2.00 (2.00 to 2.00)"
    assert f"| slow | 30.0 (16.5 to 30.0) | {twice} | {twice} | 66.7 |" in page
    assert "- other: torch is not installed" in page
    values = {"train": {"accumulate": 2}}
    tweets["settings"] = {"workers": {"ours": ["training", {"values": values}]}}
    assert "| ours, in 2 micro-batches | 60.0" in benchmark_page(
        {"parts": {name: tweets}}
    )


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


EVERY = (
    "peaks",
    "claimed costs",
    "sizes of BERT",
    "training of BERT",
    "latency of BERT",
    "start of BERT",
    "cost by tokens",
    "peers in training: tweets",
    "windows once",
    "recurrent layers",
)


@pytest.mark.parametrize("why", ["absent", "failed"])
@pytest.mark.parametrize("name", EVERY)
def test_what_could_not_be_measured_is_said_and_the_rest_is_shown(name, why):
    workers = {"device": {why: "no such thing"}}
    ours = {"ours": {"facts": {}, "rounds": rounds(1, 2), "peak_bytes": None}}
    parts = {name: part(workers), "peers in scoring: tweets": part(ours)}
    page = benchmark_page({"parts": parts})
    assert f"- {name}, device: {why} (no such thing)" in page
    assert "| ours | 45.0 (37.5 to 52.5) |" in page


def test_a_system_that_failed_after_some_rounds_is_not_shown_as_measured():
    ours = {"facts": {}, "rounds": rounds(1, 1), "peak_bytes": 1}
    died = {**ours, "failed": "its process ended with code -9"}
    workers = {"ours": ours, "theirs": died}
    page = benchmark_page({"parts": {"peers in training: tweets": part(workers)}})
    assert "| theirs | failed |" in page
    assert "ended with code -9" in page


def test_starts_have_seconds_and_what_the_cores_spent():
    facts, warm = ({"seconds": s, "cpu_seconds": c} for s, c in ((30, 45), (10, 15)))
    worker = {"facts": facts, "rounds": [warm], "peak_bytes": None}
    page = benchmark_page({"parts": {"start of BERT": part({"command": worker})}})
    rows = "| 30.0 | 45.0 | 10.0 (10.0 to 10.0) | 15.0 (15.0 to 15.0) |"
    assert f"| BERT {rows}" in page


def test_percentiles_stand_where_there_were_calls_enough():
    seconds = {"p50": 0.001, "p90": 0.002, "p99": 0.003, "longest": 0.004}
    records = [
        {"length": 16, "batch": 1, "calls": calls, "seconds": seconds,
         "items_per_second": 1e3, "flops": 1e6}
        for calls in (5, 10, 100)
    ]  # fmt: skip
    facts = {"reads": "tokens a review", "items": "reviews"}
    worker = {"facts": facts, "rounds": records, "peak_bytes": 1}
    page = benchmark_page({"parts": {"latency of BERT": part({"model": worker})}})
    few, some, many = (line for line in page.splitlines() if line.startswith("| 16 x"))
    assert "| 1.00 | - | - | 4.00 |" in few
    assert "| 1.00 | 2.00 | - | 4.00 |" in some
    assert "| 1.00 | 2.00 | 3.00 | 4.00 |" in many


def test_training_has_useful_items_a_second_temporaries_and_both_first_updates():
    facts = {"items": "reviews", "first_update_seconds": 9.0}
    turns = [each | {"updates": 5, "useful_flops": 1e9} for each in rounds(2, 2)]
    worker = {"facts": facts, "rounds": turns, "peak_bytes": None}
    results = {"parts": {"training of BERT": part({"model": worker})}}
    older = benchmark_page(results)
    assert "| 50.0% | 25.0 | 0.500 | - |  |  | 9.00 | - |" in older
    facts |= {"first_again_seconds": [1, 3, 5], "temporary_bytes": 2e9}
    newer = benchmark_page(results)
    warm = "3.00 (2.00 to 4.00)"
    assert f"| 50.0% | 25.0 | 0.500 | - | 2.00 GB |  | 9.00 | {warm} |" in newer


def test_whole_lstnets_stand_beside_those_of_others():
    facts = {"use": "tables", "rows": 2, "steps": 9, "inputs": 8, "parameters": 1234}
    took = {"median": 2.0, "low": 1.0, "high": 3.0}
    times = {"milliseconds": took, "cpu_milliseconds": 4.0, "ratio": took}
    records = [
        {**facts, "pass": "forward", "system": "ours", **times},
        {**facts, "pass": "forward", "system": "linen", **times},
        {**facts, "pass": "forward", "system": "torch", "absent": "none here"},
    ]
    said = [{"record": each} for each in records]
    worker = {"facts": {}, "rounds": said, "peak_bytes": 1}
    page = benchmark_page({"parts": {"whole LSTNets": part({"systems": worker})}})
    spread = "2.00 (1.00 to 3.00)"
    assert f"| tables, forward | ours | {spread} | 4.00 |  |" in page
    assert f"| tables, forward | linen | {spread} | 4.00 | {spread} |" in page
    assert "| tables, forward | torch | absent |  |  |" in page
    assert "tables: 2 series of 9 steps and 8 features, 1,234 parameters" in page


def test_every_part_says_when_and_on_which_code_it_was_measured():
    new = part({"ours": {"facts": {}, "rounds": [], "peak_bytes": 1}})
    new |= {"measured": "2026-11-28T05:30+00:00", "commit": "abc1234+"}
    old = part({"ours": {"facts": {}, "rounds": [], "peak_bytes": 1}})
    page = benchmark_page({"parts": {"peaks": new, "claimed costs": old}})
    assert "| peaks | 2026-11-28 05:30 | abc1234+ | 0.500 | 0.500 |" in page
    assert "| claimed costs | - | - | 0.500 | 0.500 |" in page
