"""Scores a trained model: ``python -m launch.evaluate --workdir=runs/mine``.

Without ``--data`` the run's own test split is scored again from its checkpoint. With
``--data=other.csv`` every labelled row of another table is scored, with the run's
column names, labels and temperature; results go to a folder in ``evaluation/`` in the
run's folder.
"""

from reviewintent_jax.allocator import collect_rarely, keep_freed_memory

if __name__ == "__main__":
    keep_freed_memory()  # before the imports below start threads
    collect_rarely()

import dataclasses
import hashlib
import json
import re
from pathlib import Path

from absl import flags

from launch import runtime
from launch.kits import KITS
from launch.own_data import evaluate_with, refuse_flags
from reviewintent_jax.build import (
    load_trained,
)
from reviewintent_jax.configuration import TaskKind
from reviewintent_jax.data.intention import IntentionKind
from reviewintent_jax.data.prepare import DataSpec, open_prepared
from reviewintent_jax.data.sources import SourceKind, SourceSpec, check_columns
from reviewintent_jax.data.tables import expand_paths, table_layout
from reviewintent_jax.evaluation.reports import write_report
from reviewintent_jax.evaluation.summary import summarise
from reviewintent_jax.run_folders import stored_task, whole_run
from reviewintent_jax.schema import InputError, RunFolder
from reviewintent_jax.training.logs import say
from reviewintent_jax.training.outcome import evaluate_other, evaluate_own

_WORKDIR = flags.DEFINE_string("workdir", "", "Folder of a finished run.")
_TEXT = flags.DEFINE_string("text", "", "Column of the text in --data, if different.")
_TITLE = flags.DEFINE_string("title", "", "Column of the title, if different.")
_LABEL = flags.DEFINE_string("label", "", "Column of the label, if different.")
_DATA = flags.DEFINE_string("data", "", "Another labelled table; default: the run's.")


def main(argv: list[str]) -> None:
    """Run folder in, metrics and report out."""
    del argv
    if not _WORKDIR.value:
        raise InputError("No run was named.", fix="Example: --workdir=runs/demo")
    run = folder = RunFolder(Path(_WORKDIR.value))
    task = stored_task(run)
    if task is not TaskKind.REVIEW:
        _refuse_review_flags(task)
        return evaluate_with(KITS[task], run)
    trained = load_trained(run)
    run = folder = whole_run(run)
    prepared = open_prepared(run.prepared)
    context = json.loads(run.metrics.read_text("utf-8"))
    context["environment"] = runtime.environment()
    if _DATA.value:
        folder = RunFolder(run.root / "evaluation" / _folder_name(_DATA.value))
        data = _data(trained.data, _DATA.value)
        metrics = evaluate_other(trained, prepared, data, folder, context)
    else:
        metrics = evaluate_own(trained, prepared, run, context)
    say(summarise(metrics))
    say(f"Report: {write_report(folder)}")


def _refuse_review_flags(task: TaskKind) -> None:
    """Flags about reviews say nothing to a run that is scored on its own data."""
    others = "; launch.predict --input=FILE answers from others"
    refuse_flags(
        f"{KITS[task].called}, which is scored on its own data",
        *(_DATA, _TEXT, _TITLE, _LABEL),
        fix=f"Leave it out{'' if task is TaskKind.PRETRAIN else others}.",
    )


def _data(trained_on: DataSpec, path: str) -> DataSpec:
    """Another table, with intention if it has the columns that this needs."""
    source, asked = _source(trained_on.source, path), trained_on.intention
    columns = table_layout(expand_paths(path)[0]).columns
    time = trained_on.source.time if asked.over_time else ""
    needed = {*asked.named_columns.values(), *([time] if time else [])}
    missing = sorted(needed - set(columns))
    if missing:
        say(f"Intention is not scored: {path} has no column {', '.join(missing)}.")
        asked, time = dataclasses.replace(asked, kind=IntentionKind.NONE), ""
    source = dataclasses.replace(source, time=time)
    return dataclasses.replace(trained_on, source=source, intention=asked)


def _source(trained_on: SourceSpec, path: str) -> SourceSpec:
    """Text, title and label of another table, as in training; the rest goes unread."""
    columns = table_layout(expand_paths(path)[0]).columns
    title = _TITLE.value or (trained_on.title if trained_on.title in columns else "")
    apart = trained_on.slice if trained_on.slice in columns else ""
    source = dataclasses.replace(
        trained_on,
        kind=SourceKind.TABLE,
        path=path,
        text=_TEXT.value or trained_on.text,
        title=title,
        label=_LABEL.value or trained_on.label,
        group="",
        time="",
        split="",
        slice=apart,
    )
    try:
        check_columns(source.named_columns, columns, path)
    except InputError as error:
        fix = error.fix.replace("--config.data.", "--")
        raise InputError(error.what, where=error.where, fix=fix) from None
    return source


def _folder_name(path: str) -> str:
    """A folder for the results of ``path``, another one for every path.

    Example: ``data/new*.csv`` -> ``data_new_.csv-1f0a``.
    """
    plain = re.sub(r"[^\w.-]+", "_", path).strip("._")[-60:]
    return f"{plain}-{hashlib.sha256(path.encode()).hexdigest()[:4]}"


if __name__ == "__main__":
    runtime.run(main)
