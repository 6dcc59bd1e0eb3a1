"""Finished runs -> the results that are kept: one JSON file each and one page for all.

In: run folders with ``metrics.json``. Out: ``NAME.json`` (the metrics without paths of
this machine) and a Markdown page with every score beside its baselines.
"""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from reviewintent_jax.schema import InputError, RunFolder

_SYSTEMS = {
    "model": "BERT-LSTNet-Softmax",
    "pytorch_fine_tune": "PyTorch fine-tune, same weights",
    "tfidf_logistic_regression": "TF-IDF + logistic regression",
    "majority": "majority class",
}
_SCORES = {"accuracy": "accuracy", "macro_f1": "macro F1", "auc": "AUC"}


def collect_results(
    runs: Sequence[RunFolder],
    folder: Path,
    page: str,
    command_of: Callable[[dict[str, Any]], str],
) -> Path:
    """Writes the JSON files and the page ``page`` into ``folder``; returns the page.

    What stands above the page's line ``<!-- results -->`` is kept.

    Args:
      runs: folders of evaluated runs.
      folder: where to write.
      page: name of the page.
      command_of: a run's config, without paths -> the command that made the run.

    Raises:
      InputError: a run has not been evaluated.
    """
    folder.mkdir(parents=True, exist_ok=True)
    sections = []
    for run in runs:
        if not run.metrics.is_file():
            raise InputError("This run has not been evaluated.", where=str(run.root))
        metrics = without_paths(json.loads(run.metrics.read_text("utf-8")))
        text = json.dumps(metrics, indent=1, ensure_ascii=False) + "\n"
        (folder / f"{metrics['name']}.json").write_text(text, "utf-8")
        sections.append(section(metrics, command_of(metrics["config"])))
    path, mark = folder / page, "<!-- results -->"
    above = path.read_text("utf-8").split(mark)[0] if path.is_file() else ""
    path.write_text(above + mark + "\n\n" + "\n".join(sections), "utf-8")
    return path


def without_paths(metrics: dict[str, Any]) -> dict[str, Any]:
    """The metrics with file names in place of paths, which mean nothing elsewhere."""
    config = metrics["config"]
    for group, key in (
        ("data", "path"),
        ("data", "tfds_folder"),
        ("encoder", "source"),
    ):
        value = config[group][key]
        if "/" in value:
            config[group][key] = Path(value).name
    return metrics


def section(metrics: dict[str, Any], command: str) -> str:
    """One run as Markdown: the command that made it, then a table of all systems."""
    training, splits = metrics["training"], metrics["data"]["splits"]
    machine = metrics["environment"]
    rows = ", ".join(f"{splits[name]['rows']:,} {name}" for name in splits)
    source = metrics["config"]["data"]["path"] or metrics["config"]["data"]["kind"]
    lines = [
        f"## {metrics['name']}",
        "",
        f"`{command}`, {source}: {rows}; {metrics['label_map']}.",
        "",
        f"{training['epochs']} epochs, {training['steps']:,} updates, best at "
        f"{training['best_step']:,}; {training['seconds']:,.0f} s of training on "
        f"{machine['cores']} cores ({machine['device']}); "
        f"temperature {metrics['temperature']:.2f}; {metrics['created'][:10]}.",
        "",
        "| system | " + " | ".join(_SCORES.values()) + " | training time |",
        "|---|---|---|---|---|",
    ]
    for key, name in _SYSTEMS.items():
        system = metrics["systems"].get(key)
        if system is None:
            lines.append(f"| {name} | not measured | | | |")
            continue
        cells = [_cell(system["test"][score]) for score in _SCORES]
        seconds = training["seconds"] if key == "model" else system.get("seconds")
        took = "" if seconds is None else f"{seconds:,.0f} s"
        lines.append(f"| {name} | " + " | ".join(cells) + f" | {took} |")
    return "\n".join([*lines, ""])


def _cell(score: dict[str, float | None]) -> str:
    if score["value"] is None:
        return "not defined"
    shown = f"{score['value']:.4f}"
    if score["low"] is not None:
        shown += f" ({score['low']:.4f} to {score['high']:.4f})"
    return shown
