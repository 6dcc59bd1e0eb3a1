"""Plots of intention over time -> small SVG strings for the report."""

import numpy as np
import pandas as pd
from matplotlib import dates
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

from reviewintent_jax.evaluation.svg import COLOURS, INK, MUTED, draw_svg
from reviewintent_jax.evaluation.timelines import Line
from reviewintent_jax.schema import NO_LABEL


def draw_timeline(line: Line, intention: str, place: int) -> str:
    """Draw one subject: the line, its band, every prediction and what came true.

    Args:
      line: from ``timelines.timeline``.
      intention: name of the class whose probability it is.
      place: tells the pictures of a page apart.
    """
    moment, dated = _moments(line.time_n)

    def draw(figure: Figure) -> None:
        axes = figure.subplots()
        axes.fill_between(
            moment, line.low_n, line.high_n, color=COLOURS[0], alpha=0.16, lw=0
        )
        axes.plot(moment, line.level_n, color=COLOURS[0], label="level")
        axes.plot(
            *(moment, line.prob_n, "o"), ms=3.2, color=COLOURS[0], label="each review"
        )
        known = line.came_true_n != NO_LABEL
        axes.plot(
            moment[known],
            np.where(line.came_true_n[known] == 1, 1.06, -0.06),
            "|",
            color=INK,
            ms=7,
            label="what happened",
        )
        _share_axis(axes, dated)
        axes.set_ylim(-0.12, 1.12)
        axes.set_title(line.name if len(line.name) < 40 else line.name[:38] + "…")
        axes.set_ylabel(intention if len(intention) < 24 else "intention")

    label = f"Intention of {line.name} over time"
    return draw_svg(f"timeline-{place}", label, draw, height=2.1)


def draw_periods(period: pd.DataFrame) -> str:
    """Draw what was predicted and what happened; from ``timelines.periods``."""
    unit = period.attrs["unit"]

    def draw(figure: Figure) -> None:
        top, bottom = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1))
        moment = period["start"].to_numpy()
        known = period["known"].to_numpy() > 0
        low, high = (period[end].to_numpy()[known] for end in ("low", "high"))
        top.fill_between(moment[known], low, high, color=INK, alpha=0.12, lw=0)
        observed = period["observed"].to_numpy()[known]
        top.plot(moment[known], observed, "o-", color=INK, ms=3, lw=1, label="happened")
        predicted = period["predicted"].to_numpy()
        top.plot(
            moment, predicted, color=COLOURS[0], marker="o", ms=3, label="predicted"
        )
        _share_axis(top, dated=True)
        top.set_ylim(0, 1.02)
        top.legend(loc="best")
        bottom.vlines(moment, 0, period["reviews"], color=MUTED, lw=3)
        bottom.set_ylabel("reviews")
        bottom.set_ylim(0, None)
        bottom.set_xlabel(f"one point a {unit}")

    return draw_svg("periods", f"Intention by {unit}", draw, height=3.4)


def _moments(time_n: np.ndarray) -> tuple[np.ndarray, bool]:
    """Dates, or the number of the review where a time is missing."""
    if len(time_n) and np.isfinite(time_n).all():
        return pd.to_datetime(time_n, unit="s").to_numpy(), True
    return np.arange(1, len(time_n) + 1), False


def _share_axis(axes: Axes, dated: bool) -> None:
    """Shares in percent upwards, few and short dates sideways."""
    axes.set_yticks((0, 0.5, 1))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:.0%}"))
    if dated:
        locator = dates.AutoDateLocator(minticks=2, maxticks=5)
        axes.xaxis.set_major_locator(locator)
        axes.xaxis.set_major_formatter(dates.ConciseDateFormatter(locator))
    else:
        axes.set_xlabel("review")
