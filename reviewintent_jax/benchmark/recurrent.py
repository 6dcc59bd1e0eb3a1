"""Time of one GRU layer: our scan in every setting, linen's, and PyTorch's.

In: the sizes of the uses that LSTNet has. Out: one record for each use, pass and
system. ``gate_fusion`` and ``unroll`` change speed alone, so they are chosen by these
numbers. All systems take turns, forwards and then backwards, so that a machine that
slows down slows all of them; medians are compared.
"""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from reviewintent_jax.benchmark.absent import AbsentError
from reviewintent_jax.benchmark.layer_runs import (
    Run,
    figures,
    linen_passes,
    torch_passes,
)
from reviewintent_jax.benchmark.timing import turns
from reviewintent_jax.models.recurrent import GRU, Candidate, GateFusion

UNROLLS = (1, 2, 4, 8)
PASSES = ("forward", "forward+backward")


class Use(NamedTuple):
    """Sizes of one GRU layer where LSTNet is used.

    Attributes:
      name: of the use.
      rows: series read at a time.
      steps: of each.
      inputs: features of a step.
      features: size of the state.
      chosen: ``gate_fusion`` and ``unroll`` of the config that uses it.
      dtype: of the matrix products; PyTorch's by autocast.
    """

    name: str
    rows: int
    steps: int
    inputs: int
    features: int
    chosen: tuple[str, int]
    dtype: str = "float32"


class Setting(NamedTuple):
    """A setting of our GRU."""

    gate_fusion: GateFusion
    unroll: int

    @property
    def name(self) -> str:
        """As records call it: ``separate, unroll 4``."""
        return f"{self.gate_fusion.value}, unroll {self.unroll}"


def measure_recurrent(
    uses: Sequence[Use], *, rounds: int, unrolls: Sequence[int] = UNROLLS
) -> list[dict[str, Any]]:
    """Times every system at every use.

    Args:
      uses: sizes.
      rounds: turns that each system takes, 1 or more; the first, untimed one compiles.
      unrolls: values of ``unroll`` that are tried.

    Returns:
      Records with ``use``, its sizes, ``pass``, ``system`` and ``milliseconds``
      (``median``, ``low`` and ``high``: the quartiles), ``cpu_milliseconds`` (median,
      of all threads of this process), ``ratio`` (to the setting in
      use in the same round, the median of the rounds; ``ratio_spread`` has their
      quartiles) and ``chosen``; of a system that is not there, ``absent`` (why) in
      their place.
    """
    records = []
    for use in uses:
        systems, absent = _systems(use, unrolls)
        for place, name in enumerate(PASSES):
            taken = turns({each: both[place] for each, both in systems.items()}, rounds)
            records += _records(use, name, taken, absent)
    return records


def fastest(records: Sequence[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Of every use, our fastest setting by forward and backward, and what it gains.

    Returns:
      Use -> ``system``, ``ratio`` (its median over that of the setting in use, 1 where
      it is in use) and ``chosen``, the setting in use.
    """
    found: dict[str, dict[str, Any]] = {}
    for use in dict.fromkeys(record["use"] for record in records):
        ours = [
            record
            for record in records
            if record["use"] == use
            and record["pass"] == PASSES[1]
            and "unroll" in record["system"]
        ]
        best = min(ours, key=lambda record: record["milliseconds"]["median"])
        found[use] = {name: best[name] for name in ("system", "ratio", "chosen")}
    return found


def recurrent_page(results: dict[str, Any]) -> str:
    """The records as Markdown: a table for each use, and the choice in words.

    Args:
      results: ``environment``, ``records`` and ``fastest``, as the file holds them.
    """
    device, records = results["environment"]["device"], results["records"]
    cores = results["environment"]["cores"]
    lines = ["# Gate fusion and unroll: what was measured", ""]
    lines += [
        f"One GRU layer on {device} ({cores} cores), median milliseconds (quartiles); "
        "ratios are to the setting in use. `python -m launch.measure_recurrent`.",
    ]
    for use in dict.fromkeys(record["use"] for record in records):
        mine = [record for record in records if record["use"] == use]
        best, sizes = results["fastest"][use], mine[0]
        lines += [
            "",
            f"## {use}",
            "",
            f"{sizes['rows']} series of {sizes['steps']} steps, {sizes['inputs']} "
            f"features, state {sizes['features']}. In use: {best['chosen']}. Fastest "
            f"of ours: {best['system']}, {best['ratio']:.2f} of its time.",
            "",
            f"| system | {' | '.join(PASSES)} |",
            "|---|---|---|",
        ]
        for system in dict.fromkeys(record["system"] for record in mine):
            both = [record for record in mine if record["system"] == system]
            lines.append(f"| {system} | {' | '.join(map(_cell, both))} |")
    return "\n".join([*lines, ""])


def _cell(record: dict[str, Any]) -> str:
    if "absent" in record:
        return record["absent"]
    took = record["milliseconds"]
    return (
        f"{took['median']:.2f} ({took['low']:.2f} to {took['high']:.2f}); "
        f"{record['ratio']:.2f}"
    )


def _records(
    use: Use,
    passed: str,
    taken: dict[str, list[dict[str, float]]],
    absent: dict[str, str],
) -> list[dict[str, Any]]:
    """What was timed, as plain JSON values."""
    chosen = Setting(GateFusion(use.chosen[0]), use.chosen[1]).name
    sizes, records = use._asdict() | {"chosen": chosen}, []
    facts = {"use": sizes.pop("name"), **sizes, "pass": passed}
    for system, times in taken.items():
        found = figures(times, taken[chosen])
        over = {"ratio": found["ratio"]["median"], "ratio_spread": found["ratio"]}
        records.append(facts | {"system": system} | found | over)
    for system, why in absent.items():
        records.append(facts | {"system": system, "absent": why})
    return records


def _systems(
    use: Use, unrolls: Sequence[int]
) -> tuple[dict[str, list[Run]], dict[str, str]]:
    """Both passes of every system, and why others are not there."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(use.rows, use.steps, use.inputs)).astype(np.float32)
    off, dtype = np.zeros(x.shape[:2], bool), jnp.dtype(use.dtype)
    found: dict[str, list[Run]] = {}
    absent = {}
    for fusion, unroll in _settings(unrolls):
        layer = GRU(
            use.features,
            Candidate.TANH,
            gate_fusion=fusion,
            unroll=unroll,
            dtype=dtype,
        )
        found[Setting(fusion, unroll).name], _ = linen_passes(layer, x, off, ~off)
    theirs = nn.RNN(nn.GRUCell(use.features, dtype=dtype))
    found["linen nn.RNN(GRUCell)"], _ = linen_passes(theirs, x)
    try:
        found["torch nn.GRU"] = torch_passes(
            lambda torch: torch.nn.GRU(use.inputs, use.features, batch_first=True),
            x,
            read=lambda answer: answer[0],
            dtype=use.dtype,
        )
    except AbsentError as error:
        absent["torch nn.GRU"] = str(error)
    return found, absent


def _settings(unrolls: Sequence[int]) -> list[Setting]:
    """Those that differ here: a kernel of a GPU has no loop to unroll."""
    scans = GateFusion.SEPARATE, GateFusion.FUSED
    found = [Setting(fusion, unroll) for fusion in scans for unroll in unrolls]
    if jax.default_backend() == "gpu":
        found.append(Setting(GateFusion.KERNEL, 1))
    return found


def measure_layers(
    *, uses: Sequence[Sequence[Any]], rounds: int, unrolls: Sequence[int]
) -> Iterator[dict[str, Any]]:
    """Yields what is measured, then one ``record`` a use, pass and system."""
    yield {"unrolls": list(unrolls)}
    named = [Use(*use) for use in uses]
    given = [use._replace(chosen=tuple(use.chosen)) for use in named]
    for record in measure_recurrent(given, rounds=rounds, unrolls=unrolls):
        yield {"record": record}
