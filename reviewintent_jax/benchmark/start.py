"""How long it takes from starting a process to the first update of a training.

In: a config, and a folder for prepared data and compiled programs. Out: seconds by
stage. The first process finds the folder empty (a cold start), the second as the first
left it (a warm one).
"""

import shutil
import time
from collections.abc import Iterator, Mapping
from typing import Any

import jax

from reviewintent_jax.benchmark.systems import build_system
from reviewintent_jax.benchmark.training import Trainer


def measure_start(
    *, values: Mapping[str, Any], folder: str, cold: bool, born: float
) -> Iterator[dict[str, Any]]:
    """Yields ``seconds`` from the start of the process, and those of each stage.

    Args:
      values: of the config.
      folder: for prepared data and, as the commands keep them, compiled programs.
      cold: empties the folder first.
      born: when the process was started, by the monotonic clock.
    """
    if cold:
        shutil.rmtree(folder, ignore_errors=True)
    jax.config.update("jax_compilation_cache_dir", f"{folder}/compiled")
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.5)
    imported = time.monotonic()
    system = build_system(values, f"{folder}/run")
    prepared = time.monotonic()
    trainer = Trainer(system)
    ended = time.monotonic()
    trainer.close()
    yield {
        "seconds": ended - born,
        "imports": imported - born,
        "data_and_weights": prepared - imported,
        "first_weights": ended - prepared - trainer.first_seconds,
        "first_update": trainer.first_seconds,
    }
