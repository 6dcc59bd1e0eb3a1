"""Tables in Markdown, for pages that programs write."""

from collections.abc import Iterable, Sequence


def markdown_table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table whose first column is words and whose others are numbers.

    Example: heads ``["rows", "seconds"]`` and one row ``["10", "1.5"]`` ->
    ``| rows | seconds |``, ``| --- | ---: |``, ``| 10 | 1.5 |``, a line each.
    """
    lines = [heads, ["---", *["---:"] * (len(heads) - 1)], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"
