"""The least time of an update on the device at hand, beside the time that it takes.

In: a config. Out: one record: the measured peaks of the device, the roofline that
follows, and the measured update. It says how far from the truth a roofline is here.
"""

import statistics
import time
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from reviewintent_jax.benchmark.flops import count_flops, page_work
from reviewintent_jax.benchmark.programs import compile_update, sentiment_of
from reviewintent_jax.configuration import Config
from reviewintent_jax.data.pages import empty_pages
from reviewintent_jax.data.tokens import SpecialIds
from reviewintent_jax.models.review_intent import ReviewIntent, init_params
from reviewintent_jax.schema import PageBatch
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
        "product": _product(dtype),
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


def _product(dtype: Any) -> Callable[[], Any]:
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
    batch = _full(model, config, pages)
    params = init_params(model, batch, seed=0, encoder=None)
    state = make_state(params, rule)
    step = make_train_step(sentiment_of(model), rule, state, accumulate=1)

    def run() -> None:
        nonlocal state
        state, metrics = step(state, batch)
        jax.block_until_ready(metrics)

    return run


def _full(model: ReviewIntent, config: Config, pages: int) -> PageBatch:
    """Pages without padding: a review in every chunk."""
    spec, rng = config.pages, np.random.default_rng(0)
    empty = empty_pages(pages, SpecialIds(2, 3, 0), spec)
    assert model.spec.encoder is not None  # those that are measured have one
    vocabulary = model.spec.encoder.vocab_size
    shape, chunk = (pages, spec.page_tokens), spec.chunk_tokens
    filled = min(spec.page_tokens // chunk, spec.slots)
    starts = np.zeros((pages, spec.slots), np.int32)
    starts[:, :filled] = np.arange(filled) * chunk
    there = np.arange(spec.slots)[None] < filled
    step = np.broadcast_to(np.arange(spec.page_tokens), shape)
    return empty._replace(
        token_ids_bt=rng.integers(1, vocabulary, shape, np.int32),
        segment_ids_bt=(step // chunk + 1).astype(np.int32),
        position_ids_bt=(step % chunk).astype(np.int32),
        slot_start_bk=starts,
        slot_length_bk=np.broadcast_to(there * chunk, starts.shape).astype(np.int32),
        label_bk=np.broadcast_to(np.where(there, 1, -1), starts.shape).astype(np.int32),
        weight_bk=np.broadcast_to(there, starts.shape).astype(np.float32),
    )
