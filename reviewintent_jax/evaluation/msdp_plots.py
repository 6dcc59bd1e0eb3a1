"""Plots of MSDP-Net's answers -> small SVG strings for the report."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from reviewintent_jax.evaluation.svg import COLOURS, MUTED, draw_svg

_NAMES = ("text", "behaviour", "structured")


def fusion_weights(table: pd.DataFrame, sources: Sequence[str]) -> str:
    """Draw how the weights of each source are spread over the test cases.

    Args:
      table: of test answers, with a column ``weight_SOURCE`` for each.
      sources: those that are read.
    """

    def draw(figure: Figure) -> None:
        axes = figure.subplots()
        edges = np.linspace(0, 1, 21)
        for name in sources:
            values = table[f"weight_{name}"].to_numpy()
            share, _ = np.histogram(values, edges)
            share = share / max(len(values), 1)
            colour = COLOURS[_NAMES.index(name)]
            axes.stairs(share, edges, color=colour, lw=1.6, label=name)
            axes.axvline(values.mean(), color=colour, ls=":", lw=1.2)
        axes.set(xlabel="fusion weight", ylabel="share of test cases", xlim=(0, 1))
        axes.legend(loc="upper center")

    return draw_svg("fusion", "Fusion weights of the sources", draw, height=2.8)


def weights_by_category(
    groups: Mapping[str, Mapping[str, float] | None], sources: Sequence[str], name: str
) -> str:
    """Draw the mean weights of the sources, a bar for each name of a category.

    Args:
      groups: name -> source -> mean weight.
      sources: those that are read.
      name: of the category's column.
    """
    known = {group: means for group, means in groups.items() if means is not None}

    def draw(figure: Figure) -> None:
        axes = figure.subplots()
        left = np.zeros(len(known))
        rows = np.arange(len(known))
        for source in sources:
            width = np.array([means[source] for means in known.values()])
            colour = COLOURS[_NAMES.index(source)]
            axes.barh(rows, width, left=left, color=colour, label=source, height=0.7)
            left += width
        axes.set_yticks(rows, list(known))
        axes.invert_yaxis()
        axes.set(xlabel="mean fusion weight", xlim=(0, 1))
        axes.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=3)

    label = f"Fusion weights by {name}"
    height = 1.0 + 0.32 * len(known)
    return draw_svg(f"fusion-{name}", label, draw, height=height)


def hazard_reliability(bins: Sequence[Mapping[str, Any]]) -> str:
    """Draw said against seen hazards; the diagonal is right."""

    def draw(figure: Figure) -> None:
        axes = figure.subplots()
        said = [each["said"] for each in bins]
        seen = [each["seen"] for each in bins]
        top = 1.05 * max([*said, *seen, 0.01])
        axes.plot([0, top], [0, top], color=MUTED, ls=":", lw=1.2)
        axes.plot(said, seen, "o-", color=COLOURS[0], ms=3.5, lw=1.2)
        axes.set(xlabel="said hazard", ylabel="seen hazard")
        axes.set(xlim=(0, top), ylim=(0, top))

    return draw_svg("hazard", "Said and seen hazards", draw, height=2.8)


def survival_curves(
    said: Sequence[float], seen: Sequence[float], end_j: Sequence[float]
) -> str:
    """Draw the mean survival that is said, and Kaplan-Meier's of what came."""

    def draw(figure: Figure) -> None:
        axes = figure.subplots()
        days = [0.0, *end_j]
        axes.plot(days, [1.0, *said], "o-", color=COLOURS[0], ms=3, label="said, mean")
        axes.plot(days, [1.0, *seen], "s--", color=COLOURS[1], ms=3, label="seen")
        axes.set(xlabel="days", ylabel="share without an event", ylim=(0, 1.02))
        axes.legend(loc="best")

    return draw_svg("survival", "Survival said and seen", draw, height=2.6)
