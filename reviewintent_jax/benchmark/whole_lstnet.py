"""Time of a whole LSTNet: ours, one of linen's layers and one of PyTorch's.

In: the sizes and specs of LSTNet's uses. Out: one record for each use, pass and system.
All read the same rows, every one full, without dropout, and take turns. Backwards means
gradients of all parameters and of the input.
"""

import dataclasses
import statistics
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from reviewintent_jax.benchmark.absent import AbsentError
from reviewintent_jax.benchmark.linen_lstnet import LinenLSTNet
from reviewintent_jax.benchmark.recurrent import PASSES
from reviewintent_jax.benchmark.timing import ratios, spread, turns
from reviewintent_jax.benchmark.torch_device import torch_device
from reviewintent_jax.benchmark.torch_lstnet import make_torch_lstnet
from reviewintent_jax.models.lstnet import LSTNet
from reviewintent_jax.models.lstnet_spec import LSTNetSpec
from reviewintent_jax.settings import read_settings

OURS = "ours"
LINEN = "linen, nn.RNN(GRUCell)"
TORCH = "PyTorch, nn.GRU"
_Run = Callable[[], Any]


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
    start = jnp.zeros((use.rows, 1), jnp.int32)
    spec = dataclasses.replace(use.lstnet, dropout=0.0)
    systems: dict[str, list[_Run]] = {}
    ours, parameters = _both(LSTNet(spec), x, start, start + use.steps)
    systems[OURS] = ours
    systems[LINEN], _ = _both(LinenLSTNet(spec), x)
    absent = {}
    try:
        systems[TORCH] = _torch(spec, x)
    except (ImportError, AbsentError) as error:
        absent[TORCH] = str(error)
    sizes = {key: getattr(use, key) for key in ("rows", "steps", "inputs")}
    facts = {"use": use.name, **sizes, "parameters": parameters}
    for place, passed in enumerate(PASSES):
        times = turns({name: both[place] for name, both in systems.items()}, rounds)
        for name, taken in times.items():
            yield {**facts, "pass": passed, "system": name} | _figures(
                taken, times[OURS]
            )
        for name, why in absent.items():
            yield {**facts, "pass": passed, "system": name, "absent": why}


def _figures(
    taken: Sequence[Mapping[str, float]], ours: Sequence[Mapping[str, float]]
) -> dict[str, Any]:
    seconds = [each["seconds"] for each in taken]
    work = statistics.median(each["cpu_seconds"] for each in taken)
    return {
        "milliseconds": spread([1e3 * each for each in seconds]),
        "cpu_milliseconds": 1e3 * work,
        "ratio": ratios(seconds, [each["seconds"] for each in ours]),
    }


def _both(layer: nn.Module, x: np.ndarray, *slots: jax.Array) -> tuple[list[_Run], int]:
    """Forward, and with gradients of parameters and input; number of parameters."""
    given = jnp.asarray(x)
    options = {"deterministic": True} if slots else {}

    def answer(params: Any, x: jax.Array) -> jax.Array:
        read: Any = layer.apply(params, x, *slots, **options)
        return read.summary_bkm if slots else read

    params = jax.jit(lambda key: layer.init(key, given, *slots, **options))(
        jax.random.key(0)
    )
    forward = jax.jit(answer)
    backward = jax.jit(
        jax.grad(lambda params, x: jnp.sum(answer(params, x)), argnums=(0, 1))
    )
    runs: list[_Run] = [
        lambda: jax.block_until_ready(forward(params, given)),
        lambda: jax.block_until_ready(backward(params, given)),
    ]
    return runs, sum(leaf.size for leaf in jax.tree.leaves(params))


def _torch(spec: LSTNetSpec, x: np.ndarray) -> list[_Run]:
    """The same of PyTorch, on its own device and threads.

    Raises:
      ImportError: it is not installed.
      AbsentError: it has no GPU where JAX has one.
    """
    import torch  # pyright: ignore[reportMissingImports]

    device = torch_device(torch)
    module = make_torch_lstnet(torch, x.shape[-1], spec).to(device)
    series = torch.tensor(x, device=device, requires_grad=True)

    def wait() -> None:
        if device == "cuda":
            torch.cuda.synchronize()

    def forward() -> None:
        with torch.no_grad():
            module(series)
        wait()

    def backward() -> None:
        module.zero_grad()
        series.grad = None
        module(series).sum().backward()
        wait()

    return [forward, backward]
