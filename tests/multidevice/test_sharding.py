"""Rules and meshes: what goes where, by arithmetic done by hand."""

from types import SimpleNamespace

import jax
import numpy as np
import pytest
from jax.sharding import PartitionSpec

from reviewintent_jax.data.batches import Rows, all_rows
from reviewintent_jax.schema import InputError
from reviewintent_jax.training.placement import Placement, put_tree, whole
from reviewintent_jax.training.sharding import (
    MeshSpec,
    check_kernels,
    make_mesh,
    spec_for,
)

QUERY = "encoder/layer_11/attention/query/kernel"


def mesh(*sizes):
    return make_mesh(MeshSpec(*sizes))


@pytest.mark.parametrize(
    ("sizes", "devices", "shape"),
    [
        ((-1, 1, 1), 8, (8, 1, 1)),
        ((0, 2, 2), 8, (2, 2, 2)),
        ((1, -1, 2), 8, (1, 4, 2)),
        ((1, 1, 1), 8, (1, 1, 1)),
        ((2, 3, 1), 8, (2, 3, 1)),
        ((-1, 1, 1), 1, (1, 1, 1)),
    ],
)
def test_the_axis_without_a_size_takes_the_rest(sizes, devices, shape):
    assert MeshSpec(*sizes).shape(devices) == shape


@pytest.mark.parametrize("sizes", [(-1, -1, 1), (-2, 1, 1), (0, 0, 1)])
def test_a_mesh_without_sizes_is_refused(sizes):
    with pytest.raises(InputError, match="one of them may be -1"):
        MeshSpec(*sizes)


@pytest.mark.parametrize("sizes", [(9, 1, 1), (-1, 3, 1), (-1, 16, 1)])
def test_a_mesh_that_does_not_fit_the_devices_is_refused(sizes):
    with pytest.raises(InputError, match="does not fit 8 devices"):
        mesh(*sizes)


def test_a_small_mesh_uses_the_first_devices():
    assert list(mesh(1, 2, 1).devices.flat) == jax.devices()[:2]


@pytest.mark.parametrize(
    ("path", "shape", "spec"),
    [
        (QUERY, (768, 768), ("fsdp", "tensor")),
        (QUERY, (768, 770), ("fsdp", "tensor")),
        (QUERY, (768, 769), ("fsdp", None)),  # tensor divides nothing: fsdp alone
        (QUERY, (6, 768), (None, "tensor")),
        (QUERY, (6, 769), ()),
        ("1/mu/" + QUERY, (768, 768), ("fsdp", "tensor")),
        ("encoder/layer_0/attention/output/kernel", (768, 768), ("tensor", "fsdp")),
        ("encoder/layer_0/feed_forward/up/bias", (3072,), ("tensor",)),
        ("encoder/layer_0/feed_forward/down/bias", (768,), ()),
        ("encoder/embeddings/token/embedding", (30522, 768), ("tensor", "fsdp")),
        ("encoder/embeddings/token/embedding", (30521, 768), (None, "fsdp")),
        ("encoder/embeddings/norm/scale", (768,), ()),
        ("lstnet/convolution/kernel_3", (3, 768, 64), ()),
        ("sentiment/classify/kernel", (128, 2), ()),
        ("0/count", (), ()),
    ],
)
def test_rules_and_what_they_fall_back_to(path, shape, spec):
    assert spec_for(path, shape, mesh(1, 4, 2)) == PartitionSpec(*spec)


def test_the_rows_of_the_docstring():
    rows = Placement(mesh(4, 1, 1)).rows(6, pieces=2)
    assert rows.total == 8
    assert rows.source_n.tolist() == [0, 1, 2, -1, 3, 4, 5, -1]


@pytest.mark.parametrize(("sizes", "total"), [((1, 1, 1), 3), ((2, 2, 2), 4)])
def test_a_batch_is_filled_up_only_as_far_as_its_devices_need(sizes, total):
    rows = Placement(mesh(*sizes)).rows(3)
    assert rows.total == total
    assert rows.pick(np.array([7, 8, 9])).tolist() == [7, 8, 9, -1][:total]
    assert rows.pick(np.array([7])).tolist() == [7, -1, -1, -1][:total]


def test_picked_rows_are_those_of_the_docstring():
    rows = Rows(4, np.array([2, -1]))
    assert rows.pick(np.array([7, 8, 9])).tolist() == [9, -1]
    assert rows.pick(np.array([7, 8])).tolist() == [-1, -1]
    assert all_rows(2).pick(np.array([5, 6])).tolist() == [5, 6]


def test_a_batch_lies_over_data_and_fsdp_and_comes_back_whole():
    placement = Placement(mesh(2, 2, 2))
    batch = np.arange(24.0).reshape(8, 3)
    placed = placement.put({"x": batch}, placement.rows(8))["x"]
    assert {part.data.shape for part in placed.addressable_shards} == {(2, 3)}
    np.testing.assert_array_equal(whole({"x": placed})["x"], batch)


def test_a_tree_is_cut_as_asked():
    on = mesh(1, 4, 2)
    place = jax.sharding.NamedSharding(on, spec_for(QUERY, (8, 6), on))
    placed = put_tree({"a": np.ones((8, 6))}, {"a": place})["a"]
    assert {part.data.shape for part in placed.addressable_shards} == {(2, 3)}


@pytest.mark.parametrize(
    ("devices", "tensor", "platform", "choice", "refused"),
    [
        (2, 1, "gpu", "pallas", "the mesh has 2"),
        (1, 1, "gpu", "pallas", None),
        (2, 1, "gpu", "kernel", None),
        (4, 2, "gpu", "kernel", "over 2 GPUs"),
        (4, 2, "gpu", "cudnn", None),
        (8, 2, "cpu", "kernel", None),
        (
            1,
            1,
            "cpu",
            "cudnn",
            "attention=cudnn runs on NVIDIA GPUs, and JAX finds cpu",
        ),
        (8, 1, "tpu", "pallas", "attention=pallas runs on NVIDIA GPUs"),
    ],
)
def test_kernels_that_cannot_be_cut_are_refused(
    devices, tensor, platform, choice, refused
):
    flat = [SimpleNamespace(platform=platform)] * devices
    there = SimpleNamespace(
        size=devices, devices=SimpleNamespace(flat=flat), shape={"tensor": tensor}
    )
    if not refused:
        check_kernels(there, "xla", choice)
        return
    with pytest.raises(InputError, match=refused):
        check_kernels(there, "xla", choice)
