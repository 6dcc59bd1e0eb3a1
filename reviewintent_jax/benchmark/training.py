"""Training of a system, as the loop does it: rounds of updates on its own data.

In: a config. Out: what the first update took (tracing and compiling with it), then, a
round at a time, seconds, items, and how much of what was computed was of use.
"""

import itertools
import time
from collections.abc import Iterator, Mapping
from typing import Any

import jax

from reviewintent_jax.benchmark.system import System
from reviewintent_jax.benchmark.systems import build_system
from reviewintent_jax.benchmark.timing import timed, watched
from reviewintent_jax.data.batches import Position, prefetch
from reviewintent_jax.training.placement import Placement
from reviewintent_jax.training.step import make_train_step


class Trainer:
    """Updates one after another, from batches that are made ahead.

    Attributes:
      system: what is trained.
      first_seconds: of the first update: tracing, compiling or reading what was
        compiled, and running it.
    """

    def __init__(self, system: System) -> None:
        self.system = system
        task: Any = system.task  # which task it is makes no difference here
        optimizer, data = task.make_optimizer(), task.train_batches()
        self._placement = Placement(task.mesh)
        pieces = task.train.accumulate
        self._rows = self._placement.rows(data.size, pieces)
        self._state = task.first_state(optimizer).draw()
        self._update = make_train_step(task, optimizer, self._state, accumulate=pieces)
        self._stream = prefetch(
            data.batches(Position(0, 0), self._rows), task.train.prefetch
        )
        self.first_seconds = timed(lambda: self.run(1))["seconds"]

    def run(self, updates: int) -> list[Any]:
        """Makes so many updates; returns the portions that they read.

        As in the loop, each is begun while the one before runs, and no sooner: every
        update that waits holds memory of its own.
        """
        before, portions = None, []
        for portion in itertools.islice(self._stream, updates):
            portions.append(portion)
            batch = self._placement.put(portion.batch, self._rows)
            self._state, metrics = self._update(self._state, batch)
            jax.block_until_ready(before)
            before = metrics
        jax.block_until_ready(before)
        return portions

    def close(self) -> None:
        """Stops making batches."""
        self._stream.close()  # type: ignore[attr-defined]


def measure_training(
    *, values: Mapping[str, Any], folder: str, updates: int
) -> Iterator[dict[str, Any]]:
    """Yields facts, then one record a round.

    Facts: ``prepare_seconds`` (data and weights), ``first_update_seconds``, ``shape``
    of a batch. A round: ``seconds`` and ``cpu_seconds`` of ``updates`` updates, their
    ``items``, ``useful`` of ``places`` (tokens, windows) and ``useful_flops``.

    Args:
      values: of the config.
      folder: for prepared data.
      updates: of a round.
    """
    began = time.perf_counter()
    system = build_system(values, folder)
    prepared = time.perf_counter() - began
    trainer = Trainer(system)
    portions = trainer.run(1)
    leaves = jax.tree.leaves(portions[0].batch)
    yield {
        "items": system.items,
        "prepare_seconds": prepared,
        "first_update_seconds": trainer.first_seconds,
        "shape": list(leaves[0].shape),
    }
    while True:
        portions, took = watched(lambda: trainer.run(updates))
        counted = [system.useful(each.batch) for each in portions]
        useful, places, flops = (sum(column) for column in zip(*counted, strict=True))
        yield {
            **took,
            "updates": updates,
            "items": sum(each.items for each in portions),
            "useful": useful,
            "places": places,
            "useful_flops": flops,
        }
