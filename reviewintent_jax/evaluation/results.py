"""Finished runs -> the results that are kept: one JSON file each and one page for all.

In: run folders with ``metrics.json``. Out: ``NAME.json`` (the metrics without paths of
this machine) and a Markdown page with every score beside its baselines.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from reviewintent_jax.evaluation.report_scores import MODEL_TITLE, model_title
from reviewintent_jax.schema import InputError, RunFolder

_SYSTEMS = {
    "model": MODEL_TITLE,
    "pytorch_fine_tune": "PyTorch fine-tune, same weights",
    "tfidf_logistic_regression": "TF-IDF + logistic regression",
    "majority": "majority class",
}
_SCORES = {"accuracy": "accuracy", "macro_f1": "macro F1", "auc": "AUC"}


def write_review_results(
    metrics: Sequence[dict[str, Any]],
    folder: Path,
    page: str,
    command_of: Callable[[dict[str, Any]], str],
) -> Path:
    """Writes ``NAME.json`` for every run and the page ``page``; returns the page.

    Args:
      metrics: of evaluated runs on reviews, without paths.
      folder: where to write.
      page: name of the page; what stands above its line ``<!-- results -->`` is kept.
      command_of: a run's config -> the command that made the run.
    """
    sections = []
    for each in metrics:
        keep_metrics(each, folder)
        if each["systems"]:  # none where intention alone was learned
            sections.append(section(each, command_of(each["config"])))
    return write_page(folder / page, sections)


def keep_metrics(metrics: Mapping[str, Any], folder: Path) -> None:
    """Writes ``NAME.json`` of a run."""
    text = json.dumps(metrics, indent=1, ensure_ascii=False) + "\n"
    (folder / f"{metrics['name']}.json").write_text(text, "utf-8")


def read_results(runs: Sequence[RunFolder]) -> list[dict[str, Any]]:
    """The metrics of evaluated runs, without paths.

    Raises:
      InputError: a run has not been evaluated.
    """
    found = []
    for run in runs:
        if not run.metrics.is_file():
            raise InputError("This run has not been evaluated.", where=str(run.root))
        found.append(without_paths(json.loads(run.metrics.read_text("utf-8"))))
    return found


def read_kept(folder: Path) -> list[dict[str, Any]]:
    """The metrics of runs that a folder of results keeps, in the order of its files."""
    found: list[dict[str, Any]] = []
    for path in sorted(folder.glob("*.json")):
        stored = json.loads(path.read_text("utf-8"))
        runs = stored if isinstance(stored, list) else [stored]
        # Measurements of time and memory lie there too, and have no config.
        found += [run for run in runs if isinstance(run, dict) and _has_config(run)]
    return found


def _has_config(run: dict[str, Any]) -> bool:
    return isinstance(run.get("config"), Mapping)


def write_page(path: Path, sections: Sequence[str]) -> Path:
    """Writes sections below the mark of a page; what stands above it is kept."""
    mark = "<!-- results -->"
    above = path.read_text("utf-8").split(mark)[0] if path.is_file() else ""
    path.write_text(above + mark + "\n\n" + "\n".join(sections), "utf-8")
    return path


def without_paths(metrics: dict[str, Any]) -> dict[str, Any]:
    """The metrics with file names in place of paths, which mean nothing elsewhere."""
    config = metrics["config"]
    for group, key in (
        ("data", "path"),
        ("events", "path"),
        ("data", "tfds_folder"),
        ("encoder", "source"),
        ("corpus", "path"),
    ):
        # Not every task has events, an encoder or TFDS.
        value = config.get(group, {}).get(key, "")
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
        f"{cores_of(machine)}; "
        f"temperature {metrics['temperature']:.2f}; {metrics['created'][:10]}.",
        "",
        "| system | " + " | ".join(_SCORES.values()) + " | training time |",
        "|---|---|---|---|---|",
    ]
    for key, name in (_SYSTEMS | {"model": model_title(metrics)}).items():
        system = metrics["systems"].get(key)
        if system is None:
            lines.append(f"| {name} | not measured | | | |")
            continue
        cells = [score_cell(system["test"][score]) for score in _SCORES]
        seconds = training["seconds"] if key == "model" else system.get("seconds")
        took = "" if seconds is None else f"{seconds:,.0f} s"
        lines.append(f"| {name} | " + " | ".join(cells) + f" | {took} |")
    return "\n".join([*lines, *_slice_lines(metrics), ""])


def _slice_lines(metrics: Mapping[str, Any]) -> list[str]:
    """The scores of parts of the test split, if there are any, as a second table."""
    slices = metrics.get("slices")
    if slices is None:
        return []
    systems = _SYSTEMS | {"model": model_title(metrics)}
    lines = [
        "",
        f"| {slices['column']} | reviews | system | "
        + " | ".join(_SCORES.values())
        + " |",
        "|---|---|---|---|---|---|",
    ]
    for value, part in slices["values"].items():
        held = ", ".join(f"{n:,} {name}" for name, n in part["classes"].items())
        for key, name in systems.items():
            if key in part["systems"]:
                test = part["systems"][key]["test"]
                cells = " | ".join(score_cell(test[score]) for score in _SCORES)
                lines.append(f"| {value} | {held} | {name} | {cells} |")
    return lines


def cores_of(environment: Mapping[str, Any]) -> str:
    """What a run was trained on, as pages say it: ``2 cores (cpu)``."""
    cores = environment["cores"]
    return f"{cores} core{'s' * (cores != 1)} ({environment['device']})"


def score_cell(score: Mapping[str, float | None]) -> str:
    """A score with its interval, as a cell of a table."""
    if score["value"] is None:
        return "not defined"
    shown = f"{score['value']:.4f}"
    if score["low"] is not None:
        shown += f" ({score['low']:.4f} to {score['high']:.4f})"
    return shown
