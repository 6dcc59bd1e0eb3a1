"""Section of ``docs/benchmark.md``: how long an answer takes, and in what memory."""

from collections.abc import Iterable
from typing import Any

from reviewintent_jax.benchmark.tables import figure, memory, perhaps, table


def latency_section(systems: Iterable[tuple[str, dict[str, Any], str]]) -> str:
    """A table and a picture for each system; nothing where there is none.

    Args:
      systems: name, what its worker said, and where its picture lies.
    """
    found = []
    for name, worker, place in systems:
        facts = worker["facts"]
        rows = [
            (
                f"{each['length']} x {each['batch']}",
                *(_percentile(each, p) for p in (50, 90, 99)),
                perhaps(each["seconds"].get("longest"), 1e3),
                figure(each["items_per_second"]),
                figure(each["flops"] / each["seconds"]["p50"] / 1e9),
                memory(each.get("peak_bytes")),
                str(each["calls"]),
            )
            for each in worker["rounds"]
        ]
        heads = (f"{facts['reads']} x {facts['items']}", "p50, ms", "p90", "p99",
                 "longest", f"{facts['items']}/s", "GFLOP/s", "peak memory",
                 "calls")  # fmt: skip
        image = f"![Latency of {name}]({place})"
        found.append(f"### {name}\n\n{table(heads, rows)}\n{image}\n")
    if not found:
        return ""
    note = (
        "From host arrays to host arrays, one call after another, of items that all "
        "have one length. A percentile stands where there were calls enough for it, "
        "the longest call always. Peak memory is that of the whole process in one "
        "call, once what earlier ones had freed was given back.\n"
    )
    return "\n".join(["## Latency\n", note, *found])


def _percentile(record: dict[str, Any], percent: int) -> str:
    """Milliseconds; nothing where fewer calls lie beyond the percentile than one."""
    if record["calls"] * (100 - percent) < 100:
        return "-"
    return figure(record["seconds"][f"p{percent}"] * 1e3)
