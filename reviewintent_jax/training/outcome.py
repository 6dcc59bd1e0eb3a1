"""What a run leaves behind: tables of predictions, ``metrics.json``, ``model.json``.

In: a trained model and prepared data. Out: files in the run's folder, from which the
report is written and the model can score on its own.
"""

import datetime
import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from reviewintent_jax.data.batches import PageSource
from reviewintent_jax.data.bazaar import best_possible
from reviewintent_jax.data.pages import PageSpec, ReviewFields, slot_lengths
from reviewintent_jax.data.prepare import Prepared, prepare_for_scoring
from reviewintent_jax.data.splits import SET_ASIDE, SPLIT_NAMES, TEST, VALIDATION
from reviewintent_jax.evaluation.evaluate import (
    compare,
    fit_baselines,
    make_score_step,
    model_metrics,
    predict_split,
    table_metrics,
)
from reviewintent_jax.schema import RunFolder
from reviewintent_jax.training.checkpoints import restore_best
from reviewintent_jax.training.experiment import Experiment, Trained
from reviewintent_jax.training.loop import TrainResult

Facts = dict[str, Any]
"""Part of ``metrics.json``: plain JSON values."""


def write_outcome(
    experiment: Experiment, result: TrainResult, run: RunFolder, environment: Facts
) -> Facts:
    """Scores the best parameters and the baselines; writes and returns all metrics."""
    params, step = restore_best(run, result.state.params)
    trained = Trained(
        model=experiment.model,
        params=params,
        step=step,
        tokenizer=experiment.tokenizer,
        pages=experiment.pages,
        labels=experiment.prepared.labels,
        temperature=1.0,
        data=experiment.data,
        evaluation=experiment.evaluation,
    )
    context = {
        "name": experiment.name,
        "training": _training(result, step),
        "environment": environment,
        "config": experiment.config,
    }
    return evaluate_own(trained, experiment.prepared, run, context)


def evaluate_own(
    trained: Trained, prepared: Prepared, run: RunFolder, context: Facts
) -> Facts:
    """Scores the test split of a run, chooses its temperature, writes all of it.

    ``context`` holds what does not depend on the predictions (name, training, config).
    """
    tables = {split: _table(trained, prepared, split) for split in (VALIDATION, TEST)}
    tables[TEST]["text"] = prepared.texts(prepared.reviews(TEST))
    for split, table in tables.items():
        table.to_parquet(run.predictions(SPLIT_NAMES[split]), index=False)
    spec = trained.evaluation
    model = model_metrics(
        tables[VALIDATION], tables[TEST], trained.labels.classes, spec
    )
    temperature = model.pop("temperature")
    compared = compare(
        model,
        tables[TEST],
        fit_baselines(prepared, prepared, spec),
        trained.labels.classes,
        temperature=temperature,
        spec=spec,
    )
    metrics = context | _results(trained, prepared, temperature) | compared
    peer = context.get("systems", {}).get("pytorch_fine_tune")
    if peer:  # scored on the same split by launch.compare; it does not change
        metrics["systems"]["pytorch_fine_tune"] = peer
    facts = {"labels": trained.labels.to_dict(), "temperature": temperature}
    write_json(run.model, facts | {"step": trained.step})
    write_json(run.metrics, metrics)
    return metrics


def evaluate_other(
    trained: Trained,
    prepared: Prepared,
    data: Any,
    folder: RunFolder,
    context: Facts,
) -> Facts:
    """Scores another labelled source; writes to ``folder`` and leaves the run as it is.

    Args:
      trained: the model; its temperature and labels are kept.
      prepared: the run's own data, on which the baselines are fitted.
      data: :class:`~reviewintent_jax.data.prepare.DataSpec` of the other source.
      folder: where results go.
      context: see :func:`evaluate_own`.
    """
    other = prepare_for_scoring(data, trained.tokenizer, trained.labels, folder)
    table = _table(trained, other, TEST)
    table["text"] = other.texts(other.reviews(TEST))
    table.to_parquet(folder.predictions("test"), index=False)
    spec, classes = trained.evaluation, trained.labels.classes

    def at(temperature: float) -> Facts:
        return table_metrics(table, classes, temperature=temperature, spec=spec)

    compared = compare(
        {"test": at(trained.temperature), "uncalibrated": at(1.0)},
        table,
        fit_baselines(prepared, other, spec),
        classes,
        temperature=trained.temperature,
        spec=spec,
    )
    metrics = context | _results(trained, other, trained.temperature) | compared
    write_json(folder.metrics, metrics)
    return metrics


def _results(trained: Trained, prepared: Prepared, temperature: float) -> Facts:
    """The part of ``metrics.json`` that depends on data and predictions."""
    now = datetime.datetime.now(datetime.UTC)
    return {
        "classes": list(trained.labels.classes),
        "created": now.isoformat(timespec="seconds"),
        "label_map": prepared.labels.describe(),
        "data": data_summary(prepared, trained.pages),
        "temperature": temperature,
        "best_possible": _best_achievable(prepared),
    }


def _table(trained: Trained, prepared: Prepared, split: int) -> pd.DataFrame:
    """Predictions of one split."""
    weight_n = np.ones(len(prepared.label_n), np.float32)
    source = PageSource(
        prepared.store,
        ReviewFields(prepared.label_n, weight_n),
        trained.tokenizer.special,
        trained.pages,
    )
    return predict_split(
        make_score_step(trained.model),
        trained.params,
        prepared,
        source,
        prepared.reviews(split),
        batch_pages=trained.evaluation.batch_pages,
    )


def data_summary(prepared: Prepared, pages: PageSpec) -> Facts:
    """Counts of the data and the lengths of the reviews that were used."""
    counts = prepared.store.lengths()[prepared.split_n != SET_ASIDE]
    lengths = slot_lengths(counts, pages)
    # Lengths before the cut: what the histogram and the cap beside it are about.
    whole = counts + (lengths.slot_n - lengths.kept_n)
    top = int(np.percentile(whole, 99.5)) + 1
    width = max(1, -(-top // 40))  # whole tokens, or the bars would look like a comb
    edges = np.arange(0, top + width + 1, width)
    histogram, edges = np.histogram(np.minimum(whole, top), bins=edges)
    return prepared.summary | {
        "tokens": {
            "mean": float(whole.mean()),
            "median": float(np.median(whole)),
            "p95": float(np.percentile(whole, 95)),
            "max": int(whole.max()),
            "cap": pages.max_tokens,
            "cut_reviews": int((counts > lengths.kept_n).sum()),
            "cut_tokens": int((counts - lengths.kept_n).sum()),
            "histogram": {"edges": edges.tolist(), "counts": histogram.tolist()},
        }
    }


def _best_achievable(prepared: Prepared) -> Facts | None:
    """Scores of the rule that knows how the built-in shop works, on the test split."""
    test = prepared.reviews(TEST)
    truth = prepared.truth_n[test]
    if len(prepared.labels.classes) != 2 or np.isnan(truth).any():
        return None
    return best_possible(truth, prepared.label_n[test])


def _training(result: TrainResult, best_step: int) -> Facts:
    tracker = result.tracker
    return {
        "steps": int(result.state.step),
        "epochs": tracker.epoch,
        "seconds": tracker.seconds,
        "best_step": best_step,
        "reviews": tracker.reviews,
        "reviews_per_second": tracker.reviews / max(tracker.seconds, 1e-9),
        "parameters": result.parameters,
    }


def write_json(path: Path, values: Any) -> None:
    """Writes JSON under a temporary name and renames it, so that it is never half."""
    part = path.with_name(path.name + ".part")
    part.write_text(json.dumps(values, indent=2, ensure_ascii=False) + "\n", "utf-8")
    part.replace(path)
