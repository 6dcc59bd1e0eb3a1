"""Runs a model over reviews and scores it, its baselines beside it.

In: a model, its parameters and prepared reviews. Out: one table of predictions per
split, and the metrics computed from those tables alone.
"""

import dataclasses
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

import jax
import numpy as np
import pandas as pd
from flax import linen as nn

from reviewintent_jax.data.batches import PageSource, eval_batches, prefetch
from reviewintent_jax.data.pages import slot_lengths
from reviewintent_jax.data.prepare import Prepared
from reviewintent_jax.data.splits import TEST, TRAIN, VALIDATION
from reviewintent_jax.evaluation.baselines import (
    majority_log_probabilities,
    tfidf_logistic_regression,
)
from reviewintent_jax.evaluation.calibration import fit_temperature, probabilities
from reviewintent_jax.evaluation.metrics import (
    classification_metrics,
    paired_difference,
)
from reviewintent_jax.schema import InputError, PageBatch


@dataclasses.dataclass(frozen=True)
class EvaluationSpec:
    """What is measured when training is over.

    Attributes:
      batch_pages: pages scored at a time, 1 or more.
      bootstrap_samples: resamples behind every interval; 0 = no intervals.
      baseline_max_rows: most training reviews the TF-IDF baseline is fitted on.
      seed: of the bootstrap and of the baseline's subsample.
    """

    batch_pages: int
    bootstrap_samples: int
    baseline_max_rows: int
    seed: int

    def __post_init__(self) -> None:
        if min(self.batch_pages, self.baseline_max_rows) < 1:
            raise InputError(
                "evaluation.batch_pages and baseline_max_rows must be 1 or more."
            )


ScoreStep = Callable[[Any, PageBatch], jax.Array]


def make_score_step(model: nn.Module) -> ScoreStep:
    """Jitted (params, batch) -> logits of every slot, float32 ``[b, k, y]``."""

    def score(params: Any, batch: PageBatch) -> jax.Array:
        output = model.apply({"params": params}, batch, deterministic=True)
        return output.logits_bky  # type: ignore[union-attr]

    return jax.jit(score)


def score_reviews(
    score: ScoreStep, params: Any, batches: Iterable[PageBatch], reviews: np.ndarray
) -> np.ndarray:
    """Logits ``[n, y]`` of ``reviews`` (ascending), from batches that hold them all.

    Results are read one batch late, so that the device never waits for the host.
    """
    logits: np.ndarray | None = None
    waiting: list[tuple[jax.Array, np.ndarray]] = []

    def collect() -> None:
        nonlocal logits
        result, review_bk = waiting.pop(0)
        result = np.asarray(result)
        if logits is None:
            logits = np.full((len(reviews), result.shape[-1]), np.nan, np.float32)
        filled = review_bk >= 0
        logits[np.searchsorted(reviews, review_bk[filled])] = result[filled]

    for batch in batches:
        waiting.append((score(params, batch), np.asarray(batch.review_bk)))
        if len(waiting) > 1:
            collect()
    while waiting:
        collect()
    if logits is None:
        raise InputError("There is not a single review to score.")
    return logits


def predict_split(
    score: ScoreStep,
    params: Any,
    prepared: Prepared,
    source: PageSource,
    reviews: np.ndarray,
    *,
    batch_pages: int,
) -> pd.DataFrame:
    """The table of predictions of some reviews, without their texts."""
    batches = prefetch(eval_batches(source, reviews, batch_pages=batch_pages), 4)
    logits = score_reviews(score, params, batches, reviews)
    ids = prepared.store.lengths()[reviews]
    table = {
        "review": reviews,
        "row": prepared.row_n[reviews],
        "label": prepared.label_n[reviews],
        "tokens": slot_lengths(ids, source.spec).slot_n,
    }
    columns = {f"logit_{y}": logits[:, y] for y in range(logits.shape[1])}
    return pd.DataFrame(table | columns)


def logits_of(table: pd.DataFrame) -> np.ndarray:
    """Logits ``[n, y]`` of a table of predictions."""
    columns = [name for name in table.columns if str(name).startswith("logit_")]
    return table[columns].to_numpy(np.float64)


def table_metrics(
    table: pd.DataFrame,
    classes: Sequence[str],
    *,
    temperature: float,
    spec: EvaluationSpec,
) -> dict[str, Any]:
    """All metrics of one table of predictions at a temperature."""
    return classification_metrics(
        probabilities(logits_of(table), temperature),
        table["label"].to_numpy(),
        classes,
        bootstrap_samples=spec.bootstrap_samples,
        seed=spec.seed,
    )


def model_metrics(
    validation: pd.DataFrame,
    test: pd.DataFrame,
    classes: Sequence[str],
    spec: EvaluationSpec,
) -> dict[str, Any]:
    """Scores of the model: temperature from validation, everything else on test."""
    temperature = fit_temperature(logits_of(validation), validation["label"].to_numpy())
    calibrated = table_metrics(test, classes, temperature=temperature, spec=spec)
    plain = dataclasses.replace(spec, bootstrap_samples=0)
    return {
        "temperature": temperature,
        "test": calibrated,
        "uncalibrated": table_metrics(test, classes, temperature=1.0, spec=spec),
        "validation": table_metrics(
            validation, classes, temperature=temperature, spec=plain
        ),
    }


class Baseline(NamedTuple):
    """What a baseline answers.

    Attributes:
      log_prob_ny: log probabilities of the test reviews.
      facts: how it was fitted, for the record.
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
    train, validation = prepared.reviews(TRAIN), prepared.reviews(VALIDATION)
    test = tested.reviews(TEST)
    label_n, classes = prepared.label_n, prepared.labels.classes
    fit_on = train
    if len(train) > spec.baseline_max_rows:
        rng = np.random.default_rng(spec.seed)
        fit_on = np.sort(rng.choice(train, spec.baseline_max_rows, replace=False))
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
    majority = majority_log_probabilities(label_n[train], len(classes), len(test))
    facts = {k: v for k, v in tfidf._asdict().items() if k != "log_prob"}
    return {
        "majority": Baseline(majority, {}),
        "tfidf_logistic_regression": Baseline(tfidf.log_prob, facts),
    }


def compare(
    model: dict[str, Any],
    table: pd.DataFrame,
    baselines: dict[str, Baseline],
    classes: Sequence[str],
    *,
    temperature: float,
    spec: EvaluationSpec,
) -> dict[str, Any]:
    """The model's scores beside those of its baselines on the same reviews.

    Returns ``systems`` (metrics of each) and ``differences`` (model minus baseline,
    with the interval of the difference, which is what "better" must be judged by).
    """
    label_n = table["label"].to_numpy()
    samples, seed = spec.bootstrap_samples, spec.seed
    prob_ny = probabilities(logits_of(table), temperature)
    systems, differences = {"model": model}, {}
    for name, baseline in baselines.items():
        baseline_ny = probabilities(baseline.log_prob_ny, 1.0)
        test = classification_metrics(
            baseline_ny, label_n, classes, bootstrap_samples=samples, seed=seed
        )
        systems[name] = {"test": test, **baseline.facts}
        differences[name] = {
            metric: paired_difference(
                prob_ny,
                baseline_ny,
                label_n,
                metric,
                bootstrap_samples=samples,
                seed=seed,
            )
            for metric in ("accuracy", "macro_f1", "auc")
        }
    return {"systems": systems, "differences": differences}
