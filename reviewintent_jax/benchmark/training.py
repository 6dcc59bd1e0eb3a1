"""Training of a system, as the loop does it: rounds of updates on its own data.

In: a config. Out: what the first update took (tracing and compiling with it), then, a
round at a time, seconds, items, and how much of what was computed was of use.
"""

import itertools
import tempfile
import time
from collections.abc import Iterator, Mapping
from typing import Any

import jax
from jax.experimental.compilation_cache.compilation_cache import reset_cache

from reviewintent_jax.benchmark.system import System
from reviewintent_jax.benchmark.systems import build_system
from reviewintent_jax.benchmark.timing import timed, watched
from reviewintent_jax.data.batches import Position, prefetch
from reviewintent_jax.kept_traces import TRACED_ANEW, KeptTraces, traces_of_run
from reviewintent_jax.training.placement import Placement
from reviewintent_jax.training.step import TrainStep, make_train_step

_WARM = 5  # first updates with compiled programs kept


class Trainer:
    """Updates one after another, from batches that are made ahead.

    Args:
      system: what is trained.
      traces: where the program of an update is looked for before it is traced.

    Attributes:
      system: what is trained.
      first_seconds: of the first update: tracing, compiling or reading what was
        compiled, and running it.
    """

    def __init__(self, system: System, traces: KeptTraces = TRACED_ANEW) -> None:
        self.system, self._traces = system, traces
        task: Any = system.task  # which task it is makes no difference here
        optimizer, data = task.make_optimizer(), task.train_batches()
        self._placement = Placement(task.mesh)
        pieces = task.train.accumulate
        self._rows = self._placement.rows(data.size, pieces)
        self._state = task.first_state(optimizer).draw()
        self._stream = prefetch(
            data.batches(Position(0, 0), self._rows), task.train.prefetch
        )

        def make() -> TrainStep:
            return make_train_step(task, optimizer, self._state, accumulate=pieces)

        self._make, self._update = make, make()
        self._blank = self._placement.put(data.blank(self._rows), self._rows)
        self.first_seconds = self._first()

    def _first(self) -> float:
        """Seconds of the first update of a program."""

        def first() -> None:
            self._update.compile_ahead(self._state, self._blank, self._traces)
            self.run(1)

        return timed(first)["seconds"]

    def first_again(self) -> float:
        """Seconds of an update by a program that is made anew.

        What was traced and compiled in this process is forgotten first; what lies in
        the folder of compiled programs is read, and what was traced beside it.
        """
        jax.clear_caches()
        self._update = self._make()
        return self._first()

    def temporary_bytes(self) -> int | None:
        """What the program of an update holds beside its arguments and results.

        None where the compiler does not say.
        """
        lowered = self._update.lower(self._state, self._blank, self._traces)
        told = lowered.compile().memory_analysis()
        return None if told is None else told.temp_size_in_bytes

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

    Facts: ``prepare_seconds`` (data and weights), ``first_update_seconds`` (with
    nothing compiled), ``first_again_seconds`` (several, with compiled programs kept),
    ``temporary_bytes`` of an update, ``shape`` of a batch. A round: ``seconds`` and
    ``cpu_seconds`` of ``updates`` updates, their ``items``, ``useful`` of ``places``
    (tokens, windows) and ``useful_flops``.

    Args:
      values: of the config.
      folder: for prepared data.
      updates: of a round.
    """
    with tempfile.TemporaryDirectory() as compiled:
        _keep_programs(compiled)
        began = time.perf_counter()
        system = build_system(values, folder)
        prepared = time.perf_counter() - began
        trainer = Trainer(system, traces_of_run(values, system.task.identity()))
        again = [trainer.first_again() for _ in range(_WARM)]
        temporary = trainer.temporary_bytes()
        reset_cache()
    portions = trainer.run(1)
    leaves = jax.tree.leaves(portions[0].batch)
    yield {
        "items": system.items,
        "prepare_seconds": prepared,
        "first_update_seconds": trainer.first_seconds,
        "first_again_seconds": again,
        "temporary_bytes": temporary,
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


def _keep_programs(folder: str) -> None:
    """Compiled programs are kept in a folder, those that took half a second or more.

    As every command does it, but the folder is empty, so that the first time is cold.
    """
    reset_cache()
    jax.config.update("jax_compilation_cache_dir", folder)
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.5)
