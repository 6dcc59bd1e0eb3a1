"""MSDP-Net as a task of the one loop: whether, how much and when, from cases."""

import dataclasses
import enum
from collections.abc import Callable
from typing import Any

import jax
import numpy as np
import optax
from jax.sharding import Mesh
from sklearn.metrics import roc_auc_score

from reviewintent_jax.data.msdp_features import MsdpData
from reviewintent_jax.data.msdp_specs import SOURCES
from reviewintent_jax.data.splits import TRAIN, VALIDATION
from reviewintent_jax.evaluation.msdp_baselines import MsdpEvaluationSpec
from reviewintent_jax.evaluation.msdp_summary import late_lines
from reviewintent_jax.models.first_weights import FirstParameters
from reviewintent_jax.models.msdp_net import MsdpNet, MsdpOutput
from reviewintent_jax.schema import CaseBatch, InputError
from reviewintent_jax.training.losses import LossSums
from reviewintent_jax.training.msdp_answers import (
    Logits,
    answer_cases,
    make_msdp_step,
)
from reviewintent_jax.training.msdp_losses import (
    CaseTotals,
    MsdpLossSpec,
    case_totals,
    msdp_loss,
    msdp_parameters,
)
from reviewintent_jax.training.optimizer import OptimizerSpec
from reviewintent_jax.training.sharding import describe_mesh
from reviewintent_jax.training.state import FirstState
from reviewintent_jax.training.task import Scores
from reviewintent_jax.training.window_task import BatchTrainSpec, WindowTask

_FORMAT = 1  # of what a checkpoint keeps beside the tensors


class MsdpStop(enum.StrEnum):
    """What "best" means on the validation split."""

    LOSS = "loss"  # the sum of what each task costs, by the fixed weights; smaller
    AUC = "auc"  # of the intent; larger


@dataclasses.dataclass(frozen=True)
class MsdpTrainSpec(BatchTrainSpec):
    """How long and how to train.

    Attributes:
      stop_metric: what early stopping and "best" look at.
    """

    stop_metric: MsdpStop


@dataclasses.dataclass(frozen=True, eq=False)
class MsdpExperiment(WindowTask):
    """A run on cases, ready to start; a task of the loop.

    Attributes:
      name: of the experiment, for people.
      seed: decides order, dropout and first random weights.
      config: the whole config as plain values, for the record.
      windows: the cases, as the network reads them.
      model: the network.
      loss_spec: how the losses become one.
      optimizer: of all parameters; ``head_rate`` is the one that counts.
      train: how long and how to train.
      evaluation: what is measured at the end.
      mesh: the devices it runs on, which may be others when it goes on.
    """

    name: str
    seed: int
    config: dict[str, Any]
    windows: MsdpData
    model: MsdpNet
    loss_spec: MsdpLossSpec
    optimizer: OptimizerSpec
    train: MsdpTrainSpec
    evaluation: MsdpEvaluationSpec
    mesh: Mesh

    @property
    def units(self) -> str:
        """What is counted."""
        return "cases"

    @property
    def tasks(self) -> tuple[str, ...]:
        """Which of intent, value and time are asked."""
        return self.windows.schema.targets.tasks

    @property
    def sources(self) -> tuple[str, ...]:
        """Which sources the network reads."""
        used = zip(SOURCES, self.model.spec.use, strict=True)
        return tuple(name for name, use in used if use)

    def alone(self, source: str) -> "MsdpExperiment":
        """The same experiment on one source, for the ablation."""
        use = tuple(name == source for name in SOURCES)
        spec = dataclasses.replace(self.model.spec, use=use)
        return dataclasses.replace(
            self, name=f"{self.name}, {source} alone", model=MsdpNet(spec)
        )

    def describe(self) -> str:
        """What is about to happen, in a few lines for people."""
        facts, targets = self.windows.cases.facts, self.windows.schema.targets
        splits = ", ".join(f"{v['rows']:,} {k}" for k, v in facts["splits"].items())
        asked = {
            "intent": f"yes within {targets.horizon_days} days"
            if targets.intent == "events"
            else f"{targets.intent} in {', '.join(targets.positive)}",
            "value": "value of the next event"
            if targets.value == "events"
            else targets.value,
            "time": f"days to it, in {len(targets.interval_days)} intervals",
        }
        lines = [
            f"Data: {facts['cases']:,} cases ({splits}); {facts['events']:,} events, "
            f"{facts['texts']:,} texts"
            + (f"; cuts {', '.join(facts['cuts'])}" if facts["cuts"] else ""),
            *late_lines(facts),
            *(f"Set aside: {n:,} ({r})" for r, n in facts["set_aside"].items()),
            "Asked: " + "; ".join(asked[task] for task in self.tasks),
            f"Model: MSDP-Net on {', '.join(self.sources)}; losses weighed "
            f"{self.loss_spec.weighting}",
            *describe_mesh(self.mesh),
        ]
        return "\n".join(lines)

    def first_state(self, optimizer: optax.GradientTransformation) -> FirstState:
        """State before the first update."""
        batch = self.windows.batch(self.windows.targets(TRAIN)[:1], 1)

        def draw(key: jax.Array) -> Any:
            return self.model.init(key, batch, deterministic=True)["params"]

        def finish(drawn: dict[str, Any]) -> dict[str, Any]:
            return drawn | msdp_parameters(self.loss_spec, self.tasks)

        params = FirstParameters(draw, self.seed, finish)
        return FirstState(params, optimizer, self.mesh)

    def totals(self, batch: CaseBatch) -> CaseTotals:
        """Known answers of a whole batch."""
        return case_totals(batch)

    def loss(
        self, params: Any, batch: CaseBatch, totals: CaseTotals, key: jax.Array
    ) -> LossSums:
        """The weighted losses of all that is asked."""
        output: Any = self.model.apply(
            {"params": params}, batch, deterministic=False, rngs={"dropout": key}
        )
        return msdp_loss(params, output, batch, totals, self.loss_spec)

    def describe_batch(self, batch: CaseBatch) -> str:
        """Subjects of the batch."""
        row_n = np.asarray(batch.row_b)
        row_n = row_n[row_n >= 0]
        names = [self.windows.cases.names[row] for row in row_n[:20]]
        return f"cases of {', '.join(names)}" + " ..." * (len(row_n) > 20)

    def validation(self) -> Callable[[Any], Scores]:
        """Returns params -> scores on the validation split."""
        row_n = self.windows.targets(VALIDATION)
        step = make_msdp_step(self.model, self.mesh)
        batch = self.windows.batch(row_n, len(row_n))
        size = self.evaluation.batch_cases

        def validate(params: Any) -> Scores:
            said = answer_cases(step, params, self.windows, row_n, size)
            return validation_scores(said, batch, self.loss_spec)

        return validate

    def stop_score(self, scores: Scores) -> float:
        """What "best" means: larger is better."""
        score = scores.get(self.train.stop_metric.value)
        if score is None:
            raise InputError(
                f"The score {self.train.stop_metric.value!r} cannot be computed on "
                "validation.",
                fix="Choose train.stop_metric=loss.",
            )
        return -score if self.train.stop_metric is MsdpStop.LOSS else score

    def identity(self) -> dict[str, Any]:
        """What must stay the same for a run to be resumed."""
        return {
            "task": "msdp",
            "format": _FORMAT,
            "seed": self.seed,
            "model": dataclasses.asdict(self.model.spec),
            "loss": dataclasses.asdict(self.loss_spec),
            "events_read": self.windows.schema.events.recent,
            "intervals": list(self.windows.schema.targets.interval_days),
            "batch_windows": self.batch_windows,
            "optimizer": dataclasses.asdict(self.optimizer),
            "accumulate": self.train.accumulate,
            "stop_metric": self.train.stop_metric,
            "cases": self.windows.cases.fingerprint(),
        }


def validation_scores(said: Logits, batch: CaseBatch, spec: MsdpLossSpec) -> Scores:
    """Losses of all cases of a split, and the AUC of the intent.

    The loss adds up what each task costs by the fixed weights, whatever weights are
    learned, so that validations can be compared.
    """
    output = MsdpOutput(
        *(jax.numpy.zeros(0),) * 3,
        intent_by=jax.numpy.asarray(said.intent_ny) if said.intent_ny.size else None,
        value_b=jax.numpy.asarray(said.value_n[:, 0]) if said.value_n.size else None,
        hazard_bj=jax.numpy.asarray(said.hazard_nj) if said.hazard_nj.size else None,
    )
    sums = msdp_loss({}, output, batch, case_totals(batch), spec)
    scores: Scores = {"loss": float(sums.loss)}
    for name, tally in sums.tallies.items():
        scores[name] = float(tally.total / jax.numpy.maximum(tally.count, 1.0))
    if said.intent_ny.size:
        label_b = np.asarray(batch.intent_b)
        known = label_b >= 0
        both = len(np.unique(label_b[known])) == 2
        margin = said.intent_ny[:, 1] - said.intent_ny[:, 0]
        auc = roc_auc_score(label_b[known], margin[known]) if both else None
        scores["auc"] = None if auc is None else float(auc)
    return scores
