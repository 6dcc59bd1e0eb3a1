"""Forecasting as a task of the one loop: a table, a forecaster, and its errors."""

import dataclasses
import enum
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax.sharding import Mesh

from reviewintent_jax.data.series import SeriesSpec
from reviewintent_jax.data.series_windows import (
    Scale,
    WindowBatch,
    Windows,
    WindowSpec,
)
from reviewintent_jax.data.splits import TRAIN, VALIDATION
from reviewintent_jax.evaluation.forecast_baselines import (
    ForecastEvaluationSpec,
    persistence,
)
from reviewintent_jax.evaluation.forecast_metrics import forecast_metrics
from reviewintent_jax.models.first_weights import FirstParameters
from reviewintent_jax.models.forecaster import Forecaster
from reviewintent_jax.schema import ArrayLike, InputError
from reviewintent_jax.training.losses import LossSums, Tally
from reviewintent_jax.training.optimizer import OptimizerSpec
from reviewintent_jax.training.sharding import describe_mesh
from reviewintent_jax.training.state import FirstState
from reviewintent_jax.training.task import Scores
from reviewintent_jax.training.window_task import (
    WindowTask,
    WindowTrainSpec,
    forward_on,
)

_FORMAT = 1  # of what a checkpoint keeps beside the tensors

ForecastStep = Callable[[Any, ArrayLike], np.ndarray]
"""(params, value_bts) -> scaled forecast_bs; every process gives all windows."""


class LossUnits(enum.StrEnum):
    """In what units errors are counted in the loss."""

    SCALED = "scaled"  # every series counts alike
    TABLE = "table"  # as written in the table, as in the authors' code


class LossTotal(enum.StrEnum):
    """How the errors of a batch become one number."""

    MEAN = "mean"
    SUM = "sum"  # as in the authors' code, where clipping then acts at every step


class ForecastStop(enum.StrEnum):
    """What "best" means on the validation split; smaller is better."""

    RSE = "rse"  # as in the authors' code
    RSE_PER_SERIES = "rse_per_series"
    MAE = "mae"
    LOSS = "loss"


@dataclasses.dataclass(frozen=True)
class ForecastTrainSpec(WindowTrainSpec):
    """How long and how to train; see also :class:`~reviewintent_jax.training.
    window_task.WindowTrainSpec`.

    Attributes:
      loss_units: in what units errors are counted.
      loss_total: how the errors of a batch become one number.
      stop_metric: what early stopping and "best" look at.
    """

    loss_units: LossUnits
    loss_total: LossTotal
    stop_metric: ForecastStop


@dataclasses.dataclass(frozen=True, eq=False)
class ForecastExperiment(WindowTask):
    """A run on a table, ready to start; a task of the loop.

    Attributes:
      name: of the experiment, for people.
      seed: decides order, dropout and first random weights.
      config: the whole config as plain values, for the record.
      data: which table.
      windows: the table, cut and scaled.
      model: the network.
      optimizer: of all parameters; ``head_rate`` is the one that counts.
      train: how long and how to train.
      evaluation: what is measured at the end.
      mesh: the devices it runs on, which may be others when it goes on.
    """

    name: str
    seed: int
    config: dict[str, Any]
    data: SeriesSpec
    windows: Windows
    model: Forecaster
    optimizer: OptimizerSpec
    train: ForecastTrainSpec
    evaluation: ForecastEvaluationSpec
    mesh: Mesh

    def describe(self) -> str:
        """What is about to happen, in a few lines for people."""
        facts, spec = self.windows.summary(), self.windows.spec
        splits = ", ".join(f"{v['windows']:,} {k}" for k, v in facts["splits"].items())
        lines = [
            f"Data: {facts['rows']:,} rows of {len(facts['series'])} series; windows: "
            f"{splits}",
            f"Task: {spec.window} steps -> the value {spec.horizon} steps later; scale "
            f"{spec.scale}, fitted on {spec.scale_fit} rows",
            f"Model: LSTNet, fusion {self.model.spec.lstnet.fusion}, anchor "
            f"{self.model.spec.anchor}; {self.train.loss} loss",
            *describe_mesh(self.mesh),
        ]
        if facts["irregular_steps"]:
            lines.append(
                f"Beware: {facts['irregular_steps']:,} rows do not follow the one "
                f"before by the usual {facts['step_seconds']:,} seconds; a step is "
                "counted as a row."
            )
        if facts["constant"]:
            lines.append(f"Constant in training: {', '.join(facts['constant'])}")
        return "\n".join(lines)

    def first_state(self, optimizer: optax.GradientTransformation) -> FirstState:
        """State before the first update."""
        params = first_forecaster(self.model, self.windows, self.seed)
        return FirstState(params, optimizer, self.mesh)

    def totals(self, batch: WindowBatch) -> jax.Array:
        """What the summed errors of a whole batch are divided by."""
        if self.train.loss_total is LossTotal.SUM:
            return jnp.ones(())
        values = jnp.asarray(batch.weight_b).sum() * batch.target_bs.shape[-1]
        return jnp.maximum(values, 1.0)

    def loss(
        self, params: Any, batch: WindowBatch, totals: jax.Array, key: jax.Array
    ) -> LossSums:
        """Errors of every window and series; ``mae`` is reported in scaled units."""
        forecast_bs = self.model.apply(
            {"params": params},
            batch.value_bts,
            deterministic=False,
            rngs={"dropout": key},
        ).forecast_bs  # type: ignore[union-attr]
        weight_b1 = jnp.asarray(batch.weight_b)[:, None]
        error_bs = (forecast_bs - batch.target_bs) * weight_b1
        size_bs = jnp.abs(error_bs)
        counted_bs = error_bs * _unit_s(self.train.loss_units, self.windows.scale)[None]
        cost_bs = self.train.loss.cost(counted_bs)
        values = weight_b1.sum() * error_bs.shape[-1]
        return LossSums(cost_bs.sum() / totals, {"mae": Tally(size_bs.sum(), values)})

    def describe_batch(self, batch: WindowBatch) -> str:
        """Rows that the batch forecasts."""
        row_n = np.sort(np.asarray(batch.row_b))
        row_n = row_n[row_n >= 0]
        listed = ", ".join(str(row) for row in row_n[:40]) + " ..." * (len(row_n) > 40)
        return f"forecasts of rows {listed} of the table (counted from 0)"

    def validation(self) -> Callable[[Any], Scores]:
        """Returns params -> scores on the validation split."""
        row_n = self.windows.targets(VALIDATION)
        step = make_forecast_step(self.model, self.mesh)
        truth_ns = self.windows.truth(row_n)
        naive_ns = persistence(
            self.windows.series.value_ts, row_n, self.windows.spec.horizon
        )
        unit_s = np.asarray(_unit_s(self.train.loss_units, self.windows.scale))

        def validate(params: Any) -> Scores:
            forecast_ns = forecast_rows(
                step, params, self.windows, row_n, self.evaluation.batch_windows
            )
            names = self.windows.series.names
            scores = forecast_metrics(truth_ns, forecast_ns, naive_ns, names)
            scaled_ns = (forecast_ns - truth_ns) / self.windows.scale.spread_s * unit_s
            loss = float(self.train.loss.cost(scaled_ns).mean())
            names = ("rse", "rse_per_series", "corr", "mae", "skill")
            return {"loss": loss, **{name: scores[name] for name in names}}

        return validate

    def stop_score(self, scores: Scores) -> float:
        """What "best" means: larger is better.

        Raises:
          InputError: the validation split is constant.
        """
        metric = self.train.stop_metric.value
        score = scores[metric]
        if score is None:
            raise InputError(
                f"The score {metric!r} cannot be computed on the validation split, "
                "where no series changes.",
                fix="Choose train.stop_metric=mae, or another validation_fraction.",
            )
        return -score

    def identity(self) -> dict[str, Any]:
        """What must stay the same for a run to be resumed."""
        return {
            "task": "forecast",
            "format": _FORMAT,
            "seed": self.seed,
            "model": dataclasses.asdict(self.model.spec),
            "windows": dataclasses.asdict(self.windows.spec),
            "batch_windows": self.batch_windows,
            "optimizer": dataclasses.asdict(self.optimizer),
            "accumulate": self.train.accumulate,
            "loss": self.train.loss,
            "loss_units": self.train.loss_units,
            "loss_total": self.train.loss_total,
            "stop_metric": self.train.stop_metric,
            "table": self.windows.series.fingerprint(),
        }


class TrainedForecaster(NamedTuple):
    """A trained forecaster, ready to forecast.

    Attributes:
      model, params: the network and its best weights.
      step: of those weights.
      names: [s], of the series.
      scale: of the series.
      windows: how tables are cut.
      data: which table it was trained on.
      evaluation: what is measured.
      usual_error: [s], mean absolute error of each series on the test split, in the
        table's units; empty before the first evaluation.
      mesh: where the weights lie; None = on the first device.
    """

    model: Forecaster
    params: Any
    step: int
    names: tuple[str, ...]
    scale: Scale
    windows: WindowSpec
    data: SeriesSpec
    evaluation: ForecastEvaluationSpec
    usual_error: tuple[float, ...]
    mesh: Mesh | None = None


def first_forecaster(model: Forecaster, windows: Windows, seed: int) -> FirstParameters:
    """Parameters before training, drawn from ``seed``."""
    batch = windows.batch(windows.targets(TRAIN)[:1], 1)

    def draw(key: jax.Array) -> Any:
        return model.init(key, batch.value_bts, deterministic=True)["params"]

    return FirstParameters(draw, seed)


def make_forecast_step(model: Forecaster, mesh: Mesh | None = None) -> ForecastStep:
    """Builds the forward pass on a mesh, or on the first device."""

    def forward(params: Any, value_bts: jax.Array) -> jax.Array:
        output = model.apply({"params": params}, value_bts, deterministic=True)
        return output.forecast_bs  # type: ignore[union-attr]

    return forward_on(mesh, forward)


def forecast_rows(
    step: ForecastStep, params: Any, windows: Windows, row_n: np.ndarray, batch: int
) -> np.ndarray:
    """Forecasts of some rows in the table's units, float64 [n, s]."""
    found = []
    for begin in range(0, len(row_n), batch):
        some = row_n[begin : begin + batch]
        scaled_bs = step(params, windows.batch(some, batch).value_bts)
        found.append(scaled_bs[: len(some)])
    return windows.scale.back(np.concatenate(found))


def _unit_s(units: LossUnits, scale: Scale) -> np.ndarray:
    """What a scaled error is multiplied by in the loss, float32 [s]."""
    ones = np.ones_like(scale.spread_s)
    return (ones if units is LossUnits.SCALED else scale.spread_s).astype(np.float32)
