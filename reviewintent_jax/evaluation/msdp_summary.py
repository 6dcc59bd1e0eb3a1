"""Scores of MSDP-Net -> the lines that a command prints, and what they amount to."""

from collections.abc import Mapping
from typing import Any

from reviewintent_jax.evaluation.heading_summary import better, shown
from reviewintent_jax.evaluation.msdp_metrics import SCORES

SYSTEMS = {
    "model": "MSDP-Net",
    "text_alone": "text alone (same network)",
    "behaviour_alone": "behaviour alone (same network)",
    "structured_alone": "structured alone (same network)",
    "base_rate": "base rate, overall median",
    "recency_frequency": "recency/frequency logistic regression",
    "tfidf_logistic_regression": "TF-IDF + logistic regression",
    "user_mean": "user mean",
    "category_median": "category median",
    "kaplan_meier": "Kaplan-Meier",
    "gradient_boosting": "gradient boosting",
    "best_possible": "true probability (best possible)",
}
"""Names of the systems, in the order in which they stand."""

TITLES = {
    "auc": "AUC",
    "average_precision": "AP",
    "brier": "Brier",
    "rmsle": "RMSLE",
    "mae": "MAE",
    "concordance": "concordance",
    "mae_uncensored": "MAE of days, uncensored",
    "median_beyond": "median beyond the last interval",
    "calibration_gap": "hazard calibration gap",
}
QUESTIONS = {"intent": "whether", "value": "for how much", "time": "when"}
MAIN = {"intent": "auc", "value": "rmsle", "time": "concordance"}
"""The score of each task that verdicts speak of."""


def systems_of(metrics: Mapping[str, Any], task: str) -> dict[str, str]:
    """Systems that answer a task, in their order, and their names."""
    held = metrics["systems"]
    return {key: name for key, name in SYSTEMS.items() if task in held.get(key, {})}


def summarise_msdp(metrics: Mapping[str, Any]) -> str:
    """The scores of all systems on test as small tables, and the verdicts."""
    lines = []
    for task in metrics["tasks"]:
        scores = SCORES[task]
        rows = [[f"Test: {QUESTIONS[task]}", *(TITLES[score] for score in scores)]]
        for key, name in systems_of(metrics, task).items():
            held = metrics["systems"][key][task]
            rows.append([f"  {name}", *(shown(held.get(score)) for score in scores)])
        widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
        for row in rows:
            cells = (c.ljust(w) for c, w in zip(row, widths, strict=True))
            lines.append("  ".join(cells).rstrip())
    lines += [line for said in verdicts(metrics).values() for line in said]
    lines += fusion_lines(metrics) + shuffled_lines(metrics)
    return "\n".join(lines)


def verdicts(metrics: Mapping[str, Any]) -> dict[str, list[str]]:
    """In words, for each task: what fusion adds, and which system does best.

    A difference counts where its whole interval lies on one side of 0.
    """
    found: dict[str, list[str]] = {}
    for task in metrics["tasks"]:
        score, apart = MAIN[task], metrics["differences"]
        lines = []
        for key, name in systems_of(metrics, task).items():
            if key in ("model", "best_possible") or task not in apart.get(key, {}):
                continue
            more = apart[key][task].get(score)
            if more is None or more["value"] is None:
                continue
            if key.endswith("_alone") or key == _strongest(metrics, task):
                lines.append(
                    f"{QUESTIONS[task]}: MSDP-Net {_word(more)} {name} "
                    f"({TITLES[score]}, difference for the better: {shown(more)})."
                )
        found[task] = lines
    return found


def _strongest(metrics: Mapping[str, Any], task: str) -> str:
    """The best of the systems that are no network."""
    score, systems = MAIN[task], metrics["systems"]
    rivals = [
        key
        for key in systems_of(metrics, task)
        if key not in ("model", "best_possible") and not key.endswith("_alone")
    ]
    sign = -1 if score == "rmsle" else 1
    known = [k for k in rivals if systems[k][task][score]["value"] is not None]
    return max(known, key=lambda k: sign * systems[k][task][score]["value"], default="")


def _word(difference: Mapping[str, Any]) -> str:
    if better(difference):
        return "beats"
    high = difference["high"]
    lost = high is not None and high < 0
    return "is worse than" if lost else "cannot be told from"


def fusion_lines(metrics: Mapping[str, Any]) -> list[str]:
    """Mean weights of the sources, over the cases that have all of them."""
    fusion, sources = metrics["fusion"], metrics["sources"]
    means = fusion["complete"] or fusion["all"]
    if len(sources) < 2 or means is None:
        return []
    listed = ", ".join(f"{name} {means[name]:.2f}" for name in sources)
    return [f"Fusion weights, mean over complete test cases: {listed}."]


def shuffled_lines(metrics: Mapping[str, Any]) -> list[str]:
    """What learners of shuffled answers score, which must be chance."""
    found = metrics.get("shuffled")
    if not found or found["auc"]["value"] is None:
        return []
    odd = " Something of test may be known to training!" * found["suspicious"]
    return [
        f"Boosted trees fitted on shuffled answers: AUC {shown(found['auc'])}, which "
        f"should hold 0.5.{odd}"
    ]


def describe_cases(facts: Mapping[str, Any]) -> list[str]:
    """What the data are, in lines for people.

    Args:
      facts: ``data`` of ``metrics.json``.
    """
    lines = [
        f"{facts['cases']:,} cases, {facts['events']:,} events, {facts['texts']:,} "
        "distinct texts" + (f"; cuts {', '.join(facts['cuts'])}" * bool(facts["cuts"]))
    ]
    for name, side in facts["splits"].items():
        when = f", {side['from']} to {side['to']}" if side["from"] else ""
        lines.append(
            f"{name}: {side['rows']:,} cases of {side['subjects']:,} subjects{when}; "
            f"yes {side['yes']:,}, no {side['no']:,}, unknown {side['unknown']:,}; "
            f"values {side['values']:,}; came {side['came']:,} of {side['times']:,}"
        )
    without = facts["without"]
    lines.append(
        f"Cases without a text: {without['text']:,}; without an event: "
        f"{without['behaviour']:,}"
    )
    lines += late_lines(facts)
    lines += [f"Set aside: {n:,} ({r})" for r, n in facts["set_aside"].items()]
    return lines


def late_lines(facts: Mapping[str, Any]) -> list[str]:
    """Warns of cases that may be there because of what came after the cut."""
    if not facts.get("late"):
        return []
    return [
        f"Cases whose first event lies at their cut or after it: {facts['late']:,}; a "
        "table of cases that is younger than the cut holds some because they came"
    ]
