"""What a run leaves behind: tables of predictions, ``metrics.json``, ``model.json``.

In: a trained model and prepared data. Out: files in the run's folder, from which the
report is written and the model can score on its own.
"""

import dataclasses
import datetime
import hashlib
import json
import logging
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from reviewintent_jax.data.duplicates import fold
from reviewintent_jax.data.prepare import Prepared, prepare_for_scoring
from reviewintent_jax.data.progress import Progress
from reviewintent_jax.data.splits import (
    SPLIT_NAMES,
    TEST,
    TRAIN,
    VALIDATION,
)
from reviewintent_jax.evaluation.evaluate import (
    Baseline,
    EvaluationSpec,
    add_system,
    compare,
    fit_baselines,
    has_system,
    log_probabilities_of,
    model_metrics,
    table_metrics,
)
from reviewintent_jax.evaluation.scoring import ReviewLogits, review_table
from reviewintent_jax.evaluation.slices import score_slices
from reviewintent_jax.schema import InputError, RunFolder
from reviewintent_jax.training import hosts
from reviewintent_jax.training.checkpoints import restore_best
from reviewintent_jax.training.data_facts import best_achievable, data_summary
from reviewintent_jax.training.experiment import Experiment
from reviewintent_jax.training.files import Facts, write_json, write_table
from reviewintent_jax.training.intention_outcome import (
    begin_intention,
    score_intention,
)
from reviewintent_jax.training.loop import TrainResult
from reviewintent_jax.training.trained import Trained

PEER = "pytorch_fine_tune"
"""The system that ``launch.compare`` trains, by its name in the results."""

_CHUNK = 10_000  # texts read at a time

log = logging.getLogger("reviewintent")


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
        threshold=None,
        intention=begin_intention(experiment),
        words=experiment.words,
        data=experiment.data,
        evaluation=experiment.evaluation,
        mesh=experiment.mesh,
    )
    context = {
        "name": experiment.name,
        "training": result.facts(
            experiment.units, len(experiment.prepared.reviews(TRAIN)), step
        ),
        "environment": environment,
        "config": experiment.config,
        "systems": _stored_peer(run),
    }
    return evaluate_own(trained, experiment.prepared, run, context)


def evaluate_own(
    trained: Trained, prepared: Prepared, run: RunFolder, context: Facts
) -> Facts:
    """Scores the test split of a run, chooses its temperature, writes all of it.

    ``context`` holds what does not depend on the predictions (name, training, config).
    A peer that ``launch.compare`` scored on the same split stays beside the model.
    """
    sides = VALIDATION, TEST
    said = {split: _say(trained, prepared, split) for split in sides}
    if not hosts.is_first():  # who was needed for the scoring alone
        return context
    metrics = context | _results(trained, prepared)
    facts = {"labels": trained.labels.to_dict(), "step": trained.step}
    if trained.labels.classes:
        peer = context.get("systems", {}).get(PEER)
        chosen, compared = _own_sentiment(trained, prepared, said, run, peer)
        metrics |= chosen | compared
        facts |= chosen
        trained = trained._replace(**chosen)
    if trained.intention is not None:
        section = score_intention(trained, prepared, prepared, said, run)
        metrics["intention"] = section
        found = {name: section[name] for name in ("temperature", "threshold")}
        facts["intention"] = dataclasses.replace(trained.intention, **found).to_dict()
    write_json(run.model, facts)
    write_json(run.metrics, metrics)
    return metrics


def _own_sentiment(
    trained: Trained,
    prepared: Prepared,
    said: Mapping[int, ReviewLogits],
    run: RunFolder,
    peer: Facts | None,
) -> tuple[Facts, Facts]:
    """Writes the tables of sentiment; returns what was chosen, and all scores."""
    classes, spec = trained.labels.classes, trained.evaluation
    tables = {
        split: _table(trained, prepared, split, logits)
        for split, logits in said.items()
    }
    tested = prepared.labelled(TEST)
    tables[TEST]["text"] = prepared.texts(tested)
    column = trained.data.source.slice
    if column:
        tables[TEST]["slice"] = prepared.slices(tested)
    others = _add_baselines(tables[TEST], fit_baselines(prepared, prepared, spec))
    if peer and _keep_peer(tables[TEST], run, classes):
        others[PEER] = {k: v for k, v in peer.items() if k != "test"}
    for split, table in tables.items():
        write_table(run.predictions(SPLIT_NAMES[split]), table)
    model = model_metrics(tables[VALIDATION], tables[TEST], classes, spec)
    chosen = {name: model.pop(name) for name in ("temperature", "threshold")}
    compared = compare(model, tables[TEST], others, classes, **chosen, spec=spec)
    if column:
        scored = score_slices(tables[TEST], others, classes, **chosen, spec=spec)
        compared["slices"] = {"column": column, "values": scored}
    if peer and PEER not in others:
        log.warning(
            "The answers of %s are not in the table of predictions, so its scores are "
            "kept as they were; launch.compare measures it again.",
            PEER,
        )
        compared["systems"][PEER] = peer
    return chosen, compared


def add_peer(
    run: RunFolder, reviews: np.ndarray, peer: Baseline, spec: EvaluationSpec
) -> Facts:
    """Sets one more system beside the model of an evaluated run; returns all metrics.

    Its answers become columns of the table of test predictions, its scores are
    computed from there.

    Args:
      run: the run's folder.
      reviews: the reviews that the peer answered, in its order.
      peer: its answers, and how it was fitted.
      spec: of the run.

    Raises:
      InputError: the table holds other reviews than the peer answered.
    """
    metrics = json.loads(run.metrics.read_text("utf-8"))
    table = pd.read_parquet(run.predictions("test"))
    if not np.array_equal(table["review"], reviews):
        raise InputError(
            "The table of predictions holds other reviews than the test split.",
            where=str(run.predictions("test")),
            fix=f"Evaluate the run again: python -m launch.evaluate "
            f"--workdir={run.root}",
        )
    add_system(table, PEER, peer.log_prob_ny)
    compared = compare(
        metrics["systems"]["model"],
        table,
        {PEER: peer.facts},
        metrics["classes"],
        temperature=metrics["temperature"],
        threshold=metrics.get("threshold"),  # absent from runs of earlier versions
        spec=spec,
    )
    write_table(run.predictions("test"), table)
    for part, found in compared.items():
        metrics[part] |= found
    write_json(run.metrics, metrics)
    return metrics


def _stored_peer(run: RunFolder) -> Facts:
    """The peer of a run that was finished before; training again does not touch it."""
    try:
        systems = json.loads(run.metrics.read_text("utf-8"))["systems"]
    except (OSError, ValueError, KeyError):
        return {}
    return {PEER: systems[PEER]} if PEER in systems else {}


def _add_baselines(table: pd.DataFrame, baselines: dict[str, Baseline]) -> Facts:
    """Writes the answers of baselines into the table; returns their facts."""
    for name, baseline in baselines.items():
        add_system(table, name, baseline.log_prob_ny)
    return {name: baseline.facts for name, baseline in baselines.items()}


def _keep_peer(table: pd.DataFrame, run: RunFolder, classes: Sequence[str]) -> bool:
    """Takes the peer's answers over from the run's last table, if it has them."""
    path = run.predictions("test")
    last = pd.read_parquet(path) if path.is_file() else table
    if not has_system(last, PEER) or not last["review"].equals(table["review"]):
        return False
    add_system(table, PEER, log_probabilities_of(last, PEER, classes))
    return True


def evaluate_other(
    trained: Trained,
    prepared: Prepared,
    data: Any,
    folder: RunFolder,
    context: Facts,
) -> Facts:
    """Scores another labelled source; writes to ``folder`` and leaves the run as it is.

    Args:
      trained: the model; its temperature, threshold and labels are kept.
      prepared: the run's own data, on which the baselines are fitted.
      data: :class:`~reviewintent_jax.data.prepare.DataSpec` of the other source.
      folder: where results go.
      context: see :func:`evaluate_own`.
    """
    asked = trained.intention
    other = prepare_for_scoring(
        data,
        trained.tokenizer,
        trained.labels,
        folder,
        intention_labels=None if asked is None else asked.labels,
    )
    said = {TEST: _say(trained, other, TEST)}
    metrics = context | _results(trained, other)
    metrics.pop("slices", None)  # of the run's own data
    metrics["evaluated"] = {
        "path": data.source.path,
        "reviews": len(other.reviews(TEST)),
        "seen": count_seen(prepared, other.texts(other.reviews(TEST))),
    }
    if trained.labels.classes:
        column = data.source.slice
        given = trained, prepared, other, said[TEST], folder, column
        metrics |= _other_sentiment(*given)
    metrics.pop("intention", None)  # of the run's own data
    if asked is not None and len(other.anchors(TEST)):
        said[VALIDATION] = _say(trained, prepared, VALIDATION)
        metrics["intention"] = score_intention(trained, prepared, other, said, folder)
    write_json(folder.metrics, metrics)
    return metrics


def _other_sentiment(
    trained: Trained,
    prepared: Prepared,
    other: Prepared,
    said: ReviewLogits,
    folder: RunFolder,
    column: str,
) -> Facts:
    """Writes the table of sentiment of another source; returns all scores.

    ``column`` is the one it is scored apart by; '' = none.

    Raises:
      InputError: the other source has no label of sentiment.
    """
    if not len(other.labelled(TEST)):
        raise InputError(
            "No row carries a label of sentiment that the model knows.",
            fix=f"It knows: {trained.labels.describe()}",
        )
    table = _table(trained, other, TEST, said)
    table["text"] = other.texts(other.labelled(TEST))
    if column:
        table["slice"] = other.slices(other.labelled(TEST))
    spec, classes = trained.evaluation, trained.labels.classes
    others = _add_baselines(table, fit_baselines(prepared, other, spec))
    write_table(folder.predictions("test"), table)
    chosen: Facts = {
        "temperature": trained.temperature,
        "threshold": trained.threshold,
    }
    before: Facts = {"temperature": 1.0, "threshold": None}
    model = {
        "test": table_metrics(table, classes, **chosen, spec=spec),
        "uncalibrated": table_metrics(table, classes, **before, spec=spec),
    }
    compared = compare(model, table, others, classes, **chosen, spec=spec)
    if column:
        scored = score_slices(table, others, classes, **chosen, spec=spec)
        compared["slices"] = {"column": column, "values": scored}
    return chosen | compared


def count_seen(prepared: Prepared, texts: Iterable[str]) -> int:
    """How many of ``texts`` are among those the model was trained or tuned on.

    Texts are compared as duplicates are: without case, spacing and punctuation.
    """
    seen: set[bytes] = set()
    for split in (TRAIN, VALIDATION):
        reviews = prepared.reviews(split)
        for begin in range(0, len(reviews), _CHUNK):
            some = prepared.texts(reviews[begin : begin + _CHUNK])
            seen.update(map(_digest, some))
    return sum(_digest(text) in seen for text in texts)


def _digest(text: str) -> bytes:
    return hashlib.blake2b(fold(text).encode(), digest_size=16).digest()


def _results(trained: Trained, prepared: Prepared) -> Facts:
    """The part of ``metrics.json`` that depends on the data."""
    now = datetime.datetime.now(datetime.UTC)
    return {
        "classes": list(trained.labels.classes),
        "model_title": trained.model.spec.title,
        "created": now.isoformat(timespec="seconds"),
        "label_map": prepared.labels.describe() if prepared.labels.classes else "",
        "data": data_summary(prepared, trained.pages),
        "best_possible": best_achievable(prepared),
    }


def _say(trained: Trained, prepared: Prepared, split: int) -> ReviewLogits:
    """Logits of one split, with a bar on a terminal and a few lines elsewhere."""
    reviews = prepared.reviews(split)
    what = f"Scoring {SPLIT_NAMES[split]}"
    with Progress(what, "reviews", total=len(reviews)) as bar:
        return trained.logits(prepared, reviews, bar)


def _table(
    trained: Trained, prepared: Prepared, split: int, said: ReviewLogits
) -> pd.DataFrame:
    """Predictions of sentiment of the reviews of a split that have a label."""
    reviews = prepared.labelled(split)
    logits_ny = said.sentiment_ny[np.searchsorted(prepared.reviews(split), reviews)]
    return review_table(prepared, trained.pages, reviews, logits_ny)
