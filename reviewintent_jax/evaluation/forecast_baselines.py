"""What a forecast must be measured against: persistence, last season, linear lags.

All of them read what the model reads and nothing later: a forecast of row ``t`` with
horizon h may use rows up to ``t - h``.
"""

import dataclasses
import time
from typing import Any, NamedTuple

import numpy as np
from sklearn.linear_model import Ridge

from reviewintent_jax.schema import InputError


@dataclasses.dataclass(frozen=True)
class ForecastEvaluationSpec:
    """What is measured.

    Attributes:
      batch_windows: windows that are forecast at once, 1 or more.
      season: steps of the season that the seasonal-naive forecast repeats, 1 or more
        (24 for hourly data with days, 7 for daily data with weeks).
      ridge_alphas: penalties that the AR ridge is tried with, each above 0; the one
        that does best on validation is kept, for each series.
    """

    batch_windows: int
    season: int
    ridge_alphas: tuple[float, ...]

    def __post_init__(self) -> None:
        rules = {
            "batch_windows": (self.batch_windows >= 1, "1 or more"),
            "season": (self.season >= 1, "1 or more"),
            "ridge_alphas": (
                bool(self.ridge_alphas) and min(self.ridge_alphas) > 0,
                "one or more numbers above 0",
            ),
        }
        for field, (holds, want) in rules.items():
            if not holds:
                raise InputError(
                    f"evaluation.{field} is {getattr(self, field)!r}.",
                    where=f"field evaluation.{field}",
                    fix=f"It must be {want}.",
                )


class ForecastBaseline(NamedTuple):
    """A system beside the model.

    Attributes:
      forecast_ns: [n, s], its forecasts of the rows it was asked for.
      facts: how it was fitted, for ``metrics.json``.
    """

    forecast_ns: np.ndarray
    facts: dict[str, Any]


def persistence(value_ts: np.ndarray, row_n: np.ndarray, horizon: int) -> np.ndarray:
    """The last known value: ``value[t - horizon]`` for every row t; [n, s]."""
    return value_ts[row_n - horizon]


def seasonal_naive(
    value_ts: np.ndarray, row_n: np.ndarray, horizon: int, season: int
) -> np.ndarray:
    """The last known value of the same place in the season; [n, s].

    ``value[t - k * season]`` with the smallest k for which that is known. Rows whose
    season before lies ahead of the table get the last known value.

    Example: season 7, horizon 9: forecasts of row 100 repeat row 86.
    """
    back = -(-horizon // season) * season
    return value_ts[np.where(row_n >= back, row_n - back, row_n - horizon)]


class RowSplits(NamedTuple):
    """Rows of the table, in time order, by what they are used for.

    Attributes:
      train: a system is fitted on these.
      validation: its settings are chosen on these.
      asked: it forecasts these.
    """

    train: np.ndarray
    validation: np.ndarray
    asked: np.ndarray


def ar_ridge(
    value_ts: np.ndarray,
    rows: RowSplits,
    *,
    window: int,
    horizon: int,
    alphas: tuple[float, ...],
) -> ForecastBaseline:
    """Linear autoregression of each series on its own last ``window`` values.

    scikit-learn's ridge, fitted on the training rows, forecasting the rows asked for.
    Chosen on validation, for each series: the penalty, and whether the regression is
    of levels or of changes from the last value (which a penalty shrinks towards
    persistence instead of towards a constant). A series is first divided by its
    deviation on the training rows, so that a penalty means the same for all.

    Args:
      value_ts: the table, scaled or not; the forecasts are in its units.
      rows: what to fit, choose and forecast.
      window: lags.
      horizon: steps ahead.
      alphas: penalties to try.
    """
    began = time.monotonic()
    forecast_ns = np.empty((len(rows.asked), value_ts.shape[1]))
    chosen: list[dict[str, Any]] = []
    for s in range(value_ts.shape[1]):
        value_t = value_ts[:, s]
        past = value_t[: rows.train[-1] + 1]
        middle, spread = past.mean(), past.std()
        scaled_t = (value_t - middle) / (spread if np.ptp(past) > 0 else 1.0)
        forecast_n, choice = _best_ridge(scaled_t, rows, window, horizon, alphas)
        forecast_ns[:, s] = forecast_n * (spread if np.ptp(past) > 0 else 1.0) + middle
        chosen.append(choice)
    facts = {
        "lags": window,
        "alpha": [choice["alpha"] for choice in chosen],
        "regresses": [choice["regresses"] for choice in chosen],
        "seconds": time.monotonic() - began,
    }
    return ForecastBaseline(forecast_ns, facts)


def _best_ridge(
    value_t: np.ndarray,
    rows: RowSplits,
    window: int,
    horizon: int,
    alphas: tuple[float, ...],
) -> tuple[np.ndarray, dict[str, Any]]:
    """Forecasts of the rows asked for by the ridge that does best on validation."""
    lags_tw = np.lib.stride_tricks.sliding_window_view(value_t, window)
    best: tuple[float, np.ndarray, dict[str, Any]] | None = None
    for regresses in ("levels", "changes"):
        parts = []
        for row_n in rows:
            lags_nw = lags_tw[row_n - horizon - window + 1]
            last_n = lags_nw[:, -1] if regresses == "changes" else np.zeros(len(row_n))
            parts.append((lags_nw - last_n[:, None], value_t[row_n], last_n))
        (lags, wanted, last), (lags_v, wanted_v, last_v), (lags_t, _, last_t) = parts
        # One target for each penalty, so that the products of the lags are made once.
        wanted_na = np.tile((wanted - last)[:, None], len(alphas))
        penalty_a: Any = np.array(alphas)  # Ridge takes one for each target
        fitted = Ridge(alpha=penalty_a, solver="cholesky").fit(lags, wanted_na)
        said_va = _matrix(fitted.predict(lags_v)) + last_v[:, None]
        error_a = np.square(said_va - wanted_v[:, None]).mean(axis=0)
        a = int(np.argmin(error_a))
        if best is None or error_a[a] < best[0]:
            forecast_n = _matrix(fitted.predict(lags_t))[:, a] + last_t
            choice = {"alpha": alphas[a], "regresses": regresses}
            best = error_a[a], forecast_n, choice
    if best is None:
        raise InputError("evaluation.ridge_alphas is empty.", fix="Give one or more.")
    return best[1], best[2]


def _matrix(value_na: np.ndarray) -> np.ndarray:
    """[n, a]; scikit-learn drops the axis of a single target."""
    return value_na.reshape(len(value_na), -1)
