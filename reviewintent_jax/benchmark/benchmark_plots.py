"""Plots of the benchmark: records -> SVG, in the style of the reports."""

from collections.abc import Sequence
from typing import Any

from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

from reviewintent_jax.evaluation.svg import COLOURS, draw_svg


def latency_plot(system: str, rounds: Sequence[dict[str, Any]]) -> str:
    """Median latency by the number of items asked about at once, a line a length."""

    def draw(figure: Figure) -> None:
        axes = figure.subplots()
        lengths = list(dict.fromkeys(each["length"] for each in rounds))
        for place, length in enumerate(lengths):
            own = [each for each in rounds if each["length"] == length]
            batch = [each["batch"] for each in own]
            middle = [each["seconds"]["p50"] * 1e3 for each in own]
            late = [each["seconds"]["p99"] * 1e3 for each in own]
            colour = COLOURS[place % len(COLOURS)]
            axes.plot(batch, middle, "o-", color=colour, ms=3.5, label=str(length))
            axes.fill_between(batch, middle, late, color=colour, alpha=0.15, lw=0)
        axes.set(xscale="log", yscale="log", xlabel="items at once", ylabel="ms")
        _plain(axes)
        axes.set_title("Median latency; shaded up to the 99th percentile")
        axes.legend(title="length", loc="best")

    return _whole(
        draw_svg(f"latency-{system}", f"Latency of {system}", draw, height=3.2)
    )


def cost_plot(over: str, rounds: Sequence[dict[str, Any]]) -> str:
    """Seconds by size, on logarithmic axes."""

    def draw(figure: Figure) -> None:
        axes = figure.subplots()
        sizes = [each["size"] for each in rounds]
        milliseconds = [each["seconds"]["median"] * 1e3 for each in rounds]
        axes.plot(sizes, milliseconds, "o-", color=COLOURS[0], ms=3.5)
        axes.set(xscale="log", yscale="log", xlabel=over, ylabel="ms")
        _plain(axes)
        axes.set_title(f"Cost by {over}")

    return _whole(draw_svg(f"cost-{over}", f"Cost by {over}", draw, height=2.7))


def _plain(axes: Any) -> None:
    """Numbers as they are written, not as powers."""
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,g}"))


def _whole(svg: str) -> str:
    """A file of its own: with the name space that an element of a page inherits."""
    if "xmlns=" in svg.split(">", 1)[0]:
        return svg + "\n"
    return svg.replace("<svg ", '<svg xmlns="http://www.w3.org/2000/svg" ', 1) + "\n"
