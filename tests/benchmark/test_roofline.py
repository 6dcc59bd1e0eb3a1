"""Least times, against sums by hand."""

import dataclasses

import pytest

from reviewintent_jax.benchmark.collectives import Collective
from reviewintent_jax.benchmark.devices import H200, V5E
from reviewintent_jax.benchmark.roofline import (
    Traffic,
    bandwidth,
    roofline,
    traffic_of,
)

DEVICE = dataclasses.replace(
    H200,
    flops=1e12,
    memory_bandwidth=1e11,
    neighbours=4,
    fast_bandwidth=1e9,
    slow_bandwidth=1e8,
)


def said(kind, size, group, *, in_loop=False):
    return Collective(kind, size, group, "", in_loop)


def test_a_ring_sends_all_but_its_own_part_once_or_twice():
    four = (0, 1, 2, 3)
    found = traffic_of(
        [
            said("all-gather", 800, four),
            said("all-gather", 80, four),
            said("all-reduce", 800, four),
            said("reduce-scatter", 400, (0, 4)),
            said("collective-permute", 50, (0, 1)),
        ],
        neighbours=4,
    )
    assert found == [
        Traffic("all-gather", 4, 4, 660.0),
        Traffic("all-reduce", 4, 4, 1200.0),
        Traffic("reduce-scatter", 2, 1, 200.0),
        Traffic("collective-permute", 2, 2, 50.0),
    ]


def test_the_way_out_of_a_node_is_as_wide_as_its_members_have_adapters():
    assert bandwidth(DEVICE, 4, 4) == 1e9
    assert bandwidth(DEVICE, 2, 1) == 1e8
    assert bandwidth(DEVICE, 4, 2) == 2e8
    wide = dataclasses.replace(DEVICE, slow_bandwidth=9e8)
    assert bandwidth(wide, 4, 2) == 1e9


def test_times_are_amounts_over_rates_and_the_network_hides_or_not():
    found = roofline(DEVICE, 2e12, 1e11, [Traffic("all-gather", 2, 2, 5e8)])
    assert (found.compute, found.memory, found.network) == (2.0, 1.0, 0.5)
    assert (found.hidden, found.exposed) == (2.0, 2.5)


def test_a_message_in_a_loop_is_refused():
    with pytest.raises(ValueError, match="inside a loop"):
        traffic_of([said("all-gather", 8, (0, 1), in_loop=True)], 4)


def test_topologies_are_named_as_the_compilers_know_them():
    assert V5E.topology(32) == {"topology_name": "v5e:4x8"}
    assert V5E.topology(1)["chips_per_host_bounds"] == [1, 1, 1]
    assert H200.topology(4)["topology"] == "1x1x4"
    assert H200.topology(32)["topology"] == "1x4x8"
    assert "device_memory_size: 141000000000" in H200.topology(1)["target_config"]
