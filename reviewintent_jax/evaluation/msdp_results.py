"""Finished runs on declared sources -> the results that are kept: JSON and one page."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from reviewintent_jax.evaluation.heading_summary import shown
from reviewintent_jax.evaluation.msdp_metrics import SCORES
from reviewintent_jax.evaluation.msdp_summary import (
    QUESTIONS,
    TITLES,
    describe_cases,
    fusion_lines,
    shuffled_lines,
    systems_of,
    verdicts,
)
from reviewintent_jax.evaluation.results import cores_of, keep_metrics, write_page


def write_msdp_results(
    metrics: Sequence[dict[str, Any]],
    folder: Path,
    page: str,
    command_of: Callable[[dict[str, Any]], str],
) -> Path:
    """Writes ``NAME.json`` for every run and the page ``page``; returns the page.

    Args:
      metrics: of evaluated runs on cases, without paths.
      folder: where to write.
      page: name of the page; what stands above its line ``<!-- results -->`` is kept.
      command_of: a run's config -> the command that made the run.
    """
    sections = []
    for each in metrics:
        keep_metrics(each, folder)
        sections.append(_section(each, command_of(each["config"])))
    return write_page(folder / page, sections)


def _section(metrics: dict[str, Any], command: str) -> str:
    """One run as Markdown: command, data, a table a question, and the verdicts."""
    training, machine = metrics["training"], metrics["environment"]
    parameters = sum(training["parameters"].values())
    lines = [
        f"## {metrics['name']}",
        "",
        f"`{command}`; {', '.join(metrics['sources'])}; {parameters:,} parameters; "
        f"{training['seconds']:,.0f} s of training on {cores_of(machine)}; "
        f"{metrics['created'][:10]}.",
        "",
        *(f"- {line}" for line in describe_cases(metrics["data"])),
    ]
    for task in metrics["tasks"]:
        lines += ["", *_table(metrics, task)]
    lines.append("")
    lines += [f"- {line}" for said in verdicts(metrics).values() for line in said]
    closing = fusion_lines(metrics) + shuffled_lines(metrics)
    lines += [f"- {line}" for line in closing]
    for column, groups in metrics["fusion"]["by_category"].items():
        lines += ["", *_weights(column, groups, metrics["sources"])]
    return "\n".join([*lines, ""])


def _table(metrics: dict[str, Any], task: str) -> list[str]:
    scores = SCORES[task]
    heads = " | ".join(TITLES[score] for score in scores)
    lines = [f"| {QUESTIONS[task]} | {heads} |", "|---" * (len(scores) + 1) + "|"]
    for key, name in systems_of(metrics, task).items():
        held = metrics["systems"][key][task]
        cells = " | ".join(shown(held.get(score)) for score in scores)
        lines.append(f"| {name} | {cells} |")
    return lines


def _weights(
    column: str, groups: dict[str, dict[str, float] | None], sources: Sequence[str]
) -> list[str]:
    """Mean fusion weights of the cases of each name of a column."""
    lines = [f"| fusion weights by {column} | {' | '.join(sources)} |"]
    lines.append("|---" * (len(sources) + 1) + "|")
    for name, weight in groups.items():
        if weight is None:  # no complete case of that name is in the test split
            continue
        cells = " | ".join(f"{weight[source]:.2f}" for source in sources)
        lines.append(f"| {name} | {cells} |")
    return lines
