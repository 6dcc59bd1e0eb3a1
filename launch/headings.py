"""What train, evaluate and predict do where reviews are counted over time."""

import dataclasses
import tempfile
from pathlib import Path

from launch.own_data import Kit
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
from reviewintent_jax.data.scored import write_frame
from reviewintent_jax.data.sources import SourceKind
from reviewintent_jax.data.tables import TableFormat, expand_paths
from reviewintent_jax.data.times import ORDER_UNKNOWN, WRITE_YEAR_FIRST
from reviewintent_jax.evaluation.heading_report import write_heading_report
from reviewintent_jax.evaluation.heading_summary import describe_rows, summarise_heading
from reviewintent_jax.schema import InputError, RunFolder
from reviewintent_jax.training.files import Facts
from reviewintent_jax.training.heading_outcome import (
    evaluate_heading,
    next_table,
    write_heading_outcome,
)


def _again(run: RunFolder, context: Facts) -> Facts:
    """Scores a run again on its own reviews."""
    trained = load_heading(run)
    windows = PanelWindows(open_panel(run), trained.windows)
    return evaluate_heading(trained, windows, run, context)


KIT = Kit(
    called="a run on reviews over time",
    read=read_heading_config,
    build=build_heading,
    begin=begin_heading,
    finish=write_heading_outcome,
    again=_again,
    summarise=lambda metrics, run: summarise_heading(metrics),
    report=write_heading_report,
)
"""How a run on reviews over time is trained and scored again."""


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
    inputs = expand_paths(path) if path else []
    write_frame(found.rows, output, inputs, stdout_format)
    last = panel.periods - 1
    come = panel.name(last + trained.windows.horizon)
    groups = found.rows["group"].nunique()
    said.append(
        f"{come} forecast for {groups:,} group(s); the last whole {panel.period} is "
        f"{panel.name(last)}"
    )
    said += [f"{n:,} group(s) have no answer: {r}" for r, n in found.without.items()]
    return "\n".join(said)
