"""Sections of ``docs/benchmark.md``: systems that took turns, and their ratios."""

from collections.abc import Mapping, Sequence
from typing import Any

from reviewintent_jax.benchmark.tables import figure, memory, ranged, table
from reviewintent_jax.benchmark.timing import ratios, spread

_OURS = "ours"
_WORDS = {
    "training": "The same encoder, an equal LSTNet head, the same reviews, batch size, "
    "optimizer and dropout; a ratio above 1 says that ours is faster. A batch that is "
    "grouped by length holds long reviews or short ones, so rounds of it differ: the "
    "ratio *by tokens* counts the tokens of reviews in the place of reviews. *Useful* "
    "are those tokens among all places that are computed.",
    "scoring": "From the file of reviews to the file of answers, tokenising included; "
    "the pipeline of transformers at the best of its batch sizes.",
}


def peer_sections(parts: Mapping[str, dict[str, Any]]) -> list[str]:
    """Training and scoring beside what people would use."""
    found = []
    for kind, words in _WORDS.items():
        beginning = f"peers in {kind}: "
        tables = [
            f"### {name.removeprefix(beginning)}\n\n{_beside(part, kind)}"
            for name, part in parts.items()
            if name.startswith(beginning)
        ]
        if tables:
            found.append("\n".join([f"## Beside others: {kind}\n\n{words}\n", *tables]))
    return found


def _pieces(part: Mapping[str, Any]) -> int:
    """Micro-batches of an update of ours."""
    _, given = part["settings"].get("workers", {}).get(_OURS, ("", {}))
    return given.get("values", {}).get("train", {}).get("accumulate", 1)


def _beside(part: Mapping[str, Any], kind: str) -> str:
    """A line a system: its rate, ours over it, and its memory."""
    workers: Mapping[str, dict[str, Any]] = part["workers"]
    rates = {
        name: [each["items"] / each["seconds"] for each in worker["rounds"]]
        for name, worker in workers.items()
        if worker.get("rounds")
    }
    rows, notes = [], []
    for name, worker in workers.items():
        why = worker.get("absent") or worker.get("failed")
        if why or name not in rates:
            word = "absent" if "absent" in worker else "failed"
            rows.append((name, word, *[""] * 5))
            notes.append(f"- {name}: {why or 'no round'}")
            continue
        rounds, ours = worker["rounds"], workers.get(_OURS, {}).get("rounds", [])
        share = by_tokens = ""
        if "places" in rounds[0]:
            useful = sum(each["useful"] for each in rounds)
            share = f"{useful / sum(each['places'] for each in rounds):.0%}"
        work = spread([1e3 * each["cpu_seconds"] / each["items"] for each in rounds])
        faster = ""
        if name != _OURS and len(ours) == len(rounds):
            faster = ranged(ratios(rates[_OURS], rates[name]))
            if share:
                by_tokens = ranged(ratios(*map(_tokens_a_second, (ours, rounds))))
        said = memory(worker.get("peak_bytes"))
        label = name
        if "batch_size" in worker["facts"]:
            label = f"{name}, {worker['facts']['batch_size']} at a time"
        if kind == "training" and name == _OURS and _pieces(part) > 1:
            label = f"{name}, in {_pieces(part)} micro-batches"
        rows.append(
            (
                label,
                ranged(spread(rates[name])),
                faster,
                by_tokens,
                figure(work["median"]),
                share,
                said,
            )
        )
    heads = ("system", "reviews/s", "ours faster, times", "by tokens",
             "CPU ms a review", "useful", "peak memory")  # fmt: skip
    return table(heads, rows) + "".join(f"\n{note}\n" for note in notes)


def _tokens_a_second(rounds: Sequence[Mapping[str, Any]]) -> list[float]:
    return [each["useful"] / each["seconds"] for each in rounds]


def _records(parts: Mapping[str, dict[str, Any]], name: str) -> list[dict[str, Any]]:
    """What a part on layers has measured; nothing where it is not there."""
    worker = parts.get(name, {}).get("workers", {}).get("systems", {})
    return [each["record"] for each in worker.get("rounds", [])]


def layer_section(parts: Mapping[str, dict[str, Any]]) -> str:
    """Recurrent layers beside linen's and PyTorch's."""
    records = _records(parts, "recurrent layers")
    if not records:
        return ""
    rows = []
    for record in records:
        label = f"{record['use']}, {record['pass']}: {record['system']}"
        if "milliseconds" not in record:
            rows.append((label, f"absent ({record['absent']})", "", ""))
            continue
        over = ranged(record["ratio_spread"])
        work = figure(record["cpu_milliseconds"])
        rows.append((label, ranged(record["milliseconds"]), work, over))
    heads = ("use, pass: system", "ms", "CPU ms", "times that of the setting in use")
    words = (
        "One GRU layer at the sizes of LSTNet's three uses; more settings: "
        "[results/recurrent.md](results/recurrent.md). CPU ms are those of all cores "
        "together: a layer takes at least these over the number of cores.\n"
    )
    return f"## Recurrent layers\n\n{words}\n{table(heads, rows)}"


def whole_section(parts: Mapping[str, dict[str, Any]]) -> str:
    """Whole LSTNets beside those of linen's layers and of PyTorch's."""
    records = _records(parts, "whole LSTNets")
    if not records:
        return ""
    rows = []
    for record in records:
        use = f"{record['use']}, {record['pass']}"
        if "absent" in record:
            rows.append((use, record["system"], "absent", "", ""))
            continue
        over = "" if record["system"] == _OURS else ranged(record["ratio"])
        took = ranged(record["milliseconds"])
        work = figure(record["cpu_milliseconds"])
        rows.append((use, record["system"], took, work, over))
    sizes = {
        record["use"]: f"{record['use']}: {record['rows']} series of {record['steps']} "
        f"steps and {record['inputs']} features, {record['parameters']:,} parameters"
        for record in records
    }
    heads = ("use, pass", "system", "ms", "CPU ms", "ours faster, times")
    words = (
        "The whole network at LSTNet's three uses (convolutions, GRU layers, skip "
        "layer, fusion, highway), without dropout; backward gives the gradients of all "
        "parameters and of the input. Tests hold answers and gradients of the input of "
        "all three to each other. The candidate is tanh throughout. "
        f"{'; '.join(sizes.values())}.\n"
    )
    return f"## Whole LSTNets\n\n{words}\n{table(heads, rows)}"
