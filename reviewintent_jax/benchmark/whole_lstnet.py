"""Time of a whole LSTNet: ours, one of linen's layers and one of PyTorch's.

In: the sizes and specs of LSTNet's uses. Out: one record for each use, pass and system.
All read the same rows, every one full, without dropout, and take turns. The candidate
of every GRU is tanh, since PyTorch's knows no other.
"""

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import jax
import numpy as np

from reviewintent_jax.benchmark.absent import AbsentError
from reviewintent_jax.benchmark.layer_runs import figures, linen_passes, torch_passes
from reviewintent_jax.benchmark.linen_lstnet import LinenLSTNet
from reviewintent_jax.benchmark.recurrent import PASSES
from reviewintent_jax.benchmark.timing import turns
from reviewintent_jax.benchmark.torch_lstnet import make_torch_lstnet
from reviewintent_jax.models.lstnet import LSTNet
from reviewintent_jax.models.lstnet_spec import LSTNetSpec
from reviewintent_jax.models.recurrent import Candidate
from reviewintent_jax.settings import read_settings

OURS = "ours"
LINEN = "linen, nn.RNN(GRUCell)"
TORCH = "PyTorch, nn.GRU"


@dataclasses.dataclass(frozen=True)
class WholeUse:
    """Where a whole LSTNet is used.

    Attributes:
      name: of the use.
      rows: series read at a time.
      steps: of each.
      inputs: features of a step.
      lstnet: what it is made of; fusion ``skip``.
    """

    name: str
    rows: int
    steps: int
    inputs: int
    lstnet: LSTNetSpec


def measure_whole(
    *, uses: Sequence[Mapping[str, Any]], rounds: int
) -> Iterator[dict[str, Any]]:
    """Yields what is measured, then one ``record`` a use, pass and system.

    A record holds ``use``, its sizes, ``parameters`` (of ours and of linen's, which are
    as many), ``pass``, ``system``, ``milliseconds`` (median and quartiles),
    ``cpu_milliseconds`` (median, all cores) and ``ratio``: its time over ours in the
    same round, median and quartiles; or ``absent`` in the place of the last three.

    Args:
      uses: :class:`WholeUse` as plain values.
      rounds: turns of each system.
    """
    given = [read_settings(WholeUse, use, "use") for use in uses]
    yield {"uses": [use.name for use in given]}
    for use in given:
        for record in _measured(use, rounds):
            yield {"record": record}


def _measured(use: WholeUse, rounds: int) -> Iterator[dict[str, Any]]:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(use.rows, use.steps, use.inputs)).astype(np.float32)
    slots = (
        np.zeros((use.rows, 1), np.int32),
        np.full((use.rows, 1), use.steps, np.int32),
    )
    spec = dataclasses.replace(use.lstnet, dropout=0.0, candidate=Candidate.TANH)
    ours, params = linen_passes(
        LSTNet(spec), x, *slots, read=lambda told: told.summary_bkm, deterministic=True
    )
    linen, _ = linen_passes(LinenLSTNet(spec), x)
    systems, absent = {OURS: ours, LINEN: linen}, {}
    try:
        systems[TORCH] = torch_passes(
            lambda torch: make_torch_lstnet(torch, use.inputs, spec), x
        )
    except AbsentError as error:
        absent[TORCH] = str(error)
    parameters = sum(leaf.size for leaf in jax.tree.leaves(params))
    sizes = {key: getattr(use, key) for key in ("rows", "steps", "inputs")}
    facts = {"use": use.name, **sizes, "parameters": parameters}
    for place, passed in enumerate(PASSES):
        times = turns({name: both[place] for name, both in systems.items()}, rounds)
        for name, taken in times.items():
            yield {**facts, "pass": passed, "system": name} | figures(
                taken, times[OURS]
            )
        for name, why in absent.items():
            yield {**facts, "pass": passed, "system": name, "absent": why}
