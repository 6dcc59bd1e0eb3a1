"""The loop: batches in, a trained model out; everything periodic happens here.

``step`` always means updates done. A run is a function of its config and data: started
again in the same folder with the same command it goes on from the newest checkpoint and
ends with bitwise the parameters of a run that was never stopped.
"""

import math
import time
from typing import Any, NamedTuple

import numpy as np

from reviewintent_jax.data.batches import Position, prefetch
from reviewintent_jax.data.splits import TRAIN, VALIDATION
from reviewintent_jax.evaluation.calibration import probabilities
from reviewintent_jax.evaluation.evaluate import (
    logits_of,
    make_score_step,
    predict_split,
)
from reviewintent_jax.evaluation.metrics import classification_metrics
from reviewintent_jax.schema import NO_LABEL, InputError, PageBatch, RunFolder
from reviewintent_jax.training.checkpoints import Checkpoints, Tracker
from reviewintent_jax.training.experiment import Experiment, StopMetric
from reviewintent_jax.training.logs import RunLog
from reviewintent_jax.training.optimizer import rate_at
from reviewintent_jax.training.state import TrainState, count_parameters
from reviewintent_jax.training.step import StepMetrics, make_train_step


class TrainResult(NamedTuple):
    """How training went.

    Attributes:
      state: the last state.
      tracker: the last tracker.
      parameters: numbers of parameters of each part.
    """

    state: TrainState
    tracker: Tracker
    parameters: dict[str, int]


def due(step: int, every: int) -> bool:
    """Whether something that happens every ``every`` updates (0 = never) is due."""
    return every > 0 and step % every == 0


def train(experiment: Experiment, run: RunFolder) -> TrainResult:
    """Trains, or goes on training, until the epochs, the steps or patience end.

    Raises:
      InputError: the loss is not finite (step, epoch and reviews are named; the last
        checkpoint stays), or the folder holds another run.
    """
    spec = experiment.train
    optimizer = experiment.make_optimizer()
    batches = experiment.train_batches()
    update = make_train_step(
        experiment.model,
        optimizer,
        seed=experiment.seed,
        accumulate=spec.accumulate,
        label_smoothing=spec.label_smoothing,
    )
    validate = _make_validation(experiment)
    total = batches.reviews_within(spec.epochs, spec.max_steps)
    with Checkpoints(run, experiment.identity()) as checkpoints:
        state, tracker = checkpoints.restore(experiment.init_state(optimizer))
        parameters = count_parameters(state.params)
        step = first = int(state.step)
        began, seconds = time.monotonic(), tracker.seconds
        stream = prefetch(batches.batches(tracker.position), spec.prefetch)
        with RunLog(run, step=step, seen=tracker.reviews, total=total) as log:
            unread: _Update | None = None
            while not _finished(spec, tracker, step):
                batch, position = next(stream)
                state, metrics = update(state, batch)
                step += 1
                if unread is not None:
                    _refuse_non_finite(unread, experiment)
                unread = _Update(step, position, batch, metrics)
                seen = int(np.sum(batch.label_bk != NO_LABEL))
                tracker = tracker._replace(
                    epoch=position.epoch,
                    page=position.page,
                    reviews=tracker.reviews + seen,
                    seconds=seconds + time.monotonic() - began,
                )
                log.advance(seen)
                if due(step, spec.log_every_steps) or step == first + 1:
                    log.write("train", step, **_facts(metrics, experiment, step, log))
                epoch_ended = position.page == 0 and not spec.validate_every_steps
                validating = due(step, spec.validate_every_steps) or epoch_ended
                validating = validating or _ended(spec, tracker, step)
                if validating or due(step, spec.checkpoint_every_steps):
                    _refuse_non_finite(unread, experiment)
                    unread = None
                if validating:
                    scores = validate(state.params)
                    log.write("validation", step, **scores)
                    tracker, better = _judge(tracker, scores, spec.stop_metric, step)
                    if better:
                        checkpoints.save_best(state)
                if validating or due(step, spec.checkpoint_every_steps):
                    checkpoints.save(state, tracker)
            stream.close()  # type: ignore[attr-defined]
    return TrainResult(state, tracker, parameters)


def _ended(spec: Any, tracker: Tracker, step: int) -> bool:
    """Whether all epochs, or all steps, are done."""
    return tracker.epoch >= spec.epochs or (0 < spec.max_steps <= step)


def _finished(spec: Any, tracker: Tracker, step: int) -> bool:
    """Whether training is over, patience included."""
    return _ended(spec, tracker, step) or (0 < spec.patience <= tracker.stale)


class _Update(NamedTuple):
    """An update whose numbers have not been read yet; reading waits for the device."""

    step: int
    position: Position
    batch: PageBatch
    metrics: StepMetrics


def _refuse_non_finite(update: _Update, experiment: Experiment) -> None:
    """Stops on a broken loss or gradient; called before any state after it is saved.

    It looks one update back, so that the device never waits for the host.
    """
    loss, norm = float(update.metrics.loss), float(update.metrics.gradient_norm)
    if math.isfinite(loss) and math.isfinite(norm):
        return
    review_bk = np.asarray(update.batch.review_bk)
    rows = experiment.prepared.row_n[review_bk[review_bk >= 0]]
    listed = ", ".join(str(row) for row in rows[:40]) + (" ..." * (len(rows) > 40))
    raise InputError(
        f"Training broke at step {update.step}: the loss is {loss} and the gradient "
        f"norm {norm} (the batch before page {update.position.page} of epoch "
        f"{update.position.epoch}).",
        where=f"rows {listed} of the source (counted from 0)",
        fix="The last good checkpoint is intact. Lower optimizer.head_rate and "
        "optimizer.encoder_rate, or set optimizer.clip_norm, in a new --workdir.",
    )


def _facts(
    metrics: StepMetrics, experiment: Experiment, step: int, log: RunLog
) -> dict[str, float]:
    spec = experiment.optimizer
    reviews = len(experiment.prepared.reviews(TRAIN))
    return {
        "epoch": log.seen / reviews,
        "loss": float(metrics.loss),
        "accuracy": float(metrics.accuracy),
        "gradient_norm": float(metrics.gradient_norm),
        "learning_rate_encoder": rate_at(spec.encoder_rate, spec, step - 1),
        "learning_rate_head": rate_at(spec.head_rate, spec, step - 1),
        "reviews_per_second": log.rate,
    }


def _make_validation(experiment: Experiment) -> Any:
    """Returns params -> scores on the validation split."""
    prepared, source = experiment.prepared, experiment.page_source()
    reviews = prepared.reviews(VALIDATION)
    score = make_score_step(experiment.model)

    def validate(params: Any) -> dict[str, float | None]:
        table = predict_split(
            score,
            params,
            prepared,
            source,
            reviews,
            batch_pages=experiment.evaluation.batch_pages,
        )
        metrics = classification_metrics(
            probabilities(logits_of(table), 1.0),
            table["label"].to_numpy(),
            experiment.classes,
            bootstrap_samples=0,
            seed=0,
        )
        names = {"loss": "log_loss", "accuracy": "accuracy"}
        names |= {"macro_f1": "macro_f1", "auc": "auc"}
        return {name: metrics[key]["value"] for name, key in names.items()}

    return validate


def _judge(
    tracker: Tracker, scores: dict[str, Any], metric: StopMetric, step: int
) -> tuple[Tracker, bool]:
    """Updates best score and staleness; True when this is the best so far."""
    score = scores[metric.value]
    if score is None:
        raise InputError(
            f"The score {metric.value!r} cannot be computed on the validation split, "
            "which holds one class only.",
            fix="Choose another train.stop_metric or a larger validation split.",
        )
    score = -score if metric == StopMetric.LOSS else score
    if tracker.best_score is None or score > tracker.best_score:
        return tracker._replace(best_score=score, best_step=step, stale=0), True
    return tracker._replace(stale=tracker.stale + 1), False
