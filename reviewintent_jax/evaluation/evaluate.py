"""Scores a model from its tables of predictions, its baselines beside it.

In: one table of predictions per split, from :mod:`~reviewintent_jax.evaluation.
scoring`. Out: the metrics, computed from those tables alone.
"""

import dataclasses
import enum
import logging
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from reviewintent_jax.data.prepare import Prepared
from reviewintent_jax.data.splits import TEST, TRAIN, VALIDATION
from reviewintent_jax.evaluation.calibration import (
    answers,
    best_threshold,
    fit_temperature,
    probabilities,
)
from reviewintent_jax.evaluation.metrics import (
    classification_metrics,
    paired_difference,
)
from reviewintent_jax.schema import InputError, check_seed

log = logging.getLogger("reviewintent")


class Threshold(enum.StrEnum):
    """How probabilities become an answer; never chosen on test."""

    ARGMAX = "argmax"  # the most probable class
    VALIDATION = "validation"  # class 1 of two from where macro-F1 is best there


@dataclasses.dataclass(frozen=True)
class EvaluationSpec:
    """What is measured when training is over.

    Attributes:
      batch_pages: most pages scored at a time, 1 or more.
      threshold: how probabilities become an answer.
      bootstrap_samples: resamples behind every interval; 0 = no intervals.
      baseline_max_rows: most training reviews the TF-IDF baseline is fitted on.
      seed: of the bootstrap and of the baseline's subsample.
    """

    batch_pages: int
    threshold: Threshold
    bootstrap_samples: int
    baseline_max_rows: int
    seed: int

    def __post_init__(self) -> None:
        if min(self.batch_pages, self.baseline_max_rows) < 1:
            raise InputError(
                "evaluation.batch_pages and baseline_max_rows must be 1 or more."
            )
        if self.bootstrap_samples < 0:
            raise InputError("evaluation.bootstrap_samples must not be negative.")
        check_seed(self.seed, "evaluation.seed")

    def check_classes(self, classes: Sequence[str]) -> None:
        """Refuses a threshold where there is not one boundary but several.

        Raises:
          InputError: the threshold is to be chosen for more than two classes.
        """
        if self.threshold == Threshold.VALIDATION and len(classes) != 2:
            raise InputError(
                "A threshold can be chosen between two classes only, but there are "
                f"{len(classes)}: {', '.join(classes)}.",
                fix="Set --config.evaluation.threshold=argmax.",
            )


def logits_of(table: pd.DataFrame) -> np.ndarray:
    """Logits ``[n, y]`` of a table of predictions."""
    columns = [name for name in table.columns if str(name).startswith("logit_")]
    return table[columns].to_numpy(np.float64)


def _column(system: str, y: int) -> str:
    return f"{system}_log_probability_{y}"


def add_system(table: pd.DataFrame, system: str, log_prob_ny: np.ndarray) -> None:
    """Writes a system's log-probabilities ``[n, y]`` into columns of its own."""
    for y in range(log_prob_ny.shape[1]):
        table[_column(system, y)] = log_prob_ny[:, y]


def has_system(table: pd.DataFrame, system: str) -> bool:
    """Whether the table holds a system's answers."""
    return _column(system, 0) in table.columns


def log_probabilities_of(
    table: pd.DataFrame, system: str, classes: Sequence[str]
) -> np.ndarray:
    """A system's log-probabilities ``[n, y]`` as the table has them."""
    columns = [_column(system, y) for y in range(len(classes))]
    return table[columns].to_numpy(np.float64)


def table_metrics(
    table: pd.DataFrame,
    classes: Sequence[str],
    *,
    temperature: float,
    threshold: float | None,
    spec: EvaluationSpec,
) -> dict[str, Any]:
    """All metrics of the model in one table of predictions.

    Args:
      table: from :func:`~reviewintent_jax.evaluation.scoring.review_table`. Where it
        has a column ``subject``, intervals are over subjects, since reviews of one
        subject are alike.
      classes: their names.
      temperature: what logits are divided by.
      threshold: see :func:`~reviewintent_jax.evaluation.calibration.answers`.
      spec: bootstrap and its seed.
    """
    prob_ny = probabilities(logits_of(table), temperature)
    return classification_metrics(
        prob_ny,
        table["label"].to_numpy(),
        classes,
        bootstrap_samples=spec.bootstrap_samples,
        seed=spec.seed,
        predicted_n=answers(prob_ny, threshold),
        group_n=_groups(table),
    )


def _groups(table: pd.DataFrame) -> np.ndarray | None:
    """What resamples draw whole: the subjects [n], if the table has them."""
    if "subject" not in table:
        return None
    return subject_groups(table["subject"].to_numpy())


def subject_groups(subject_n: np.ndarray) -> np.ndarray:
    """Dense numbers int64 [n] of subjects; each review without one is its own.

    Example: ``["b", "", "a", "b", ""]`` -> ``[0, 2, 1, 0, 3]``; numbers below 0 and
    missing values have no subject either.
    """
    code_n, _ = pd.factorize(pd.Series(subject_n))
    none_n = code_n < 0
    if np.issubdtype(np.asarray(subject_n).dtype, np.number):
        none_n |= np.asarray(subject_n) < 0
    else:
        none_n |= np.asarray(subject_n) == ""
    code_n[none_n] = -1
    _, dense_n = np.unique(code_n[~none_n], return_inverse=True)
    code_n[~none_n] = dense_n
    subjects = int(code_n.max(initial=-1)) + 1
    code_n[none_n] = subjects + np.arange(int(none_n.sum()))
    return code_n


def model_metrics(
    validation: pd.DataFrame,
    test: pd.DataFrame,
    classes: Sequence[str],
    spec: EvaluationSpec,
) -> dict[str, Any]:
    """Scores of the model: temperature and threshold from validation, the rest on test.

    ``uncalibrated`` is at temperature 1 and answers with the most probable class.
    """
    label_n, logits_ny = validation["label"].to_numpy(), logits_of(validation)
    temperature = fit_temperature(logits_ny, label_n)
    threshold = None
    if spec.threshold == Threshold.VALIDATION:
        prob_ny = probabilities(logits_ny, temperature)
        threshold = best_threshold(prob_ny[:, 1], label_n)
    chosen: dict[str, Any] = {"temperature": temperature, "threshold": threshold}
    before: dict[str, Any] = {"temperature": 1.0, "threshold": None}
    plain = dataclasses.replace(spec, bootstrap_samples=0)
    return chosen | {
        "test": table_metrics(test, classes, **chosen, spec=spec),
        "uncalibrated": table_metrics(test, classes, **before, spec=spec),
        "validation": table_metrics(validation, classes, **chosen, spec=plain),
    }


class Baseline(NamedTuple):
    """What a system beside the model answers.

    Attributes:
      log_prob_ny: log probabilities of the test reviews.
      facts: how it was fitted, for the record; ``threshold`` among them, chosen on
        validation, where the model has one.
    """

    log_prob_ny: np.ndarray
    facts: dict[str, Any]


def fit_baselines(
    prepared: Prepared, tested: Prepared, spec: EvaluationSpec
) -> dict[str, Baseline]:
    """Majority class and TF-IDF + logistic regression.

    They are fitted on the train split of ``prepared`` (TF-IDF's settings are chosen on
    its validation split) and answer the test split of ``tested``, which is the same
    unless other data are evaluated.
    """
    # Here, for scikit-learn takes a second to import, and a config imports this module.
    from reviewintent_jax.evaluation.baselines import (
        majority_log_probabilities,
        tfidf_logistic_regression,
    )

    train, validation = prepared.labelled(TRAIN), prepared.labelled(VALIDATION)
    test = tested.labelled(TEST)
    label_n, classes = prepared.label_n, prepared.labels.classes
    log.info("Baseline: majority class")
    majority = majority_log_probabilities(label_n[train], len(classes), len(test))
    fit_on = train
    if len(train) > spec.baseline_max_rows:
        rng = np.random.default_rng(spec.seed)
        fit_on = np.sort(rng.choice(train, spec.baseline_max_rows, replace=False))
    log.info(
        "Baseline: TF-IDF + logistic regression, fitted on %s reviews",
        f"{len(fit_on):,}",
    )
    tfidf = tfidf_logistic_regression(
        prepared.texts(fit_on),
        label_n[fit_on],
        prepared.texts(validation),
        label_n[validation],
        tested.texts(test),
        classes=len(classes),
        max_rows=spec.baseline_max_rows,
        seed=spec.seed,
    )
    facts = {k: v for k, v in tfidf._asdict().items() if k != "log_prob"}
    if spec.threshold == Threshold.ARGMAX:
        del facts["threshold"]
    return {
        "majority": Baseline(majority, {}),
        "tfidf_logistic_regression": Baseline(tfidf.log_prob, facts),
    }


def compare(
    model: dict[str, Any],
    table: pd.DataFrame,
    others: Mapping[str, dict[str, Any]],
    classes: Sequence[str],
    *,
    temperature: float,
    threshold: float | None,
    spec: EvaluationSpec,
) -> dict[str, Any]:
    """The model's scores beside those of other systems, all from one table.

    Args:
      model: the model's own scores.
      table: of test predictions, with the columns of every system
        (:func:`add_system`).
      others: system -> how it was fitted; its ``threshold``, if any, decides its
        answers.
      classes: their names.
      temperature: of the model.
      threshold: of the model.
      spec: bootstrap and its seed.

    Returns:
      ``systems`` (metrics of each) and ``differences`` (model minus the other, with
      the interval of the difference, which is what "better" must be judged by).
    """
    label_n = table["label"].to_numpy()
    drawn: dict[str, Any] = {
        "bootstrap_samples": spec.bootstrap_samples,
        "seed": spec.seed,
        "group_n": _groups(table),
    }
    prob_ny = probabilities(logits_of(table), temperature)
    systems, differences = {"model": model}, {}
    for name, facts in others.items():
        other_ny = probabilities(log_probabilities_of(table, name, classes), 1.0)
        other_n = answers(other_ny, facts.get("threshold"))
        test = classification_metrics(
            other_ny, label_n, classes, predicted_n=other_n, **drawn
        )
        systems[name] = {"test": test} | facts
        differences[name] = {
            metric: paired_difference(
                prob_ny,
                other_ny,
                label_n,
                metric,
                predicted_a_n=answers(prob_ny, threshold),
                predicted_b_n=other_n,
                **drawn,
            )
            for metric in ("accuracy", "macro_f1", "auc")
        }
    return {"systems": systems, "differences": differences}
