"""The report of a run on a panel: a run's folder -> ``report.html``, for people.

Scores come from ``metrics.json``; the drawn groups from the table of test forecasts
that those scores were computed from; what comes next from the table of that name. Like
every report the page loads nothing and escapes every text.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd
from markupsafe import Markup

from reviewintent_jax.evaluation.heading_plots import (
    PERIODS_SHOWN,
    draw_group,
    heading_learning,
)
from reviewintent_jax.evaluation.heading_summary import (
    MEASURES,
    SYSTEMS,
    better,
    describe_rows,
    verdicts,
)
from reviewintent_jax.evaluation.report_page import (
    page_environment,
    read_lines,
    read_metrics,
)
from reviewintent_jax.schema import RunFolder

GROUPS_DRAWN = 8
"""Groups with a figure of their own: those with the most reviews."""

MOVERS_SHOWN = 10
"""Rising, and falling, groups in the table of each measure."""

COLUMNS = {
    "mae": ("values", "MAE"),
    "skill": ("values", "Skill"),
    "rse": ("values", "RSE"),
    "accuracy": ("directions", "Direction accuracy"),
    "macro_f1": ("directions", "Macro-F1"),
}
_LOWER_IS_BETTER = frozenset({"mae", "rse"})


def write_heading_report(run: RunFolder) -> Path:
    """Write the report of an evaluated run on a panel and return its path.

    Raises:
      InputError: the run has no readable ``metrics.json``.
    """
    metrics = read_metrics(run)
    history = list(read_lines(run.log))
    said = verdicts(metrics)
    page = (
        page_environment()
        .get_template("heading_report.html.j2")
        .render(
            metrics=metrics,
            measure_names=MEASURES,
            columns=[title for _, title in COLUMNS.values()],
            tables={m: _score_rows(metrics, m) for m in metrics["measures"]},
            verdicts=said,
            rows_said=describe_rows(metrics["data"], metrics["period"]),
            learning=_learning(metrics, history),
            groups=_group_figures(run, metrics),
            movers=_movers(run, metrics),
            periods_shown=PERIODS_SHOWN,
            rejected=_rejected(run),
            config=json.dumps(metrics.get("config", {}), indent=2, ensure_ascii=False),
        )
    )
    run.report.write_text(page, encoding="utf-8")
    return run.report


def _score_rows(metrics: Mapping[str, Any], measure: str) -> list[dict[str, Any]]:
    """Arrange a score table: a row a system, a cell a score, the best ones marked."""
    found = []
    for key, name in SYSTEMS.items():
        test = metrics["systems"][key]["test"]
        cells = []
        for score, (part, _) in COLUMNS.items():
            value = test.get(part, {}).get(measure, {}).get(score)
            if not isinstance(value, Mapping):
                value = {"value": value, "low": None, "high": None}
            cells.append(dict(value))
        found.append({"name": name, "own": key == "model", "cells": cells})
    for place, score in enumerate(COLUMNS):
        cells = [row["cells"][place] for row in found]
        known = [cell["value"] for cell in cells if cell["value"] is not None]
        best = (min if score in _LOWER_IS_BETTER else max)(known) if known else None
        for cell in cells:
            cell["best"] = cell["value"] is not None and cell["value"] == best
    return found


def _learning(metrics: Mapping[str, Any], history: list[dict]) -> Markup | None:
    if not any(line.get("kind") == "validation" for line in history):
        return None
    best_step = metrics.get("training", {}).get("best_step")
    return Markup(heading_learning(history, best_step))


def _table(run: RunFolder, name: str) -> Any:
    """Read a table of predictions; None where there is none."""
    path = run.predictions(name)
    return pd.read_parquet(path) if path.exists() else None


def _group_figures(run: RunFolder, metrics: Mapping[str, Any]) -> list[dict[str, Any]]:
    """A figure of each of the largest groups that were tested on."""
    tested, coming = _table(run, "test"), _table(run, "next")
    if tested is None or coming is None:
        return []
    of_group = dict(iter(tested.groupby("group", observed=True)))
    drawn = [name for name in metrics["data"]["largest"] if name in of_group]
    return [
        {
            "name": name,
            "svg": Markup(
                draw_group(
                    name,
                    place,
                    of_group[name],
                    coming[coming["group"] == name],
                    metrics["usual_error"],
                )
            ),
        }
        for place, name in enumerate(drawn[:GROUPS_DRAWN])
    ]


def _movers(run: RunFolder, metrics: Mapping[str, Any]) -> list[dict[str, Any]]:
    """For each measure the groups that will most probably rise, and fall."""
    coming, found = _table(run, "next"), []
    if coming is None:
        return found
    for measure in metrics["measures"]:
        rows: Any = coming[coming["measure"] == measure]
        lists = {}
        for direction in ("rising", "falling"):
            column = f"probability_{direction}"
            moving = rows[rows["direction"] == direction]
            first = moving.sort_values(column, ascending=False, kind="stable")
            records = first.head(MOVERS_SHOWN).to_dict("records")
            lists[direction] = [{**r, "probability": r[column]} for r in records]
        majority = metrics["differences"]["directions"][measure]["majority"]
        found.append(
            {
                "measure": measure,
                "lists": lists,
                "counts": rows["direction"].value_counts().to_dict(),
                "groups": len(rows),
                "trusted": better(majority),
            }
        )
    return found


def _rejected(run: RunFolder) -> list[dict[str, Any]]:
    """The first rows set aside, of every reason in turn at most three."""
    seen: dict[str, int] = {}
    found = []
    for line in read_lines(run.rejected):
        reason = line["reason"]
        seen[reason] = seen.get(reason, 0) + 1
        if seen[reason] <= 3 and len(found) < 30:
            found.append(line)
    return found
