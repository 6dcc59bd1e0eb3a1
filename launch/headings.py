"""What train, evaluate and predict do where reviews are counted over time."""

import dataclasses
import json
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from launch import runtime
from reviewintent_jax.build_heading import (
    begin_heading,
    build_heading,
    load_heading,
    open_panel,
    read_heading_config,
    read_newer,
)
from reviewintent_jax.data.checks import RejectionLog
from reviewintent_jax.data.panel_windows import PanelWindows
from reviewintent_jax.data.scored import open_writer
from reviewintent_jax.data.sources import SourceKind
from reviewintent_jax.data.tables import TableFormat, TableLayout, expand_paths
from reviewintent_jax.data.times import ORDER_UNKNOWN, WRITE_YEAR_FIRST
from reviewintent_jax.evaluation.heading_report import write_heading_report
from reviewintent_jax.evaluation.heading_summary import describe_rows, summarise_heading
from reviewintent_jax.schema import InputError, RawRow, RunFolder
from reviewintent_jax.training import hosts
from reviewintent_jax.training.heading_outcome import (
    NextTable,
    evaluate_heading,
    next_table,
    write_heading_outcome,
)
from reviewintent_jax.training.logs import say
from reviewintent_jax.training.loop import train


def train_heading(values: Mapping[str, Any], workdir: str) -> None:
    """Config in, trained and evaluated run folder out."""
    config = read_heading_config(values)
    folder = workdir or Path("runs") / config.name
    run = runtime.run_folder(folder, config.checkpoints.folder)
    experiment = hosts.in_turn("build", lambda: build_heading(values, run))
    begin_heading(experiment, run)
    say(experiment.describe())
    result = train(experiment, run)
    say("Scoring the best model and its baselines ...")
    environment = runtime.environment()
    metrics = write_heading_outcome(experiment, result, run, environment)
    if hosts.is_first():
        say(summarise_heading(metrics))
        say(f"Report: {write_heading_report(run)}")


def evaluate_headings(run: RunFolder) -> None:
    """Scores a run again on its own reviews."""
    trained = load_heading(run)
    context = json.loads(run.metrics.read_text("utf-8"))
    context["environment"] = runtime.environment()
    windows = PanelWindows(open_panel(run), trained.windows)
    metrics = evaluate_heading(trained, windows, run, context)
    say(summarise_heading(metrics))
    say(f"Report: {write_heading_report(run)}")


def predict_headings(
    run: RunFolder, path: str, output: str, stdout_format: TableFormat
) -> str:
    """Says where groups are heading; returns what was done, in words.

    Args:
      run: a finished run.
      path: a table with the columns of the one it was trained on; '' = those reviews.
      output: file to write, or - for stdout.
      stdout_format: of stdout.
    """
    trained = load_heading(run)
    if path == "-":
        raise InputError(
            "Reviews over time are read from a file.", fix="Give --input=FILE."
        )
    said: list[str] = []
    if path:
        data = dataclasses.replace(trained.data, kind=SourceKind.TABLE, path=path)
        with (
            tempfile.TemporaryDirectory() as folder,
            RejectionLog(Path(folder) / "rejected.jsonl") as log,
        ):
            panel = read_newer(trained, data, log)
        said = describe_rows(panel.summary(), panel.period)
        said += [WRITE_YEAR_FIRST] * (ORDER_UNKNOWN in log.counts)
    else:
        panel = open_panel(run)
    found = next_table(trained, panel)
    _write(found, output, expand_paths(path) if path else [], stdout_format)
    last = panel.periods - 1
    come = panel.name(last + trained.windows.horizon)
    groups = found.rows["group"].nunique()
    said.append(
        f"{come} forecast for {groups:,} group(s); the last whole {panel.period} is "
        f"{panel.name(last)}"
    )
    said += [f"{n:,} group(s) have no answer: {r}" for r, n in found.without.items()]
    return "\n".join(said)


def _write(
    found: NextTable, output: str, inputs: list[Path], stdout_format: TableFormat
) -> None:
    """Writes the table; its ending names the format."""
    kinds = {"i": int, "f": float}
    types = {
        str(name): kinds.get(column.dtype.kind, str)
        for name, column in found.rows.items()
    }
    columns = {str(name): column.tolist() for name, column in found.rows.items()}
    layout = TableLayout(TableFormat.CSV, (), None)
    with open_writer(
        output, layout, types, inputs=inputs, stdout_format=stdout_format
    ) as writer:
        rows = [RawRow("", line, {}) for line in range(1, len(found.rows) + 1)]
        writer.write(rows, columns)
