"""Config -> HeadingExperiment, and a run's folder -> a trained model of headings.

What :mod:`reviewintent_jax.build` is to reviews. A run keeps its own copy of the panel,
so that it can be scored again, and can say what comes next, wherever its folder is
carried.
"""

import dataclasses
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jax
import numpy as np

from reviewintent_jax.build_own_data import begin_own_data, rejected_part
from reviewintent_jax.configuration import HeadSpec, TaskKind
from reviewintent_jax.data.checks import RejectionLog
from reviewintent_jax.data.labels import LabelMap, LabelSpec
from reviewintent_jax.data.panel_rows import PanelSpec, read_panel_rows
from reviewintent_jax.data.panel_windows import PanelWindows, PanelWindowSpec
from reviewintent_jax.data.panels import VOLUME, Panel, build_panel, fit_positive
from reviewintent_jax.data.series_windows import Scale
from reviewintent_jax.data.times import SET_ORDER, WRITE_YEAR_FIRST
from reviewintent_jax.evaluation.heading_baselines import HeadingEvaluationSpec
from reviewintent_jax.models.forecaster import (
    Anchor,
    ForecasterSpec,
    OutputActivation,
)
from reviewintent_jax.models.heading import Heading, HeadingSpec
from reviewintent_jax.models.kernel_sizes import unused_kernels
from reviewintent_jax.models.lstnet_spec import LSTNetSpec
from reviewintent_jax.run_folders import no_run, refuse_foreign_folder, stored_task
from reviewintent_jax.schema import InputError, RunFolder, check_seed
from reviewintent_jax.settings import read_settings, with_later
from reviewintent_jax.training.checkpoint_folder import CheckpointSpec
from reviewintent_jax.training.checkpoints import restore_best
from reviewintent_jax.training.heading import HeadingExperiment, HeadingTrainSpec
from reviewintent_jax.training.heading_answers import TrainedHeading
from reviewintent_jax.training.logs import say
from reviewintent_jax.training.optimizer import OptimizerSpec
from reviewintent_jax.training.sharding import MeshSpec, check_kernels, make_mesh

_LATER = {"data": {"date_order": "iso"}, "optimizer": {"history_rate": 0.0}}
"""Settings younger than the first runs, and the value that misreads nothing."""

PANEL = "panel.npz"
"""The run's copy of its panel, in the folder of prepared data."""


@dataclasses.dataclass(frozen=True)
class HeadingChoice:
    """What of the forecaster is not its LSTNet.

    Attributes:
      output: what a forecast goes through last, before it is counted from its anchor.
      share_anchor: from where shares count.
      volume_anchor: from where the log volume counts.
    """

    output: OutputActivation
    share_anchor: Anchor
    volume_anchor: Anchor

    def __post_init__(self) -> None:
        anchored = Anchor.LAST in (self.share_anchor, self.volume_anchor)
        if anchored and self.output is not OutputActivation.NONE:
            raise InputError(
                f"A change from the last value cannot go through {self.output}.",
                where="fields forecaster.output, share_anchor, volume_anchor",
                fix="Set forecaster.output=none, or both anchors to none.",
            )


@dataclasses.dataclass(frozen=True)
class HeadingConfig:
    """The whole config; ``configs/intention_series.py`` fills exactly this tree.

    Attributes:
      name: of the experiment; names the run's folder when --workdir is not given.
      task: ``heading``.
      seed: decides order, dropout, first random weights and resamples; 0 to 2**32 - 1.
      data: which reviews, and which of their columns say what.
      labels: how the answers of ``data.positive`` become classes.
      windows: how the panel is split and cut.
      lstnet: the model; its ``summary_features`` become the number of measures.
      forecaster, head: the rest of the model.
      optimizer, train: how it learns.
      evaluation: what is measured.
      mesh: how the devices share the work.
      checkpoints: where they go.
    """

    name: str
    task: TaskKind
    seed: int
    data: PanelSpec
    labels: LabelSpec
    windows: PanelWindowSpec
    lstnet: LSTNetSpec
    forecaster: HeadingChoice
    head: HeadSpec
    optimizer: OptimizerSpec
    train: HeadingTrainSpec
    evaluation: HeadingEvaluationSpec
    mesh: MeshSpec
    checkpoints: CheckpointSpec

    def __post_init__(self) -> None:
        check_seed(self.seed, "seed")

    def model(self, measures: tuple[str, ...]) -> Heading:
        """The network for some measures."""
        lstnet = dataclasses.replace(self.lstnet, summary_features=len(measures))
        choice, window = self.forecaster, self.windows.window
        forecaster = ForecasterSpec(lstnet, window, choice.output, Anchor.NONE)
        shares, volume = choice.share_anchor, choice.volume_anchor
        anchors = tuple(volume if name == VOLUME else shares for name in measures)
        return Heading(HeadingSpec(forecaster, anchors, self.head.dropout))


def read_heading_config(values: Mapping[str, Any]) -> HeadingConfig:
    """Checks plain values against :class:`HeadingConfig`.

    Raises:
      InputError: a key is missing, unknown or of the wrong type, or a value is out of
        its range.
    """
    return read_settings(HeadingConfig, values, "config")


def build_heading(values: Mapping[str, Any], run: RunFolder) -> HeadingExperiment:
    """Reads the reviews and puts the experiment together.

    Of the run's folder only the log of rejected rows is touched, under another name;
    :func:`begin_heading` puts it in its place.

    Raises:
      InputError: a mistake in the config or the reviews, or a folder that is in use for
        something else.
    """
    config = read_heading_config(values)
    refuse_foreign_folder(run, TaskKind.HEADING)
    config.model(
        (VOLUME,)
    )  # sizes that make no model are refused before the reviews are read
    mesh = make_mesh(config.mesh)
    check_kernels(mesh, config.lstnet.gate_fusion)
    for line in unused_kernels(None, {"lstnet": config.lstnet}, "float32"):
        say(line)
    rejected = rejected_part(run)
    try:
        with RejectionLog(rejected) as log:
            rows = read_panel_rows(config.data, log)
            positive = fit_positive(rows, config.data, config.labels)
            least = config.windows.min_reviews
            panel = build_panel(rows, config.data, positive, log, min_reviews=least)
        windows = PanelWindows(panel, config.windows)
    except InputError:
        rejected.unlink(missing_ok=True)
        raise
    return HeadingExperiment(
        name=config.name,
        seed=config.seed,
        config=dict(values),
        data=config.data,
        positive=positive,
        windows=windows,
        model=config.model(panel.measures),
        optimizer=config.optimizer,
        train=config.train,
        evaluation=config.evaluation,
        mesh=mesh,
    )


def begin_heading(experiment: HeadingExperiment, run: RunFolder) -> None:
    """Writes what the run needs to score and answer on its own.

    Raises:
      InputError: the folder holds a run with other settings or other reviews; nothing
        is written then.
    """

    def save(folder: Path) -> None:
        experiment.windows.panel.save(folder / PANEL)

    begin_own_data(experiment, run, TaskKind.HEADING, save)


def open_panel(run: RunFolder) -> Panel:
    """The panel that a run was trained on, from the run's own copy.

    Raises:
      InputError: the copy is not there.
    """
    path = run.prepared / PANEL
    if not path.is_file():
        raise InputError(
            "The run's copy of its reviews, counted by period, is missing.",
            where=str(path),
            fix="Start its training command again, which writes it anew.",
        )
    return Panel.load(path)


def read_newer(trained: TrainedHeading, data: PanelSpec, log: RejectionLog) -> Panel:
    """Other reviews, counted as those of a run were: same classes, same periods.

    Raises:
      InputError: a column is missing, or see :func:`~reviewintent_jax.data.panels.
        build_panel`.
    """
    try:
        rows = read_panel_rows(data, log)
    except InputError as error:
        hint, setting, _ = error.fix.partition("Set --config.")
        needs = f"Its columns must be called {', '.join(data.named_columns.values())}."
        fix = f"{hint}{needs}" if setting else error.fix
        fix = WRITE_YEAR_FIRST if error.fix == SET_ORDER else fix
        raise InputError(error.what, where=error.where, fix=fix) from None
    least = trained.windows.min_reviews
    return build_panel(rows, data, trained.positive, log, min_reviews=least)


def load_heading(run: RunFolder) -> TrainedHeading:
    """Opens the best model of a run.

    Raises:
      InputError: the folder is not a run, or has no trained model yet.
    """
    if stored_task(run) is not TaskKind.HEADING or not run.model.is_file():
        raise no_run(run)
    stored = json.loads(run.config.read_text("utf-8"))
    config = read_heading_config(with_later(stored, _LATER))
    facts = json.loads(run.model.read_text("utf-8"))
    measures, spec = tuple(facts["measures"]), config.windows
    model = config.model(measures)

    def init() -> Any:
        window = np.zeros((1, spec.window, len(measures)), np.float32)
        length = np.ones(1, np.int32)
        made = model.init(jax.random.key(0), window, length, deterministic=True)
        return made["params"]

    run = dataclasses.replace(run, elsewhere=config.checkpoints.folder)
    params, step = restore_best(run, jax.eval_shape(init))
    return TrainedHeading(
        model=model,
        params=params,
        step=step,
        measures=measures,
        scale=Scale(np.array(facts["shift"]), np.array(facts["spread"])),
        temperatures=tuple(facts["temperatures"]),
        windows=spec,
        data=config.data,
        positive=LabelMap.from_dict(facts["positive"]),
        evaluation=config.evaluation,
        seed=config.seed,
        usual_error=tuple(facts["usual_error"]),
    )
