"""Plots of a forecast: series, errors, learning -> small SVG strings for the report."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from reviewintent_jax.evaluation.svg import COLOURS, INK, MUTED, draw_svg

STEPS_SHOWN = 160
"""Newest test rows that are drawn: more would hide whether a forecast lags behind."""


def series_lines(
    name: str,
    place: int,
    row_n: np.ndarray,
    lines: Mapping[str, np.ndarray],
    time_n: np.ndarray | None,
) -> str:
    """Draw what came, what the model said and what persistence said.

    Args:
      name: of the series.
      place: of the series, which tells its figure from the others.
      row_n: [n], rows of the table.
      lines: name to show -> [n] values; the first is the truth.
      time_n: [n], datetime64 of the rows; None to count rows.
    """
    x = row_n if time_n is None else time_n
    looks = (
        {"color": INK, "lw": 1.3},
        {"color": COLOURS[1], "lw": 1.4},
        {"color": COLOURS[5], "lw": 1.0, "ls": ":"},
    )

    def draw(figure: Figure) -> None:
        axes = figure.subplots()
        for (label, value_n), look in zip(lines.items(), looks, strict=False):
            kept = slice(-STEPS_SHOWN, None)
            axes.plot(x[kept], value_n[kept], label=label, **look)
        axes.legend(loc="best")
        axes.xaxis.set_major_locator(MaxNLocator(5, integer=True))
        if time_n is None:
            axes.set_xlabel("row of the table")
        else:
            _date_axis(axes, time_n[-STEPS_SHOWN:])

    label = f"Forecast and truth of {name}"
    return draw_svg(f"series-{place}", label, draw, height=2.6)


def _date_axis(axes: Any, time_n: np.ndarray) -> None:
    """Four dates along the axis, as long as they need to be."""
    marks = time_n[np.linspace(0, len(time_n) - 1, 4).astype(int)]
    days = np.unique(marks.astype("datetime64[D]"))
    unit = "D" if len(days) == len(marks) else "m"
    axes.set_xticks(marks, [str(mark.astype(f"datetime64[{unit}]")) for mark in marks])
    for text in axes.get_xticklabels():
        text.set(rotation=20, ha="right")


def rse_bars(systems: Mapping[str, float | None]) -> str:
    """Draw the pooled RSE of every system, the model first; shorter is better."""

    def draw(figure: Figure) -> None:
        axes = figure.subplots()
        values = [0.0 if value is None else value for value in systems.values()]
        colours = [COLOURS[0], *["#a9b4c0"] * (len(values) - 1)]
        axes.barh(range(len(values)), values, height=0.66, color=colours)
        for at, value in enumerate(systems.values()):
            shown = " undefined" if value is None else f" {value:.4f}"
            axes.text(value or 0.0, at, shown, va="center")
        axes.set_yticks(range(len(values)), list(systems))
        axes.set(ylim=(len(values) - 0.45, -0.55))
        axes.set_xlim(0, 1.22 * max([*values, 1e-12]))
        axes.grid(False, axis="y")
        axes.xaxis.set_major_locator(MaxNLocator(4))

    height = 0.5 + 0.32 * len(systems)
    return draw_svg("rse", "RSE of every system", draw, height=height)


def forecast_learning(
    log: Sequence[Mapping[str, Any]], naive: float | None, best_step: int | None
) -> str:
    """Draw validation RSE by step, with that of persistence and the step that was kept.

    Args:
      log: lines of ``log.jsonl``.
      naive: RSE of persistence on validation.
      best_step: the step whose weights were kept.
    """
    pairs = [
        (line["step"], line["rse"])
        for line in log
        if line.get("kind") == "validation" and line.get("rse") is not None
    ]

    def draw(figure: Figure) -> None:
        axes = figure.subplots()
        table = np.asarray(pairs, float).reshape(-1, 2)
        mark = "o" if len(table) <= 40 else None
        axes.plot(*table.T, color=COLOURS[0], marker=mark, ms=3.5, label="model")
        if naive is not None:
            axes.axhline(naive, color=COLOURS[5], ls="--", lw=1.3, label="persistence")
        if best_step is not None:
            axes.axvline(best_step, color=MUTED, ls=":", lw=1.2, label="kept")
        if len(table) and table[:, 1].max() > 5 * table[:, 1].min() > 0:
            axes.set_yscale("log")
        axes.set(xlabel="training step", ylabel="validation RSE")
        axes.xaxis.set_major_locator(MaxNLocator(5, integer=True))
        axes.legend(loc="best")

    return draw_svg("learning", "Validation RSE by step", draw, height=2.8)
