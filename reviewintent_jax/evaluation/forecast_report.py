"""The report of a forecast: a run's folder -> ``report.html``, one page for people.

Scores come from ``metrics.json``; the drawn series from the table of test forecasts
that those scores were computed from. Like every report the page loads nothing and
escapes every text.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd
from markupsafe import Markup

from reviewintent_jax.evaluation.forecast_metrics import (
    FORECAST_METRICS,
    LOWER_IS_BETTER,
)
from reviewintent_jax.evaluation.forecast_plots import (
    STEPS_SHOWN,
    forecast_learning,
    rse_bars,
    series_lines,
)
from reviewintent_jax.evaluation.forecast_summary import SYSTEMS, verdict
from reviewintent_jax.evaluation.report_page import (
    page_environment,
    read_lines,
    read_metrics,
)
from reviewintent_jax.schema import RunFolder

SERIES_DRAWN = 40
"""Series with a figure of their own; of more, those that persistence does worst."""

METRIC_NAMES = {
    "rse": "RSE, pooled",
    "rse_per_series": "RSE, mean of series",
    "corr": "CORR",
    "mae": "MAE",
    "skill": "Skill, pooled",
    "skill_per_series": "Skill, mean of series",
}
HEADLINE = ("rse", "corr", "skill")


def write_forecast_report(run: RunFolder) -> Path:
    """Write the report of an evaluated forecast and return its path.

    Raises:
      InputError: the run has no readable ``metrics.json``.
    """
    metrics = read_metrics(run)
    history = list(read_lines(run.log))
    drawn = _drawn(metrics)
    page = (
        page_environment()
        .get_template("forecast_report.html.j2")
        .render(
            metrics=metrics,
            systems={key: name for key, name in SYSTEMS.items() if key != "model"},
            metric_names=METRIC_NAMES,
            headline=HEADLINE,
            score_rows=_score_rows(metrics),
            verdict=verdict(metrics),
            figures=_figures(metrics, history),
            series_figures=_series_figures(run, metrics, drawn),
            drawn=drawn,
            steps_shown=STEPS_SHOWN,
            config=json.dumps(metrics.get("config", {}), indent=2, ensure_ascii=False),
        )
    )
    run.report.write_text(page, encoding="utf-8")
    return run.report


def _score_rows(metrics: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Arrange the score table: a row a metric, a cell a system, the best one marked."""
    rows = []
    for metric in FORECAST_METRICS:
        values = [metrics["systems"][key]["test"][metric] for key in SYSTEMS]
        known = [value for value in values if value is not None]
        lower = metric in LOWER_IS_BETTER
        best = (min if lower else max)(known) if known else None
        cells = [{"value": v, "best": v is not None and v == best} for v in values]
        rows.append({"name": METRIC_NAMES[metric], "lower": lower, "cells": cells})
    return rows


def _drawn(metrics: Mapping[str, Any]) -> list[str]:
    """Series with a figure, in the table's order."""
    each = metrics["systems"]["persistence"]["test"]["per_series"]
    names = metrics["data"]["series"]
    if len(names) <= SERIES_DRAWN:
        return list(names)
    worst = sorted(names, key=lambda name: -(each[name]["rse"] or 0.0))[:SERIES_DRAWN]
    return [name for name in names if name in set(worst)]


def _figures(
    metrics: Mapping[str, Any], history: list[dict[str, Any]]
) -> dict[str, Markup]:
    systems = metrics["systems"]
    found = {
        "rse": rse_bars(
            {name: systems[key]["test"]["rse"] for key, name in SYSTEMS.items()}
        )
    }
    if any(line.get("kind") == "validation" for line in history):
        best_step = metrics.get("training", {}).get("best_step")
        naive = systems["persistence"]["validation"]["rse"]
        found["learning"] = forecast_learning(history, naive, best_step)
    return {name: Markup(svg) for name, svg in found.items()}


def _series_figures(
    run: RunFolder, metrics: Mapping[str, Any], drawn: list[str]
) -> list[dict[str, Any]]:
    """A figure of each drawn series, with its own scores."""
    path = run.predictions("test")
    if not path.exists():
        return []
    tables = dict(iter(pd.read_parquet(path).groupby("series", observed=True)))
    systems, found = metrics["systems"], []
    for place, name in enumerate(drawn):
        table = tables[name]
        svg = series_lines(
            name,
            place,
            table["row"].to_numpy(),
            {
                "truth": table["truth"].to_numpy(),
                "LSTNet": table["model"].to_numpy(),
                "persistence": table["persistence"].to_numpy(),
            },
            table["time"].to_numpy() if "time" in table else None,
        )
        scores = {key: systems[key]["test"]["per_series"][name] for key in SYSTEMS}
        found.append({"name": name, "svg": Markup(svg), "scores": scores})
    return found
