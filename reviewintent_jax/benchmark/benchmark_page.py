"""``docs/benchmark.md`` and its plots, from the records of ``launch.benchmark``."""

from collections.abc import Mapping, Sequence
from typing import Any

from reviewintent_jax.benchmark.benchmark_plots import cost_plot, latency_plot
from reviewintent_jax.benchmark.latency_page import latency_section
from reviewintent_jax.benchmark.peer_page import (
    layer_section,
    peer_sections,
    whole_section,
)
from reviewintent_jax.benchmark.tables import (
    amount,
    figure,
    memory,
    perhaps,
    ranged,
    table,
)
from reviewintent_jax.benchmark.timing import exponent, spread

_HEAD = """# Benchmark

Written by `python -m launch.benchmark --config=configs/benchmark.py` from
[results/benchmark.json](results/benchmark.json), with all that was kept of them. Each
part runs in processes of its own. Times are medians with quartiles; where systems are
compared, they take turns, and the ratio is that of the same round. What was tried to
make it faster, and what came of it: [speed.md](speed.md). Ours keeps the memory that it
frees (`allocator.py`), which programs whose arrays change shape cannot do.
"""

Parts = Mapping[str, dict[str, Any]]


def benchmark_page(results: Mapping[str, Any]) -> str:
    """The page, from what ``launch.benchmark`` keeps as JSON."""
    parts: Parts = results["parts"]
    sections = [
        _HEAD,
        _machine(parts),
        _sizes(parts),
        _claimed(parts),
        _training(parts),
        *peer_sections(parts),
        whole_section(parts),
        layer_section(parts),
        _windows_once(parts),
        latency_section(
            (name, worker, f"images/{_file('latency', name)}.svg")
            for name, worker in _workers(parts, "latency of ")
        ),
        _starts(parts),
        _costs(parts),
        _not_measured(parts),
        _when(parts),
    ]
    return "\n".join(section for section in sections if section)


def benchmark_plots(results: Mapping[str, Any]) -> dict[str, str]:
    """Name of a file, without ``.svg`` -> the plot."""
    parts: Parts = results["parts"]
    found = {}
    for title, worker in _workers(parts, "latency of "):
        found[_file("latency", title)] = latency_plot(title, worker["rounds"])
    for title, worker in _workers(parts, "cost by "):
        found[_file("cost", title)] = cost_plot(title, worker["rounds"])
    return found


def _file(kind: str, title: str) -> str:
    words = "".join(c if c.isalnum() else "-" for c in title.lower())
    return f"benchmark-{kind}-{words}"


def _workers(parts: Parts, beginning: str) -> list[tuple[str, dict[str, Any]]]:
    """Of each part that begins so: the rest of its name, and its one worker."""
    return [
        (name.removeprefix(beginning), next(iter(part["workers"].values())))
        for name, part in parts.items()
        if name.startswith(beginning)
        and "rounds" in next(iter(part["workers"].values()))
    ]


def _not_measured(parts: Parts) -> str:
    """A line for everything that could not be measured, or not to its end."""
    lines = []
    for name, part in parts.items():
        for system, worker in part["workers"].items():
            why = worker.get("absent") or worker.get("failed")
            if why:
                word = "absent" if "absent" in worker else "failed"
                lines.append(f"- {name}, {system}: {word} ({why})")
    return "\n".join(["## Not measured\n", *lines, ""]) if lines else ""


def _when(parts: Parts) -> str:
    """When each part was measured, on which code, beside how much else."""
    rows = [
        (
            name,
            part.get("measured", "-").replace("T", " ").removesuffix("+00:00"),
            part.get("commit") or "-",
            perhaps(part["load_before"]),
            perhaps(part["load_after"]),
        )
        for name, part in parts.items()
    ]
    heads = "part", "begun (UTC)", "commit", "load before", "load after"
    note = (
        "Load: programs that wanted a core in the last minute. A + behind a commit "
        "says that the code was changed after it.\n"
    )
    return f"## When, and on which code\n\n{table(heads, rows)}\n{note}"


def _spread(values: Sequence[float] | None) -> str:
    return ranged(spread(values)) if values else "-"


def _device(parts: Parts) -> list[dict[str, Any]]:
    """What is known of the peaks of the device; nothing where they failed."""
    worker = parts.get("peaks", {}).get("workers", {}).get("device", {})
    return worker.get("rounds", [])


def _machine(parts: Parts) -> str:
    first = next(iter(parts.values()))["environment"]
    loads = [part["load_before"] for part in parts.values() if part["load_before"]]
    busy = ""
    if loads:
        busy = (
            f" Before the parts, {figure(min(loads))} to {figure(max(loads))} programs "
            "wanted a core, the part before among them. Where that is more than there "
            "are cores, others were at work beside the benchmark, and seconds are "
            "longer than on an idle machine; the last table has it for each part."
        )
    peak, rounds = "", _device(parts)
    if rounds:
        flops = spread([each["peak_flops"] for each in rounds])
        moved = spread([each["peak_bandwidth"] for each in rounds])
        peak = (
            f"\n\nOne large float32 product runs at {ranged(flops, 1e-9)} GFLOP/s, "
            f"memory is read and written at {ranged(moved, 1e-9)} GB/s."
        )
    versions = ", ".join(f"{k} {first[k]}" for k in ("python", "jax", "flax", "optax"))
    versions = ", ".join([versions, *_versions_of_others(parts)])
    every = [part["environment"] for part in parts.values()]
    named = {each["processor"] for each in every if each.get("processor")}
    model = f" ({', '.join(sorted(named))})" if named else ""
    device = f"{first['device']}{model}, {first['cores']} cores"
    several = ""
    if any(each[key] != first[key] for each in every for key in each.keys() & first):
        several = " Some parts were measured elsewhere, or with other versions."
    return f"Device: {device}; {versions}.{several}{busy}{peak}\n"


def _versions_of_others(parts: Parts) -> list[str]:
    """Versions of what was compared with, and the threads that it used."""
    names = "torch", "transformers", "onnxruntime", "threads"
    found: dict[str, set[str]] = {name: set() for name in names}
    for part in parts.values():
        for worker in part["workers"].values():
            facts = worker.get("facts", {})
            for name in found.keys() & facts.keys():
                found[name].add(str(facts[name]))
    labels = {"threads": "threads of PyTorch"}
    return [
        f"{labels.get(name, name)} {' and '.join(sorted(found[name]))}"
        for name in names
        if found[name]
    ]


def _peak(parts: Parts) -> float | None:
    """The median of the measured peak, operations a second."""
    rounds = _device(parts)
    return spread([each["peak_flops"] for each in rounds])["median"] if rounds else None


def _sizes(parts: Parts) -> str:
    rows = []
    for name, worker in _workers(parts, "sizes of "):
        facts = worker["facts"]
        by_part = ", ".join(
            f"{part} {amount(n, '').strip()}" for part, n in facts["parameters"].items()
        )
        flops = "; ".join(
            f"{length}: {amount(n, '').strip()}" for length, n in facts["flops"].items()
        )
        total = amount(sum(facts["parameters"].values()), "").strip()
        state = amount(facts["state_bytes"], "B")
        rows.append((name, total, by_part, state, f"{flops} ({facts['reads']})"))
    if not rows:
        return ""
    heads = ("system", "parameters", "by part", "with Adam's moments",
             "operations of an answer, by length")  # fmt: skip
    note = (
        "Operations are those of matrix products, counted from the specs; tests hold "
        "them to a walk through the traced programs.\n"
    )
    return f"## Sizes\n\n{table(heads, rows)}\n{note}"


def _claimed(parts: Parts) -> str:
    worker = parts.get("claimed costs", {}).get("workers", {}).get("counted", {})
    facts = worker.get("facts")
    if not facts:
        return ""
    parameters = sum(facts["parameters"].values()) / 1e6
    flops = sum(facts["flops"].values()) / 1e9
    tokens = facts["tokens"]
    ours = (
        "ours, counted",
        figure(parameters),
        figure(flops),
        "not measured",
        "not measured",
    )
    rows = [
        (
            name,
            *(
                figure(said[key])
                for key in ("parameters_m", "gflops", "ms", "training_s")
            ),
        )
        for name, said in facts["claimed"].items()
    ]
    heads = ("data", "parameters, M", "GFLOP an answer", "inference, ms", "training, s")
    shortest = min(said["gflops"] for said in facts["claimed"].values())
    largest = max(said["parameters_m"] for said in facts["claimed"].values())
    words = (
        f"What the paper prints ({facts['source']}) beside {facts['encoder']} with our "
        f"LSTNet at {tokens} tokens. {figure(shortest)} GFLOP is what "
        f"{facts['encoder']} needs for about {round(tokens * shortest / flops)} "
        f"tokens, not for a review of {tokens}, whatever a multiplication and an "
        f"addition count as (as one: {figure(flops / 2)}). {figure(largest)} M "
        f"parameters are {largest / parameters:.1f} times those of the model that it "
        "describes; and the parameters of one network cannot differ by data set, as "
        "they do in its table. Its device is not named with its times.\n"
    )
    return f"## What the paper prints\n\n{words}\n{table(heads, [*rows, ours])}"


def _training(parts: Parts) -> str:
    rows, peak = [], _peak(parts)
    for name, worker in _workers(parts, "training of "):
        rounds, facts = worker["rounds"], worker["facts"]
        if not rounds:
            continue
        thousand = spread(
            [1_000 * each["seconds"] / each["updates"] for each in rounds]
        )
        rate = spread([each["items"] / each["seconds"] for each in rounds])
        useful = sum(each["useful"] for each in rounds)
        share = useful / sum(each["places"] for each in rounds)
        speed = spread([each["useful_flops"] / each["seconds"] for each in rounds])
        mfu = f"{speed['median'] / peak:.0%}" if peak else "-"
        read = spread([each["useful"] / each["seconds"] for each in rounds])
        rows.append(
            (
                name,
                f"{ranged(rate)} {facts['items']}/s",
                ranged(thousand),
                f"{share:.1%}",
                figure(read["median"]),
                figure(speed["median"] / 1e9),
                mfu,
                memory(facts.get("temporary_bytes")),
                memory(worker["peak_bytes"]),
                figure(facts["first_update_seconds"]),
                _spread(facts.get("first_again_seconds")),
            )
        )
    if not rows:
        return ""
    heads = ("system", "rate", "1,000 updates, s", "useful", "useful/s",
             "useful GFLOP/s", "MFU", "temporaries", "peak memory",
             "first update, cold, s", "warm, s")  # fmt: skip
    note = (
        "Useful: tokens of reviews (or windows, cases) among all places that are "
        "computed, and how many of them a second. MFU: operations of what is useful "
        "alone, over the peak of one large product, measured apart. Temporaries: what "
        "the program of an update holds beside parameters, moments and the batch. Peak "
        "memory is that of the whole process. The first update traces, compiles and "
        "runs: cold with nothing kept from before, and its batch is made meanwhile; "
        "warm with those programs kept in a folder that took half a second to compile "
        "and, on a CPU, with what was traced of the update; five times in the same "
        "process, whose peak memory includes all of it.\n"
    )
    return f"## Training\n\n{table(heads, rows)}\n{note}"


def _windows_once(parts: Parts) -> str:
    worker = parts.get("windows once", {}).get("workers", {}).get("model", {})
    rounds = worker.get("rounds")
    if not rounds:
        return ""
    facts = worker["facts"]
    once, each = facts["once"], facts["each"]
    gain = spread([r["each"]["seconds"] / r["once"]["seconds"] for r in rounds])
    words = (
        f"An update on {facts['windows']:,} windows of up to {facts['window']} "
        f"reviews, each review encoded once ({once['tokens']:,} tokens on "
        f"{once['pages']} pages), against the same windows with reviews of their own "
        f"({each['tokens']:,} tokens on {each['pages']} pages, "
        f"{each['tokens'] / once['tokens']:.2f} times as many, in micro-batches of "
        f"{once['pages']} pages): {ranged(gain)} times faster.\n"
    )
    return f"## Every review once\n\n{words}"


def _starts(parts: Parts) -> str:
    rows = [
        (
            name,
            figure(worker["facts"]["seconds"]),
            figure(worker["facts"]["cpu_seconds"]),
            ranged(spread([each["seconds"] for each in worker["rounds"]])),
            ranged(spread([each["cpu_seconds"] for each in worker["rounds"]])),
        )
        for name, worker in _workers(parts, "start of ")
        if worker["rounds"]
    ]
    if not rows:
        return ""
    heads = ("system", "cold, s", "cold, CPU s", "warm, s", "warm, CPU s")
    note = (
        "`launch.train`, from its start until its first update is in its log. Cold: "
        "nothing prepared, nothing compiled. Warm: the same command again, with what "
        "was prepared, traced and compiled kept. CPU seconds are those of all cores "
        "together.\n"
    )
    return f"## From start to first update\n\n{table(heads, rows)}\n{note}"


def _costs(parts: Parts) -> str:
    rows, images = [], []
    for name, worker in _workers(parts, "cost by "):
        rounds = worker["rounds"]
        if len(rounds) < 3:
            continue
        sizes = [each["size"] for each in rounds]
        seconds = [each["seconds"]["median"] for each in rounds]
        grown = exponent(sizes, seconds)
        rows.append(
            (
                name,
                f"{sizes[0]:,} to {sizes[-1]:,}",
                f"{figure(seconds[0] * 1e3)} to {figure(seconds[-1] * 1e3)}",
                f"{grown['value']:.2f} ({grown['low']:.2f} to {grown['high']:.2f})",
            )
        )
        images.append(f"![Cost by {name}](images/{_file('cost', name)}.svg)")
    if not rows:
        return ""
    heads = ("by", "from, to", "ms", "exponent (95 % interval)")
    note = (
        "Milliseconds: of one review or history in an update; of all reviews where "
        "they are prepared. The exponent is the slope through logarithms; 1 is "
        "in proportion.\n"
    )
    return "\n".join(["## How cost grows\n", table(heads, rows), note, *images, ""])
