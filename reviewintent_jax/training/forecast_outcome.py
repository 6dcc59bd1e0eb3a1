"""What a finished forecasting run leaves behind, and what it answers afterwards.

In: a trained forecaster and the windows of its table. Out: the table of test forecasts,
``metrics.json``, ``model.json``; later, forecasts from the newest window of any table.
"""

import dataclasses
import datetime
from typing import Any

import numpy as np
import pandas as pd

from reviewintent_jax.data.series import Series
from reviewintent_jax.data.series_windows import Windows, latest_window
from reviewintent_jax.data.splits import SPLIT_NAMES, TEST, TRAIN, VALIDATION
from reviewintent_jax.evaluation.forecast_baselines import (
    ForecastBaseline,
    RowSplits,
    ar_ridge,
    persistence,
    seasonal_naive,
)
from reviewintent_jax.evaluation.forecast_metrics import Facts, forecast_metrics
from reviewintent_jax.schema import RunFolder
from reviewintent_jax.training import hosts
from reviewintent_jax.training.checkpoints import restore_best
from reviewintent_jax.training.files import write_json, write_table
from reviewintent_jax.training.forecast import (
    ForecastExperiment,
    TrainedForecaster,
    forecast_rows,
    make_forecast_step,
)
from reviewintent_jax.training.loop import TrainResult


def write_forecast_outcome(
    experiment: ForecastExperiment,
    result: TrainResult,
    run: RunFolder,
    environment: Facts,
) -> Facts:
    """Scores the best parameters and the baselines; writes and returns all metrics."""
    params, step = restore_best(run, result.state.params)
    windows = experiment.windows
    trained = TrainedForecaster(
        model=experiment.model,
        params=params,
        step=step,
        names=windows.series.names,
        scale=windows.scale,
        windows=windows.spec,
        data=experiment.data,
        evaluation=experiment.evaluation,
        usual_error=(),
        mesh=experiment.mesh,
    )
    context = {
        "name": experiment.name,
        "training": result.facts(experiment.units, len(windows.targets(TRAIN)), step),
        "environment": environment,
        "config": experiment.config,
    }
    return evaluate_forecaster(trained, windows, run, context)


def evaluate_forecaster(
    trained: TrainedForecaster, windows: Windows, run: RunFolder, context: Facts
) -> Facts:
    """Scores validation and test of a run's own table; writes all of it.

    ``context`` holds what does not depend on the forecasts (name, training, config).
    """
    series, spec = windows.series, trained.windows
    step = make_forecast_step(trained.model, trained.mesh)
    row_n = np.concatenate([windows.targets(VALIDATION), windows.targets(TEST)])
    answered = forecast_rows(
        step, trained.params, windows, row_n, trained.evaluation.batch_windows
    )
    if not hosts.is_first():  # who was needed for the forecasts alone
        return context
    systems = {"model": ForecastBaseline(answered, {})}
    systems |= _baselines(trained, windows, row_n)
    scores: dict[str, Facts] = {name: dict(s.facts) for name, s in systems.items()}
    first_test = len(windows.targets(VALIDATION))
    parts = {VALIDATION: slice(first_test), TEST: slice(first_test, None)}
    for split, part in parts.items():
        truth_ns = windows.truth(row_n[part])
        naive_ns = systems["persistence"].forecast_ns[part]
        for name, system in systems.items():
            said_ns = system.forecast_ns[part]
            found = forecast_metrics(truth_ns, said_ns, naive_ns, series.names)
            scores[name][SPLIT_NAMES[split]] = found
    tested = {name: s.forecast_ns[parts[TEST]] for name, s in systems.items()}
    write_table(run.predictions("test"), _table(windows, tested))
    now = datetime.datetime.now(datetime.UTC)
    metrics = context | {
        "task": "forecast",
        "created": now.isoformat(timespec="seconds"),
        "window": spec.window,
        "horizon": spec.horizon,
        "scale": {"kind": spec.scale.value, "fit": spec.scale_fit.value},
        "data": windows.summary(),
        "systems": scores,
    }
    each = scores["model"]["test"]["per_series"]
    facts = {
        "task": "forecast",
        "step": trained.step,
        "names": list(trained.names),
        "shift": trained.scale.shift_s.tolist(),
        "spread": trained.scale.spread_s.tolist(),
        "usual_error": [each[name]["mae"] for name in trained.names],
    }
    write_json(run.model, facts)
    write_json(run.metrics, metrics)
    return metrics


def _baselines(
    trained: TrainedForecaster, windows: Windows, row_n: np.ndarray
) -> dict[str, ForecastBaseline]:
    """Every system beside the model, forecasting the same rows."""
    value_ts, spec = windows.series.value_ts, trained.windows
    season = trained.evaluation.season
    rows = RowSplits(windows.targets(TRAIN), windows.targets(VALIDATION), row_n)
    return {
        "persistence": ForecastBaseline(persistence(value_ts, row_n, spec.horizon), {}),
        "seasonal_naive": ForecastBaseline(
            seasonal_naive(value_ts, row_n, spec.horizon, season), {"season": season}
        ),
        "ar_ridge": ar_ridge(
            value_ts,
            rows,
            window=spec.window,
            horizon=spec.horizon,
            alphas=trained.evaluation.ridge_alphas,
        ),
    }


def _table(windows: Windows, systems: dict[str, np.ndarray]) -> pd.DataFrame:
    """One row a test row and series: what came, and what every system said."""
    row_n, names = windows.targets(TEST), windows.series.names
    columns: dict[str, Any] = {"row": np.repeat(row_n, len(names))}
    if windows.series.time_t is not None:
        time_n = windows.series.time_t[row_n].astype("datetime64[s]")
        columns["time"] = np.repeat(time_n, len(names))
    columns["series"] = pd.Categorical.from_codes(
        np.tile(np.arange(len(names)), len(row_n)), list(names)
    )
    columns["truth"] = windows.truth(row_n).ravel()
    columns |= {name: said_ns.ravel() for name, said_ns in systems.items()}
    return pd.DataFrame(columns)


@dataclasses.dataclass(frozen=True)
class Forecast:
    """The forecast of one series; a line of the output.

    Attributes:
      series: its name.
      last_time: date of the last known value, ISO; '' without dates.
      last_value: that value.
      horizon: steps from it to the forecast.
      forecast_time: date of the forecast, ISO: the last date and ``horizon`` usual
        steps; '' without dates.
      forecast: in the table's units.
      usual_error: mean absolute error of such forecasts on the test split.
    """

    series: str
    last_time: str
    last_value: float
    horizon: int
    forecast_time: str
    forecast: float
    usual_error: float


def forecast_latest(trained: TrainedForecaster, series: Series) -> list[Forecast]:
    """Forecasts from the newest window of a table, in the order of the series.

    Raises:
      InputError: the table is shorter than a window.
    """
    spec = trained.windows
    window = latest_window(series, spec, trained.scale)
    scaled = make_forecast_step(trained.model)(trained.params, window)
    value_s = trained.scale.back(np.asarray(scaled))[0]
    last_time = forecast_time = ""
    if series.time_t is not None:
        last = int(series.time_t[-1])
        later = last + spec.horizon * (series.step_seconds or 0)
        last_time, forecast_time = (_iso(moment) for moment in (last, later))
    return [
        Forecast(
            series=name,
            last_time=last_time,
            last_value=float(series.value_ts[-1, s]),
            horizon=spec.horizon,
            forecast_time=forecast_time,
            forecast=float(value_s[s]),
            usual_error=trained.usual_error[s],
        )
        for s, name in enumerate(series.names)
    ]


def _iso(seconds: int) -> str:
    """2016-07-01 01:00:00, as tables have it."""
    moment = datetime.datetime.fromtimestamp(seconds, datetime.UTC)
    return moment.strftime("%Y-%m-%d %H:%M:%S")
