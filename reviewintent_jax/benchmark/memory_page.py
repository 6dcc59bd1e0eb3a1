"""``docs/results/size.md`` from the records of ``memory.py``."""

from collections.abc import Sequence
from typing import Any

from reviewintent_jax.markdown import markdown_table

_TITLES = {
    "prepare": (
        "Preparing",
        "A CSV file of the built-in shop -> checked, cleaned, compared, split and "
        "tokenised shards (`launch.prepare`).",
    ),
    "compare": (
        "Searching for copies",
        "The part of preparing that needs all reviews at once, alone: signatures drawn "
        "at random, one in twenty a near copy.",
    ),
    "plan": (
        "Planning an epoch",
        "Which review lies on which page, over lengths drawn like the shop's.",
    ),
    "score": ("Scoring", "A CSV file into a Parquet file (`launch.predict`)."),
}
_HEAD = """# Time and memory by the number of reviews

Written by `python -m launch.measure`; figures: [memory.json](memory.json).

- *Resident*: the most memory that the process held, pages of files included, which the
  system drops when it needs room; *own*: the most without them; *a worker*: the largest
  of the processes that check, clean and tokenise. All hold the imports too.
- *A review more*: what own memory grew by from the size before, for each review.
- *Load*: processes at work on the machine, this one included, at the end.
"""


def memory_page(results: dict[str, Any]) -> str:
    """The page, from what ``launch.measure`` writes as JSON."""
    records, parts = results["records"], [_HEAD]
    for job, (title, what) in _TITLES.items():
        mine = [record for record in records if record["job"] == job]
        kinds = dict.fromkeys((each["encoder"], each["workers"]) for each in mine)
        for kind in kinds:
            same = [r for r in mine if (r["encoder"], r["workers"]) == kind]
            parts.append(_section(title, what, sorted(same, key=lambda r: r["rows"])))
    return "\n".join(parts)


def _section(title: str, what: str, records: Sequence[dict[str, Any]]) -> str:
    first = records[0]
    where, workers = first["environment"], first["workers"]
    heads = ["reviews", "s", "reviews/s", "resident, MB", "own, MB", "a review more, B"]
    heads += ["a worker, MB"] * (workers > 1) + ["load"]
    rows, before = [], None
    for record in records:
        row = [
            f"{record['rows']:,}",
            f"{record['seconds']:,.1f}",
            f"{record['rows_per_second']:,.0f}",
            f"{record['peak_bytes'] / 1e6:,.0f}",
            _shown(record["peak_own_bytes"], 1e6),
            "" if before is None else _shown(_growth(before, record), 1),
        ]
        row += [f"{record['peak_worker_bytes'] / 1e6:,.0f}"] * (workers > 1)
        rows.append([*row, _shown(record["load"], 1, ".1f")])
        before = record
    with_what = {
        "prepare": f", {workers} workers" if workers > 1 else ", one process",
        "score": f", {first['encoder']}",
    }.get(first["job"], "")
    place = f"On {where['device']}, {where['cores']} cores."
    return f"## {title}{with_what}\n\n{what} {place}\n\n{markdown_table(heads, rows)}"


def _growth(before: dict[str, Any], record: dict[str, Any]) -> float | None:
    if None in (before["peak_own_bytes"], record["peak_own_bytes"]):
        return None
    more = record["peak_own_bytes"] - before["peak_own_bytes"]
    return more / (record["rows"] - before["rows"])


def _shown(value: float | None, unit: float, how: str = ",.0f") -> str:
    return "not taken" if value is None else format(value / unit, how)
