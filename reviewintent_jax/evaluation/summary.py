"""``metrics.json`` -> the few lines that a command prints when it is done."""

from collections.abc import Mapping
from typing import Any

from reviewintent_jax.evaluation.intention import intention_lines
from reviewintent_jax.evaluation.report_scores import MODEL_TITLE, model_title

_NAMES = {
    "model": MODEL_TITLE,
    "pytorch_fine_tune": "PyTorch fine-tune, same weights",
    "tfidf_logistic_regression": "TF-IDF + logistic regression",
    "text_only": "The same model, text alone",
    "gradient_boosting": "Gradient boosting, same windows",
    "recency_frequency": "Recency/frequency regression",
    "last_value": "Last value",
    "majority": "Majority class",
}
_COLUMNS = {"accuracy": "accuracy", "macro_f1": "macro F1", "auc": "AUC"}


def summarise(metrics: Mapping[str, Any]) -> str:
    """The score beside its baselines, 95 % intervals in brackets, as a small table."""
    other = metrics.get("evaluated")
    what = f"{other['reviews']:,} reviews" if other else "Test split"
    lines = _score_lines(metrics, what) if metrics["systems"] else []
    best = metrics.get("best_possible")
    if best:
        lines.append(_nearness(metrics, best["accuracy"]))
    absent = _absent_classes(metrics)
    if absent:
        lines.append(
            f"None of these reviews is {' or '.join(absent)}: macro scores are means "
            "over the classes that occur, and an AUC needs two of them."
        )
    if other and other["seen"]:
        lines.append(
            f"Beware: {other['seen']:,} of these {other['reviews']:,} reviews are "
            "among those that the model was trained or tuned on; its scores, and those "
            "of TF-IDF, are better here than they would be on new reviews."
        )
    for value, part in metrics.get("slices", {}).get("values", {}).items():
        what = f"{metrics['slices']['column']} {value}: {part['n']:,} reviews"
        named = {**part, "model_title": model_title(metrics)}
        lines += ["", *_score_lines(named, what)]
    intention = metrics.get("intention")
    if intention:
        circular = " (circular)" if intention["circular"] else ""
        what = f"Intention: {intention['target']}{circular}"
        lines += [""] if lines else []
        lines += [*_score_lines(intention, what), *intention_lines(intention)]
    return "\n".join(line.rstrip() for line in lines)


def _score_lines(section: Mapping[str, Any], what: str) -> list[str]:
    """The systems of a section one under the other; ``what`` heads the first column."""
    rows = [[what, *_COLUMNS.values()]]
    for key, name in (_NAMES | {"model": model_title(section)}).items():
        test = section["systems"].get(key, {}).get("test")
        if test:
            rows.append([name, *(_cell(test[column]) for column in _COLUMNS)])
    best = section.get("best_possible")
    if best:
        shown = (f"{best[c]:.4f}" if c in best else "" for c in _COLUMNS)
        rows.append(["Best that anyone could do", *shown])
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        for row in rows
    ]


def _absent_classes(metrics: Mapping[str, Any]) -> list[str]:
    """Classes that no scored review has."""
    model = metrics["systems"].get("model")  # none of intention alone
    per_class = model["test"].get("per_class", {}) if model else {}
    return [name for name, scores in per_class.items() if not scores["support"]]


def _cell(score: Mapping[str, float | None]) -> str:
    if score["value"] is None:
        return "-"
    if score["low"] is None:
        return f"{score['value']:.4f}"
    return f"{score['value']:.4f} [{score['low']:.4f}, {score['high']:.4f}]"


def _nearness(metrics: Mapping[str, Any], best: float) -> str:
    """How far the model is from the best possible accuracy, in reviews of the test."""
    test = metrics["systems"]["model"]["test"]
    missing = best - test["accuracy"]["value"]
    return (
        f"The model errs on {missing * 100:.1f} more reviews in 100 than a reader who"
        " knows how the shop works."
        if missing > 0
        else "The model does as well as a reader who knows how the shop works."
    )
