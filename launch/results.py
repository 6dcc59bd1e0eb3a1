"""Keeps the results of runs: ``python -m launch.results --runs=runs/a,runs/b``.

Writes one JSON file for each run and ``sentiment.md`` with every score beside its
baselines into ``docs/results/``.
"""

from pathlib import Path

from absl import flags

from launch import runtime
from reviewintent_jax.evaluation.results import collect_results
from reviewintent_jax.schema import RunFolder
from reviewintent_jax.training.logs import say

_RUNS = flags.DEFINE_list("runs", [], "Folders of finished runs, joined by commas.")
_OUTPUT = flags.DEFINE_string("output", "docs/results", "Folder to write to.")


def main(argv: list[str]) -> None:
    """Run folders in, result files out."""
    del argv
    runs = [RunFolder(Path(run)) for run in _RUNS.value]
    say(f"Results: {collect_results(runs, Path(_OUTPUT.value), 'sentiment.md')}")


if __name__ == "__main__":
    runtime.run(main)
