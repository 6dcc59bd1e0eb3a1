"""Where measures are heading, as a task of the one loop: next values and directions."""

import dataclasses
import enum
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax.sharding import Mesh

from reviewintent_jax.data.labels import LabelMap
from reviewintent_jax.data.panel_rows import PanelSpec
from reviewintent_jax.data.panel_windows import (
    PanelBatch,
    PanelWindows,
)
from reviewintent_jax.data.splits import TRAIN, VALIDATION
from reviewintent_jax.evaluation.heading_baselines import HeadingEvaluationSpec
from reviewintent_jax.evaluation.heading_metrics import (
    Answer,
    heading_metrics,
)
from reviewintent_jax.evaluation.heading_summary import describe_rows
from reviewintent_jax.models.first_weights import FirstParameters
from reviewintent_jax.models.heading import Heading
from reviewintent_jax.schema import InputError
from reviewintent_jax.training.heading_answers import (
    answer_places,
    in_range,
    make_heading_step,
    truth_of,
)
from reviewintent_jax.training.losses import LossSums, Tally
from reviewintent_jax.training.optimizer import OptimizerSpec
from reviewintent_jax.training.sharding import describe_mesh
from reviewintent_jax.training.state import FirstState
from reviewintent_jax.training.task import Scores
from reviewintent_jax.training.window_task import WindowTask, WindowTrainSpec

_FORMAT = 1  # of what a checkpoint keeps beside the tensors


class HeadingStop(enum.StrEnum):
    """What "best" means on the validation split."""

    LOSS = "loss"  # the joint loss; smaller is better
    MAE = "mae"  # of values, in deviations; smaller is better
    ACCURACY = "accuracy"  # of directions, the mean over the measures
    MACRO_F1 = "macro_f1"  # the same


@dataclasses.dataclass(frozen=True)
class HeadingTrainSpec(WindowTrainSpec):
    """How long and how to train; see also :class:`~reviewintent_jax.training.
    window_task.WindowTrainSpec`.

    Attributes:
      value_weight: of the loss of values, 0 or more.
      direction_weight: of the cross-entropy of directions, 0 or more; not both 0.
      stop_metric: what early stopping and "best" look at.
    """

    value_weight: float
    direction_weight: float
    stop_metric: HeadingStop

    def __post_init__(self) -> None:
        super().__post_init__()
        weights = self.value_weight, self.direction_weight
        if min(weights) < 0 or max(weights) == 0:
            raise InputError(
                f"The weights of values and directions are {weights[0]} and "
                f"{weights[1]}; neither may be negative, nor both be 0.",
                where="fields train.value_weight, train.direction_weight",
            )


@dataclasses.dataclass(frozen=True, eq=False)
class HeadingExperiment(WindowTask):
    """A run on a panel, ready to start; a task of the loop.

    Attributes:
      name: of the experiment, for people.
      seed: decides order, dropout and first random weights.
      config: the whole config as plain values, for the record.
      data: which reviews.
      positive: which answers count as positive.
      windows: the panel, cut and scaled.
      model: the network.
      optimizer: of all parameters; ``head_rate`` is the one that counts.
      train: how long and how to train.
      evaluation: what is measured at the end.
      mesh: the devices it runs on, which may be others when it goes on.
    """

    name: str
    seed: int
    config: dict[str, Any]
    data: PanelSpec
    positive: LabelMap
    windows: PanelWindows
    model: Heading
    optimizer: OptimizerSpec
    train: HeadingTrainSpec
    evaluation: HeadingEvaluationSpec
    mesh: Mesh

    def describe(self) -> str:
        """What is about to happen, in a few lines for people."""
        facts, spec = self.windows.summary(), self.windows.spec
        unit = self.data.period
        splits = ", ".join(f"{v['windows']:,} {k}" for k, v in facts["splits"].items())
        test = facts["splits"]["test"]
        measures = ", ".join(self.windows.panel.measures)
        lines = [
            *describe_rows(facts, unit),
            f"Task: {spec.window} {unit}s -> {measures} {spec.horizon} {unit}(s) "
            f"later; windows: {splits}; tested on {test['from']} to {test['to']}",
            f"Model: LSTNet, fusion {self.model.spec.forecaster.lstnet.fusion}, "
            f"anchors {', '.join(self.model.spec.anchors)}; {self.train.loss} loss of "
            "values, cross-entropy of directions",
            *describe_mesh(self.mesh),
        ]
        return "\n".join(lines)

    def first_state(self, optimizer: optax.GradientTransformation) -> FirstState:
        """State before the first update."""
        batch = self.windows.batch(self.windows.targets(TRAIN)[:1], 1)

        def draw(key: jax.Array) -> Any:
            inputs = batch.value_bts, batch.length_b
            return self.model.init(key, *inputs, deterministic=True)["params"]

        params = FirstParameters(draw, self.seed)
        return FirstState(params, optimizer, self.mesh)

    def totals(self, batch: PanelBatch) -> jax.Array:
        """Known targets of a whole batch, 1 or more: what its losses are divided by."""
        return jnp.maximum(jnp.asarray(batch.known_bs).sum(), 1.0)

    def loss(
        self, params: Any, batch: PanelBatch, totals: jax.Array, key: jax.Array
    ) -> LossSums:
        """Weighted losses of values and directions over all known targets."""
        output: Any = self.model.apply(
            {"params": params},
            batch.value_bts,
            batch.length_b,
            deterministic=False,
            rngs={"dropout": key},
        )
        forecast_bs, direction_bsy, _ = output
        known_bs = jnp.asarray(batch.known_bs)
        label_bs = jnp.asarray(batch.direction_bs)
        error_bs = (forecast_bs - batch.target_bs) * known_bs
        # An unknown direction reads class 0 and weighs nothing.
        nats_bs = optax.softmax_cross_entropy_with_integer_labels(
            direction_bsy, jnp.maximum(label_bs, 0)
        )
        value = (self.train.loss.cost(error_bs) * known_bs).sum()
        direction = (nats_bs * known_bs).sum()
        hits_bs = (direction_bsy.argmax(-1) == label_bs) * known_bs
        weighted = self.train.value_weight * value
        weighted += self.train.direction_weight * direction
        known = known_bs.sum()
        return LossSums(
            weighted / totals,
            {
                "mae": Tally(jnp.abs(error_bs).sum(), known),
                "direction_loss": Tally(direction, known),
                "accuracy": Tally(hits_bs.sum(), known),
            },
        )

    def describe_batch(self, batch: PanelBatch) -> str:
        """Groups and periods that the batch forecasts."""
        row_n = np.asarray(batch.row_b)
        panel, row_n = self.windows.panel, row_n[row_n >= 0]
        listed = ", ".join(
            f"{panel.groups[self.windows.places.group_n[row]]} in "
            f"{panel.name(int(self.windows.target_n[row]))}"
            for row in row_n[:20]
        )
        return f"forecasts of {listed}" + " ..." * (len(row_n) > 20)

    def validation(self) -> Callable[[Any], Scores]:
        """Returns params -> scores on the validation split."""
        windows, row_n = self.windows, self.windows.targets(VALIDATION)
        step = make_heading_step(self.model, self.mesh)
        batch = windows.batch(row_n, len(row_n))
        known_ns = np.asarray(batch.known_bs, np.float64)
        truth = truth_of(windows, row_n)

        def validate(params: Any) -> Scores:
            scaled_ns, logits_nsy = answer_places(
                step,
                params,
                windows.reader,
                windows.scale,
                windows.some(row_n),
                self.evaluation.batch_windows,
            )
            error_ns = (scaled_ns - batch.target_bs) * known_ns
            value = float(self.train.loss.cost(error_ns).sum() / known_ns.sum())
            nats_ns = -_log_softmax(logits_nsy)
            label_ns1 = np.maximum(batch.direction_bs, 0)[..., None]
            nats_ns = np.take_along_axis(nats_ns, label_ns1, -1)[..., 0]
            direction = float((nats_ns * known_ns).sum() / known_ns.sum())
            forecast_ns = in_range(
                windows.scale.back(scaled_ns), windows.panel.measures
            )
            said = Answer(forecast_ns, np.exp(_log_softmax(logits_nsy)))
            scores = heading_metrics(truth, said, samples=0, seed=self.seed)
            return {
                "loss": self.train.value_weight * value
                + self.train.direction_weight * direction,
                "mae": float(np.abs(error_ns).sum() / known_ns.sum()),
                "direction_loss": direction,
                "skill": _mean(scores["values"], "skill"),
                "accuracy": _mean(scores["directions"], "accuracy"),
                "macro_f1": _mean(scores["directions"], "macro_f1"),
            }

        return validate

    def stop_score(self, scores: Scores) -> float:
        """What "best" means: larger is better."""
        metric = self.train.stop_metric
        score = scores[metric.value]
        if score is None:
            raise InputError(
                f"The score {metric.value!r} cannot be computed on validation.",
                fix="Choose train.stop_metric=loss.",
            )
        return -score if metric in (HeadingStop.LOSS, HeadingStop.MAE) else score

    def identity(self) -> dict[str, Any]:
        """What must stay the same for a run to be resumed."""
        return {
            "task": "heading",
            "format": _FORMAT,
            "seed": self.seed,
            "model": dataclasses.asdict(self.model.spec),
            "windows": dataclasses.asdict(self.windows.spec),
            "batch_windows": self.batch_windows,
            "optimizer": dataclasses.asdict(self.optimizer),
            "accumulate": self.train.accumulate,
            "loss": self.train.loss,
            "value_weight": self.train.value_weight,
            "direction_weight": self.train.direction_weight,
            "stop_metric": self.train.stop_metric,
            "reviews": self.windows.panel.fingerprint(),
        }


def _log_softmax(logits_nsy: np.ndarray) -> np.ndarray:
    shifted = logits_nsy - logits_nsy.max(-1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(-1, keepdims=True))


def _mean(by_measure: dict[str, Any], score: str) -> float | None:
    """Mean over the measures that have the score."""
    values = [each[score]["value"] for each in by_measure.values()]
    known = [value for value in values if value is not None]
    return float(np.mean(known)) if known else None
