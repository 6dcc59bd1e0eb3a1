"""Plots of a panel's forecasts -> small SVG strings for the report."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib import dates
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from reviewintent_jax.evaluation.svg import COLOURS, INK, MUTED, draw_svg

PERIODS_SHOWN = 60
"""Newest test periods that are drawn."""


def draw_group(
    name: str,
    place: int,
    tested: pd.DataFrame,
    coming: pd.DataFrame,
    usual_error: Mapping[str, float],
) -> str:
    """Draw one group: truth, forecast and its usual error, and what comes next.

    Args:
      name: of the group.
      place: tells the pictures of a page apart.
      tested: its rows of the table of test forecasts.
      coming: its rows of the table of what comes next; may be empty.
      usual_error: measure -> mean absolute error on the test windows.
    """
    measures = list(usual_error)

    def draw(figure: Figure) -> None:
        rows = figure.subplots(len(measures), 1, sharex=True, squeeze=False)[:, 0]
        for axes, measure in zip(rows, measures, strict=True):
            of_measure: Any = tested[tested["measure"] == measure].tail(PERIODS_SHOWN)
            _draw_measure(axes, of_measure, usual_error[measure])
            next_rows: Any = coming[coming["measure"] == measure]
            _draw_next(axes, next_rows)
            axes.set_ylabel(measure.replace("_", " "))
            if measure != "log_volume":
                axes.set_ylim(-0.05, 1.05)
                axes.set_yticks((0, 0.5, 1))
                axes.yaxis.set_major_formatter(FuncFormatter(lambda v, _: f"{v:.0%}"))
            else:
                axes.yaxis.set_major_locator(MaxNLocator(3))
        rows[0].legend(loc="best", ncols=3)
        locator = dates.AutoDateLocator(minticks=2, maxticks=5)
        rows[-1].xaxis.set_major_locator(locator)
        rows[-1].xaxis.set_major_formatter(dates.ConciseDateFormatter(locator))

    label = f"Forecast and truth of {name}"
    return draw_svg(f"group-{place}", label, draw, height=0.5 + 1.15 * len(measures))


def _draw_measure(axes: Axes, rows: pd.DataFrame, usual: float) -> None:
    when = rows["period"].to_numpy()
    said, truth = rows["model"].to_numpy(), rows["truth"].to_numpy()
    axes.fill_between(
        when, said - usual, said + usual, color=COLOURS[0], alpha=0.16, lw=0
    )
    axes.plot(when, said, color=COLOURS[0], lw=1.4, label="forecast")
    axes.plot(when, truth, "o-", color=INK, lw=0.9, ms=2.4, label="truth")


def _draw_next(axes: Axes, rows: pd.DataFrame) -> None:
    if not len(rows):
        return
    row = rows.iloc[0]
    # A month is written 2014-07; its point stands on its first day.
    axes.errorbar(
        np.array([np.datetime64(row["forecast_period"], "s")]),
        [row["forecast"]],
        yerr=[row["usual_error"]],
        fmt="o",
        ms=4,
        color=COLOURS[1],
        label="next",
    )


def heading_learning(log: Sequence[Mapping[str, Any]], best_step: int | None) -> str:
    """Draw the validation loss by step, and the step that was kept.

    Args:
      log: lines of ``log.jsonl``.
      best_step: the step whose weights were kept.
    """
    lines = [line for line in log if line.get("kind") == "validation"]

    def draw(figure: Figure) -> None:
        axes = figure.subplots()
        steps = [line["step"] for line in lines]
        mark = "o" if len(steps) <= 40 else None
        axes.plot(
            steps, [line["loss"] for line in lines], color=COLOURS[0], marker=mark, ms=3
        )
        if best_step is not None:
            axes.axvline(best_step, color=MUTED, ls=":", lw=1.2, label="kept")
            axes.legend(loc="best")
        axes.set(xlabel="training step", ylabel="validation loss")
        axes.xaxis.set_major_locator(MaxNLocator(5, integer=True))

    return draw_svg("learning", "Validation loss by step", draw, height=2.6)
