"""Several seeds of several configs side by side: kept results -> a page.

In: metrics of runs that share their test reviews. Out: a table of means over seeds with
the spread, for the whole test split and for every slice, beside the baselines.
"""

import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from reviewintent_jax.evaluation.results import score_cell, write_page
from reviewintent_jax.schema import InputError

SCORES = {"accuracy": "accuracy", "macro_f1": "macro F1", "auc": "AUC"}
BASELINES = {
    "tfidf_logistic_regression": "TF-IDF + logistic regression",
    "majority": "majority class",
}


def write_seeds_page(
    metrics: Sequence[Mapping[str, Any]], path: Path, compared: Mapping[str, str]
) -> Path:
    """Writes the page; what stands above its line ``<!-- results -->`` is kept.

    Args:
      metrics: of all kept runs on reviews; those of other configs are left out.
      path: of the page.
      compared: name for people -> name of a config.

    Raises:
      InputError: the runs were not tested on the same reviews.
    """
    runs = {
        label: [each for each in metrics if each["config"]["name"] == name]
        for label, name in compared.items()
    }
    runs = {label: found for label, found in runs.items() if found}
    first = next(iter(runs.values()))[0]
    for each in (each for found in runs.values() for each in found):
        if _tested(each) != _tested(first):
            raise InputError(
                f"{each['name']} and {first['name']} were tested on other reviews.",
                fix="Compare runs of one split.",
            )
    lines = [
        "Model scores are means over the seeds, with the lowest and the highest of "
        "them where there are several; those of the baselines, which have no seed, "
        "carry 95 % intervals over the test reviews.",
        "",
        "| reviews | system | seeds | " + " | ".join(SCORES.values()) + " |",
        "|---|---|---|---|---|---|",
    ]
    for part in _parts(first):
        lines += _part_lines(runs, first, part)
    return write_page(path, ["\n".join([*lines, ""])])


def _tested(metrics: Mapping[str, Any]) -> Any:
    """Counts of the test split, which differ where the reviews do."""
    parts = metrics.get("slices", {}).get("values", {})
    held = {value: part["classes"] for value, part in parts.items()}
    return metrics["data"]["splits"]["test"], held


def _parts(metrics: Mapping[str, Any]) -> list[str]:
    """The whole, '', and then every slice."""
    return ["", *metrics.get("slices", {}).get("values", {})]


def _systems(metrics: Mapping[str, Any], part: str) -> Mapping[str, Any]:
    return (metrics["slices"]["values"][part] if part else metrics)["systems"]


def _part_lines(
    runs: Mapping[str, Sequence[Mapping[str, Any]]],
    first: Mapping[str, Any],
    part: str,
) -> list[str]:
    """Rows of the whole test split, or of one slice."""
    held = first["data"]["splits"]["test"]["classes"]
    name = "all"
    if part:
        held = first["slices"]["values"][part]["classes"]
        name = f"{first['slices']['column']} {part}"
    name += f": {', '.join(f'{n:,} {label}' for label, n in held.items())}"
    lines = []
    for label, found in runs.items():
        tests = [_systems(each, part)["model"]["test"] for each in found]
        title = f"{found[0].get('model_title', 'the model')}, {label}"
        cells = [_spread([test[score]["value"] for test in tests]) for score in SCORES]
        lines.append(f"| {name} | {title} | {len(found)} | {' | '.join(cells)} |")
    for key, title in BASELINES.items():
        test = _systems(first, part)[key]["test"]
        cells = [score_cell(test[score]) for score in SCORES]
        lines.append(f"| {name} | {title} | | {' | '.join(cells)} |")
    return lines


def _spread(values: Sequence[float | None]) -> str:
    """Mean, lowest and highest of a score over seeds.

    >>> _spread([0.5, 0.6]), _spread([0.5]), _spread([None])
    ('0.5500 (0.5000 to 0.6000)', '0.5000', 'not defined')
    """
    known = [value for value in values if value is not None]
    if not known:
        return "not defined"
    mean = f"{statistics.fmean(known):.4f}"
    return f"{mean} ({min(known):.4f} to {max(known):.4f})" if known[1:] else mean
