"""Collectives read from programs: every way in which XLA writes them."""

import pytest

from reviewintent_jax.benchmark.collectives import (
    Collective,
    bytes_by_kind,
    read_collectives,
)

NAMED = "replica_groups=mesh['axis_0'=2,'axis_1'=8] {'axis_1'}"
LINES = {
    "all-gather": (
        "%a = f32[16,4]{1,0} all-gather(%p), channel_id=1, replica_groups=[2,8]<=[16], "
        'metadata={op_name="jit(step)/x"}',
        Collective("all-gather", 256, tuple(range(8)), "jit(step)/x", False),
    ),
    "started all-gather": (
        "%a = (bf16[2,4]{1,0}, bf16[16,4]{1,0}) all-gather-start(%p), channel_id=2, "
        f"{NAMED}",
        Collective("all-gather", 128, tuple(range(8)), "", False),
    ),
    "several sums in one": (
        "%a = (f32[3]{0}, f32[]) all-reduce(%p, %q), channel_id=3, "
        "replica_groups={{0,8},{1,9}}, to_apply=%add",
        Collective("all-reduce", 16, (0, 8), "", False),
    ),
    "started reduce-scatter": (
        "%a = ((f32[32]{0}), f32[4]{0}) reduce-scatter-start(%p), channel_id=4, "
        "replica_groups=[2,8]<=[16]",
        Collective("reduce-scatter", 128, tuple(range(8)), "", False),
    ),
    "transposed ids": (
        "%a = s32[8]{0} all-reduce(%p), channel_id=5, "
        "replica_groups=[8,2]<=[2,8]T(1,0)",
        Collective("all-reduce", 32, (0, 8), "", False),
    ),
    "named axes of ids in another order": (
        "%a = s32[8]{0} all-reduce(%p), channel_id=6, replica_groups=mesh['axis_0'=8,"
        "'axis_1'=2], device_ids=([2,8]T(1,0)) {'axis_1'}",
        Collective("all-reduce", 32, (0, 8), "", False),
    ),
    "permute": (
        "%a = (pred[6]{0}, pred[6]{0}, u32[], u32[]) collective-permute-start(%p), "
        "channel_id=7, source_target_pairs={{0,1},{1,0}}",
        Collective("collective-permute", 6, (0, 1), "", False),
    ),
    "exchange": (
        "%a = f32[2,3]{1,0} all-to-all(%p), channel_id=8, replica_groups={{0,1}}",
        Collective("all-to-all", 24, (0, 1), "", False),
    ),
}


@pytest.mark.parametrize("case", LINES)
def test_every_way_of_writing_a_collective_is_read(case):
    line, wanted = LINES[case]
    assert read_collectives(f"ENTRY %main () -> f32[] {{\n  {line}\n}}\n") == [wanted]


def test_steps_of_one_channel_are_one_collective_and_lone_devices_none():
    text = """
%fused (p: f32[4]) -> f32[8] {
  %a.1 = f32[8]{0} all-gather(%p), channel_id=1, replica_groups={{0,1}}
}
ENTRY %main () -> f32[] {
  %a.2 = f32[8]{0} all-gather(%p), channel_id=1, replica_groups={{0,1}}
  %done = f32[8]{0} all-gather-done(%a.2)
  %alone = f32[8]{0} all-reduce(%p), channel_id=2, replica_groups={{0},{1}}
}
"""
    found = read_collectives(text)
    assert bytes_by_kind(found) == {"all-gather": 32}


def test_a_collective_that_a_loop_runs_is_marked():
    text = """
%inner (p: f32[4]) -> f32[4] {
  %s = f32[4]{0} all-reduce(%p), channel_id=1, replica_groups={{0,1}}, to_apply=%add
}
%body (p: f32[4]) -> f32[4] {
  %c = f32[4]{0} fusion(%p), calls=%inner
}
ENTRY %main () -> f32[] {
  %w = f32[4]{0} while(%p), condition=%cond, body=%body
  %s.1 = f32[4]{0} all-reduce(%p), channel_id=2, replica_groups={{0,1}}, to_apply=%add
}
"""
    assert [each.in_loop for each in read_collectives(text)] == [True, False]


def test_a_collective_without_devices_is_an_error():
    with pytest.raises(ValueError, match="no devices in"):
        read_collectives("  %a = f32[8]{0} all-gather(%p), channel_id=1\n")
