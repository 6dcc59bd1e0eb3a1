"""What training would need on machines that we do not have.

In: a config, an encoder by name, a device and how many of them. Out: a plan: memory of
each device, what it sends, and the least time of an update, from programs compiled for
those very devices (:mod:`~reviewintent_jax.benchmark.programs`).

Layers of an encoder are alike, so what a program needs grows by the same amount with
each of them. It is compiled with one layer and with three, and counted on to all; a
program of full depth (``checked`` in the results) shows how well that holds.
"""

import dataclasses
import time
from collections.abc import Callable
from typing import Any, NamedTuple

import jax

from reviewintent_jax.benchmark.devices import Device
from reviewintent_jax.benchmark.encoders import ENCODERS
from reviewintent_jax.benchmark.flops import count_flops, page_work
from reviewintent_jax.benchmark.programs import Program, compile_update, mesh_of
from reviewintent_jax.benchmark.roofline import Roofline, Traffic, roofline, traffic_of
from reviewintent_jax.build import make_model
from reviewintent_jax.configuration import Config
from reviewintent_jax.data.pages import empty_pages
from reviewintent_jax.data.tokens import SpecialIds
from reviewintent_jax.models.review_intent import ReviewIntent
from reviewintent_jax.training.sharding import MeshSpec

SHALLOW, DEEP = 1, 3
_PARTS = 8  # that parameters are cut into, where there are as many devices
_CLASSES = 2
_SPECIAL = SpecialIds(2, 3, 0)  # any: only shapes are read
_OPTIONS: dict[str, dict[str, Any]] = {
    # Trying kernels needs the device; which are chosen moves neither memory nor
    # messages.
    "cuda": {"xla_gpu_autotune_level": "0", "xla_gpu_enable_triton_gemm": False},
    # Else sums and products are interwoven in loops, which send the same bytes round
    # the same ring, but whose repetitions the program's text does not tell.
    "tpu": {"xla_jf_spmd_threshold_for_windowed_einsum_mib": "1000000"},
}


class Case(NamedTuple):
    """What is planned.

    Attributes:
      encoder: name in :data:`~reviewintent_jax.benchmark.encoders.ENCODERS`.
      device: what it runs on.
      devices: how many, 1 or more.
      pages: of each device in an update.
    """

    encoder: str
    device: Device
    devices: int
    pages: int

    @property
    def mesh(self) -> MeshSpec:
        """Parameters in eight parts where there are as many devices; copies of that."""
        return MeshSpec(-1, min(self.devices, _PARTS), 1)


@dataclasses.dataclass(frozen=True)
class Needs:
    """Of one device in an update.

    Attributes:
      state_bytes: parameters and moments.
      peak_bytes: everything it holds at once.
      traffic: what it sends.
    """

    state_bytes: float
    peak_bytes: float
    traffic: list[Traffic]


def moved_at_least(needs: Needs) -> float:
    """Bytes that are read and written: all that is held, once each.

    Compilers without their device do not count more than that.
    """
    return 2 * needs.peak_bytes


def needs_of(case: Case, config: Config, layers: int) -> Needs:
    """Compiles an update whose encoder has so many layers.

    Raises:
      InputError: the compiler of the device is not installed.
    """
    program = compile_update(
        model_of(case, config, layers),
        config.optimizer,
        empty_pages(1, _SPECIAL, config.pages),
        mesh_of(case.device, case.devices, case.mesh),
        pages=case.pages * case.devices,
        options=_OPTIONS[case.device.platform],
    )
    return _needs(program, case.device)


def _needs(program: Program, device: Device) -> Needs:
    return Needs(
        program.state_bytes,
        program.peak_bytes,
        traffic_of(program.collectives, device.neighbours),
    )


def model_of(case: Case, config: Config, layers: int) -> ReviewIntent:
    """The network of a config around an encoder of so many layers."""
    encoder = dataclasses.replace(ENCODERS[case.encoder], num_layers=layers)
    choice = dataclasses.replace(config.encoder, dtype=encoder.dtype)
    config = dataclasses.replace(config, encoder=choice)
    return make_model(config, encoder, _CLASSES, None)


def at_depth(layers: int, shallow: Needs, deep: Needs) -> Needs:
    """Needs of ``layers`` layers from those of ``SHALLOW`` and of ``DEEP``.

    Example: 10 GB with one layer and 14 with three -> 32 with twelve.
    """
    steps = (layers - SHALLOW) / (DEEP - SHALLOW)

    def on(few: float, more: float) -> float:
        return few + (more - few) * steps

    sent = [
        {each[:3]: each.sent_bytes for each in needs.traffic}
        for needs in (shallow, deep)
    ]
    traffic = [
        Traffic(*key, on(sent[0].get(key, 0.0), sent[1].get(key, 0.0)))
        for key in dict.fromkeys([*sent[0], *sent[1]])
    ]
    return Needs(
        on(shallow.state_bytes, deep.state_bytes),
        on(shallow.peak_bytes, deep.peak_bytes),
        traffic,
    )


def plan(
    case: Case, config: Config, needs: Needs, *, page_reviews: float
) -> dict[str, Any]:
    """What follows from the needs of an update, as plain JSON values.

    Args:
      case: what is planned.
      config: of pages and model.
      needs: of one device.
      page_reviews: reviews on a page, on average.
    """
    pages, device = config.pages, case.device
    model = model_of(case, config, ENCODERS[case.encoder].num_layers)
    work = page_work(case.pages, pages.page_tokens, pages.slots, pages.chunk_tokens)
    flops = count_flops(model.spec, work).update
    times: Roofline = roofline(device, flops, moved_at_least(needs), needs.traffic)
    reviews = case.pages * case.devices * page_reviews
    hours = times.exposed * 1e6 / reviews / 3600
    return {
        "encoder": case.encoder,
        "device": device.name,
        "devices": case.devices,
        "mesh": list(case.mesh.shape(case.devices)),
        "pages": case.pages,
        "reviews": round(reviews, 1),
        "state_bytes": round(needs.state_bytes),
        "peak_bytes": round(needs.peak_bytes),
        "fits": needs.peak_bytes <= device.memory_bytes,
        "traffic": [each._asdict() for each in needs.traffic],
        "flops": flops,
        "seconds": {
            "compute": times.compute,
            "memory": times.memory,
            "network": times.network,
            "hidden": times.hidden,
            "exposed": times.exposed,
        },
        "mfu": flops / device.flops / times.exposed,
        "reviews_per_second": reviews / times.exposed,
        "million_reviews_price": hours * case.devices * device.hourly_price,
    }


def compiled(case: Case, config: Config, layers: int) -> dict[str, Any]:
    """One compiled program as plain JSON values."""
    began = time.monotonic()
    needs = needs_of(case, config, layers)
    jax.clear_caches()
    return {
        "encoder": case.encoder,
        "device": case.device.name,
        "devices": case.devices,
        "pages": case.pages,
        "layers": layers,
        "seconds": round(time.monotonic() - began, 1),
        "state_bytes": needs.state_bytes,
        "peak_bytes": needs.peak_bytes,
        "traffic": [each._asdict() for each in needs.traffic],
    }


def needs_from(record: dict[str, Any]) -> Needs:
    """The needs in what :func:`compiled` returned."""
    traffic = [Traffic(**each) for each in record["traffic"]]
    return Needs(record["state_bytes"], record["peak_bytes"], traffic)


Compile = Callable[[Case, int], dict[str, Any]]
"""Compiles a case with so many layers, or finds it among what was compiled before."""


def needs_of_layers(case: Case, compile_case: Compile) -> Needs:
    """Needs of the whole encoder, from programs of few layers and of some more."""
    few, more = (needs_from(compile_case(case, depth)) for depth in (SHALLOW, DEEP))
    return at_depth(ENCODERS[case.encoder].num_layers, few, more)


def plan_case(
    case: Case, config: Config, compile_case: Compile, *, page_reviews: float
) -> dict[str, Any]:
    """A plan from a program of few layers and one of some more."""
    needs = needs_of_layers(case, compile_case)
    return plan(case, config, needs, page_reviews=page_reviews)
