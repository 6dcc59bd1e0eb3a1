"""Finished runs on panels -> the results that are kept: JSON files and one page."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from reviewintent_jax.evaluation.heading_summary import (
    SYSTEMS,
    describe_rows,
    shown,
    verdicts,
)
from reviewintent_jax.evaluation.results import cores_of, keep_metrics, write_page

_COLUMNS = {
    "mae": ("values", "MAE"),
    "skill": ("values", "skill"),
    "accuracy": ("directions", "direction accuracy"),
    "macro_f1": ("directions", "macro F1"),
}


def write_heading_results(
    metrics: Sequence[dict[str, Any]],
    folder: Path,
    page: str,
    command_of: Callable[[dict[str, Any]], str],
) -> Path:
    """Writes ``NAME.json`` for every run and the page ``page``; returns the page.

    Args:
      metrics: of evaluated runs on panels, without paths.
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
    """One run as Markdown: command, data, a table a measure, and the verdicts."""
    data, training = metrics["data"], metrics["training"]
    machine, test = metrics["environment"], metrics["data"]["splits"]["test"]
    unit = metrics["period"]
    lines = [
        f"## {metrics['name']}",
        "",
        f"`{command}`; {training['seconds']:,.0f} s of training on "
        f"{cores_of(machine)}; {metrics['created'][:10]}.",
        "",
        "; ".join(describe_rows(data, unit)) + ".",
        "",
        f"{metrics['window']} {unit}s -> {metrics['horizon']} ahead; "
        f"{test['windows']:,} test windows of {test['groups']:,} group(s), "
        f"{test['from']} to {test['to']}; intervals draw {metrics['intervals_draw']}.",
    ]
    for measure in metrics["measures"]:
        lines += ["", *_table(metrics, measure)]
    lines.append("")
    lines += [f"- {line}" for said in verdicts(metrics).values() for line in said]
    return "\n".join([*lines, ""])


def _table(metrics: dict[str, Any], measure: str) -> list[str]:
    heads = [title for _, title in _COLUMNS.values()]
    lines = [f"| {measure} | " + " | ".join(heads) + " |"]
    lines.append("|---" * (len(heads) + 1) + "|")
    for key, name in SYSTEMS.items():
        test = metrics["systems"][key]["test"]
        cells = [
            shown(test.get(part, {}).get(measure, {}).get(score))
            for score, (part, _) in _COLUMNS.items()
        ]
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return lines
