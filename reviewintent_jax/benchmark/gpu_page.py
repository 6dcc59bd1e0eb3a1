"""``docs/gpu.md``: what was measured on a GPU, and what was not.

In: the records of ``launch.gpu_benchmark``, and those of training that were taken while
the kernels were made. Out: Markdown.
"""

from collections.abc import Callable, Mapping
from typing import Any

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
    peak = parts["peak"]["flops"]["median"]
    libraries = ", ".join(
        f"{name} {about[name]}" for name in ("jax", "flax", "optax", "torch")
    )
    sections = [
        "# Measured on a GPU",
        f"One {about['device']}, Python {about['python']}, {libraries}; commit "
        f"{results['commit']}. BERT-base and LSTNet in bfloat16, without dropout of "
        "attention on either side, random tokens, the lengths of published reviews cut "
        "at 128 tokens. Medians and quartiles. `python -m launch.gpu_benchmark` "
        "measures it in one call of ten minutes; `--page` writes this page anew.",
        _peak(parts["peak"]),
        *_trainings(parts, development, peak),
    ]
    for name, make in _SECTIONS.items():
        part = parts.get(name, {"skipped": "it was not reached"})
        why = part.get("failed") or part.get("skipped")
        title = f"## {name.capitalize()}"
        body = f"**Not measured: {why}.**" if why else make(part, peak)
        sections.append(f"{title}\n\n{body}")
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


def _trainings(parts: Records, development: Records, peak: float) -> list[str]:
    found, missing = [], []
    for name, part in parts.items():
        if not name.startswith("training: "):
            continue
        why = part.get("failed") or part.get("skipped")
        if why:
            missing.append(f"- {name.removeprefix('training: ')}: {why}")
        else:
            found.append(_training(name.removeprefix("training: "), part, peak))
    if missing:
        lines = "\n".join(missing)
        found.append(
            "## Training in turns\n\n**Not measured on this commit:**\n\n" + lines
        )
        found.append(_development(development, peak))
    return found


def _training(name: str, part: Records, peak: float) -> str:
    rows = [
        (
            system,
            ranged(record["reviews_per_second"]),
            ranged(record["ours_is_faster"]),
            ranged(record["useful_flops"], 1e-12),
            f"{record['useful_flops']['median'] / peak:.1%}",
            f"{record['useful_share']:.1%}",
        )
        for system, record in part["systems"].items()
    ]
    heads = ["system", "reviews/s", "ours faster, times", "useful TFLOP/s"]
    text = f"## Training: {name}\n\nThe first update of ours took "
    text += f"{part['first_update_seconds']:.0f} s. Systems took turns.\n\n"
    text += table([*heads, "of the peak", "useful places"], rows)
    return text + "".join(
        f"\n- {peer}: {why}" for peer, why in part["not_measured"].items()
    )


def _development(records: Records, peak: float) -> str:
    """What was measured while the kernels were made."""
    rows = []
    for run in records["runs"]:
        for system, record in run["systems"].items():
            useful = spread(record["useful_flops"])
            own = run["peak_flops"]["median"]
            what = f"{system}; attention {run['attention']}, scans {run['scans']}"
            rows.append(
                (
                    f"{what if system.startswith('ours') else system} "
                    f"({run['commit']})",
                    ranged(useful, 1e-12),
                    f"{useful['median'] / own:.1%}",
                    f"{useful['median'] / peak:.1%}",
                    f"{spread(record['useful_share'])['median']:.1%}",
                )
            )
    heads = ["system (commit)", "useful TFLOP/s", "of the peak of that run"]
    first = records["runs"][0]["systems"]
    ours = spread(first["ours"]["useful_flops"])["median"]
    ratios = ", ".join(
        f"{ours / spread(record['useful_flops'])['median']:.2f} times {name}"
        for name, record in first.items()
        if name != "ours"
    )
    return (
        f"### While the kernels were made\n\n{records['what']} In the first of these "
        f"runs ours did {ratios} in useful operations.\n\n"
        + table([*heads, "of the peak above", "useful places"], rows)
    )


def _scoring(part: Records, peak: float) -> str:
    rows = [
        (
            f"{int(reviews):,}",
            figure(record["reviews_per_second"]),
            _tera(record["flops_per_second"]),
            f"{record['flops_per_second'] / peak:.1%}",
        )
        for reviews, record in part["by_reviews_at_once"].items()
    ]
    heads = ["reviews at once", "reviews/s", "TFLOP/s", "of the peak"]
    said = f"Reviews of {part['tokens']} tokens, host to host; an answer is read while "
    return said + "the next question is on its way.\n\n" + table(heads, rows)


def _latency(part: Records, _: float) -> str:
    rows = [
        (f"{place}, {tokens}", *(figure(each[p] * 1e3) for p in ("p50", "p90", "p99")))
        for place, by_tokens in part["seconds_by_tokens"].items()
        for tokens, each in by_tokens.items()
    ]
    heads = ["one review from, tokens", "p50, ms", "p90", "p99"]
    return f"Attention: {part['attention']}.\n\n" + table(heads, rows)


def _attention(part: Records, _: float) -> str:
    rows = [
        (
            f"{record['path']}, {record['layout']}",
            ranged(record["seconds"], 1e3) if "seconds" in record else record["failed"],
            *(figure(record.get(name, 0)) for name in _DISTANCES),
            "yes" if record.get("sound") else "no",
        )
        for record in part["records"]
    ]
    heads = ["path, layout", "ms", "error", "of the gradient", "leak", "sound"]
    return (
        "Forwards and backwards, of one layer of an update. *Error* is the largest to "
        "attention in float32, that of the gradient a share of its norm, and *leak* "
        "what a review moves when another one of its block changes. The fastest sound "
        f"path of packed pages is used: **{part['fastest']}**.\n\n" + table(heads, rows)
    )


_DISTANCES = ("error", "gradient_error", "leak")


def _layers(part: Records, _: float) -> str:
    one = part["records"][0]
    rows = [
        (record["system"], record["pass"], _took(record)) for record in part["records"]
    ]
    fusion, unroll = part["fastest"]
    return (
        f"One GRU layer: {one['rows']} series of {one['steps']} steps, {one['inputs']} "
        f"features, state {one['features']}, {one['dtype']}; PyTorch's by autocast. In "
        f"use: {fusion}, unroll {unroll}. The kernel is "
        f"{'sound' if part['kernel']['sound'] else 'NOT sound'}: states and gradients "
        f"are at most {max(map(max, part['kernel']['off'].values())):.1%} (by norm) "
        "off those of a plain scan in float32.\n\n"
        + table(["system", "pass", "ms; times that of separate, unroll 1"], rows)
    )


def _took(record: Records) -> str:
    if "absent" in record:
        return record["absent"]
    return f"{ranged(record['milliseconds'])}; {record['ratio']:.2f}"


_SECTIONS: dict[str, Callable[[Records, float], str]] = {
    "scoring": _scoring,
    "latency": _latency,
    "attention": _attention,
    "layers": _layers,
}
