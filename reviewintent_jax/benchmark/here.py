"""The least time of an update on the device at hand, beside the time that it takes.

In: a config. Out: one record: the measured peaks of the device, the roofline that
follows, and the measured update. It says how far from the truth a roofline is here.
"""

import statistics
import time
from collections.abc import Callable, Iterator
from typing import Any

import jax
import jax.numpy as jnp

from reviewintent_jax.benchmark.flops import count_flops, page_work
from reviewintent_jax.benchmark.full_pages import full_pages
from reviewintent_jax.benchmark.programs import compile_update, sentiment_of
from reviewintent_jax.benchmark.timing import timed
from reviewintent_jax.configuration import Config
from reviewintent_jax.data.pages import empty_pages
from reviewintent_jax.data.tokens import SpecialIds
from reviewintent_jax.models.review_intent import ReviewIntent, init_params
from reviewintent_jax.training.optimizer import make_optimizer
from reviewintent_jax.training.sharding import one_device
from reviewintent_jax.training.state import make_state
from reviewintent_jax.training.step import make_train_step

_SIDE = 2_048  # of the square matrices whose product is timed
_STREAM = 2**26  # numbers that are read and written, more than any cache holds


def measure_here(
    model: ReviewIntent, config: Config, *, pages: int, rounds: int
) -> dict[str, Any]:
    """Measures peaks and updates in turns, and returns medians.

    Args:
      model: the network; its weights are drawn.
      config: of pages and optimizer.
      pages: of an update, filled with tokens to the last.
      rounds: turns that each takes.
    """
    dtype = model.spec.dtype
    runs = {
        "product": product_of(dtype),
        "stream": _stream(),
        "update": _update(model, config, pages),
    }
    for run in runs.values():
        run()
    seconds: dict[str, list[float]] = {name: [] for name in runs}
    for _ in range(rounds):
        for name, run in runs.items():
            began = time.perf_counter()
            run()
            seconds[name].append(time.perf_counter() - began)
    took = {name: statistics.median(each) for name, each in seconds.items()}
    spec, page = config.pages, empty_pages(1, SpecialIds(2, 3, 0), config.pages)
    work = page_work(pages, spec.page_tokens, spec.slots, spec.chunk_tokens)
    flops = count_flops(model.spec, work).update
    program = compile_update(
        model, config.optimizer, page, one_device(), pages=pages, options={}
    )
    peak = 2 * _SIDE**3 / took["product"]
    rate = 2 * 4 * _STREAM / took["stream"]
    moved = 2 * program.peak_bytes  # as plans count it
    bound = {"compute": flops / peak, "memory": moved / rate}
    return {
        "device": jax.devices()[0].device_kind,
        "dtype": dtype.name,
        "pages": pages,
        "flops": flops,
        "memory_bytes": moved,
        "peak_flops": peak,
        "peak_bandwidth": rate,
        "predicted_seconds": max(bound.values()),
        "bound": max(bound, key=bound.__getitem__),
        "measured_seconds": took["update"],
        "ratio": took["update"] / max(bound.values()),
    }


def measure_peaks(*, dtype: str) -> Iterator[dict[str, Any]]:
    """Yields what is measured, then ``peak_flops`` and ``peak_bandwidth``, by rounds.

    The first is of one product of square matrices of 2,048, the second of reading and
    writing 256 MiB.
    """
    runs = product_of(jnp.dtype(dtype)), _stream()
    for run in runs:
        run()
    yield {"device": jax.devices()[0].device_kind, "dtype": dtype, "side": _SIDE}
    while True:
        product, stream = (timed(run)["seconds"] for run in runs)
        yield {
            "peak_flops": 2 * _SIDE**3 / product,
            "peak_bandwidth": 2 * 4 * _STREAM / stream,
        }


def product_of(dtype: Any) -> Callable[[], Any]:
    """One product of square matrices, and waiting for it."""
    x = jnp.ones((_SIDE, _SIDE), dtype)
    multiply = jax.jit(lambda a, b: a @ b)
    return lambda: jax.block_until_ready(multiply(x, x))


def _stream() -> Callable[[], Any]:
    x = jnp.ones(_STREAM, jnp.float32)
    add = jax.jit(lambda a: a + 1.0)
    return lambda: jax.block_until_ready(add(x))


def _update(model: ReviewIntent, config: Config, pages: int) -> Callable[[], Any]:
    """One update after another, as the loop makes them."""
    rule = make_optimizer(config.optimizer)
    spec = config.pages
    batch = full_pages(model.spec, spec, pages, spec.chunk_tokens, window=0)
    params = init_params(model, batch, seed=0, encoder=None)
    state = make_state(params, rule)
    step = make_train_step(sentiment_of(model), rule, state, accumulate=1)

    def run() -> None:
        nonlocal state
        state, metrics = step(state, batch)
        jax.block_until_ready(metrics)

    return run
