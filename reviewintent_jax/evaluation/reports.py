"""Reports: a run's folder -> ``report.html``, one self-contained page for people.

Tables come from ``metrics.json``; curves and mistakes from the table of test
predictions that those metrics were computed from; the rest from the log and from the
rejected rows. The page loads nothing from outside, runs no script and escapes every
text, because reviews are written by strangers.
"""

import itertools
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import pyarrow.dataset
import pyarrow.parquet
from markupsafe import Markup

from reviewintent_jax.evaluation import plots
from reviewintent_jax.evaluation.calibration import (
    answers,
    probabilities,
    reliability_curve,
)
from reviewintent_jax.evaluation.metrics import METRICS
from reviewintent_jax.evaluation.report_page import (
    page_environment,
    read_lines,
    read_metrics,
)
from reviewintent_jax.schema import NO_LABEL, RunFolder

SYSTEM_NAMES = {
    "model": "BERT-LSTNet-Softmax",
    "pytorch_fine_tune": "plain PyTorch fine-tune",
    "tfidf_logistic_regression": "TF-IDF + logistic regression",
    "majority": "majority class",
}
"""Names of the systems, in the order in which they stand; others follow as written."""

SHORT_NAMES = {
    "model": "this model",
    "pytorch_fine_tune": "PyTorch",
    "tfidf_logistic_regression": "TF-IDF",
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

REJECTED_SHOWN = 20
MISTAKES_SHOWN = 20


class Predictions(NamedTuple):
    """The test predictions that carry a label, calibrated.

    Attributes:
      position_n: row of each in the Parquet file.
      row_n: row of each in the user's data if the table says so, else its review.
      logits_ny: logits.
      prob_ny: probabilities at the run's temperature.
      label_n: classes.
      answer_n: the model's answers.
    """

    position_n: np.ndarray
    row_n: np.ndarray
    logits_ny: np.ndarray
    prob_ny: np.ndarray
    label_n: np.ndarray
    answer_n: np.ndarray


def write_report(run: RunFolder) -> Path:
    """Write the report of an evaluated run and return its path.

    The log, the rejected rows, the predictions and every optional part of
    ``metrics.json`` may be absent; what they would show is then left out. Besides the
    parts that evaluation always writes, two are shown when they are there:
    ``threshold``, the probability from which class 1 is answered (two classes), and
    ``differences``: ``{system: {metric: paired_difference(...)}}``, the model against
    that system.

    Raises:
      InputError: the run has no readable ``metrics.json``.
    """
    metrics = read_metrics(run)
    predictions = _read_predictions(run, metrics)
    history = list(read_lines(run.log))
    page = (
        page_environment()
        .get_template("report.html.j2")
        .render(
            metrics=metrics,
            classes=metrics["classes"],
            systems=_systems(metrics),
            short_names=SHORT_NAMES,
            metric_names=METRIC_NAMES,
            headline=_headline(metrics),
            score_rows=_score_rows(metrics),
            figures=_figures(metrics, predictions, history),
            disagreement=_disagreement(metrics, predictions),
            mistakes=_mistakes(run, metrics, predictions),
            right=int(np.trace(metrics["systems"]["model"]["test"]["confusion"])),
            common=_common_class(metrics)[0],
            majority_share=_common_class(metrics)[1],
            rejected=_rejected_examples(run.rejected),
            config=json.dumps(metrics.get("config", {}), indent=2, ensure_ascii=False),
        )
    )
    run.report.write_text(page, encoding="utf-8")
    return run.report


def _rejected_examples(path: Path) -> list[dict[str, Any]]:
    """Return some rejected rows: of every reason in turn, each in the file's order."""
    by_reason: dict[str, list[dict[str, Any]]] = {}
    for row in read_lines(path):
        reason = str(row.get("reason", ""))
        if reason in by_reason or len(by_reason) < REJECTED_SHOWN:
            kept = by_reason.setdefault(reason, [])
            if len(kept) < REJECTED_SHOWN:
                kept.append(row)
    rounds = itertools.zip_longest(*by_reason.values())
    turns = (row for round_ in rounds for row in round_ if row is not None)
    return list(itertools.islice(turns, REJECTED_SHOWN))


def _read_predictions(run: RunFolder, metrics: Mapping[str, Any]) -> Predictions | None:
    """Read the test predictions without their texts; None if there are none."""
    path = run.predictions("test")
    if not path.exists():
        return None
    columns = [
        name
        for name in pyarrow.parquet.read_schema(path).names
        if name in ("review", "row", "label") or name.startswith("logit_")
    ]
    table = pd.read_parquet(path, columns=columns)
    logit_columns = [f"logit_{y}" for y in range(len(metrics["classes"]))]
    label_n = table["label"].to_numpy()
    known_n = label_n != NO_LABEL
    logits_ny = table[logit_columns].to_numpy(np.float64)[known_n]
    if not len(logits_ny):
        return None
    prob_ny = probabilities(logits_ny, metrics.get("temperature", 1.0))
    name = "row" if "row" in table else "review"
    return Predictions(
        position_n=np.flatnonzero(known_n),
        row_n=table[name].to_numpy()[known_n],
        logits_ny=logits_ny,
        prob_ny=prob_ny,
        label_n=label_n[known_n],
        answer_n=answers(prob_ny, metrics.get("threshold")),
    )


def _systems(metrics: Mapping[str, Any]) -> dict[str, str]:
    """Return the systems that were scored on test: key -> name, the model first."""
    scored = [key for key, parts in metrics["systems"].items() if "test" in parts]
    ordered = [key for key in SYSTEM_NAMES if key in scored]
    ordered += [key for key in scored if key not in SYSTEM_NAMES]
    return {key: SYSTEM_NAMES.get(key, key.replace("_", " ")) for key in ordered}


def _score(metrics: Mapping[str, Any], system: str, metric: str) -> dict[str, Any]:
    """Return one score with its interval; all null if it was not computed."""
    nothing = {"value": None, "low": None, "high": None}
    parts = metrics["systems"].get(system, {})
    return {**nothing, **(parts.get("test", {}).get(metric) or {})}


def _headline(metrics: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Set the model's main scores beside the others' and beside the best possible."""
    best = metrics.get("best_possible") or {}
    return [
        {
            "name": METRIC_NAMES[metric],
            "model": _score(metrics, "model", metric),
            "others": {
                SHORT_NAMES.get(key, name): _score(metrics, key, metric)["value"]
                for key, name in _systems(metrics).items()
                if key != "model"
            },
            "best": best.get(metric),
            "verdict": _verdict(metrics, metric),
        }
        for metric in HEADLINE
    ]


def _verdict(metrics: Mapping[str, Any], metric: str) -> str:
    """Say in words how the model stands to TF-IDF on one score."""
    rival = "tfidf_logistic_regression"
    ours, theirs = (_score(metrics, key, metric) for key in ("model", rival))
    if ours["value"] is None or theirs["value"] is None:
        return ""
    difference = ours["value"] - theirs["value"]
    side = "above" if difference > 0 else "below"
    sentence = f"{abs(difference):.3f} {side} TF-IDF" if difference else "as TF-IDF"
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


def _score_rows(metrics: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Arrange the score table: a row a metric, a cell a system, the best one marked."""
    rows = []
    for metric in METRICS:
        cells = [dict(_score(metrics, key, metric)) for key in _systems(metrics)]
        rivals = [  # answering with the shares alone is calibrated, and no merit
            cell["value"]
            for key, cell in zip(_systems(metrics), cells, strict=True)
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


def _figures(
    metrics: Mapping[str, Any],
    predictions: Predictions | None,
    history: Sequence[Mapping[str, Any]],
) -> dict[str, Markup]:
    """Draw every figure for which there is something to show."""
    systems, classes = _systems(metrics), metrics["classes"]
    drawn = {
        "scores": plots.score_bars(
            {
                SHORT_NAMES.get(key, name): {
                    metric: _score(metrics, key, metric) for metric in HEADLINE
                }
                for key, name in systems.items()
            },
            {metric: METRIC_NAMES[metric] for metric in HEADLINE},
            metrics.get("best_possible") or {},
        )
    }
    confusion = metrics["systems"]["model"]["test"].get("confusion")
    if confusion:
        drawn["confusion"] = plots.confusion_matrix(np.array(confusion), classes)
    if predictions is not None:
        prob_ny, label_n = predictions.prob_ny, predictions.label_n
        drawn["roc"] = plots.roc_curves(prob_ny, label_n, classes)
        drawn["precision_recall"] = plots.precision_recall_curves(
            prob_ny, label_n, classes
        )
        drawn["reliability"] = plots.reliability(
            reliability_curve(probabilities(predictions.logits_ny, 1.0), label_n),
            reliability_curve(prob_ny, label_n),
        )
    if any(line.get("kind") in ("train", "validation") for line in history):
        best_step = metrics.get("training", {}).get("best_step")
        drawn["learning"] = plots.learning_curves(history, best_step)
    tokens = metrics.get("data", {}).get("tokens") or {}
    if sum(tokens.get("histogram", {}).get("counts", [])):
        drawn["lengths"] = plots.review_lengths(
            tokens["histogram"]["edges"], tokens["histogram"]["counts"], tokens["cap"]
        )
    return {name: Markup(svg) for name, svg in drawn.items()}


def _disagreement(metrics: Mapping[str, Any], predictions: Predictions | None) -> str:
    """Say so if the curves and the tables come from different evaluations."""
    if predictions is None:
        return ""
    scored = metrics["systems"]["model"]["test"]
    right = int((predictions.answer_n == predictions.label_n).sum())
    counted = int(np.trace(np.array(scored["confusion"])))
    if (len(predictions.label_n), right) == (scored["n"], counted):
        return ""
    return (
        f"The table of predictions holds {len(predictions.label_n):,} reviews, "
        f"{right:,} of them answered right; the scores were computed from "
        f"{scored['n']:,} and {counted:,}. Evaluate this run again."
    )


def _common_class(metrics: Mapping[str, Any]) -> tuple[int, float | None]:
    """Return the most frequent class of the test split and its share."""
    rows = list(metrics["systems"]["model"]["test"]["per_class"].values())
    support = [row["support"] for row in rows]
    common = int(np.argmax(support))
    return common, support[common] / sum(support) if sum(support) else None


def _mistakes(
    run: RunFolder, metrics: Mapping[str, Any], predictions: Predictions | None
) -> list[dict[str, Any]]:
    """Return the wrong answers that the model was surest of, with their texts."""
    if predictions is None:
        return []
    row_n = np.arange(len(predictions.label_n))
    sure_n = predictions.prob_ny[row_n, predictions.answer_n]
    wrong = np.flatnonzero(predictions.answer_n != predictions.label_n)
    worst = wrong[np.argsort(-sure_n[wrong], kind="stable")][:MISTAKES_SHOWN]
    table = pyarrow.dataset.dataset(run.predictions("test"))
    texts: list[str | None] = [None] * len(worst)
    if "text" in table.schema.names and len(worst):
        taken = table.take(predictions.position_n[worst], columns=["text"])
        texts = taken["text"].to_pylist()
    return [
        {
            "row": int(predictions.row_n[n]),
            "label": metrics["classes"][predictions.label_n[n]],
            "answer": metrics["classes"][predictions.answer_n[n]],
            "confidence": float(sure_n[n]),
            "text": text,
        }
        for n, text in zip(worst, texts, strict=True)
    ]
