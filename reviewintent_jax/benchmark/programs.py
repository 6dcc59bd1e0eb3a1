"""An update compiled for devices that are not there.

In: a model, a device and how many of them, and the mesh. Out: what the compiler of that
device says of the program: memory on each device, and what the devices say to each
other. The compilers themselves come from the packages of JAX (``pip install
'.[scaling]'``) and need no hardware: a *topology* describes it to them.
"""

import math
import os
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax.experimental import topologies
from jax.sharding import Mesh

from reviewintent_jax.benchmark.collectives import Collective, read_collectives
from reviewintent_jax.benchmark.devices import Device
from reviewintent_jax.models.review_intent import ReviewIntent, init_params
from reviewintent_jax.schema import InputError, PageBatch
from reviewintent_jax.training.objective import ReviewObjective
from reviewintent_jax.training.optimizer import OptimizerSpec, make_optimizer
from reviewintent_jax.training.sharding import (
    MeshSpec,
    batch_sharding,
    make_mesh,
    replicated,
    shardings_of,
)
from reviewintent_jax.training.state import TrainState
from reviewintent_jax.training.step import make_train_step


class Program(NamedTuple):
    """What a compiler says of an update.

    Attributes:
      state_bytes: of parameters and moments, on one device.
      peak_bytes: of everything that one device holds at once, the state included.
      collectives: what the devices say to each other in one update.
    """

    state_bytes: int
    peak_bytes: int
    collectives: list[Collective]


def sentiment_of(model: ReviewIntent) -> ReviewObjective:
    """The sentiment of reviews as what an update makes smaller."""
    return ReviewObjective(model, loss_spec=None, label_smoothing=0.0, seed=0)


def compile_update(
    model: ReviewIntent,
    optimizer: OptimizerSpec,
    page: PageBatch,
    mesh: Mesh,
    *,
    pages: int,
    options: dict[str, Any],
) -> Program:
    """Compiles one update for the devices of a mesh, without running it.

    Args:
      model: the network.
      optimizer: of all parameters.
      page: any page of the right layout; only its shapes are read.
      mesh: of devices of a topology, or of real ones.
      pages: in the batch of all devices together.
      options: for the compiler.

    Raises:
      jax.errors.JaxRuntimeError: it does not fit the memory of a device.
    """
    rule = make_optimizer(optimizer)
    state = abstract_state(model, rule, page, mesh)
    spread = batch_sharding(mesh)
    batch = jax.tree.map(
        lambda leaf: jax.ShapeDtypeStruct(
            (pages, *leaf.shape[1:]), jnp.asarray(leaf).dtype, sharding=spread
        ),
        page,
    )
    step: Any = make_train_step(sentiment_of(model), rule, state, accumulate=1)
    compiled = step.lower(state, batch).compile(options or None)
    memory = compiled.memory_analysis()
    held = memory.argument_size_in_bytes + memory.output_size_in_bytes
    return Program(
        state_bytes=_bytes_on_a_device(state),
        peak_bytes=held - memory.alias_size_in_bytes + memory.temp_size_in_bytes,
        collectives=read_collectives(compiled.as_text()),
    )


def abstract_state(
    model: ReviewIntent, rule: Any, page: PageBatch, mesh: Mesh
) -> TrainState:
    """Shapes of a state, and where each leaf lies; nothing is computed."""
    params = jax.eval_shape(lambda: init_params(model, page, seed=0, encoder=None))
    moments = jax.eval_shape(rule.init, params)

    def placed(tree: Any) -> Any:
        return jax.tree.map(
            lambda leaf, where: jax.ShapeDtypeStruct(
                leaf.shape, leaf.dtype, sharding=where
            ),
            tree,
            shardings_of(tree, mesh),
        )

    step = jax.ShapeDtypeStruct((), jnp.int32, sharding=replicated(mesh))
    return TrainState(step, placed(params), placed(moments))  # type: ignore[arg-type]


def _bytes_on_a_device(state: TrainState) -> int:
    return sum(
        leaf.dtype.itemsize * math.prod(leaf.sharding.shard_shape(leaf.shape))
        for leaf in jax.tree.leaves(state)
    )


def mesh_of(device: Device, devices: int, spec: MeshSpec) -> Mesh:
    """A mesh of so many devices that are described, not there.

    Raises:
      InputError: the compiler for them is not installed.
    """
    os.environ.setdefault("TPU_SKIP_MDS_QUERY", "1")  # there is no machine to ask
    try:
        found = topologies.get_topology_desc(
            platform=device.platform, **device.topology(devices)
        )
    except (RuntimeError, ValueError, KeyError, AttributeError) as error:
        raise InputError(
            f"There is no compiler for {device.name}: {str(error).splitlines()[0]}",
            fix="make scaling installs it, in an environment of its own.",
        ) from None
    return make_mesh(spec, list(found.devices))
