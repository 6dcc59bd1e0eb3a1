"""Scores of headings -> the lines that a command prints, and what they amount to."""

from collections.abc import Mapping
from typing import Any

SYSTEMS = {
    "model": "LSTNet",
    "persistence": "persistence (last value)",
    "window_mean": "window mean",
    "ar_ridge": "AR ridge",
    "majority": "majority",
    "logistic_regression": "logistic regression",
}
"""Names of the systems, in the order in which they stand."""

MEASURES = {
    "positive": "share of positive reviews",
    "recommending": "share of recommending reviews",
    "log_volume": "log volume, log(1 + reviews)",
}
"""What the measures are, for people."""


def describe_rows(facts: Mapping[str, Any], unit: str) -> list[str]:
    """What became of the rows, in lines for people.

    Args:
      facts: ``data`` of ``metrics.json``.
      unit: day, week or month.
    """
    lines = [
        f"Data: {facts['reviews']:,} of {facts['rows']:,} reviews, {facts['groups']:,} "
        f"group(s), {facts['periods']:,} {unit}s from {facts['from']} to {facts['to']}"
    ]
    if facts["labels"]:
        lines.append(f"Positive: {facts['labels']}")
    lines += [f"Set aside: {n:,} ({r})" for r, n in facts["set_aside"].items()]
    for measure, reasons in facts["unread"].items():
        lines += [f"Not in {measure}: {n:,} ({r})" for r, n in reasons.items()]
    if facts["incomplete"]:
        lines.append(
            f"Left out: {facts['incomplete']:,} reviews of "
            f"{facts['incomplete_period']}, a {unit} that the data do not reach the "
            "end of"
        )
    if facts["few"]:
        lines.append(
            f"Left out: {facts['few']:,} groups with {facts['few_reviews']:,} reviews, "
            "each fewer than a window needs"
        )
    if facts.get("groups_without_window"):
        lines.append(
            f"Groups that never have enough reviews within a window: "
            f"{facts['groups_without_window']:,}"
        )
    return lines


def summarise_heading(metrics: Mapping[str, Any]) -> str:
    """The scores of all systems on test as a small table, and the verdicts."""
    horizon, unit = metrics["horizon"], metrics["period"]
    title = f"Test, {horizon} {unit}{'s' if horizon > 1 else ''} ahead"
    rows = [[title, "MAE", "skill", "RSE", "direction accuracy", "macro F1"]]
    for measure in metrics["measures"]:
        rows.append([measure])
        for key, name in SYSTEMS.items():
            test = metrics["systems"][key]["test"]
            value = test.get("values", {}).get(measure, {})
            direction = test.get("directions", {}).get(measure, {})
            cells = [value.get("mae"), value.get("skill"), value.get("rse")]
            cells += [direction.get("accuracy"), direction.get("macro_f1")]
            rows.append([f"  {name}", *map(shown, cells)])
    widths = [max(len(r[i]) for r in rows if len(r) > i) for i in range(len(rows[0]))]
    lines = [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=False))
        for row in rows
    ]
    said = [line for each in verdicts(metrics).values() for line in each]
    return "\n".join([*(line.rstrip() for line in lines), *said])


def shown(score: Any, digits: int = 3) -> str:
    """A score as text, with its interval if it has one; empty where there is none."""
    if not isinstance(score, Mapping):
        return "" if score is None else f"{score:.{digits}f}"
    if score["value"] is None:
        return "not defined"
    text = f"{score['value']:.{digits}f}"
    if score["low"] is not None:
        text += f" ({score['low']:.{digits}f} to {score['high']:.{digits}f})"
    return text


def verdicts(metrics: Mapping[str, Any]) -> dict[str, list[str]]:
    """In words, for each measure: is persistence beaten, and the majority.

    A difference counts where its whole interval lies on one side of 0.
    """
    found = {}
    for measure in metrics["measures"]:
        found[measure] = [
            _value_verdict(metrics, measure),
            _direction_verdict(metrics, measure),
        ]
    return found


def better(difference: Mapping[str, Any]) -> bool:
    """Whether a difference in the model's favour is more than chance."""
    low = difference["low"]
    return low is not None and low > 0


def _word(difference: Mapping[str, Any], *, beats: str, loses: str) -> str:
    if better(difference):
        return beats
    high = difference["high"]
    return loses if high is not None and high < 0 else "cannot be told from"


def _value_verdict(metrics: Mapping[str, Any], measure: str) -> str:
    systems = metrics["systems"]
    mae = {
        key: systems[key]["test"]["values"][measure]["mae"]["value"]
        for key in SYSTEMS
        if "values" in systems[key]["test"]
    }
    skill = metrics["differences"]["values"][measure]["persistence"]
    if skill["value"] is None:
        return f"{measure}: persistence is never wrong here: nothing can beat it."
    word = _word(skill, beats="beats", loses="is worse than")
    sentence = (
        f"{measure}: the model {word} persistence: MAE {mae['model']:.4f} against "
        f"{mae['persistence']:.4f} (skill {shown(skill)})."
    )
    best = min(mae, key=lambda key: mae[key])
    if best not in ("model", "persistence"):
        sentence += f" The smallest is that of {SYSTEMS[best]}, {mae[best]:.4f}."
    return sentence


def _direction_verdict(metrics: Mapping[str, Any], measure: str) -> str:
    systems = metrics["systems"]
    accuracy = {
        key: systems[key]["test"]["directions"][measure]["accuracy"]["value"]
        for key in SYSTEMS
        if "directions" in systems[key]["test"]
    }
    more = metrics["differences"]["directions"][measure]["majority"]
    word = _word(more, beats="beat", loses="are worse than")
    sentence = (
        f"{measure}: its directions {word} the majority: right in "
        f"{accuracy['model']:.1%} against {accuracy['majority']:.1%} (difference "
        f"{shown(more)})."
    )
    best = max(accuracy, key=lambda key: accuracy[key])
    if best not in ("model", "majority") and accuracy[best] > accuracy["model"]:
        name = "back to the window mean" if best == "window_mean" else SYSTEMS[best]
        sentence += f" Most often right is {name}, {accuracy[best]:.1%}."
    return sentence
