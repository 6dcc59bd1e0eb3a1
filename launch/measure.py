"""Measures preparing and scoring by size: ``python -m launch.measure
--config=configs/demo.py --rows=10000,100000,1000000 --score_rows=1000,10000
--workdir=runs/demo``.

Writes ``docs/results/memory.json``: seconds, rows a second and peak memory of each.
"""

import json
from pathlib import Path

from absl import flags
from ml_collections import config_flags

from launch import runtime
from reviewintent_jax.benchmark.memory import measure
from reviewintent_jax.build import plain_values
from reviewintent_jax.training.files import write_json
from reviewintent_jax.training.logs import say

_CONFIG = config_flags.DEFINE_config_file(
    "config", "configs/demo.py", "What to prepare, and how."
)
_WORKDIR = flags.DEFINE_string("workdir", "", "A finished run, for scoring.")
_ROWS = flags.DEFINE_list("rows", ["10000", "100000"], "Sizes to prepare.")
_SCORE_ROWS = flags.DEFINE_list("score_rows", [], "Sizes to score.")
_OUTPUT = flags.DEFINE_string("output", "docs/results/memory.json", "Where to write.")


def main(argv: list[str]) -> None:
    """Sizes in, records out."""
    del argv
    config = json.dumps(plain_values(_CONFIG.value))
    jobs = [("prepare", int(rows), config) for rows in _ROWS.value]
    jobs += [("score", int(rows), _WORKDIR.value) for rows in _SCORE_ROWS.value]
    records = []
    for job in jobs:
        records.append(measure(*job))
        say(json.dumps(records[-1]))
    results = {"environment": runtime.environment(), "records": records}
    write_json(Path(_OUTPUT.value), results)


if __name__ == "__main__":
    runtime.run(main)
