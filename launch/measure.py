"""Measures time and memory by the number of reviews: ``python -m launch.measure
--rows=10000,100000,1000000 --stage_rows=10000,100000,1000000,10000000
--score_rows=1000,10000 --workdir=runs/demo``.

Writes ``docs/results/memory.json`` (seconds, rows a second and peak memory of each) and
``size.md`` beside it. Measurements that are in the file already stay, unless they are
taken again.
"""

import json
import os
from pathlib import Path
from typing import Any

from absl import flags
from ml_collections import config_flags

from launch import runtime
from reviewintent_jax.benchmark.memory import measure
from reviewintent_jax.benchmark.memory_page import memory_page
from reviewintent_jax.build import plain_values
from reviewintent_jax.training.files import write_json
from reviewintent_jax.training.logs import say

_CONFIG = config_flags.DEFINE_config_file(
    "config", "configs/demo.py", "What to prepare, and how."
)
_WORKDIR = flags.DEFINE_string("workdir", "", "A finished run, for scoring.")
_ROWS = flags.DEFINE_list("rows", ["10000", "100000"], "Sizes to prepare.")
_WORKERS = flags.DEFINE_integer(
    "workers", 0, "Processes that prepare; 0 = one for each core.", lower_bound=0
)
_STAGE_ROWS = flags.DEFINE_list(
    "stage_rows", [], "Sizes at which to search copies, and to plan an epoch."
)
_SCORE_ROWS = flags.DEFINE_list("score_rows", [], "Sizes to score.")
_OUTPUT = flags.DEFINE_string("output", "docs/results/memory.json", "Where to write.")


def main(argv: list[str]) -> None:
    """Sizes in, records out."""
    del argv
    config = json.dumps(plain_values(_CONFIG.value))
    workers = _WORKERS.value or runtime.cores()
    jobs = [("prepare", int(rows), config, workers) for rows in _ROWS.value]
    for job in ("compare", "plan"):
        jobs += [(job, int(rows), config, 1) for rows in _STAGE_ROWS.value]
    jobs += [("score", int(rows), _WORKDIR.value, 1) for rows in _SCORE_ROWS.value]
    path = Path(_OUTPUT.value)
    records = json.loads(path.read_text("utf-8"))["records"] if path.exists() else []
    for job, rows, argument, count in jobs:
        taken = measure(job, rows, argument, workers=count)
        taken |= {"environment": runtime.environment(), "load": os.getloadavg()[0]}
        say(json.dumps(taken))
        records = [each for each in records if _which(each) != _which(taken)] + [taken]
        results = {"records": records}
        write_json(path, results)
        path.with_name("size.md").write_text(memory_page(results), "utf-8")


def _which(record: dict[str, Any]) -> tuple[Any, ...]:
    return tuple(record[name] for name in ("job", "rows", "workers", "encoder"))


if __name__ == "__main__":
    runtime.run(main)
