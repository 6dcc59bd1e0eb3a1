"""Recurrent layers: every setting is timed, beside linen and PyTorch."""

import json

import pytest

from launch.measure_recurrent import uses
from reviewintent_jax.benchmark.recurrent import (
    PASSES,
    Use,
    fastest,
    measure_layers,
    measure_recurrent,
    recurrent_page,
)

TINY = Use("tiny", rows=2, steps=5, inputs=3, features=4, chosen=("separate", 2))
SETTINGS = [
    f"{fusion}, unroll {unroll}"
    for fusion in ("separate", "fused")
    for unroll in (1, 2)
]


@pytest.mark.slow
def test_every_system_is_timed_in_both_passes_or_said_to_be_absent():
    records = measure_recurrent([TINY], rounds=2, unrolls=(1, 2))
    systems = [*SETTINGS, "linen nn.RNN(GRUCell)", "torch nn.GRU"]
    pairs = [(record["pass"], record["system"]) for record in records]
    assert pairs == [(each, system) for each in PASSES for system in systems]
    for record in records:
        assert (record["use"], record["steps"]) == ("tiny", 5)
        if "absent" in record:
            assert record["system"] == "torch nn.GRU"
            continue
        took = record["milliseconds"]
        assert 0 < took["low"] <= took["median"] <= took["high"]
        assert record["cpu_milliseconds"] > 0
    in_use = [r for r in records if r["system"] == "separate, unroll 2"]
    assert [record["ratio"] for record in in_use] == [1.0, 1.0]
    results = {
        "environment": {"device": "cpu", "cores": 2},
        "records": json.loads(json.dumps(records)),
        "fastest": fastest(records),
    }
    page = recurrent_page(results)
    assert page.count("| separate, unroll 1 |") == 1
    assert f"Fastest of ours: {results['fastest']['tiny']['system']}" in page


def test_a_worker_is_told_of_uses_as_json_has_them():
    uses = json.loads(json.dumps([TINY, TINY._replace(name="b", dtype="bfloat16")]))
    said = list(measure_layers(uses=uses, rounds=1, unrolls=[2]))
    found = [each["record"] for each in said if "record" in each]
    assert {(each["use"], each["dtype"]) for each in found} == {
        ("tiny", "float32"),
        ("b", "bfloat16"),
    }


def record(system, median, use="a", passed=PASSES[1]):
    took = {"median": median, "low": median, "high": median}
    facts = {"use": use, "pass": passed, "chosen": SETTINGS[0], "ratio": median / 2}
    return facts | {"system": system, "milliseconds": took}


def test_the_fastest_is_ours_by_forward_and_backward():
    records = [
        record(SETTINGS[0], 2.0),
        record(SETTINGS[1], 1.5),
        record(SETTINGS[2], 0.5, passed=PASSES[0]),
        record("linen nn.RNN(GRUCell)", 0.1),
        record(SETTINGS[3], 1.0, use="b"),
    ]
    found = fastest(records)
    assert found["a"] == {
        "system": SETTINGS[1],
        "ratio": 0.75,
        "chosen": SETTINGS[0],
    }
    assert found["b"]["system"] == SETTINGS[3]


def test_the_uses_have_the_sizes_of_their_configs():
    found = {use.name: use[1:6] for use in uses()}
    assert {use.dtype for use in uses()} == {"float32"}
    assert found == {
        "tokens of reviews": (4, 512, 192, 128, ("separate", 1)),
        "histories of subjects": (192, 7, 96, 32, ("separate", 1)),
        "numeric tables": (128, 168, 100, 100, ("fused", 1)),
    }
