"""Scores a trained model: ``python -m launch.evaluate --workdir=runs/mine``.

Without ``--data`` the run's own test split is scored again from its checkpoint. With
``--data=other.csv`` every labelled row of another table is scored, with the run's
column names, labels and temperature; results go to ``evaluation/NAME`` in the run's
folder.
"""

import dataclasses
import json
from pathlib import Path

from absl import flags

from launch import runtime
from reviewintent_jax.build import load_trained
from reviewintent_jax.data.prepare import open_prepared
from reviewintent_jax.data.sources import SourceKind
from reviewintent_jax.evaluation.reports import write_report
from reviewintent_jax.evaluation.summary import summarise
from reviewintent_jax.schema import InputError, RunFolder
from reviewintent_jax.training.logs import say
from reviewintent_jax.training.outcome import evaluate_other, evaluate_own

_WORKDIR = flags.DEFINE_string("workdir", "", "Folder of a finished run.")
_DATA = flags.DEFINE_string("data", "", "Another labelled table; default: the run's.")


def main(argv: list[str]) -> None:
    """Run folder in, metrics and report out."""
    del argv
    if not _WORKDIR.value:
        raise InputError("No run was named.", fix="Example: --workdir=runs/demo")
    run = folder = RunFolder(Path(_WORKDIR.value))
    trained = load_trained(run)
    prepared = open_prepared(run.prepared)
    context = json.loads(run.metrics.read_text("utf-8"))
    context["environment"] = runtime.environment()
    if _DATA.value:
        folder = RunFolder(run.root / "evaluation" / Path(_DATA.value).name)
        source = dataclasses.replace(
            trained.data.source, kind=SourceKind.TABLE, path=_DATA.value, split=""
        )
        data = dataclasses.replace(trained.data, source=source)
        metrics = evaluate_other(trained, prepared, data, folder, context)
    else:
        metrics = evaluate_own(trained, prepared, run, context)
    say(summarise(metrics))
    say(f"Report: {write_report(folder)}")


if __name__ == "__main__":
    runtime.run(main)
