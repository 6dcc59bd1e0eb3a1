"""Figures as words, and Markdown tables of them."""

import math
from collections.abc import Iterable, Mapping, Sequence


def table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table; all columns but the first are set right."""
    lines = [heads, ["---", *["---:"] * (len(heads) - 1)], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"


def figure(value: float) -> str:
    """Three figures that count.

    Example: 1234.5 -> ``1,234``; 12.345 -> ``12.3``; 0.012345 -> ``0.0123``.
    """
    if not value:
        return "0"
    if abs(value) >= 100:
        return f"{value:,.0f}"
    digits = 2 - math.floor(math.log10(abs(value)))
    return f"{value:.{digits}f}"


def ranged(spread: Mapping[str, float], scale: float = 1.0) -> str:
    """A median and its quartiles: ``12.3 (11.9 to 13.0)``."""
    median, low, high = (figure(spread[k] * scale) for k in ("median", "low", "high"))
    return f"{median} ({low} to {high})"


def amount(value: float, unit: str) -> str:
    """With a prefix of thousands: 22.7e6, '' -> ``22.7 M``."""
    for prefix, size in (("T", 1e12), ("G", 1e9), ("M", 1e6), ("k", 1e3)):
        if abs(value) >= size:
            return f"{figure(value / size)} {prefix}{unit}"
    return f"{figure(value)} {unit}".strip()


def memory(count: float | None) -> str:
    """Bytes with their unit; nothing where they are not known."""
    return amount(count, "B") if count else ""


def perhaps(value: float | None, times: float = 1.0) -> str:
    """A figure, multiplied; a dash where there is none."""
    return "-" if value is None else figure(value * times)
