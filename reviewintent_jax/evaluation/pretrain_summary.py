"""Scores of a pre-training -> what a command prints, and a page of results."""

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from reviewintent_jax.evaluation.results import cores_of, write_page

SYSTEMS = {"model": "the encoder", "piece_frequency": "frequency of each piece"}
"""Names of the systems, in the order in which they stand."""

COLUMNS = {
    "cross_entropy": "cross-entropy (nats)",
    "perplexity": "perplexity",
    "accuracy": "accuracy",
}


def summarise_pretrain(metrics: Mapping[str, Any], folder: Path) -> str:
    """Both systems on the held-out test texts, and what to do with the encoder."""
    rows = [["Hidden tokens of test texts", *COLUMNS.values()]]
    for key, name in SYSTEMS.items():
        test = metrics["systems"][key]["test"]
        rows.append([name, *(shown(test[column]) for column in COLUMNS)])
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        for row in rows
    ]
    lines.append(f"The encoder: {folder} (for --config.encoder.source=)")
    return "\n".join(line.rstrip() for line in lines)


def shown(score: Mapping[str, float | None]) -> str:
    """A score with its interval, three digits behind the point."""
    text = f"{score['value']:.3f}"
    if score["low"] is not None:
        text += f" ({score['low']:.3f} to {score['high']:.3f})"
    return text


def write_pretrain_results(
    metrics: Sequence[dict[str, Any]],
    folder: Path,
    page: str,
    command_of: Callable[[dict[str, Any]], str],
) -> Path:
    """Writes ``NAME.json`` for every run and the page ``page``; returns the page.

    Args:
      metrics: of finished pre-trainings, without paths.
      folder: where to write.
      page: name of the page; what stands above its line ``<!-- results -->`` is kept.
      command_of: a run's config -> the command that made the run.
    """
    for each in metrics:
        text = json.dumps(each, indent=1, ensure_ascii=False) + "\n"
        (folder / f"{each['name']}.json").write_text(text, "utf-8")
    sections = [_section(each, command_of(each["config"])) for each in metrics]
    return write_page(folder / page, sections)


def _section(metrics: Mapping[str, Any], command: str) -> str:
    """One run as Markdown."""
    training, data = metrics["training"], metrics["data"]
    machine, splits = metrics["environment"], metrics["data"]["splits"]
    counts = ", ".join(f"{s['texts']:,} {name}" for name, s in splits.items())
    train, test = splits["train"], splits["test"]
    parameters = sum(training["parameters"].values())
    lines = [
        f"## {metrics['name']}",
        "",
        f"`{command}`: {counts} texts ({data['of_labelled_source']:,} of them from the "
        f"training split of the labelled source); {train['tokens']:,} tokens to learn "
        f"from, {test['tokens_a_word']:.2f} a word, {test['unknown_share']:.2%} of "
        "those of test unknown.",
        "",
        f"{parameters:,} parameters; {training['epochs']} epochs, "
        f"{training['steps']:,} updates, best at {training['best_step']:,}; "
        f"{training['seconds']:,.0f} s on {cores_of(machine)}; "
        f"{metrics['created'][:10]}.",
        "",
        "| hidden tokens of test texts | " + " | ".join(COLUMNS.values()) + " |",
        "|---|---|---|---|",
    ]
    for key, name in SYSTEMS.items():
        scores = metrics["systems"][key]["test"]
        cells = " | ".join(shown(scores[column]) for column in COLUMNS)
        lines.append(f"| {name} | {cells} |")
    return "\n".join([*lines, ""])
