"""Serves stage 4, labelled: raw labels as messages show them."""

from collections.abc import Mapping


def _short(raw: str) -> str:
    """A label as shown in messages, cut at 40 characters."""
    return repr(raw if len(raw) <= 40 else raw[:37] + "...")


def shown(raws: list[str]) -> list[str]:
    """Labels for people: bare where that is clear, quoted where spaces would hide."""
    return [raw if raw == raw.strip() else repr(raw) for raw in raws[:10]] + (
        [f"and {len(raws) - 10} more"] if len(raws) > 10 else []
    )


def few(raws: Mapping[str, int] | list[str]) -> str:
    """The first five labels, sorted, and how many more there are."""
    first = sorted(raws)[:5]
    rest = len(raws) - len(first)
    return ", ".join(map(_short, first)) + (f" and {rest} more" if rest else "")
