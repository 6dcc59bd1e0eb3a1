"""How cost grows: seconds of an update by one size at a time, all others as they were.

In: the sizes of a model and values of one of them. Out: one record a value: seconds and
operations of an update. What the exponent is follows from them (``timing.exponent``).
"""

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import jax

from reviewintent_jax.benchmark.flops import count_flops, page_work
from reviewintent_jax.benchmark.full_pages import full_pages
from reviewintent_jax.benchmark.memory import measure
from reviewintent_jax.benchmark.timing import spread, timed
from reviewintent_jax.build import make_model
from reviewintent_jax.configuration import Config, read_config
from reviewintent_jax.data.pages import PageSpec
from reviewintent_jax.models.encoder_config import read_spec
from reviewintent_jax.models.encoder_spec import EncoderSpec
from reviewintent_jax.models.history import HistorySpec
from reviewintent_jax.models.pretrained import resolve_folder
from reviewintent_jax.models.review_intent import (
    ReviewIntent,
    ReviewIntentSpec,
    init_params,
)
from reviewintent_jax.training.losses import IntentionLossSpec, TaskWeighting
from reviewintent_jax.training.objective import ReviewObjective
from reviewintent_jax.training.optimizer import OptimizerSpec, make_optimizer
from reviewintent_jax.training.state import make_state
from reviewintent_jax.training.step import make_train_step


class _Case(NamedTuple):
    """What one update reads, and who reads it."""

    model: ReviewIntentSpec
    pages: PageSpec
    count: int
    tokens: int
    window: int


def measure_cost(
    *,
    values: Mapping[str, Any],
    over: str,
    sizes: Sequence[int],
    tokens: int,
    rounds: int,
) -> Iterator[dict[str, Any]]:
    """Yields what grows, then one record a size.

    Args:
      values: of a config on reviews; one with histories for ``window``.
      over: ``tokens`` (of a review; a page each, ``tokens`` of them in all),
        ``window`` (reviews of a history, a page each), ``classes`` or ``hidden``
        (features of the encoder, its heads and feed-forward layers with it).
      sizes: its values.
      tokens: that an update reads, or as near as whole reviews come.
      rounds: updates of each that are timed, the first one apart.
    """
    config = read_config(values)
    encoder = read_spec(resolve_folder(config.encoder.source))
    yield {"over": over, "tokens": tokens}
    for size in sizes:
        case = _case(config, encoder, over, size, tokens)
        run, flops = _update(case, config.optimizer)
        run()
        taken = [timed(run)["seconds"] for _ in range(rounds)]
        # A page holds one review, or all reviews of one history.
        items = case.count
        yield {
            "size": size,
            "items": items,
            "seconds": spread([each / items for each in taken]),
            "flops": flops / items,
        }


def _case(
    config: Config, encoder: EncoderSpec, over: str, size: int, tokens: int
) -> _Case:
    """The update in which ``over`` is ``size``."""
    length, window, classes = config.pages.chunk_tokens // 2, 0, 2
    history: HistorySpec | None = None
    if over == "tokens":
        length = size
        limit = max(encoder.max_positions, config.pages.chunk_tokens)
        encoder = dataclasses.replace(encoder, max_positions=limit)
    elif over == "hidden":
        heads = max(1, size // 32)
        changes = {
            "hidden_size": size,
            "num_heads": heads,
            "intermediate_size": 4 * size,
        }
        encoder = dataclasses.replace(encoder, **changes)
    elif over == "classes":
        classes = size
    elif over == "window":
        window = size
        history = config.history.spec(len(config.intention.covariate_names), 2)
    chunk = min(length, config.pages.chunk_tokens)
    slots = max(1, window)
    pages = PageSpec(length * slots, chunk, length, slots)
    count = max(1, tokens // pages.page_tokens)
    chosen = dataclasses.replace(config, pages=pages)
    model = make_model(chosen, encoder, classes, history).spec
    return _Case(model, pages, count, length, window)


def _update(case: _Case, optimizer: OptimizerSpec) -> tuple[Any, int]:
    """One update after another, and the operations of one."""
    model, rule = ReviewIntent(case.model), make_optimizer(optimizer)
    batch = jax.device_put(
        full_pages(case.model, case.pages, case.count, case.tokens, window=case.window)
    )
    loss = None
    if case.window:
        loss = IntentionLossSpec(TaskWeighting.FIXED, 1.0, 1.0)
    objective = ReviewObjective(model, loss, 0.0, seed=0)
    state = make_state(init_params(model, batch, seed=0, encoder=None), rule)
    update = make_train_step(objective, rule, state, accumulate=1)

    def run() -> None:
        nonlocal state
        state, metrics = update(state, batch)
        jax.block_until_ready(metrics)

    pages = case.pages
    work = page_work(
        case.count, pages.page_tokens, pages.slots, pages.chunk_tokens, case.window
    )
    return run, count_flops(case.model, work).update


def measure_rows(
    *, config: str, sizes: Sequence[int], rounds: int
) -> Iterator[dict[str, Any]]:
    """Yields one record a size: preparing so many reviews of the built-in shop.

    Args:
      config: as JSON.
      sizes: numbers of reviews.
      rounds: times that each is prepared, in processes of their own.
    """
    yield {"over": "reviews"}
    for rows in sizes:
        records = [measure("prepare", rows, config) for _ in range(rounds)]
        yield {
            "size": rows,
            "seconds": spread([each["seconds"] for each in records]),
            "peak_bytes": max(each["peak_bytes"] for each in records),
        }
