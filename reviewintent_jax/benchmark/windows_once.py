"""What encoding every review once is worth, where seven reviews make one answer.

In: the batches of a model that reads histories. Out: rounds of one update on a batch as
it is, where each review is encoded once and stands in up to seven windows, and on the
same windows laid out the obvious way, each with reviews of its own.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import jax
import numpy as np

from reviewintent_jax.benchmark.review_system import ReviewSystem
from reviewintent_jax.benchmark.systems import build_system
from reviewintent_jax.benchmark.timing import timed
from reviewintent_jax.data.batches import Position
from reviewintent_jax.data.ids import SpecialIds
from reviewintent_jax.data.pages import PageSpec, empty_pages
from reviewintent_jax.schema import NO_LABEL, HistoryBatch, InputError, PageBatch
from reviewintent_jax.training.step import make_train_step


def measure_windows_once(
    *, values: Mapping[str, Any], folder: str
) -> Iterator[dict[str, Any]]:
    """Yields what both batches hold, then one record a round: seconds of either.

    Args:
      values: of a config that asks about histories.
      folder: for prepared data.
    """
    system = build_system(values, folder)
    assert isinstance(system, ReviewSystem)
    task = system.task
    once = next(task.train_batches().batches(Position(0, 0))).batch
    each = one_window_each(once, task.pages, task.tokenizer.special)
    # Micro-batches of equally many pages, so that neither is the worse for caches.
    each = _filled_up(each, len(once.token_ids_bt), task.pages, task.tokenizer.special)
    optimizer = task.make_optimizer()
    batches = {"once": once, "each": each}
    pieces = {"once": 1, "each": len(each.token_ids_bt) // len(once.token_ids_bt)}
    runs = {
        name: _updates(task, optimizer, batch, pieces[name])
        for name, batch in batches.items()
    }
    for run in runs.values():
        run()
    yield {
        "windows": _windows(once),
        "window": int(np.asarray(once.history.window_slots_bkw).shape[-1]),
        **{
            name: {
                "pages": len(batch.token_ids_bt),
                "tokens": int(np.asarray(batch.slot_length_bk).sum()),
                "places": int(np.asarray(batch.token_ids_bt).size),
                "windows": _windows(batch),
            }
            for name, batch in batches.items()
        },
    }
    while True:
        yield {name: timed(run) for name, run in runs.items()}


def _windows(batch: PageBatch) -> int:
    assert batch.history is not None
    return int((np.asarray(batch.history.window_slots_bkw)[..., -1] >= 0).sum())


def _filled_up(
    batch: PageBatch, pages: int, spec: PageSpec, special: SpecialIds
) -> PageBatch:
    """The same with empty pages behind it, until it has a multiple of ``pages``."""
    missing = -len(batch.token_ids_bt) % pages
    if not missing:
        return batch
    empty = jax.tree.map(np.asarray, empty_pages(missing, special, spec))
    assert batch.history is not None
    shape = missing, spec.slots
    window, covariates = (
        np.asarray(part).shape[-1]
        for part in (batch.history.window_slots_bkw, batch.history.covariate_bkx)
    )
    history = HistoryBatch(
        np.full((*shape, window), -1, np.int32),
        np.zeros((*shape, covariates), np.float32),
        np.full(shape, NO_LABEL, np.int32),
        np.zeros(shape, np.float32),
    )
    behind = empty._replace(history=history)
    return jax.tree.map(lambda *both: np.concatenate(both), batch, behind)


def _updates(task: Any, optimizer: Any, batch: PageBatch, pieces: int) -> Any:
    state = task.first_state(optimizer).draw()
    update = make_train_step(task, optimizer, state, accumulate=pieces)
    placed = jax.device_put(batch)

    def run() -> None:
        nonlocal state
        state, metrics = update(state, placed)
        jax.block_until_ready(metrics)

    return run


def one_window_each(batch: PageBatch, spec: PageSpec, special: SpecialIds) -> PageBatch:
    """The windows of a batch, none of which shares a review with another.

    They are packed on pages of the same size, as tightly as whole windows fit.

    Example: reviews a b c of one subject, windows of 2 -> pages of ``a``, ``a b`` and
    ``b c``: five reviews instead of three.
    """
    pages: list[_Page] = []
    assert batch.history is not None
    slots_bkw = np.asarray(batch.history.window_slots_bkw)
    for page, anchor in zip(*np.nonzero(slots_bkw[..., -1] >= 0), strict=True):
        slots = slots_bkw[page, anchor]
        window = [int(slot) for slot in slots if slot >= 0]
        lengths = [int(np.asarray(batch.slot_length_bk)[page, s]) for s in window]
        for target in pages[-8:]:
            places = target.room_for(lengths)
            if places is not None:
                break
        else:
            target = _Page(spec)
            pages.append(target)
            places = target.room_for(lengths)
        if places is None:
            raise InputError("A window does not fit on a page.")
        target.windows.append((int(page), window, places))
    return _laid_out(batch, pages, spec, special)


class _Page:
    """A page that is being filled: its windows, as page, slots and first tokens."""

    def __init__(self, spec: PageSpec) -> None:
        self.spec, self.end, self.used = spec, 0, 0
        self.windows: list[tuple[int, list[int], list[int]]] = []

    def room_for(self, lengths: list[int]) -> list[int] | None:
        """First tokens of reviews of such lengths, which are taken then; or None."""
        places, end = [], self.end
        chunk = self.spec.chunk_tokens
        for length in lengths:
            if end % chunk + length > chunk:
                end += -end % chunk
            places.append(end)
            end += length
        full = self.used + len(lengths) > self.spec.slots
        if full or end > self.spec.page_tokens:
            return None
        self.end, self.used = end, self.used + len(lengths)
        return places


def _laid_out(
    batch: PageBatch, pages: list[_Page], spec: PageSpec, special: SpecialIds
) -> PageBatch:
    """The pages as arrays; only the last review of a window is labelled."""
    before = jax.tree.map(np.asarray, batch)
    made = jax.tree.map(np.array, empty_pages(len(pages), special, spec))
    shape = made.slot_start_bk.shape
    window = before.history.window_slots_bkw.shape[-1]
    slots_bkw = np.full((*shape, window), -1, np.int32)
    covariates = before.history.covariate_bkx
    covariate_bkx = np.zeros((*shape, covariates.shape[-1]), np.float32)
    label_bk = np.full(shape, NO_LABEL, np.int32)
    weight_bk = np.zeros(shape, np.float32)
    for page, filled in enumerate(pages):
        slot = segment = 0
        for origin, window_slots, places in filled.windows:
            taken = []
            for source, place in zip(window_slots, places, strict=True):
                start = before.slot_start_bk[origin, source]
                length = before.slot_length_bk[origin, source]
                here, there = slice(place, place + length), slice(start, start + length)
                segment += 1
                made.token_ids_bt[page, here] = before.token_ids_bt[origin, there]
                made.position_ids_bt[page, here] = before.position_ids_bt[origin, there]
                made.segment_ids_bt[page, here] = segment
                made.slot_start_bk[page, slot] = place
                made.slot_length_bk[page, slot] = length
                covariate_bkx[page, slot] = covariates[origin, source]
                taken.append(slot)
                slot += 1
            anchor, was = taken[-1], window_slots[-1]
            slots_bkw[page, anchor, window - len(taken) :] = taken
            made.label_bk[page, anchor] = before.label_bk[origin, was]
            made.weight_bk[page, anchor] = before.weight_bk[origin, was]
            label_bk[page, anchor] = before.history.intent_label_bk[origin, was]
            weight_bk[page, anchor] = before.history.intent_weight_bk[origin, was]
    history = HistoryBatch(slots_bkw, covariate_bkx, label_bk, weight_bk)
    return made._replace(history=history)
