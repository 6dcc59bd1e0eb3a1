"""Host arrays -> arrays on a mesh: each process gives what its own devices hold.

In: rows of batches, parameters. Out: global arrays. With one process and one device
this is a plain copy to the device.
"""

from typing import Any

import jax
import numpy as np
from jax.experimental import multihost_utils
from jax.sharding import Mesh

from reviewintent_jax.data.batches import Rows
from reviewintent_jax.training.sharding import batch_sharding


class Placement:
    """Puts batches on a mesh.

    Args:
      mesh: of :func:`~reviewintent_jax.training.sharding.make_mesh`.

    Attributes:
      mesh: the same.
      parts: devices that share a batch.
    """

    def __init__(self, mesh: Mesh) -> None:
        self.mesh = mesh
        self._sharding = batch_sharding(mesh)
        self.parts = mesh.shape["data"] * mesh.shape["fsdp"]

    def rows(self, size: int, pieces: int = 1) -> Rows:
        """Which rows of a batch of ``size`` rows this process builds.

        Each of ``pieces`` micro-batches is filled up with empty rows until all devices
        get equally many, so that what a micro-batch holds does not depend on the mesh.

        Example: 6 rows in 2 pieces for 4 devices of one process ->
        ``0 1 2 . 3 4 5 .``; two processes build the one ``0 1 2 .`` and the other
        ``3 4 5 .``.
        """
        piece = size // pieces
        padded = -(-piece // self.parts) * self.parts
        source_pn = np.full((pieces, padded), -1)
        source_pn[:, :piece] = np.arange(size).reshape(pieces, piece)
        total = pieces * padded
        here = self._sharding.addressable_devices_indices_map((total,)).values()
        slices = sorted({index[0].indices(total)[:2] for index in here if index})
        source_n = np.concatenate([source_pn.ravel()[a:b] for a, b in slices])
        return Rows(total, source_n)

    def put(self, batch: Any, rows: Rows) -> Any:
        """The rows that this process built, and those of all others, as one batch."""

        def place(part: np.ndarray) -> jax.Array:
            shape = (rows.total, *part.shape[1:])
            return jax.make_array_from_process_local_data(self._sharding, part, shape)

        return jax.tree.map(place, batch)


def put_tree(tree: Any, shardings: Any) -> Any:
    """A tree that every process has whole, cut as ``shardings`` say.

    Each device is sent its own part alone.
    """

    def place(leaf: Any, sharding: Any) -> jax.Array:
        if sharding.is_fully_addressable:
            return jax.device_put(leaf, sharding)
        whole = np.asarray(leaf)
        return jax.make_array_from_callback(whole.shape, sharding, whole.__getitem__)

    return jax.tree.map(place, tree, shardings)


def whole(tree: Any) -> Any:
    """The same tree as NumPy arrays, gathered from all processes.

    Every process must call this at the same point.
    """

    def fetch(leaf: Any) -> np.ndarray:
        if not isinstance(leaf, jax.Array) or leaf.is_fully_addressable:
            return np.asarray(leaf)
        return np.asarray(multihost_utils.process_allgather(leaf, tiled=True))

    return jax.tree.map(fetch, tree)
