"""Config -> ForecastExperiment, and a run's folder -> a trained forecaster.

What :mod:`reviewintent_jax.build` is to reviews. A run keeps its own copy of the table,
so that it can be scored again, and can forecast, wherever its folder is carried.
"""

import dataclasses
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jax
import numpy as np

from reviewintent_jax.build_own_data import begin_own_data
from reviewintent_jax.configuration import TaskKind
from reviewintent_jax.data.series import AUTO, Series, SeriesSpec, read_series
from reviewintent_jax.data.series_windows import Scale, Windows, WindowSpec
from reviewintent_jax.evaluation.forecast_baselines import ForecastEvaluationSpec
from reviewintent_jax.models.forecaster import (
    Anchor,
    Forecaster,
    ForecasterSpec,
    OutputActivation,
)
from reviewintent_jax.models.kernel_sizes import unused_kernels
from reviewintent_jax.models.lstnet_spec import LSTNetSpec
from reviewintent_jax.run_folders import no_run, refuse_foreign_folder, stored_task
from reviewintent_jax.schema import InputError, RunFolder, check_seed
from reviewintent_jax.settings import read_settings, with_later
from reviewintent_jax.training.checkpoint_folder import CheckpointSpec
from reviewintent_jax.training.checkpoints import restore_best
from reviewintent_jax.training.forecast import (
    ForecastExperiment,
    ForecastTrainSpec,
    TrainedForecaster,
)
from reviewintent_jax.training.logs import say
from reviewintent_jax.training.optimizer import OptimizerSpec
from reviewintent_jax.training.sharding import MeshSpec, check_kernels, make_mesh

_LATER = {
    "data": {"date_order": "iso"},
    "mesh": {"data": 1, "fsdp": 1, "tensor": 1},
    "checkpoints": {"folder": ""},
    "optimizer": {"history_rate": 0.0},
}
"""Settings younger than the first runs, and what runs did before there were any."""

TABLE = "series.npz"
"""The run's copy of its table, in the folder of prepared data."""


@dataclasses.dataclass(frozen=True)
class ForecasterChoice:
    """What of the forecaster is not its LSTNet.

    Attributes:
      output: what the forecast goes through last.
      anchor: from where the model counts.
    """

    output: OutputActivation
    anchor: Anchor


@dataclasses.dataclass(frozen=True)
class ForecastConfig:
    """The whole config of a forecast; ``configs/forecast.py`` fills exactly this tree.

    Attributes:
      name: of the experiment; names the run's folder when --workdir is not given.
      task: ``forecast``.
      seed: decides order, dropout and first random weights; 0 to 2**32 - 1.
      data: which table.
      windows: how it is split, scaled and cut.
      lstnet: the model; its ``summary_features`` become the number of series.
      forecaster: the rest of the model.
      optimizer, train: how it learns.
      evaluation: what is measured.
      mesh: how the devices share the work.
      checkpoints: where they go.
    """

    name: str
    task: TaskKind
    seed: int
    data: SeriesSpec
    windows: WindowSpec
    lstnet: LSTNetSpec
    forecaster: ForecasterChoice
    optimizer: OptimizerSpec
    train: ForecastTrainSpec
    evaluation: ForecastEvaluationSpec
    mesh: MeshSpec
    checkpoints: CheckpointSpec

    def __post_init__(self) -> None:
        check_seed(self.seed, "seed")

    def model(self, series: int) -> Forecaster:
        """The network for a table of so many series."""
        lstnet = dataclasses.replace(self.lstnet, summary_features=series)
        choice = self.forecaster
        window = self.windows.window
        return Forecaster(ForecasterSpec(lstnet, window, choice.output, choice.anchor))


def read_forecast_config(values: Mapping[str, Any]) -> ForecastConfig:
    """Checks plain values against :class:`ForecastConfig`.

    Raises:
      InputError: a key is missing, unknown or of the wrong type, or a value is out of
        its range.
    """
    return read_settings(ForecastConfig, values, "config")


def build_forecast(values: Mapping[str, Any], run: RunFolder) -> ForecastExperiment:
    """Reads the table and puts the experiment together; the folder is not touched.

    Raises:
      InputError: a mistake in the config or the table, or a folder that is in use for
        something else.
    """
    config = read_forecast_config(values)
    refuse_foreign_folder(run, TaskKind.FORECAST)
    config.model(1)  # sizes that make no model are refused before the table is read
    mesh = make_mesh(config.mesh)
    check_kernels(mesh, config.lstnet.gate_fusion)
    for line in unused_kernels(None, {"lstnet": config.lstnet}, "float32"):
        say(line)
    windows = Windows(read_series(config.data), config.windows)
    return ForecastExperiment(
        name=config.name,
        seed=config.seed,
        config=dict(values),
        data=config.data,
        windows=windows,
        model=config.model(len(windows.series.names)),
        optimizer=config.optimizer,
        train=config.train,
        evaluation=config.evaluation,
        mesh=mesh,
    )


def begin_forecast(experiment: ForecastExperiment, run: RunFolder) -> None:
    """Writes what the run needs to score and forecast on its own.

    Raises:
      InputError: the folder holds a run with other settings or another table; nothing
        is written then.
    """

    def save(folder: Path) -> None:
        experiment.windows.series.save(folder / TABLE)

    begin_own_data(experiment, run, TaskKind.FORECAST, save)


def open_table(run: RunFolder) -> Series:
    """The table that a run was trained on, from the run's own copy.

    Raises:
      InputError: the copy is not there.
    """
    path = run.prepared / TABLE
    if not path.is_file():
        raise InputError(
            "The run's copy of its table is missing.",
            where=str(path),
            fix="Start its training command again, which writes it anew.",
        )
    return Series.load(path)


def read_newer(trained: TrainedForecaster, path: str) -> Series:
    """Another table, read as that of a run was: the same series, the same dates.

    Raises:
      InputError: see :func:`~reviewintent_jax.data.series.read_series`; what to do
        names no setting, since those of the run stand.
    """
    data = dataclasses.replace(trained.data, path=path, columns=trained.names)
    try:
        return read_series(data)
    except InputError as error:
        sentences = re.split(r"(?<=[.?]) (?=[A-Z])", error.fix)
        kept = [each for each in sentences if "--config." not in each]
        if "column" in error.what or not any(kept):
            dates = [data.time] if data.time not in ("", AUTO) else []
            names = ", ".join([*dates, *trained.names])
            kept.append(f"Its columns must be called {names}, as in training.")
        fix = " ".join(each for each in kept if each)
        raise InputError(error.what, where=error.where, fix=fix) from None


def load_forecaster(run: RunFolder) -> TrainedForecaster:
    """Opens the best model of a run.

    Raises:
      InputError: the folder is not a run, or has no trained model yet.
    """
    if stored_task(run) is not TaskKind.FORECAST or not run.model.is_file():
        raise no_run(run)
    stored = json.loads(run.config.read_text("utf-8"))
    config = read_forecast_config(with_later(stored, _LATER))
    facts = json.loads(run.model.read_text("utf-8"))
    names, spec = tuple(facts["names"]), config.windows
    model = config.model(len(names))

    def init() -> Any:
        window = np.zeros((1, spec.window, len(names)), np.float32)
        return model.init(jax.random.key(0), window, deterministic=True)["params"]

    run = dataclasses.replace(run, elsewhere=config.checkpoints.folder)
    params, step = restore_best(run, jax.eval_shape(init))
    return TrainedForecaster(
        model=model,
        params=params,
        step=step,
        names=names,
        scale=Scale(np.array(facts["shift"]), np.array(facts["spread"])),
        windows=spec,
        data=config.data,
        evaluation=config.evaluation,
        usual_error=tuple(facts["usual_error"]),
    )
