"""Finished runs on intention -> a page of results: every score beside its baselines.

The JSON file of a run holds sentiment and intention alike and is written by
:mod:`~reviewintent_jax.evaluation.results`; this is the page on intention.
"""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from reviewintent_jax.evaluation.report_scores import SYSTEM_NAMES
from reviewintent_jax.evaluation.results import cores_of, score_cell, write_page

_SCORES = {"auc": "AUC", "accuracy": "accuracy", "macro_f1": "macro F1"}
_SYSTEMS = [
    *("model", "text_only", "gradient_boosting"),
    *("recency_frequency", "last_value", "majority"),
]

_SHUFFLED = {"shuffled": "Boosted trees", "shuffled_text": "Word counts of the text"}


def write_intention_results(
    metrics: Sequence[Mapping[str, Any]],
    folder: Path,
    page: str,
    command_of: Callable[[Mapping[str, Any]], str],
) -> Path:
    """Writes the page ``page`` and returns it.

    Args:
      metrics: of evaluated runs with a section ``intention``, without paths.
      folder: where to write.
      page: name of the page; what stands above its line ``<!-- results -->`` is kept.
      command_of: a run's config -> the command that made the run.
    """
    sections = [intention_page(each, command_of(each["config"])) for each in metrics]
    return write_page(folder / page, sections)


def intention_page(metrics: Mapping[str, Any], command: str) -> str:
    """One run as Markdown: the question, a table of all systems, and the verdict."""
    asked, training = metrics["intention"], metrics["training"]
    machine = metrics["environment"]
    lines = [
        f"## {metrics['name']}",
        "",
        f"`{command}`",
        "",
        f"**{asked['target']}**: {asked['definition']}. {_window(asked)} "
        f"{_counts(metrics)}. {training['epochs']} epochs, {training['seconds']:,.0f} s"
        f" of training on {cores_of(machine)}; "
        f"{metrics['created'][:10]}.",
        "",
        f"| system | {' | '.join(_SCORES.values())} |",
        "|---" * (len(_SCORES) + 1) + "|",
    ]
    for key in _SYSTEMS:
        name = SYSTEM_NAMES[key]
        system, absent = asked["systems"].get(key), asked["absent"].get(key)
        if system is not None:
            cells = " | ".join(score_cell(system["test"][score]) for score in _SCORES)
            lines.append(f"| {name} | {cells} |")
        elif absent is not None:
            lines.append(f"| {name} | none: {absent} |" + " |" * (len(_SCORES) - 1))
    if asked["best_possible"]:
        best = asked["best_possible"]
        cells = [f"{best[s]:.4f}" if s in best else "" for s in _SCORES]
        lines.append(f"| best that anyone could do | {' | '.join(cells)} |")
    return "\n".join([*lines, "", *_facts(asked, metrics["systems"]), ""])


def _window(asked: Mapping[str, Any]) -> str:
    """How far back the model reads; a window of one is the model without histories."""
    if asked["window"] == 1:
        return "The model reads the last review alone, and no history."
    return f"The model reads up to {asked['window']} reviews."


def _counts(metrics: Mapping[str, Any]) -> str:
    """Answers on every side, whose they are and where they were cut."""
    asked, sides = metrics["intention"], metrics["data"]["intention"]["splits"]
    said = ", ".join(f"{side['anchors']:,} {name}" for name, side in sides.items())
    whose = f" (of {asked['subjects']:,} subjects)" if asked["cut"] else ""
    cut = f"; cut date {asked['cut'][:10]}" if asked["cut"] else ""
    return f"Answers: {said}{whose}{cut}"


def _facts(asked: Mapping[str, Any], sentiment: Mapping[str, Any]) -> list[str]:
    """What the history adds and what was checked, one point a line."""
    circular = ["- Circular: this is the rating of the very review that is read."]
    lines = circular if asked["circular"] else []
    if asked["window"] > 1 and asked["cut"]:
        lines.append(f"- {asked['history']['verdict']}")
    goes = {name: found["value"] for name, found in _correlations(asked).items()}
    if goes:
        said = ", ".join(f"{value:+.2f} of {name}" for name, value in goes.items())
        lines.append(f"- Correlation with sentiment: {said}.")
    else:
        lines.append("- Correlation with sentiment: none; sentiment is not labelled.")
    for key, who in _SHUFFLED.items():
        found = asked.get(key)
        if found and found["auc"]["value"] is not None:
            word = "which is not chance" if found["suspicious"] else "chance"
            lines.append(
                f"- {who} on shuffled answers: AUC {score_cell(found['auc'])}, {word}."
            )
    if "model" in sentiment:
        test = sentiment["model"]["test"]
        lines.append(
            f"- Sentiment beside it: AUC {score_cell(test['auc'])}, accuracy "
            f"{score_cell(test['accuracy'])}."
        )
    return lines


def _correlations(asked: Mapping[str, Any]) -> dict[str, Any]:
    """The correlations with sentiment that are known."""
    found = asked["sentiment_correlation"].items()
    return {name: each for name, each in found if each["value"] is not None}
