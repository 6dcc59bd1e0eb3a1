"""The report of a run on declared sources: a run's folder -> ``report.html``.

Scores come from ``metrics.json``; the fusion weights from the table of test answers
that those scores were computed from. Like every report the page loads nothing and
escapes every text.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd
from markupsafe import Markup

from reviewintent_jax.evaluation.heading_plots import heading_learning
from reviewintent_jax.evaluation.msdp_metrics import (
    HIGHER_IS_BETTER,
    NEITHER_IS_BETTER,
    SCORES,
)
from reviewintent_jax.evaluation.msdp_plots import (
    fusion_weights,
    hazard_reliability,
    survival_curves,
    weights_by_category,
)
from reviewintent_jax.evaluation.msdp_summary import (
    QUESTIONS,
    TITLES,
    describe_cases,
    shuffled_lines,
    systems_of,
    verdicts,
)
from reviewintent_jax.evaluation.report_page import (
    page_environment,
    read_lines,
    read_metrics,
)
from reviewintent_jax.schema import RunFolder


def write_msdp_report(run: RunFolder) -> Path:
    """Write the report of an evaluated run on cases and return its path.

    Raises:
      InputError: the run has no readable ``metrics.json``.
    """
    metrics = read_metrics(run)
    history = [h for h in read_lines(run.log) if h.get("kind") == "validation"]
    best_step = metrics["training"].get("best_step")
    tables = {task: _score_rows(metrics, task) for task in metrics["tasks"]}
    page = (
        page_environment()
        .get_template("msdp_report.html.j2")
        .render(
            metrics=metrics,
            questions=QUESTIONS,
            titles={task: [TITLES[s] for s in SCORES[task]] for task in tables},
            tables=tables,
            verdicts=verdicts(metrics),
            rows_said=describe_cases(metrics["data"]) + shuffled_lines(metrics),
            figures=_figures(run, metrics),
            learning=Markup(heading_learning(history, best_step)) if history else None,
            config=json.dumps(metrics.get("config", {}), indent=2, ensure_ascii=False),
        )
    )
    run.report.write_text(page, encoding="utf-8")
    return run.report


def _score_rows(metrics: Mapping[str, Any], task: str) -> list[dict[str, Any]]:
    """Arrange a score table: a row a system, a cell a score, the best ones marked."""
    found = []
    for key, name in systems_of(metrics, task).items():
        held = metrics["systems"][key][task]
        nothing = {"value": None, "low": None, "high": None}
        cells = [dict(held.get(score) or nothing, best=False) for score in SCORES[task]]
        found.append({"name": name, "own": key == "model", "key": key, "cells": cells})
    rivals = [row for row in found if row["key"] != "best_possible"]
    for place, score in enumerate(SCORES[task]):
        if score in NEITHER_IS_BETTER:
            continue
        values = [row["cells"][place]["value"] for row in rivals]
        known = [value for value in values if value is not None]
        best = (max if score in HIGHER_IS_BETTER else min)(known) if known else None
        for row in found:
            cell = row["cells"][place]
            cell["best"] = cell["value"] is not None and cell["value"] == best
    return found


def _figures(run: RunFolder, metrics: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Title, picture and caption of each figure."""
    sources, found = metrics["sources"], []

    def add(title: str, svg: str, caption: str) -> None:
        found.append({"title": title, "svg": Markup(svg), "caption": caption})

    if len(sources) > 1 and run.predictions("test").exists():
        table = pd.read_parquet(run.predictions("test"))
        add(
            "Which source spoke",
            fusion_weights(table, sources),
            "Attention weights of the sources over the test cases; dotted: means. A "
            "source that a case lacks weighs 0 there.",
        )
        for column, groups in metrics["fusion"]["by_category"].items():
            if sum(means is not None for means in groups.values()) > 1:
                add(
                    f"By {column}",
                    weights_by_category(groups, sources, column),
                    "Mean weights over the test cases that have all sources.",
                )
    if metrics.get("hazard_bins"):
        add(
            "Hazards, said and seen",
            hazard_reliability(metrics["hazard_bins"]),
            "Ten bins of equally many cases and intervals at risk.",
        )
        curves = metrics["survival"]
        add(
            "Who has not come yet",
            survival_curves(curves["said"], curves["seen"], metrics["interval_days"]),
            "Mean of the curves that were said of the test cases, and Kaplan-Meier's "
            "estimate of what came.",
        )
    return found
