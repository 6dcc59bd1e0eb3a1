"""Medians, ratios and exponents of times."""

import time

import pytest

from reviewintent_jax.benchmark.timing import (
    exponent,
    medians,
    percentiles,
    ratios,
    spread,
    timed,
    turns,
)


def test_quartiles_stand_around_the_median():
    assert spread([5, 1, 4, 2, 3]) == {"median": 3, "low": 2, "high": 4}


def test_systems_take_turns_and_one_slow_turn_changes_no_median():
    turns = []
    pauses = {"a": iter([0.0, 0.05, 0.0]), "b": iter([0.01, 0.01, 0.01])}

    def run(name):
        turns.append(name)
        time.sleep(next(pauses[name]))

    found = medians({name: lambda n=name: run(n) for name in pauses}, 3)
    assert turns == ["a", "b"] * 3
    assert found["a"] < found["b"]


def test_a_ratio_is_that_of_the_same_round():
    """A machine that is ten times slower for a while changes no ratio."""
    assert ratios([2, 20, 2], [1, 10, 1]) == {"median": 2, "low": 2, "high": 2}
    with pytest.raises(ValueError, match="shorter"):
        ratios([1, 2], [1])


def test_the_exponent_of_a_power_is_its_exponent():
    sizes = [1, 2, 5, 30]
    found = exponent(sizes, [0.3 * size**1.5 for size in sizes])
    assert found == pytest.approx({"value": 1.5, "low": 1.5, "high": 1.5})


def test_the_interval_of_an_exponent_is_that_of_the_line():
    """By hand: logarithms 0 1 2 against 0 1 1, slope 1/2, error sqrt(1/12)."""
    e = 2.718281828459045
    found = exponent([1, e, e**2], [1, e, e])
    reach = 12.706204736 * (1 / 12) ** 0.5
    assert found["value"] == pytest.approx(0.5)
    assert found["high"] - found["value"] == pytest.approx(reach)


def test_percentiles_of_a_hundred_latencies():
    assert percentiles(range(101)) == {"p50": 50, "p90": 90, "p99": 99}


def test_sleeping_takes_time_and_no_cpu():
    took = timed(lambda: time.sleep(0.05))
    assert took["seconds"] >= 0.05
    assert took["cpu_seconds"] < took["seconds"]


def test_turns_are_warmed_timed_and_in_another_order_each_round():
    ran = []
    runs = {name: (lambda name=name: ran.append(name)) for name in "abc"}
    found = turns(runs, 6)
    assert {name: len(times) for name, times in found.items()} == dict.fromkeys(
        "abc", 6
    )
    first, rest = ran[:3], ran[3:]
    assert first == ["a", "b", "c"]
    assert rest[::2] == rest[1::2]
    rounds = {tuple(rest[at : at + 6 : 2]) for at in range(0, len(rest), 6)}
    assert len(rounds) > 2
    assert all(sorted(order) == ["a", "b", "c"] for order in rounds)
