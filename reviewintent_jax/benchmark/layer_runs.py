"""Passes of a layer that are timed: forwards, and forwards and backwards.

Backwards gives the gradients, of the sum of what the layer answers, of all parameters
and of the input. In: a layer of linen or of PyTorch and a series. Out: two functions
that run a pass and wait for it.
"""

import statistics
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from reviewintent_jax.benchmark.absent import AbsentError
from reviewintent_jax.benchmark.timing import ratios, spread
from reviewintent_jax.benchmark.torch_device import torch_device

Run = Callable[[], Any]


def linen_passes(
    layer: nn.Module,
    x: np.ndarray,
    *marks: Any,
    read: Callable[[Any], jax.Array] = lambda answer: answer,
    **options: Any,
) -> tuple[list[Run], Any]:
    """Both passes of a layer of linen, and its parameters.

    Args:
      layer: called with the series and ``marks``.
      x: series ``[b, t, d]``.
      *marks: arrays; they are given to the program and are no part of it, as in a
        model, lest the compiler computes ahead what depends on them.
      read: what of its answer is summed.
      **options: of the call, part of the program.
    """
    given = jax.device_put((x, *marks))

    def answer(params: Any, *given: jax.Array) -> jax.Array:
        return read(layer.apply(params, *given, **options))

    def total(params: Any, *given: jax.Array) -> jax.Array:
        return jnp.sum(answer(params, *given).astype(jnp.float32))

    params = jax.jit(lambda key, *given: layer.init(key, *given, **options))(
        jax.random.key(0), *given
    )
    forward, backward = jax.jit(answer), jax.jit(jax.grad(total, argnums=(0, 1)))
    runs: list[Run] = [
        lambda: jax.block_until_ready(forward(params, *given)),
        lambda: jax.block_until_ready(backward(params, *given)),
    ]
    return runs, params


def torch_passes(
    make: Callable[[Any], Any],
    x: np.ndarray,
    *,
    read: Callable[[Any], Any] = lambda answer: answer,
    dtype: str = "float32",
) -> list[Run]:
    """The same of PyTorch, on its own device and threads.

    Args:
      make: PyTorch -> the module.
      x: series ``[b, t, d]``.
      read: what of its answer is summed.
      dtype: of matrix products, by autocast.

    Raises:
      AbsentError: it is not installed, or has no GPU where JAX has one.
    """
    try:
        import torch  # pyright: ignore[reportMissingImports]
    except ImportError:
        raise AbsentError("PyTorch is not installed; .[bench] brings it") from None
    device = torch_device(torch)
    module = make(torch).to(device)
    series = torch.tensor(x, device=device, requires_grad=True)
    narrow = torch.autocast(device, torch.bfloat16, enabled=dtype == "bfloat16")

    def wait() -> None:
        if device == "cuda":
            torch.cuda.synchronize()

    def forward() -> None:
        with torch.no_grad(), narrow:
            module(series)
        wait()

    def backward() -> None:
        module.zero_grad()
        series.grad = None
        with narrow:
            total = read(module(series)).float().sum()
        total.backward()
        wait()

    return [forward, backward]


def figures(
    taken: Sequence[Mapping[str, float]], beside: Sequence[Mapping[str, float]]
) -> dict[str, Any]:
    """``milliseconds``, ``cpu_milliseconds`` and ``ratio`` of turns, for a record.

    Milliseconds and the ratio to ``beside``, turn by turn, are medians with quartiles.

    Args:
      taken: times of a system (``timing.turns``).
      beside: times of what it is compared with, as many.
    """
    seconds = [each["seconds"] for each in taken]
    work = statistics.median(each["cpu_seconds"] for each in taken)
    return {
        "milliseconds": spread([1e3 * each for each in seconds]),
        "cpu_milliseconds": 1e3 * work,
        "ratio": ratios(seconds, [each["seconds"] for each in beside]),
    }
