"""``docs/gpu.md``: what was measured on a GPU, and what was not.

In: the records of ``launch.gpu_benchmark``, and those of training that were taken while
the kernels were made. Out: Markdown.
"""

from collections.abc import Callable, Mapping
from typing import Any

from reviewintent_jax.benchmark.gpu_plan import full_plan
from reviewintent_jax.benchmark.tables import figure, ranged, table
from reviewintent_jax.benchmark.timing import spread

Records = Mapping[str, Any]


def gpu_page(results: Records, development: Records) -> str:
    """The page.

    Args:
      results: what ``launch.gpu_benchmark`` wrote, and the ``commit`` it was run at.
      development: ``docs/results/gpu_development.json``.
    """
    parts, about = results["parts"], results["environment"]
    peak = parts.get("peak", {}).get("flops", {}).get("median")
    libraries = ", ".join(
        f"{name} {about[name]}" for name in ("jax", "flax", "optax", "torch")
    )
    sections = [
        "# Measured on a GPU",
        f"One {about['device']}, Python {about['python']}, {libraries}; commit "
        f"{results['commit']}. BERT-base and LSTNet in bfloat16, without dropout of "
        "attention on either side, random tokens, the lengths of published reviews cut "
        "at 128 tokens. Medians and quartiles. `python -m launch.gpu_benchmark` "
        "measures it; `--page` writes this page anew. This call was given "
        f"{results['plan']['seconds']:.0f} s and {results['plan']['rounds']} rounds.",
        _peak(parts["peak"]) if peak else "**The peak was not measured.**",
        *_trainings(parts, development, peak),
    ]
    for name, make in _SECTIONS.items():
        part = parts.get(name, {"skipped": "it was not reached"})
        why = part.get("failed") or part.get("skipped")
        title = f"## {name.capitalize()}"
        body = f"**Not measured: {why}.**" if why else make(part, peak)
        sections.append(f"{title}\n\n{body}")
        if name == "latency" and why:
            sections.append(_development_latency(development["latency"]))
    return "\n\n".join(each.rstrip("\n") for each in sections) + "\n"


def _tera(flops: float) -> str:
    return figure(flops / 1e12)


def _peak(part: Records) -> str:
    rows = [(name, ranged(rates, 1e-12)) for name, rates in part["by_library"].items()]
    return (
        f"## Peak\n\nTen products of {part['side']:,} squared in {part['dtype']}, of "
        "random numbers. *Rested*: a fifth of a second of nothing before each ten. "
        "Shares below are of the largest.\n\n" + table(["by", "TFLOP/s"], rows)
    )


def _trainings(parts: Records, development: Records, peak: float | None) -> list[str]:
    found, missing = [], []
    there = [name for name in parts if name.startswith("training: ")]
    for name in there:
        part, title = parts[name], name.removeprefix("training: ")
        why = part.get("failed") or part.get("skipped")
        if part.get("systems"):
            found.append(_training(title, part, peak))
        if why:
            missing.append(f"- {title}: {why}")
    wanted = [f"training: {name}" for name in full_plan().data]
    missing += [
        f"- {name.removeprefix('training: ')}: it was not reached"
        for name in wanted
        if name not in there
    ]
    if missing:
        lines = "\n".join(missing)
        found.append(
            "## Training in turns\n\n**Not measured on this commit:**\n\n" + lines
        )
    if not any(parts[name].get("systems") for name in there):
        found.append(_development(development, peak))
    return found


def _training(name: str, part: Records, peak: float | None) -> str:
    rows = [
        (
            system,
            ranged(record["reviews_per_second"]),
            ranged(record["ours_is_faster"]),
            ranged(record["useful_flops"], 1e-12),
            _share(record["useful_flops_of_all"], peak),
            f"{record['useful_share']:.1%}",
        )
        for system, record in part["systems"].items()
    ]
    heads = ["system", "reviews/s", "ours faster, times", "useful TFLOP/s"]
    text = f"## Training: {name}\n\nThe first update of ours took "
    text += f"{part['first_update_seconds']:.0f} s. Systems took turns.\n\n"
    text += table([*heads, "of the peak", "useful places"], rows)
    text += "\n*Of the peak*: all rounds together. PyTorch: sdpa, autocast, fused "
    text += "AdamW; `torch.compile` of its encoder.\n" + _note(part)
    return text + "".join(
        f"\n- {peer}: {why}" for peer, why in part["not_measured"].items()
    )


def _note(part: Records) -> str:
    """What is to be known of a part, if anything."""
    return f"\n{part['note']}\n" if "note" in part else ""


def _development(records: Records, peak: float | None) -> str:
    """What was measured while the kernels were made."""
    rows = []
    for run in records["runs"]:
        for system, record in run["systems"].items():
            own = run["peak_flops"]["median"]
            what = system
            if system.startswith("ours"):
                what += f"; attention {run['attention']}, scans {run['scans']}"
            rows.append(
                (
                    f"{what} ({run['commit']})",
                    ranged(spread(record["useful_flops"]), 1e-12),
                    _tera(_overall(record)),
                    _share(_overall(record), own),
                    _share(_overall(record), peak),
                    _percents(record["useful_share"]),
                )
            )
    first = records["runs"][0]["systems"]
    ours = _overall(first["ours"])
    ratios = ", ".join(
        f"{ours / _overall(record):.2f} times {name}"
        for name, record in first.items()
        if name != "ours"
    )
    heads = ["system (commit)", "useful TFLOP/s by round", "of all rounds together"]
    heads += ["of the peak of that run", "of the peak above", "useful places"]
    return (
        f"### While the kernels were made\n\n{records['what']} In the first of these "
        f"runs ours did {ratios}, in useful operations of all rounds together.\n\n"
        + table(heads, rows)
    )


def _development_latency(record: Records) -> str:
    """What was measured while the scorer for services was made."""
    rows = [
        (way, *(figure(each[p] * 1e3) for p in ("p10", "p50", "p90")))
        for way, each in record["seconds_by_way"].items()
    ]
    return (
        "### While the scorer for services was made\n\n"
        f"{record['what']} {record['device']}, jax {record['jax']}; code "
        f"{record['commit']}. Asked for: 1.5 ms at most.\n\n"
        + table(["way", "p10, ms", "p50", "p90"], rows)
    )


def _overall(record: Records) -> float:
    """Useful operations a second of all rounds, by their seconds where they are known.

    A round that ends an epoch has fewer tokens, and a median would hide it.
    """
    flops = record["useful_flops"]
    seconds = record.get("seconds_an_update", [1.0] * len(flops))
    pairs = zip(flops, seconds, strict=True)
    return sum(each * took for each, took in pairs) / sum(seconds)


def _percents(shares: list[float]) -> str:
    return f"{min(shares):.1%} to {max(shares):.1%}"


def _share(flops: float, peak: float | None) -> str:
    """Of the peak, where that was measured."""
    return f"{flops / peak:.1%}" if peak else "-"


def _scoring(part: Records, peak: float | None) -> str:
    rows = [
        (
            f"{int(reviews):,}",
            figure(record["reviews_per_second"]),
            _tera(record["flops_per_second"]),
            _share(record["flops_per_second"], peak),
        )
        for reviews, record in part["by_reviews_at_once"].items()
    ]
    heads = ["reviews at once", "reviews/s", "TFLOP/s", "of the peak"]
    said = (
        f"Reviews of {part['tokens']} tokens that are already made, host to host; an "
    )
    said += "answer is read while the next question is on its way. Asked for: 15,600 "
    return said + "reviews/s.\n\n" + table(heads, rows)


def _latency(part: Records, _: float | None) -> str:
    rows = [
        (f"{place}, {tokens}", *(figure(each[p] * 1e3) for p in ("p50", "p90", "p99")))
        for place, by_tokens in part["seconds_by_tokens"].items()
        for tokens, each in by_tokens.items()
    ]
    heads = ["one review; tokens", "p50, ms", "p90", "p99"]
    said = (
        "Host to host, of tokens that are already made; attention: "
        f"{part['attention']}, epilogues: {part['epilogues']}. *FrozenScorer* "
        "(`reviewintent_jax.evaluation.frozen`) is for services: parameters are "
        "constants of the program, and a batch is one array. Asked for: 1.5 ms at "
        "most.\n\n"
    )
    return said + table(heads, rows)


def _attention(part: Records, _: float | None) -> str:
    rows = [
        (
            f"{record['path']}, {record['layout']}",
            ranged(record["seconds"], 1e3) if "seconds" in record else record["failed"],
            *(figure(record[name]) if name in record else "-" for name in _DISTANCES),
            "yes" if record.get("sound") else "no",
        )
        for record in part["records"]
    ]
    heads = ["path, layout", "ms", "error", "of the gradient", "leak", "sound"]
    return (
        "Forwards and backwards, of one layer of an update. *Error* is the largest to "
        "attention in float32, that of the gradient a share of its norm, and *leak* "
        "what a review moves when another one of its block changes. This benchmark "
        f"went on with the fastest sound path of packed pages: **{part['fastest']}**. "
        + _ATTENTION_OF_RUNS
        + table(heads, rows)
        + _not_run(part)
    )


_ATTENTION_OF_RUNS = (
    "A run takes what `--config.encoder.attention` says, which is xla unless it is "
    "changed: cudnn (bfloat16; `encoder.attention_dropout=0`), pallas (one GPU; the "
    "same dropout), or kernel (tokens of a chunk and features of a head are "
    "powers of two from 16 on, tokens at most 128, features at most 64 at 128 tokens "
    "in bfloat16 and 32 in float32; other sizes are computed as by xla).\n\n"
)
_SCANS_OF_RUNS = (
    "A run takes what `--config.lstnet.gate_fusion` says, which is separate unless it "
    "is changed: fused, or kernel (states of a power of two from 16 on, up to "
    "128 features in bfloat16 and 64 in float32, 64 with `lstnet.fusion=trend`; others "
    "are scanned as by separate)."
)


def _not_run(part: Records) -> str:
    """Said where dropout inside the kernel has not been on a device."""
    if any("dropout" in record["layout"] for record in part["records"]):
        return ""
    return (
        "\n**The kernel's dropout, and biases other than 0, had not run on a GPU when "
        "this was measured**: tests hold them to our own attention by interpreting the "
        "kernel, and the compiler for this GPU takes them.\n"
    )


_DISTANCES = ("error", "gradient_error", "leak")


def _epilogues(part: Records, _: float | None) -> str:
    rows = [
        (
            f"{record['epilogue']}, by {record['path']}",
            ranged(record["seconds"], 1e3),
            ranged(record["of_xla"]),
            f"{record['off']:.2%}",
            "yes" if record["sound"] else "no",
        )
        for record in part["records"]
    ]
    heads = ["what", "ms", "times that of xla", "off", "sound"]
    return (
        "The end of a sub-layer, forwards and backwards, for the tokens of an update. "
        "*Off*: the largest distance of the answer and the gradients to those in "
        "float32, by norm. This benchmark went on with "
        f"**{part['fastest']}**. A run takes what `--config.encoder.epilogues` says, "
        "which is xla unless it is changed: kernel (hidden features at most "
        "1,024 and a sum of at most three powers of two from 64 on).\n\n"
        + table(heads, rows)
        + _note(part)
    )


def _layers(part: Records, _: float | None) -> str:
    one = part["records"][0]
    rows = [
        (record["system"], record["pass"], _took(record)) for record in part["records"]
    ]
    fusion, unroll = part["fastest"]
    return (
        f"One GRU layer: {one['rows']} series of {one['steps']} steps, {one['inputs']} "
        f"features, state {one['features']}, {one['dtype']}; PyTorch's by autocast. "
        f"This benchmark went on with {fusion}, unroll {unroll}. {_SCANS_OF_RUNS} The "
        "kernel is "
        f"{'sound' if part['kernel']['sound'] else 'NOT sound'}: states and gradients "
        f"are at most {max(map(max, part['kernel']['off'].values())):.1%} (by norm) "
        "off those of a plain scan in float32.\n\n"
        + table(["system", "pass", "ms; times that of separate, unroll 1"], rows)
    )


def _took(record: Records) -> str:
    if "absent" in record:
        return record["absent"]
    return f"{ranged(record['milliseconds'])}; {record['ratio']:.2f}"


_SECTIONS: dict[str, Callable[[Records, float | None], str]] = {
    "scoring": _scoring,
    "latency": _latency,
    "attention": _attention,
    "epilogues": _epilogues,
    "layers": _layers,
}
