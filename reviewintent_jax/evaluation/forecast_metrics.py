"""Scores of point forecasts: truth and forecasts ``[n, s]`` -> plain figures.

RSE and CORR as Lai et al. (SIGIR 2018, section 4.2) define them and their code computes
them (``normal_std`` and ``evaluate`` of laiguokun/LSTNet). Their RSE is pooled: it
divides by the deviation from one mean of all series, which is large where series differ
in level, so a forecast can look good without following any of them. The mean over
series of each one's own RSE stands beside it.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

Facts = dict[str, Any]
"""Part of ``metrics.json``: plain JSON values."""

FORECAST_METRICS = (
    *("rse", "rse_per_series", "corr", "mae"),
    *("skill", "skill_per_series"),
)
"""Scores of a system, in the order in which they are shown."""

LOWER_IS_BETTER = frozenset({"rse", "rse_per_series", "mae"})


def forecast_metrics(
    truth_ns: np.ndarray,
    forecast_ns: np.ndarray,
    persistence_ns: np.ndarray,
    names: Sequence[str],
) -> Facts:
    """All scores, in the table's units; None where one is not defined.

    * ``rse``: sqrt(sum of squared errors) / sqrt(sum of squared deviations of the truth
      from its mean), over all n and s, one mean for all. 1 = as good as that mean.
    * ``rse_per_series``: the mean over series of the same with n alone; a series that
      is constant here has none and is left out.
    * ``corr``: mean over series of the correlation of truth and forecast over n; series
      that are constant here are left out, a constant forecast counts 0.
    * ``mae``: mean absolute error over all n and s.
    * ``skill``: 1 - sum of squared errors / that of persistence, over all n and s.
      Above 0 the forecast beats repeating the last known value; 1 is perfect.
    * ``skill_per_series``: the mean of each series' own, where persistence errs.

    Args:
      truth_ns: [n, s], what came.
      forecast_ns: [n, s], what was forecast.
      persistence_ns: [n, s], the last value known at each forecast.
      names: [s], of the series.
    """
    truth_ns = np.asarray(truth_ns, np.float64)
    forecast_ns = np.asarray(forecast_ns, np.float64)
    error_s = np.square(truth_ns - forecast_ns).sum(axis=0)
    naive_s = np.square(truth_ns - persistence_ns).sum(axis=0)
    moves_s = np.ptp(truth_ns, axis=0) > 0
    spread_s = np.where(moves_s, _deviation(truth_ns), 0.0)
    rse_s = [_root_ratio(e, d) for e, d in zip(error_s, spread_s, strict=True)]
    skill_s = [_skill(e, n) for e, n in zip(error_s, naive_s, strict=True)]
    corr_s = _correlations(truth_ns, forecast_ns, moves_s)
    mae_s = np.abs(truth_ns - forecast_ns).mean(axis=0)
    pooled = np.square(truth_ns - truth_ns.mean()).sum() if np.ptp(truth_ns) else 0.0
    return {
        "n": len(truth_ns),
        "rse": _root_ratio(error_s.sum(), pooled),
        "rse_per_series": _mean(rse_s),
        "corr": _mean(corr_s),
        "mae": float(mae_s.mean()),
        "skill": _skill(error_s.sum(), naive_s.sum()),
        "skill_per_series": _mean(skill_s),
        "per_series": {
            name: {
                "rse": rse_s[s],
                "corr": corr_s[s],
                "mae": float(mae_s[s]),
                "skill": skill_s[s],
            }
            for s, name in enumerate(names)
        },
    }


def _deviation(value_ns: np.ndarray) -> np.ndarray:
    """Summed squared deviation of each series from its own mean."""
    return np.square(value_ns - value_ns.mean(axis=0)).sum(axis=0)


def _correlations(
    truth_ns: np.ndarray, forecast_ns: np.ndarray, moves_s: np.ndarray
) -> list[float | None]:
    truth = truth_ns - truth_ns.mean(axis=0)
    forecast = forecast_ns - forecast_ns.mean(axis=0)
    both_s = (truth * forecast).sum(axis=0)
    size_s = np.sqrt(np.square(truth).sum(axis=0) * np.square(forecast).sum(axis=0))
    still_s = np.ptp(forecast_ns, axis=0) == 0
    corr_s = np.where(
        still_s | (size_s == 0), 0.0, both_s / np.where(size_s, size_s, 1)
    )
    return [
        float(c) if moves else None for c, moves in zip(corr_s, moves_s, strict=True)
    ]


def _root_ratio(error: float, deviation: float) -> float | None:
    return float(np.sqrt(error / deviation)) if deviation > 0 else None


def _skill(error: float, naive: float) -> float | None:
    return float(1 - error / naive) if naive > 0 else None


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return float(np.mean(known)) if known else None
