"""Which device holds what: a mesh of devices, and rules over the parameter tree.

In: the devices that JAX finds, and a tree of parameters or of a whole state. Out: a
mesh of three axes and a ``NamedSharding`` for every leaf. Models know nothing of this,
but for kernels, which ask what mesh they run on (``models.own_rows``).

- ``data``: every device has all parameters and a part of the batch.
- ``fsdp``: a part of the batch too, and a part of the parameters and their moments.
- ``tensor``: a part of the features; the devices of a row share their pages.
"""

import dataclasses
import functools
import math
import re
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
from jax.sharding import AxisType, Mesh, NamedSharding, PartitionSpec

from reviewintent_jax.models.own_rows import ROW_AXES
from reviewintent_jax.schema import InputError

AXES = (*ROW_AXES, "tensor")
REST = -1
"""Size of an axis that takes the devices that the others leave; 0 means the same."""

BATCH = PartitionSpec(ROW_AXES)
"""How the leading axis of a batch (pages, windows) is cut."""


@dataclasses.dataclass(frozen=True)
class MeshSpec:
    """Sizes of the mesh; one of them may be -1 (or 0) = the devices that are left.

    Attributes:
      data: copies of the parameters.
      fsdp: parts that parameters and moments are cut into; each reads its own pages.
      tensor: parts that features are cut into; all of them read the same pages.
    """

    data: int
    fsdp: int
    tensor: int

    def __post_init__(self) -> None:
        sizes = dataclasses.astuple(self)
        if min(sizes) < REST or sum(size < 1 for size in sizes) > 1:
            raise InputError(
                f"mesh: data, fsdp and tensor are {sizes}.",
                where="group mesh",
                fix="Give sizes of 1 or more; one of them may be -1 = the rest.",
            )

    def shape(self, devices: int) -> tuple[int, int, int]:
        """Sizes for so many devices.

        Example: data -1, fsdp 2, tensor 2 on 8 devices -> (2, 2, 2).

        Raises:
          InputError: the devices are too few, or the rest is not whole.
        """
        sizes = dataclasses.astuple(self)
        fixed = math.prod(size for size in sizes if size > 0)
        rest = devices // fixed
        if rest == 0 or (min(sizes) < 1 and devices % fixed):
            raise InputError(
                f"mesh: data x fsdp x tensor of {sizes} does not fit {devices} "
                f"device{'s' * (devices > 1)}.",
                where="group mesh",
                fix="Leave --config.mesh.data at -1, with fsdp x tensor a divisor of "
                "the number of devices.",
            )
        data, fsdp, tensor = (size if size > 0 else rest for size in sizes)
        return data, fsdp, tensor


ONE_DEVICE = MeshSpec(1, 1, 1)
_OF_GPUS = {"cudnn", "cudnn_lengths", "pallas"}  # nothing takes their place elsewhere


def make_mesh(spec: MeshSpec, devices: Sequence[Any] | None = None) -> Mesh:
    """The mesh of ``spec``; a mesh smaller than the machine uses its first devices.

    Args:
      spec: sizes.
      devices: all there are; None = all that JAX finds, on all hosts.

    Raises:
      InputError: it does not fit; with several processes also where a device would be
        left over, because every process must have a part in every step.
    """
    found = list(jax.devices() if devices is None else devices)
    shape = spec.shape(len(found))
    used = math.prod(shape)
    if jax.process_count() > 1 and devices is None and used != len(found):
        raise InputError(
            f"mesh: {' x '.join(map(str, shape))} uses {used} of {len(found)} devices; "
            "a run of several processes uses all of them.",
            where="group mesh",
            fix="Leave --config.mesh.data at -1.",
        )
    auto = (AxisType.Auto,) * len(AXES)
    return jax.make_mesh(shape, AXES, axis_types=auto, devices=found[:used])


def check_kernels(mesh: Mesh, *choices: str) -> None:
    """Refuses kernels that a mesh does not have, or cannot cut.

    Args:
      mesh: of the run.
      choices: of what computes attention (``encoder.attention``), what follows
        products (``encoder.epilogues``) and recurrent layers (``lstnet.gate_fusion``).

    Raises:
      InputError: attention of GPUs was asked for where there is none; JAX's kernel for
        attention, and several GPUs share a batch; or one of ours, and features are cut
        over GPUs: the compiler does not know how to cut it, and every GPU would do the
        work of all.
    """
    platform = mesh.devices.flat[0].platform
    if platform != "gpu":
        wanted = sorted(_OF_GPUS.intersection(choices))
        if wanted:
            raise InputError(
                f"encoder.attention={wanted[0]} runs on NVIDIA GPUs, and JAX finds "
                f"{platform} here.",
                where="encoder.attention",
                fix="Choose --config.encoder.attention=xla.",
            )
        return
    if "pallas" in choices and mesh.size > 1:
        raise InputError(
            f"JAX's kernel for attention runs on one GPU, the mesh has {mesh.size}.",
            where="encoder.attention",
            fix="Choose --config.encoder.attention=kernel or xla, or one GPU: "
            "--config.mesh.data=1.",
        )
    if "kernel" in choices and mesh.shape["tensor"] > 1:
        raise InputError(
            "The kernels asked for read all features of a token, and mesh.tensor cuts "
            f"them over {mesh.shape['tensor']} GPUs.",
            where="encoder.attention, encoder.epilogues, lstnet.gate_fusion",
            fix="Leave --config.mesh.tensor at 1 (mesh.fsdp cuts parameters, too), or "
            "choose --config.encoder.attention=xla (or cudnn, which wants "
            "--config.encoder.attention_dropout=0), --config.encoder.epilogues=xla and "
            "--config.lstnet.gate_fusion=fused.",
        )


def one_device() -> Mesh:
    """A mesh of the first device of this process."""
    return make_mesh(ONE_DEVICE, jax.local_devices()[:1])


def on_mesh(mesh: Mesh, function: Callable[..., Any]) -> Callable[..., Any]:
    """The same function, to be traced; its kernels take on each device its own rows.

    On one device the program stays as it is.
    """
    if mesh.size == 1:
        return function

    @functools.wraps(function)
    def known(*given: Any, **named: Any) -> Any:
        with jax.sharding.use_abstract_mesh(mesh.abstract_mesh):
            return function(*given, **named)

    return known


def answers_on(mesh: Mesh, forward: Callable[..., Any]) -> Callable[..., Any]:
    """``forward`` compiled for a mesh; every device gets all answers.

    Args:
      mesh: where its arguments lie.
      forward: pure, from arrays to arrays.
    """
    return jax.jit(on_mesh(mesh, forward), out_shardings=replicated(mesh))


def describe_mesh(mesh: Mesh) -> list[str]:
    """A line for people about the devices of a run; none where it is one device."""
    if mesh.size == 1:
        return []
    sizes = " x ".join(f"{name} {size}" for name, size in mesh.shape.items())
    processes = jax.process_count()
    shared = f" of {processes} processes" if processes > 1 else ""
    return [f"Devices: {mesh.size}{shared}, {sizes}"]


class Rule(NamedTuple):
    """How leaves whose path ends in ``pattern`` are cut.

    Attributes:
      pattern: regular expression of the end of a path such as
        ``encoder/layer_0/attention/query/kernel``; those of moments end alike.
      specs: tried in order; the first whose every axis divides its dimension is taken.
        Where none does, each device holds the whole leaf.
    """

    pattern: str
    specs: tuple[PartitionSpec, ...]


def _rule(pattern: str, *specs: tuple[Any, ...]) -> Rule:
    return Rule(pattern, tuple(PartitionSpec(*spec) for spec in specs))


_WIDENS = (("fsdp", "tensor"), ("fsdp", None), (None, "tensor"))
_NARROWS = (("tensor", "fsdp"), (None, "fsdp"), ("tensor", None))

RULES = (
    # Heads of attention and hidden features are cut by tensor: what widens by its
    # output, what narrows by its input, so that one sum a block joins the parts.
    _rule(r"attention/(query|key|value)/kernel", *_WIDENS),
    _rule(r"attention/(query|key|value)/bias", ("tensor",)),
    _rule(r"attention/output/kernel", *_NARROWS),
    _rule(r"feed_forward/up/kernel", *_WIDENS),
    _rule(r"feed_forward/up/bias", ("tensor",)),
    _rule(r"feed_forward/down/kernel", *_NARROWS),
    _rule(r"embeddings/token/embedding", *_NARROWS),
    _rule(r"embeddings/(position|type)/embedding", (None, "fsdp")),
    # LSTNet and heads are small beside an encoder, and cutting the matrices of a scan
    # would cost a message a time step.
    _rule(r".*", ()),
)
"""First match wins; the last rule leaves whatever has no rule whole."""


def spec_for(path: str, shape: tuple[int, ...], mesh: Mesh) -> PartitionSpec:
    """How one leaf is cut.

    Example: ``encoder/layer_0/attention/query/kernel`` of [768, 768] on a mesh with
    fsdp 4 and tensor 2 -> ``PartitionSpec("fsdp", "tensor")``: parts of [192, 384].
    """
    rule = next(each for each in RULES if re.search(f"(^|/){each.pattern}$", path))
    fitting = (spec for spec in rule.specs if _divides(spec, shape, mesh))
    return next(fitting, PartitionSpec())


def _divides(spec: PartitionSpec, shape: tuple[int, ...], mesh: Mesh) -> bool:
    if len(spec) > len(shape):
        return False
    named = [(axis, size) for axis, size in zip(spec, shape, strict=False) if axis]
    return all(size % mesh.shape[axis] == 0 for axis, size in named)


def shardings_of(tree: Any, mesh: Mesh) -> Any:
    """A ``NamedSharding`` for every leaf of parameters, moments or a whole state."""

    def place(path: Any, leaf: Any) -> NamedSharding:
        name = jax.tree_util.keystr(path, simple=True, separator="/")
        return NamedSharding(mesh, spec_for(name, leaf.shape, mesh))

    return jax.tree_util.tree_map_with_path(place, tree)


def gathered(shardings: Any) -> Any:
    """The same shardings with the parts of ``fsdp`` put together, for computing.

    Left in parts, the compiler would cut activations by features as parameters are,
    and then sum them over the devices in every layer: tens of times the bytes of the
    parameters that are put together instead.

    Example: ``PartitionSpec("fsdp", "tensor")`` -> ``PartitionSpec(None, "tensor")``.
    """

    def whole(sharding: NamedSharding) -> NamedSharding:
        axes = (None if axis == "fsdp" else axis for axis in sharding.spec)
        return NamedSharding(sharding.mesh, PartitionSpec(*axes))

    return jax.tree.map(whole, shardings)


def batch_sharding(mesh: Mesh) -> NamedSharding:
    """Of every array of a batch: its leading axis over data and fsdp."""
    return NamedSharding(mesh, BATCH)


def replicated(mesh: Mesh) -> NamedSharding:
    """Of what every device has whole."""
    return NamedSharding(mesh, PartitionSpec())
