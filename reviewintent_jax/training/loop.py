"""The loop: batches in, a trained model out; everything periodic happens here.

``step`` always means updates done. A run is a function of its config and data: started
again in the same folder with the same command it goes on from the newest checkpoint and
ends with bitwise the parameters of a run that was never stopped.
"""

import math
import time
from typing import Any, NamedTuple

from reviewintent_jax.data.batches import Position, prefetch
from reviewintent_jax.kept_traces import TRACED_ANEW, KeptTraces
from reviewintent_jax.schema import InputError, RunFolder
from reviewintent_jax.training import hosts
from reviewintent_jax.training.checkpoints import Checkpoints
from reviewintent_jax.training.files import Facts
from reviewintent_jax.training.logs import RunLog, SilentLog, open_log
from reviewintent_jax.training.placement import Placement, whole
from reviewintent_jax.training.state import TrainState, count_parameters
from reviewintent_jax.training.step import StepMetrics, TrainStep, make_train_step
from reviewintent_jax.training.stopping import StopRequest
from reviewintent_jax.training.task import LoopSpec, Task
from reviewintent_jax.training.tracker import FRESH, Tracker


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

    def facts(self, units: str, of_epoch: int, best_step: int) -> Facts:
        """How training went, for ``metrics.json``.

        Args:
          units: what was read, in the plural: reviews, windows.
          of_epoch: how many of them an epoch has.
          best_step: the update whose parameters are kept.
        """
        seen, seconds = self.tracker.seen, self.tracker.seconds
        return {
            "steps": int(self.state.step),
            "epochs": round(seen / max(of_epoch, 1), 2),
            "seconds": seconds,
            "best_step": best_step,
            units: seen,
            f"{units}_per_second": seen / max(seconds, 1e-9),
            "parameters": self.parameters,
        }


def due(step: int, every: int) -> bool:
    """Whether something that happens every ``every`` updates (0 = never) is due."""
    return every > 0 and step % every == 0


def train(task: Task, run: RunFolder, traces: KeptTraces = TRACED_ANEW) -> TrainResult:
    """Trains, or goes on training, until the epochs, the steps or patience end.

    After Ctrl-C or SIGTERM the update at hand is finished and saved.

    Args:
      task: what is learned.
      run: where checkpoints and the log are written.
      traces: where programs are looked for before they are traced.

    Raises:
      InputError: the loss is not finite (step, epoch and rows are named; the last
        checkpoint stays), or the folder holds another run.
      KeyboardInterrupt: after Ctrl-C.
      Preempted: after SIGTERM.
    """
    spec = task.train
    data = task.train_batches()
    placement = Placement(task.mesh)
    rows = placement.rows(data.size, spec.accumulate)
    validate = task.validation()
    total = data.items_within(spec.epochs, spec.max_steps)
    with Checkpoints(run, task.identity()) as checkpoints:
        blank = placement.put(data.blank(rows), rows)
        update, state, tracker = _begin(task, checkpoints, blank, traces)
        parameters = count_parameters(state.params)
        step = first = int(state.step)
        began, seconds = time.monotonic(), tracker.seconds
        stream = prefetch(data.batches(tracker.position, rows), spec.prefetch)
        progress = {"seen": tracker.seen, "total": total, "units": task.units}
        with open_log(run, step=step, **progress) as log, StopRequest() as stop:
            unread: _Update | None = None
            while not (_finished(spec, tracker, step) or stop.reached(step)):
                part, position, seen = next(stream)
                batch = placement.put(part, rows)
                state, metrics = update(state, batch)
                step += 1
                checkpoints.check_writes()
                if unread is not None:
                    _refuse_non_finite(unread, task)
                unread = _Update(step, position, batch, metrics)
                tracker = tracker._replace(
                    epoch=position.epoch,
                    page=position.page,
                    seen=tracker.seen + seen,
                    seconds=seconds + time.monotonic() - began,
                )
                log.advance(seen)
                if due(step, spec.log_every_steps) or step == first + 1:
                    epoch = log.seen / data.items
                    log.write("train", step, **_facts(metrics, task, step, epoch, log))
                epoch_ended = position.page == 0 and not spec.validate_every_steps
                validating = due(step, spec.validate_every_steps) or epoch_ended
                validating = validating or _ended(spec, tracker, step)
                if validating or due(step, spec.checkpoint_every_steps):
                    _refuse_non_finite(unread, task)
                    unread = None
                if validating:
                    scores = validate(state.params)
                    log.write("validation", step, **scores)
                    tracker, better = _judge(tracker, task.stop_score(scores), step)
                    if better:
                        checkpoints.save_best(state)
                if validating or due(step, spec.checkpoint_every_steps):
                    checkpoints.save(state, tracker)
            stream.close()  # type: ignore[attr-defined]
            if not _finished(spec, tracker, step):
                if unread is not None:
                    _refuse_non_finite(unread, task)
                checkpoints.save(state, tracker)
                checkpoints.wait()
                stop.leave(step)
    return TrainResult(state, tracker, parameters)


def _begin(
    task: Task, checkpoints: Checkpoints, batch: Any, traces: KeptTraces
) -> tuple[TrainStep, TrainState, Tracker]:
    """The update, on its way to be compiled, and the state that it goes on from.

    Args:
      task: what is learned.
      checkpoints: of the run.
      batch: any, as placed on the mesh.
      traces: where programs are looked for before they are traced.
    """
    optimizer, spec = task.make_optimizer(), task.train
    first = task.first_state(optimizer).kept(traces)
    update = make_train_step(task, optimizer, first.layout, accumulate=spec.accumulate)
    kept = checkpoints.restore(first.layout)
    if kept is not None:
        state, tracker = kept
        if not _finished(spec, tracker, int(state.step)):
            update.compile_ahead(first.layout, batch, traces)
        return update, state, tracker
    first.compile_ahead()
    update.compile_ahead(first.layout, batch, traces)
    return update, first.draw(), FRESH


def _ended(spec: LoopSpec, tracker: Tracker, step: int) -> bool:
    """Whether all epochs, or all steps, are done."""
    return tracker.epoch >= spec.epochs or (0 < spec.max_steps <= step)


def _finished(spec: LoopSpec, tracker: Tracker, step: int) -> bool:
    """Whether training is over, patience included."""
    return _ended(spec, tracker, step) or (0 < spec.patience <= tracker.stale)


class _Update(NamedTuple):
    """An update whose numbers have not been read yet; reading waits for the device."""

    step: int
    position: Position
    batch: Any
    metrics: StepMetrics


def _refuse_non_finite(update: _Update, task: Task) -> None:
    """Stops on a broken loss or gradient; called before any state after it is saved.

    It looks one update back, so that the device never waits for the host.
    """
    loss, norm = float(update.metrics.loss), float(update.metrics.gradient_norm)
    if math.isfinite(loss) and math.isfinite(norm):
        return
    where = task.describe_batch(whole(update.batch))
    rates = " and ".join(f"optimizer.{name}_rate" for name in task.rates(0))
    error = InputError(
        f"Training broke at step {update.step}: the loss is {loss} and the gradient "
        f"norm {norm} (the batch before page {update.position.page} of epoch "
        f"{update.position.epoch}).",
        where=where,
        fix=f"The last good checkpoint is intact. Lower {rates}, or set "
        "optimizer.clip_norm, in a new --workdir.",
    )
    hosts.raise_once(error)


def _facts(
    metrics: StepMetrics, task: Task, step: int, epoch: float, log: RunLog | SilentLog
) -> dict[str, float]:
    rates = task.rates(step - 1)  # while the device is still at the update
    figures = {name: float(value) for name, value in metrics.figures.items()}
    return {
        "epoch": epoch,
        "loss": float(metrics.loss),
        **figures,
        "gradient_norm": float(metrics.gradient_norm),
        **{f"learning_rate_{name}": rate for name, rate in rates.items()},
        f"{task.units}_per_second": log.rate,
    }


def _judge(tracker: Tracker, score: float, step: int) -> tuple[Tracker, bool]:
    """Updates best score and staleness; True when this is the best so far."""
    if tracker.best_score is None or score > tracker.best_score:
        return tracker._replace(best_score=score, best_step=step, stale=0), True
    return tracker._replace(stale=tracker.stale + 1), False
