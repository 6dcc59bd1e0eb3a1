"""One figure -> one small SVG element in the report's style.

The style is light, colour-blind safe (Okabe and Ito's palette) and drawn at the width
of a phone, so that letters stay readable there. Output is deterministic: no dates, no
random ids. Nothing here touches pyplot, and matplotlib's settings change only while a
figure is drawn.
"""

import html
import io
import re
import warnings
from collections.abc import Callable
from typing import Any

import matplotlib as mpl
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure

COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000")
"""Okabe and Ito's colours, told apart by every common kind of colour vision."""

INK, MUTED, LINE, PAPER = "#1f2933", "#5f6c7b", "#d8dee6", "#ffffff"
_FONTS = "Helvetica Neue, Helvetica, Arial, DejaVu Sans, sans-serif"
_STYLE: dict[Any, Any] = {
    "svg.fonttype": "none",
    "font.family": "DejaVu Sans",
    "text.parse_math": False,
    "font.size": 9.5,
    "text.color": INK,
    "axes.edgecolor": LINE,
    "axes.labelcolor": MUTED,
    "axes.titlesize": 10,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": LINE,
    "grid.linewidth": 0.6,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.major.size": 0,
    "ytick.major.size": 0,
    "legend.frameon": False,
    "legend.fontsize": 8.5,
    "lines.linewidth": 1.8,
    "figure.facecolor": PAPER,
    "axes.facecolor": PAPER,
}


def draw_svg(
    name: str, label: str, draw: Callable[[Figure], None], *, height: float
) -> str:
    """Draw a figure 4.3 inches wide and return it as one SVG element.

    Args:
      name: tells its ids from those of the other figures of a page.
      label: what screen readers say.
      draw: draws on the figure it is given.
      height: in inches.
    """
    nothing = dict.fromkeys(("Date", "Creator", "Format", "Type"))
    style: dict[Any, Any] = {**_STYLE, "svg.hashsalt": name}
    with warnings.catch_warnings(), mpl.rc_context(style):
        # A class name in a script the layout font lacks; the browser's own has it.
        warnings.filterwarnings("ignore", "Glyph .* missing from font")
        figure = Figure(figsize=(4.3, height), layout="constrained")
        FigureCanvasSVG(figure)
        draw(figure)
        buffer = io.StringIO()
        figure.savefig(buffer, format="svg", metadata=nothing)
    return _compact(buffer.getvalue(), label)


def _compact(svg: str, label: str) -> str:
    """Strip what an SVG inside a page does not need; name it for screen readers."""
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r'<g id="[a-z]+[0-9a-z]*(\.[a-z]+)?_\d+">', "<g>", svg)
    svg = re.sub(r"<!--.*?-->\s*", "", svg, flags=re.DOTALL)
    svg = re.sub(r"('DejaVu Sans'|DejaVu Sans)", _FONTS, svg)
    svg = re.sub(r'"[^"<>]*"', _two_decimals, svg)  # coordinates, never texts
    svg = re.sub(r"\n\s*", "\n", svg)
    svg = re.sub(r'(<svg [^>]*?) width="[^"]*"', r"\1", svg, count=1)
    svg = re.sub(r'(<svg [^>]*?) height="[^"]*"', r"\1", svg, count=1)
    text = html.escape(label)
    return svg.replace("<svg ", f'<svg role="img" aria-label="{text}" ', 1).strip()


def _two_decimals(attribute: re.Match[str]) -> str:
    """Shorten the numbers of an attribute: a hundredth of a point is not visible."""
    return re.sub(r"(\d\.\d\d)\d+", r"\1", attribute[0])
