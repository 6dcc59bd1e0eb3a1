"""Kernels where several devices share a batch: each takes the rows that lie on it.

In: a kernel, what it reads, and along which axes that may be cut. Out: what it gives.

A compiler cuts what it knows, and of a kernel it knows nothing: it would have every
device take all rows. Rows of a kernel do not meet, so here each device is told to take
its own, and what sums over rows is summed over devices. Which devices there are, says
the mesh that the program is traced under (``training.sharding.on_mesh``); without one,
or on a mesh of one device, the kernel is called as it is.
"""

import math
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax.sharding import PartitionSpec

ROW_AXES = ("data", "fsdp")
"""Axes of a mesh over which batches are cut by pages, and rows with them, in order."""

Cut = int | None
"""The axis of an array along which its rows lie; None = every device has it whole."""

Kernel = Callable[..., list[jax.Array]]
"""``kernel(first, *given)``; ``first``: uint32, the number that its first row has among
all rows of the batch."""


def on_own_rows(
    kernel: Kernel, given: tuple, *, cut: tuple[Cut, ...], found: tuple[Cut, ...]
) -> list[jax.Array]:
    """What ``kernel`` gives for all rows.

    Where rows are no multiple of the devices, every device takes all of them.

    Args:
      kernel: of any number of rows.
      given: trees of arrays.
      cut: of each of them, the axis of rows; of one of them at least.
      found: the same of what the kernel gives; None = sums over rows, which are summed
        over devices.

    Returns:
      What the kernel gives of all rows, in their order.

    Raises:
      ValueError: nothing that is given has rows.
    """
    mesh = jax.sharding.get_abstract_mesh()
    axes = tuple(name for name in ROW_AXES if name in mesh.axis_names)
    shards = math.prod(mesh.shape[name] for name in axes)
    rows = _rows(given, cut)
    if shards == 1 or rows % shards:
        return kernel(jnp.uint32(0), *given)

    def spec(axis: Cut) -> PartitionSpec:
        if axis is None:
            return PartitionSpec()
        return PartitionSpec(*[None] * axis, axes)

    def of_device(*own: Any) -> tuple[jax.Array, ...]:
        place = jax.lax.axis_index(axes).astype(jnp.uint32)
        said = kernel(place * jnp.uint32(rows // shards), *own)
        return tuple(
            jax.lax.psum(x, axes) if axis is None else x
            for x, axis in zip(said, found, strict=True)
        )

    call = jax.shard_map(
        of_device,
        in_specs=tuple(map(spec, cut)),
        out_specs=tuple(map(spec, found)),
        check_vma=False,  # a kernel does not say what it does with values that differ
    )
    return list(call(*given))


def from_row(words: jax.Array, first: jax.Array) -> jax.Array:
    """Two words that decide about dropout, and the first row: four of uint32.

    A power of two, as the compiler of kernels wants them; the last is 0.
    """
    return jnp.stack([words[0], words[1], first, jnp.uint32(0)])


def _rows(given: tuple, cut: tuple[Cut, ...]) -> int:
    for tree, axis in zip(given, cut, strict=True):
        if axis is not None:
            return jax.tree.leaves(tree)[0].shape[axis]
    raise ValueError("nothing that a kernel is given has rows")
