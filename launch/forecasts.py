"""What train, evaluate and predict do where the task is a forecast."""

import dataclasses

from launch.own_data import Kit
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
from reviewintent_jax.training.files import Facts
from reviewintent_jax.training.forecast_outcome import (
    Forecast,
    evaluate_forecaster,
    forecast_latest,
    write_forecast_outcome,
)


def _again(run: RunFolder, context: Facts) -> Facts:
    """Scores a run again on its own table."""
    trained = load_forecaster(run)
    windows = Windows(open_table(run), trained.windows)
    return evaluate_forecaster(trained, windows, run, context)


KIT = Kit(
    called="a forecast",
    read=read_forecast_config,
    build=build_forecast,
    begin=begin_forecast,
    finish=write_forecast_outcome,
    again=_again,
    summarise=lambda metrics, run: summarise_forecast(metrics),
    report=write_forecast_report,
)
"""How a forecast is trained and scored again."""


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
