"""What train, evaluate and predict do where the task is a forecast."""

import dataclasses
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from launch import runtime
from reviewintent_jax.build_forecast import (
    begin_forecast,
    build_forecast,
    load_forecaster,
    open_table,
    read_forecast_config,
    read_newer,
)
from reviewintent_jax.data.scored import open_writer
from reviewintent_jax.data.series_windows import Windows
from reviewintent_jax.data.tables import TableFormat, TableLayout, expand_paths
from reviewintent_jax.evaluation.forecast_report import write_forecast_report
from reviewintent_jax.evaluation.forecast_summary import summarise_forecast
from reviewintent_jax.schema import InputError, RawRow, RunFolder
from reviewintent_jax.training import hosts
from reviewintent_jax.training.forecast_outcome import (
    Forecast,
    evaluate_forecaster,
    forecast_latest,
    write_forecast_outcome,
)
from reviewintent_jax.training.logs import say
from reviewintent_jax.training.loop import train


def train_forecast(values: Mapping[str, Any], workdir: str) -> None:
    """Config in, trained and evaluated run folder out."""
    config = read_forecast_config(values)
    folder = workdir or Path("runs") / config.name
    run = runtime.run_folder(folder, config.checkpoints.folder)
    experiment = hosts.in_turn("build", lambda: build_forecast(values, run))
    begin_forecast(experiment, run)
    say(experiment.describe())
    result = train(experiment, run)
    say("Scoring the best model and its baselines ...")
    environment = runtime.environment()
    metrics = write_forecast_outcome(experiment, result, run, environment)
    if hosts.is_first():
        say(summarise_forecast(metrics))
        say(f"Report: {write_forecast_report(run)}")


def evaluate_forecast(run: RunFolder) -> None:
    """Scores a run again on its own table."""
    trained = load_forecaster(run)
    context = json.loads(run.metrics.read_text("utf-8"))
    context["environment"] = runtime.environment()
    windows = Windows(open_table(run), trained.windows)
    metrics = evaluate_forecaster(trained, windows, run, context)
    say(summarise_forecast(metrics))
    say(f"Report: {write_forecast_report(run)}")


def predict_forecast(
    run: RunFolder, path: str, output: str, stdout_format: TableFormat
) -> str:
    """Forecasts from the newest window of a table; returns what was done, in words.

    Args:
      run: a finished run.
      path: a table with the columns of the one it was trained on; '' = that table.
      output: file to write, or - for stdout.
      stdout_format: of stdout.
    """
    trained = load_forecaster(run)
    if path == "-":
        raise InputError("A forecast reads a file.", fix="Give --input=FILE.")
    series = read_newer(trained, path) if path else open_table(run)
    forecasts = forecast_latest(trained, series)
    added = {field.name: field.type for field in dataclasses.fields(Forecast)}
    layout = TableLayout(TableFormat.CSV, (), None)
    inputs = expand_paths(path) if path else []
    with open_writer(
        output,
        layout,
        added,  # type: ignore[arg-type]
        inputs=inputs,
        stdout_format=stdout_format,
    ) as writer:
        rows = [RawRow(series.file, line, {}) for line, _ in enumerate(forecasts, 1)]
        writer.write(
            rows, {name: [getattr(each, name) for each in forecasts] for name in added}
        )
    first = forecasts[0]
    when = f" ({first.forecast_time})" if first.forecast_time else ""
    return (
        f"{len(forecasts)} series forecast {first.horizon} steps{when} after the last "
        f"of {len(series.value_ts):,} rows"
    )
