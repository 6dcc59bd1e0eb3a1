"""Scores of a section of ``metrics.json``, arranged for people.

A section has ``systems`` and may have ``differences`` and ``best_possible``: the file
itself (sentiment) is one, its part ``intention`` another.
"""

from collections.abc import Mapping
from typing import Any

from reviewintent_jax.evaluation.metrics import METRICS

MODEL_TITLE = "BERT-LSTNet-Softmax"
"""What the model is called where ``metrics.json`` does not say so."""

SYSTEM_NAMES = {
    "model": MODEL_TITLE,
    "pytorch_fine_tune": "plain PyTorch fine-tune",
    "tfidf_logistic_regression": "TF-IDF + logistic regression",
    "text_only": "text alone",
    "gradient_boosting": "gradient boosting",
    "recency_frequency": "recency/frequency",
    "last_value": "last value",
    "majority": "majority class",
}
"""Names of the systems, in the order in which they stand; others follow as written."""

SHORT_NAMES = {
    "model": "this model",
    "pytorch_fine_tune": "PyTorch",
    "tfidf_logistic_regression": "TF-IDF",
    "gradient_boosting": "boosting",
    "recency_frequency": "recency",
    "text_only": "the text alone",
}

METRIC_NAMES = {
    "accuracy": "Accuracy",
    "macro_precision": "Macro precision",
    "macro_recall": "Macro recall",
    "macro_f1": "Macro-F1",
    "auc": "AUC",
    "average_precision": "Average precision",
    "log_loss": "Log-loss",
    "calibration_error": "Calibration error",
}
LOWER_IS_BETTER = frozenset({"log_loss", "calibration_error"})
HEADLINE = ("macro_f1", "auc", "accuracy")


def shown_systems(metrics: Mapping[str, Any]) -> dict[str, str]:
    """Return the systems that were scored on test: key -> name, the model first."""
    scored = [key for key, parts in metrics["systems"].items() if "test" in parts]
    ordered = [key for key in SYSTEM_NAMES if key in scored]
    ordered += [key for key in scored if key not in SYSTEM_NAMES]
    names = SYSTEM_NAMES | {"model": model_title(metrics)}
    return {key: names.get(key, key.replace("_", " ")) for key in ordered}


def model_title(metrics: Mapping[str, Any]) -> str:
    """What the model of a section is called; runs of earlier versions had one kind."""
    return metrics.get("model_title", MODEL_TITLE)


def one_score(metrics: Mapping[str, Any], system: str, metric: str) -> dict[str, Any]:
    """Return one score with its interval; all null if it was not computed."""
    nothing = {"value": None, "low": None, "high": None}
    parts = metrics["systems"].get(system, {})
    return {**nothing, **(parts.get("test", {}).get(metric) or {})}


def headline(metrics: Mapping[str, Any], rival: str) -> list[dict[str, Any]]:
    """Set the model's main scores beside the others' and beside the best possible."""
    best = metrics.get("best_possible") or {}
    return [
        {
            "name": METRIC_NAMES[metric],
            "model": one_score(metrics, "model", metric),
            "others": {
                SHORT_NAMES.get(key, name): one_score(metrics, key, metric)["value"]
                for key, name in shown_systems(metrics).items()
                if key != "model"
            },
            "best": best.get(metric),
            "verdict": _verdict(metrics, metric, rival),
        }
        for metric in HEADLINE
    ]


def _verdict(metrics: Mapping[str, Any], metric: str, rival: str) -> str:
    """Say in words how the model stands to a rival on one score."""
    name = SHORT_NAMES.get(rival, rival)
    ours, theirs = (one_score(metrics, key, metric) for key in ("model", rival))
    if ours["value"] is None or theirs["value"] is None:
        return ""
    difference = ours["value"] - theirs["value"]
    side = "above" if difference > 0 else "below"
    sentence = f"{abs(difference):.3f} {side} {name}" if difference else f"as {name}"
    paired = metrics.get("differences", {}).get(rival, {}).get(metric)
    if paired and paired["low"] is not None:
        sure = paired["low"] > 0 or paired["high"] < 0
        interval = f"95% interval {paired['low']:+.3f} to {paired['high']:+.3f}"
        interval = interval.replace("-", "−")
        return f"{sentence} ({interval}{'' if sure else '; may be chance'})"
    if None in (ours["low"], theirs["low"]):
        return sentence
    apart = ours["low"] > theirs["high"] or ours["high"] < theirs["low"]
    return f"{sentence}; the intervals {'do not ' if apart else ''}overlap"


def score_rows(metrics: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Arrange the score table: a row a metric, a cell a system, the best one marked."""
    rows = []
    for metric in METRICS:
        cells = [
            dict(one_score(metrics, key, metric)) for key in shown_systems(metrics)
        ]
        rivals = [  # answering with the shares alone is calibrated, and no merit
            cell["value"]
            for key, cell in zip(shown_systems(metrics), cells, strict=True)
            if key != "majority" and cell["value"] is not None
        ]
        pick = min if metric in LOWER_IS_BETTER else max
        for cell in cells:
            cell["best"] = bool(rivals) and cell["value"] == pick(rivals)
            if metric == "calibration_error":  # its resampled interval lies high
                cell["low"] = cell["high"] = None
        lower = metric in LOWER_IS_BETTER
        rows.append({"name": METRIC_NAMES[metric], "lower": lower, "cells": cells})
    return rows
