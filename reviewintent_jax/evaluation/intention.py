"""Scores of intention: a table of predicted anchors -> a section of ``metrics.json``.

The table holds one row an anchor (the review at which a window of history ends) with
the model's logits, what other systems say and what the same review says of sentiment.
Scores, temperature and differences are those of sentiment
(:mod:`~reviewintent_jax.evaluation.evaluate`); intervals draw whole subjects, because
anchors of one subject are alike.
"""

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from reviewintent_jax.data.bazaar_truth import best_possible
from reviewintent_jax.evaluation.calibration import probabilities
from reviewintent_jax.evaluation.correlation import correlation
from reviewintent_jax.evaluation.evaluate import (
    Baseline,
    EvaluationSpec,
    add_system,
    compare,
    logits_of,
    model_metrics,
    subject_groups,
)
from reviewintent_jax.evaluation.intention_baselines import Absent, calibrated_system
from reviewintent_jax.evaluation.metrics import paired_difference
from reviewintent_jax.schema import NO_LABEL

TEXT_ONLY = "text_only"
"""The system that reads the anchor's text and nothing before it."""

TRUTH = "truth"
"""Column of the best possible probability of class 1, where it is known."""

ENOUGH_SUBJECTS = 30
"""Subjects from which intervals that draw them mean something."""

CIRCULAR = "proxy_rating"
"""The definition of intention that is sentiment by another name."""

_COMPARED = ("auc", "accuracy", "log_loss")


@dataclasses.dataclass(frozen=True)
class IntentionFacts:
    """What intention meant in a run, for the record.

    Attributes:
      kind: ``stated``, ``repurchase``, ``next_positive`` or ``proxy_rating``.
      definition: in words.
      horizon_days: days within which it is to come true; None where there are none.
      window: reviews that a window holds at most.
      classes: names; of two, the second is the one that buys or likes.
      target: the class whose probability is called the intention.
      cut: the global cut date (ISO), or None.
      unlabelled: reason -> anchors without a label.
    """

    kind: str
    definition: str
    horizon_days: int | None
    window: int
    classes: tuple[str, ...]
    target: int
    cut: str | None
    unlabelled: Mapping[str, int]

    @property
    def circular(self) -> bool:
        """Whether intention is sentiment by another name."""
        return self.kind == CIRCULAR


def intention_table(
    anchors: np.ndarray,
    logit_ny: np.ndarray,
    label_n: np.ndarray,
    *,
    row_n: np.ndarray,
    subject_n: np.ndarray,
    time_n: np.ndarray,
    seen_n: np.ndarray,
    sentiment_n: np.ndarray,
    sentiment_label_n: np.ndarray,
    truth_n: np.ndarray,
) -> pd.DataFrame:
    """The table of predictions of some anchors, in the order they are given.

    Rows without a label stay: their predictions are part of the timelines. Columns:
    ``review``, ``row``, ``subject``, ``time``, ``steps``, ``label``, ``logit_0`` ...,
    ``sentiment_probability``, ``sentiment_label``, ``truth``.

    Args:
      anchors: int [n], their reviews.
      logit_ny: [n, y].
      label_n: int [n], classes or ``NO_LABEL``.
      row_n: int [n], rows of the source.
      subject_n: [n], names or numbers of the subjects; empty or below 0 where none.
      time_n: float [n], seconds UTC; NaN where none.
      seen_n: int [n], reviews in the window.
      sentiment_n: [n], calibrated probability that the anchor itself is positive.
      sentiment_label_n: int [n], 1 where the anchor is positive, 0 where it is not,
        ``NO_LABEL`` where unknown.
      truth_n: [n], best possible probability of class 1; NaN where unknown.
    """
    return pd.DataFrame(
        {
            "review": anchors,
            "row": row_n,
            "subject": subject_n,
            "time": np.asarray(time_n, np.float64),
            "steps": seen_n,
            "label": label_n,
            **{f"logit_{y}": logit_ny[:, y] for y in range(logit_ny.shape[1])},
            "sentiment_probability": sentiment_n,
            "sentiment_label": sentiment_label_n,
            TRUTH: truth_n,
        }
    )


def text_only_system(
    validation_logit_ny: np.ndarray,
    validation_label_n: np.ndarray,
    test_logit_ny: np.ndarray,
    spec: EvaluationSpec,
) -> Baseline:
    """The model's own head without the history, calibrated as the model is.

    Rows of the logits are those of the tables; see :func:`calibrated_system`.
    """
    return calibrated_system(
        validation_logit_ny, validation_label_n, test_logit_ny, spec, {}
    )


def intention_metrics(
    validation: pd.DataFrame,
    test: pd.DataFrame,
    facts: IntentionFacts,
    others: Mapping[str, Baseline | Absent],
    spec: EvaluationSpec,
    *,
    shuffled: Mapping[str, Any] | None,
    shuffled_text: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """The section ``intention`` of ``metrics.json``.

    Args:
      validation: from :func:`intention_table`.
      test: likewise; gets the columns of every system.
      facts: what intention meant.
      others: system -> its answers in the order of ``test``, or why it is absent.
      spec: intervals, threshold and seed.
      shuffled: from ``shuffled.shuffled_labels``.
      shuffled_text: from ``shuffled.shuffled_texts``.

    Returns:
      The facts, ``temperature``, ``threshold``, ``systems``, ``differences``,
      ``absent``, ``history`` (what it adds, in words), ``sentiment_correlation``,
      ``shuffled``, ``shuffled_text`` and ``best_possible``.
    """
    present = {k: v for k, v in others.items() if isinstance(v, Baseline)}
    absent = {k: v.reason for k, v in others.items() if isinstance(v, Absent)}
    for name, system in present.items():
        add_system(test, name, system.log_prob_ny)
    model = model_metrics(validation, test, facts.classes, spec)
    chosen = {name: model.pop(name) for name in ("temperature", "threshold")}
    fitted = {name: system.facts for name, system in present.items()}
    compared = compare(model, test, fitted, facts.classes, **chosen, spec=spec)
    prob_ny = probabilities(logits_of(test), chosen["temperature"])
    section = {
        **dataclasses.asdict(facts),
        "circular": facts.circular,
        "classes": list(facts.classes),
        "target": facts.classes[facts.target],
        "subjects": int(subject_groups(test["subject"].to_numpy()).max(initial=-1)) + 1,
        **chosen,
        **compared,
        "absent": absent,
        "sentiment_correlation": sentiment_correlation(test, prob_ny, facts, spec),
        "shuffled": dict(shuffled) if shuffled else None,
        "shuffled_text": dict(shuffled_text) if shuffled_text else None,
        "best_possible": _best_possible(test, prob_ny, spec),
    }
    section["history"] = what_history_adds(section)
    return section


def sentiment_correlation(
    table: pd.DataFrame,
    prob_ny: np.ndarray,
    facts: IntentionFacts,
    spec: EvaluationSpec,
) -> dict[str, Any]:
    """How intention goes with the sentiment of the anchor itself.

    ``labels``: phi, which is Pearson's correlation of "is of the target class" and "is
    positive". ``predictions``: Spearman's, of the two probabilities. Both as
    ``{"value", "low", "high"}`` and ``n``; -1 to 1, null where one side never changes.
    """
    label_n = table["label"].to_numpy()
    said_n = table["sentiment_label"].to_numpy()
    known_n = (label_n != NO_LABEL) & (said_n != NO_LABEL)
    felt_n = table["sentiment_probability"].to_numpy(np.float64)
    meant_n = prob_ny[:, facts.target]
    answered_n = np.isfinite(felt_n)
    group_n = subject_groups(table["subject"].to_numpy())
    drawn: dict[str, Any] = {"samples": spec.bootstrap_samples, "seed": spec.seed}
    return {
        "labels": correlation(
            (label_n[known_n] == facts.target).astype(float),
            said_n[known_n].astype(float),
            ranks=False,
            group_n=group_n[known_n],
            **drawn,
        ),
        "predictions": correlation(
            meant_n[answered_n],
            felt_n[answered_n],
            ranks=True,
            group_n=group_n[answered_n],
            **drawn,
        ),
    }


def what_history_adds(section: Mapping[str, Any]) -> dict[str, Any]:
    """What reading the history adds to reading the text alone.

    Returns:
      ``metric``, ``value``, ``low``, ``high`` (model minus text alone, paired),
      ``adds`` ("more", "nothing", "less" or "unknown") and ``verdict``, a sentence.
    """
    nothing = {"metric": "auc", "value": None, "low": None, "high": None}
    found = section["differences"].get(TEXT_ONLY, {}).get("auc")
    if not found or found["value"] is None:
        verdict = "What the history adds was not measured."
        return nothing | {"adds": "unknown", "verdict": verdict}
    if section["cut"] and section["subjects"] < ENOUGH_SUBJECTS:
        verdict = (
            f"What the history adds cannot be told from {section['subjects']} "
            f"subjects: {ENOUGH_SUBJECTS} or more are needed."
        )
        return nothing | {"adds": "unknown", "verdict": verdict}
    value, low, high = found["value"], found["low"], found["high"]
    if low is None:
        adds = "unknown"
        verdict = (
            f"With the history the AUC is {value:+.3f} against the text alone; without "
            "an interval this may be chance."
        )
    else:
        interval = f"95% interval {low:+.3f} to {high:+.3f}"
        if low > 0:
            adds = "more"
            verdict = f"The history adds {value:.3f} of AUC to the text ({interval})."
        elif high < 0:
            adds = "less"
            verdict = (
                f"Reading the history makes the model worse than the text alone, by "
                f"{-value:.3f} of AUC ({interval})."
            )
        else:
            adds = "nothing"
            verdict = (
                "The history adds nothing that can be told from chance: the AUC is "
                f"{value:+.3f} against the text alone ({interval})."
            )
    verdict = f"{verdict} {_beside_boosting(section)}".strip().replace("-0", "−0")
    return nothing | found | {"adds": adds, "verdict": verdict}


def _beside_boosting(section: Mapping[str, Any]) -> str:
    """How the model stands to the strongest learner that reads no text."""
    found = section["differences"].get("gradient_boosting", {}).get("auc")
    if not found or found["low"] is None:
        return ""
    if found["low"] > 0:
        word = "better than"
    else:
        word = "worse than" if found["high"] < 0 else "not clearly different from"
    return (
        f"It is {word} gradient boosting on the same windows without texts "
        f"({found['value']:+.3f}, {found['low']:+.3f} to {found['high']:+.3f})."
    )


def _best_possible(
    table: pd.DataFrame, prob_ny: np.ndarray, spec: EvaluationSpec
) -> dict[str, Any] | None:
    """Scores of the known optimum and the model's distance to it, with intervals.

    On the anchors whose label and truth are known; None unless there are two classes
    and both occur there.
    """
    truth_n = table[TRUTH].to_numpy(np.float64)
    label_n = table["label"].to_numpy()
    known_n = np.isfinite(truth_n) & (label_n != NO_LABEL)
    truth_n, label_n = truth_n[known_n], label_n[known_n]
    if prob_ny.shape[1] != 2 or len(np.unique(label_n)) < 2:
        return None
    optimum_ny = np.stack([1 - truth_n, truth_n], axis=1)
    group_n = subject_groups(table["subject"].to_numpy()[known_n])
    distance = {
        metric: paired_difference(
            optimum_ny,
            prob_ny[known_n],
            label_n,
            metric,
            bootstrap_samples=spec.bootstrap_samples,
            seed=spec.seed,
            group_n=group_n,
        )
        for metric in _COMPARED
    }
    return best_possible(truth_n, label_n) | {"distance": distance}


def intention_lines(section: Mapping[str, Any]) -> list[str]:
    """What a command prints about intention, below its table of scores."""
    lines = []
    if section["circular"]:
        lines.append(
            "Circular: this intention is the rating of the same review, which is "
            "sentiment by another name."
        )
    lines += [
        f"No {name.replace('_', ' ')}: {reason}"
        for name, reason in section.get("absent", {}).items()
    ]
    lines.append(section["history"]["verdict"])
    best = section.get("best_possible")
    if best and best["distance"]["auc"]["value"] is not None:
        missing = best["distance"]["auc"]["value"]
        side = "below" if missing > 0 else "above"
        lines.append(
            f"The AUC is {abs(missing):.3f} {side} that of the best that anyone could "
            "do."
        )
    return lines
