"""Runs of BERT-LSTM and of what stands beside it -> one table for each data set.

In: the metrics of finished runs whose names begin with ``marketing``. Out: a page of
Markdown in which our scores stand beside those that the paper claims.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from reviewintent_jax.evaluation.report_scores import SYSTEM_NAMES, model_title
from reviewintent_jax.evaluation.results import (
    cores_of,
    keep_metrics,
    score_cell,
    write_page,
)

_NAME = re.compile(r"marketing(_sst2)?(_parallel|_bert|_lstm)?")
_DATA = {"": "Tweets about airlines, three classes", "_sst2": "SST-2, two classes"}
_ROWS = {
    "": ("BERT-LSTM, sequential", "BERT-LSTM"),
    "_parallel": ("BERT-LSTM, parallel", "BERT-LSTM"),
    "_bert": ("BERT alone", "BERT"),
    "_lstm": ("LSTM alone", "LSTM"),
}
"""Ending of a run's name -> what it is, and what the paper calls it."""

_CLAIMED = {"BERT-LSTM": 91.4, "BERT": 89.7, "LSTM": 85.3, "logistic regression": 76.5}
"""Accuracy in percent that the paper claims, on 100,000 samples of other data."""

_BESIDE = {"tfidf_logistic_regression": "logistic regression", "majority": None}
_SCORES = {"accuracy": "accuracy", "macro_f1": "macro F1", "auc": "AUC"}


def is_marketing(metrics: Mapping[str, Any]) -> bool:
    """Whether a run is one of those that this page is about."""
    return _NAME.fullmatch(metrics["name"]) is not None


def write_marketing_results(
    metrics: Sequence[Mapping[str, Any]],
    folder: Path,
    page: str,
    command_of: Callable[[Mapping[str, Any]], str],
) -> Path:
    """Writes ``NAME.json`` for every run and the page ``page``; returns the page.

    Args:
      metrics: of evaluated runs, without paths, whose names say what they are.
      folder: where to write.
      page: name of the page; what stands above its line ``<!-- results -->`` is kept.
      command_of: a run's config -> the command that made the run.
    """
    runs = {each["name"]: each for each in metrics}
    for each in runs.values():
        keep_metrics(each, folder)
    sections = []
    for data, title in _DATA.items():
        found = {
            ending: runs[f"marketing{data}{ending}"]
            for ending in _ROWS
            if f"marketing{data}{ending}" in runs
        }
        if found:
            sections.append(_section(title, found, command_of))
    return write_page(folder / page, sections)


def _section(
    title: str,
    runs: Mapping[str, Mapping[str, Any]],
    command_of: Callable[[Mapping[str, Any]], str],
) -> str:
    """One data set: a table of all systems, then what each run was."""
    first = next(iter(runs.values()))
    splits = first["data"]["splits"]
    rows = ", ".join(f"{splits[name]['rows']:,} {name}" for name in splits)
    source = first["config"]["data"]["path"]
    lines = [
        f"## {title}",
        "",
        f"{source}: {rows}. On the test split, with 95 % bootstrap intervals:",
        "",
        f"| system | {' | '.join(_SCORES.values())} | the paper's accuracy |",
        "|---" * (len(_SCORES) + 2) + "|",
    ]
    for ending, (name, claimed) in _ROWS.items():
        if ending not in runs:
            lines.append(f"| {name} | not run yet |" + " |" * len(_SCORES))
            continue
        run = runs[ending]
        said = f"{name} ({model_title(run)})"
        lines.append(_row(said, run["systems"]["model"]["test"], claimed))
    for key, claimed in _BESIDE.items():
        test = first["systems"][key]["test"]
        lines.append(_row(SYSTEM_NAMES[key], test, claimed))
    order = ", ".join(first["classes"])
    said = f"Of each class, how many were answered as {order}:"
    return "\n".join([*lines, "", said, "", *_facts(runs, command_of), ""])


def _row(name: str, test: Mapping[str, Any], claimed: str | None) -> str:
    cells = [score_cell(test[score]) for score in _SCORES]
    cells.append("" if claimed is None else f"{_CLAIMED[claimed] / 100:.3f}")
    return f"| {name} | {' | '.join(cells)} |"


def _facts(
    runs: Mapping[str, Mapping[str, Any]],
    command_of: Callable[[Mapping[str, Any]], str],
) -> list[str]:
    """What each run was, one point each."""
    lines = []
    for ending, run in runs.items():
        training, machine = run["training"], run["environment"]
        parameters = sum(training["parameters"].values())
        lines.append(
            f"- {_ROWS[ending][0]}: {parameters:,} parameters; {training['steps']:,} "
            f"updates, best at {training['best_step']:,}; {training['seconds']:,.0f} s "
            f"on {cores_of(machine)}; "
            f"{run['created'][:10]}. `{command_of(run['config'])}`"
        )
        lines += _per_class(run)
    return lines


def _per_class(run: Mapping[str, Any]) -> list[str]:
    """Precision, recall and F1 of every class, and how its reviews were answered."""
    test = run["systems"]["model"]["test"]
    said = []
    for name, row in zip(run["classes"], test["confusion"], strict=True):
        scores = test["per_class"][name]
        answered = " / ".join(f"{count:,}" for count in row)
        figures = ", ".join(
            f"{score} " + ("none" if scores[score] is None else f"{scores[score]:.3f}")
            for score in ("precision", "recall", "f1")
        )
        said.append(f"  - {name}: {figures}; answered {answered}")
    return said
