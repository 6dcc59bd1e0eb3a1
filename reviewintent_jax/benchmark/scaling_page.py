"""``docs/scaling.md`` from the records of ``scaling.py``."""

from typing import Any

from reviewintent_jax.benchmark.devices import DEVICES
from reviewintent_jax.markdown import markdown_table

_GB = 1e9
_HEAD = """# Planned past this machine

What training needs on 1 to 256 devices, from programs that the compilers of those
devices made without the devices. Written by `make scaling`; figures:
[results/scaling.json](results/scaling.json).

What is planned is `python -m launch.train --config=configs/yelp.py
--config.encoder.dtype=bfloat16 --config.mesh.fsdp=8` (or as many parts as there are
devices, if fewer), with another encoder and batch.

How to read the tables: *memory* is the most that one device holds at once, parameters
and moments included. *Sent* is what one device sends in an update, to its neighbours
and beyond them. An update takes *at least* a time between two bounds: the first where
all that is sent hides behind the work, the second where nothing does. MFU, reviews a
second and price go with the second, and count whole pages as work, the hundredth that
stays empty included. All of them are bounds: real programs are slower.
"""


def scaling_page(results: dict[str, Any]) -> str:
    """The page, from what ``launch.scaling`` writes as JSON."""
    parts = [_HEAD]
    for device in DEVICES:
        plans = [each for each in results["plans"] if each["device"] == device.name]
        if plans:
            parts.append(_device(device.name, device.memory_bytes, plans))
    parts += [
        _assumptions(results),
        _earlier(results["programs"]),
        _checked(results["checked"]),
    ]
    if results["here"]:
        parts.append(_here(results["here"]))
    return "\n".join(part for part in parts if part)


def _device(name: str, memory: float, plans: list[dict[str, Any]]) -> str:
    heads = (
        "encoder, devices (data x fsdp)",
        "pages each",
        f"memory, of {memory / _GB:.1f} GB",
        "sent: near + far, MB",
        "an update at least, ms",
        "MFU at most",
        "reviews/s at most",
        "$ per million at least",
    )
    rows = []
    for each in plans:
        data, fsdp, _ = each["mesh"]
        near = sum(t["sent_bytes"] for t in each["traffic"] if _near(t)) / 1e6
        far = sum(t["sent_bytes"] for t in each["traffic"] if not _near(t)) / 1e6
        seconds, fits = each["seconds"], each["fits"]
        held = f"{each['peak_bytes'] / _GB:.1f}"
        rows.append(
            (
                f"{each['encoder']}, {each['devices']} ({data} x {fsdp})",
                str(each["pages"]),
                held if fits else f"{held}: does not fit",
                f"{near:,.0f} + {far:,.0f}",
                f"{seconds['hidden'] * 1e3:.0f} to {seconds['exposed'] * 1e3:.0f}",
                f"{each['mfu']:.0%}",
                f"{each['reviews_per_second']:,.0f}",
                f"{each['million_reviews_price']:.2f}",
            )
        )
    table = markdown_table(heads, rows)
    return f"## {name}\n\n{table}\n{_sent(plans)}"


_SHARED = {"all-gather": "parameters put together", "all-reduce": "sums, whole"}
_SHARED["reduce-scatter"] = "sums, a part each"


def _sent(plans: list[dict[str, Any]]) -> str:
    """What is sent, by kind and by how many devices take part."""
    kinds = {(t["kind"], t["members"]) for each in plans for t in each["traffic"]}
    columns = sorted(kinds)
    if not columns:
        return ""
    heads = ["sent in an update, MB", *(f"{kind} of {n}" for kind, n in columns)]
    rows = []
    for each in plans:
        if each["traffic"]:
            row = [f"{each['encoder']}, {each['devices']}"]
            for kind, members in columns:
                sent = sum(
                    traffic["sent_bytes"]
                    for traffic in each["traffic"]
                    if (traffic["kind"], traffic["members"]) == (kind, members)
                )
                row.append(f"{sent / 1e6:,.1f}" if sent else "")
            rows.append(row)
    meant = "; ".join(f"*{kind}*: {what}" for kind, what in _SHARED.items())
    return (
        f"By kind and number of devices that take part. {meant}.\n\n"
        f"{markdown_table(heads, rows)}"
    )


def _near(traffic: dict[str, Any]) -> bool:
    return traffic["members"] == traffic["inside"]


def _assumptions(results: dict[str, Any]) -> str:
    pages, lines = results["settings"]["pages"], []
    for device in DEVICES:
        lines.append(
            f"- {device.name}: {device.sources}. ${device.hourly_price:.2f} an hour, "
            "which is an assumption."
        )
    return f"""## What is assumed

- Pages of {pages["page_tokens"]} tokens, chunks of {pages["chunk_tokens"]}, as in
  `{results["config"]}`; {results["page_reviews"]:.2f} reviews on a page, which is
  {results["page_reviews_of"]}. bfloat16 activations; parameters, moments and what is
  gathered of them float32; dropout on; nothing is recomputed.
- XLM-R cuts texts otherwise than BERT; the same number of reviews is put on its pages.
- The batch grows with the devices, and parameters are cut into at most eight parts.
  The pages of a device are a choice that fits, not the most that would.
- Products are not tuned to the device (GPU), and products and sums are not interwoven
  (TPU), since neither can be done, or read, without the device. A compiler may choose
  to sum the gradient of the word embeddings whole (the all-reduce over all devices).
- A device is given all of its memory; JAX takes three quarters of a GPU unless it is
  told otherwise (`XLA_PYTHON_CLIENT_MEM_FRACTION`).
- A ring sends (n - 1) / n of an array round n devices, twice for a sum. One message
  waits for the other. Devices of one node share the ways out of it.
- All that a device holds is read once and written once, which is the least; the
  products are counted from the model's sizes. No message has a latency.
- Reading and tokenising keep up ([preparing.md](preparing.md): it is done once).
{chr(10).join(lines)}
"""


def _earlier(programs: list[dict[str, Any]]) -> str:
    """Says which programs carry no hash of the code that they were compiled from."""
    count = sum("sources" not in each for each in programs)
    if not count:
        return ""
    which = "All" if count == len(programs) else f"{count} of the {len(programs)}"
    return (
        f"{which} programs were compiled by an earlier state of the code; "
        "`python -m launch.scaling --again` compiles them anew.\n"
    )


def _checked(checked: list[dict[str, Any]]) -> str:
    if not checked:
        return ""
    lines = [
        f"- {each['encoder']} on {each['devices']} x {each['device']}, all "
        f"{each['layers']} layers compiled: memory {each['peak_bytes'] / _GB:.2f} GB, "
        f"{each['planned_peak_bytes'] / _GB:.2f} planned; sent "
        f"{each['sent_bytes'] / 1e6:,.0f} MB, {each['planned_sent_bytes'] / 1e6:,.0f} "
        "planned."
        for each in checked
    ]
    return f"""## From few layers to all

Programs were compiled with one layer and with three, and counted on to all:

{chr(10).join(lines)}
"""


def _here(here: dict[str, Any]) -> str:
    sentences = (
        f"{here['device']} ({here['cores']} cores), {here['dtype']}, MiniLM "
        "with LSTNet, "
        f"{here['pages']} full pages an update: a product of square matrices runs at "
        f"{here['peak_flops'] / 1e9:,.0f} GFLOP/s, memory at "
        f"{here['peak_bandwidth'] / _GB:.1f} GB/s.",
        f"The update computes {here['flops'] / 1e9:,.0f} GFLOP and moves "
        f"{here['memory_bytes'] / _GB:.1f} GB: predicted at least "
        f"{here['predicted_seconds']:.2f} s (by {here['bound']}), measured "
        f"{here['measured_seconds']:.2f} s, {here['ratio']:.2f} times as long.",
        "One H200 was at hand (gpu.md) and no TPU: these tables have not been compared "
        "with either.",
    )
    return f"## The device at hand\n\n{chr(10).join(sentences)}\n"
