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
from reviewintent_jax.evaluation.intention_report import intention_section
from reviewintent_jax.evaluation.report_page import (
    page_environment,
    read_lines,
    read_metrics,
)
from reviewintent_jax.evaluation.report_scores import (
    HEADLINE,
    METRIC_NAMES,
    SHORT_NAMES,
    headline,
    one_score,
    score_rows,
    shown_systems,
)
from reviewintent_jax.schema import NO_LABEL, RunFolder

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
    scored = metrics["systems"].get("model", {}).get("test")  # none of intention alone
    predictions = _read_predictions(run, metrics) if scored else None
    history = list(read_lines(run.log))
    page = (
        page_environment()
        .get_template("report.html.j2")
        .render(
            metrics=metrics,
            classes=metrics["classes"],
            systems=shown_systems(metrics),
            headline=headline(metrics, "tfidf_logistic_regression") if scored else [],
            score_rows=score_rows(metrics) if scored else [],
            figures=_figures(metrics, predictions, history),
            disagreement=_disagreement(metrics, predictions),
            mistakes=_mistakes(run, metrics, predictions),
            intention=intention_section(
                run,
                metrics.get("intention"),
                metrics.get("data", {}).get("intention"),
            ),
            right=int(np.trace(scored["confusion"])) if scored else 0,
            common=_common_class(metrics)[0] if scored else 0,
            majority_share=_common_class(metrics)[1] if scored else None,
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


def _figures(
    metrics: Mapping[str, Any],
    predictions: Predictions | None,
    history: Sequence[Mapping[str, Any]],
) -> dict[str, Markup]:
    """Draw every figure for which there is something to show."""
    systems, classes = shown_systems(metrics), metrics["classes"]
    drawn = (
        {}
        if not systems
        else {
            "scores": plots.score_bars(
                {
                    SHORT_NAMES.get(key, name): {
                        metric: one_score(metrics, key, metric) for metric in HEADLINE
                    }
                    for key, name in systems.items()
                },
                {metric: METRIC_NAMES[metric] for metric in HEADLINE},
                metrics.get("best_possible") or {},
            )
        }
    )
    confusion = metrics["systems"].get("model", {}).get("test", {}).get("confusion")
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
