"""The report's part about intention: scores, timelines, who rises, what moved it.

In: the section ``intention`` of ``metrics.json`` and the table of predicted anchors
that it was computed from. Out: what ``intention.html.j2`` shows.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.dataset
import pyarrow.parquet
from markupsafe import Markup

from reviewintent_jax.data.histories import time_sentences
from reviewintent_jax.evaluation import plots, timeline_plots, timelines
from reviewintent_jax.evaluation.calibration import probabilities
from reviewintent_jax.evaluation.evaluate import logits_of
from reviewintent_jax.evaluation.report_scores import (
    HEADLINE,
    METRIC_NAMES,
    SHORT_NAMES,
    headline,
    one_score,
    score_rows,
    shown_systems,
)
from reviewintent_jax.schema import RunFolder

PREDICTIONS = "intention_test"
"""Name of the table of predicted anchors, for ``RunFolder.predictions``."""

SUBJECTS_SHOWN = 6  # timelines
TRENDS_SHOWN = 8  # rising, and as many falling
MOVES_SHOWN = 10
_COLUMNS = ("row", "subject", "time", "label")


def intention_section(
    run: RunFolder,
    section: Mapping[str, Any] | None,
    prepared: Mapping[str, Any] | None,
) -> dict[str, Any]:
    """Everything that the template shows; empty if the run has no intention.

    The table of predictions may be absent or without subjects; the timelines are then
    left out.

    Args:
      run: its folder.
      section: ``intention`` of ``metrics.json``; None where there is none.
      prepared: what ``data`` of ``metrics.json`` says of intention, whose odd times are
        told in words; None where that is not known.
    """
    if not section:
        return {}
    systems = shown_systems(section)
    bars = plots.score_bars(
        {
            SHORT_NAMES.get(key, name): {
                metric: one_score(section, key, metric) for metric in HEADLINE
            }
            for key, name in systems.items()
        },
        {metric: METRIC_NAMES[metric] for metric in HEADLINE},
        section.get("best_possible") or {},
        name="intention-scores",
    )
    return {
        "facts": section,
        "systems": systems,
        "headline": headline(section, "text_only"),
        "score_rows": score_rows(section),
        "bars": Markup(bars),
        "absent": {
            name.replace("_", " "): reason
            for name, reason in section.get("absent", {}).items()
        },
        "times": time_sentences(prepared["times"]) if prepared else [],
        "over_time": _over_time(run, section),
    }


def _over_time(run: RunFolder, section: Mapping[str, Any]) -> dict[str, Any]:
    """Timelines, trends and moves; empty without a table or without subjects."""
    path = run.predictions(PREDICTIONS)
    if not path.exists():
        return {}
    names = pyarrow.parquet.read_schema(path).names
    wanted = [n for n in names if n in _COLUMNS or n.startswith("logit_")]
    table = pd.read_parquet(path, columns=wanted)
    target = list(section["classes"]).index(section["target"])
    prob_ny = probabilities(logits_of(table), section.get("temperature", 1.0))
    anchors = timelines.gather_anchors(table, prob_ny[:, target], target)
    if not len(anchors.subject_n) or np.bincount(anchors.subject_n).max() < 2:
        return {}
    window = section["window"]
    trend = timelines.trends(anchors, window)
    chosen = timelines.pick_subjects(trend, anchors, SUBJECTS_SHOWN)
    lines = [timelines.timeline(anchors, subject, window) for subject in chosen]
    rising = trend[trend["change"] > 0].iloc[::-1][:TRENDS_SHOWN]
    falling = trend.loc[trend["change"] < 0].head(TRENDS_SHOWN)
    moved = timelines.moves(anchors, MOVES_SHOWN)
    period = _period_plot(anchors)
    return {
        "target": section["target"],
        "enough": timelines.ENOUGH,
        "trended": len(trend),
        "lines": [
            Markup(timeline_plots.draw_timeline(line, section["target"], place))
            for place, line in enumerate(lines)
        ],
        "periods": Markup(period) if period else None,
        "trends": {"Rising": _rows(rising), "Falling": _rows(falling)},
        "moves": _with_texts(run, moved),
    }


def _period_plot(anchors: timelines.Anchors) -> str | None:
    """Everybody over time, where times are known and there is more than one period."""
    if not np.isfinite(anchors.time_n).any():
        return None
    period = timelines.periods(anchors.time_n, anchors.prob_n, anchors.came_true_n)
    return timeline_plots.draw_periods(period) if len(period) > 1 else None


def _rows(trend: pd.DataFrame) -> list[dict[str, Any]]:
    """Trends as the template shows them; ``sure`` where zero is outside."""
    return [
        {**row, "sure": row["low"] > 0 or row["high"] < 0, "date": _date(row)}
        for row in trend.rename(columns={"last_time": "time"}).to_dict("records")
    ]


def _with_texts(run: RunFolder, moved: pd.DataFrame) -> list[dict[str, Any]]:
    """Moves with the texts of their reviews, where the table has them."""
    table = pyarrow.dataset.dataset(run.predictions(PREDICTIONS))
    texts: list[str | None] = [None] * len(moved)
    if "text" in table.schema.names and len(moved):
        taken = table.take(moved["position"].to_numpy(), columns=["text"])
        texts = taken["text"].to_pylist()
    return [
        {**move, "date": _date(move), "text": text}
        for move, text in zip(moved.to_dict("records"), texts, strict=True)
    ]


def _date(row: Mapping[str, Any]) -> str:
    """The day of a row, or nothing."""
    if not np.isfinite(row["time"]):
        return ""
    return str(pd.Timestamp(row["time"], unit="s").date())
