"""Serves stage 4, labelled: numbers of stars as people write them -> classes."""

import re
from collections.abc import Callable, Mapping, Sequence

from reviewintent_jax.schema import NO_LABEL, InputError

_STARS = re.compile(
    r"(?P<number>[+-]?\d+(?:[.,]\d+)?)\s*(?:(?:/|out of)\s*5(?:\.0)?)?\s*(?:stars?)?"
)
_STAR_SIGNS = re.compile(r"(?P<full>[★⭐]+)\ufe0f?☆*")

_STRAYS = 0.1  # of all labelled rows: as many may be mistakes among stars

Spans = tuple[tuple[float, float], ...]
"""Lowest and highest star of every class, in order."""


def parse_stars(text: str) -> float | None:
    """``5``, ``4,5``, ``5 stars``, ``4/5``, ``4 out of 5 stars``, ``★★☆☆☆`` or None."""
    found = _STARS.fullmatch(text.strip().casefold())
    if found:
        return float(found["number"].replace(",", "."))
    signs = _STAR_SIGNS.fullmatch(text.strip())
    return float(len(signs["full"])) if signs else None


def star_class(value: float | None, spans: Spans) -> int:
    """The class whose range holds ``value``; ``NO_LABEL`` where none does."""
    for number, (low, high) in enumerate(spans):
        if value is not None and low <= value <= high:
            return number
    return NO_LABEL


def on_scale(value: float | None, spans: Spans) -> bool:
    """Whether ``value`` lies on the scale that the star lists span."""
    return value is not None and bool(spans) and spans[0][0] <= value <= spans[-1][1]


def star_reason(value: float | None, spans: Spans) -> str:
    """Why a number of stars has no class."""
    if value is None:
        return "label is not a number of stars"
    if on_scale(value, spans):
        return "stars belong to no class"
    return "stars lie outside the star lists"


def refuse_strays(
    rows: Mapping[str, int],
    stars: Mapping[str, float | None],
    first: Callable[[Sequence[str]], str],
) -> None:
    """Refuses to guess where nearly all labels are stars, and a few are not.

    A few "N/A" among stars would make every star a class of its own.

    Args:
      rows: label -> rows that carry it.
      stars: label -> its stars, None where it is no number.
      first: labels -> where the first row with one of them is.

    Raises:
      InputError: names the strays and both ways out.
    """
    strays = [raw for raw, value in stars.items() if value is None]
    there, total = sum(rows[raw] for raw in strays), sum(rows.values())
    if not 0 < there < _STRAYS * total:
        return
    shown = ", ".join(repr(raw) for raw in strays[:3])
    more = f" and {len(strays) - 3} more" if len(strays) > 3 else ""
    raise InputError(
        f"The labels are numbers, but for {shown}{more} ({there:,} of {total:,} "
        "labelled rows).",
        where=first(strays),
        fix="If they are strays among stars, --config.labels.kind=stars sets just such "
        "rows aside. If every label is a class of its own: --config.labels.kind=names.",
    )
