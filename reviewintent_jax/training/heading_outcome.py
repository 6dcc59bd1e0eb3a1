"""What a finished run on a panel leaves behind, and what it answers afterwards.

In: a trained model and the windows of its panel. Out: the table of test forecasts,
``metrics.json``, ``model.json``, and where every group is heading next.
"""

import datetime
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from reviewintent_jax.data.panel_windows import (
    DIRECTIONS,
    PanelWindows,
    WindowReader,
)
from reviewintent_jax.data.panels import Panel
from reviewintent_jax.data.splits import SPLIT_NAMES, TEST, TRAIN, VALIDATION
from reviewintent_jax.evaluation.calibration import fit_temperature, probabilities
from reviewintent_jax.evaluation.heading_baselines import PanelTable, baselines
from reviewintent_jax.evaluation.heading_metrics import (
    Answer,
    Facts,
    differences,
    heading_metrics,
)
from reviewintent_jax.schema import RunFolder
from reviewintent_jax.training import hosts
from reviewintent_jax.training.checkpoints import restore_best
from reviewintent_jax.training.files import write_json, write_table
from reviewintent_jax.training.heading import HeadingExperiment
from reviewintent_jax.training.heading_answers import (
    TrainedHeading,
    answer_places,
    in_range,
    make_heading_step,
    truth_of,
)
from reviewintent_jax.training.loop import TrainResult

NEXT = "next"
"""The run's table of where groups are heading, among its tables of predictions."""


def write_heading_outcome(
    experiment: HeadingExperiment,
    result: TrainResult,
    run: RunFolder,
    environment: Facts,
) -> Facts:
    """Scores the best parameters and the baselines; writes and returns all metrics."""
    params, step = restore_best(run, result.state.params)
    windows = experiment.windows
    trained = TrainedHeading(
        model=experiment.model,
        params=params,
        step=step,
        measures=windows.panel.measures,
        scale=windows.scale,
        temperatures=(),
        windows=windows.spec,
        data=experiment.data,
        positive=experiment.positive,
        evaluation=experiment.evaluation,
        seed=experiment.seed,
        usual_error=(),
        mesh=experiment.mesh,
    )
    context = {
        "name": experiment.name,
        "training": result.facts(experiment.units, len(windows.targets(TRAIN)), step),
        "environment": environment,
        "config": experiment.config,
    }
    return evaluate_heading(trained, windows, run, context)


def evaluate_heading(
    trained: TrainedHeading, windows: PanelWindows, run: RunFolder, context: Facts
) -> Facts:
    """Scores validation and test of a run's own panel; writes all of it.

    Temperatures are fitted on validation. ``context`` holds what does not depend on the
    forecasts (name, training, config).
    """
    scaled_ns, logits_nsy = answer_places(
        make_heading_step(trained.model, trained.mesh),
        trained.params,
        windows.reader,
        trained.scale,
        windows.places,
        trained.evaluation.batch_windows,
    )
    if not hosts.is_first():  # who was needed for the answers alone
        return context
    trained = trained._replace(temperatures=_temperatures(windows, logits_nsy))
    systems = {"model": _answer(trained, scaled_ns, logits_nsy)}
    systems |= _baselines(trained, windows)
    scores: dict[str, Facts] = {
        name: dict(s.facts or {}) for name, s in systems.items()
    }
    for split in (VALIDATION, TEST):
        row_n = windows.targets(split)
        samples = trained.evaluation.bootstrap_samples if split == TEST else 0
        drawn = {"samples": samples, "seed": trained.seed}
        truth = truth_of(windows, row_n)
        for name, said in systems.items():
            found = heading_metrics(truth, said.of(row_n), **drawn)
            scores[name][SPLIT_NAMES[split]] = found
    row_n = windows.targets(TEST)
    tested = {name: said.of(row_n) for name, said in systems.items()}
    apart = differences(
        truth_of(windows, row_n),
        tested,
        samples=trained.evaluation.bootstrap_samples,
        seed=trained.seed,
    )
    values = scores["model"][SPLIT_NAMES[TEST]]["values"]
    usual = tuple(values[name]["mae"]["value"] for name in trained.measures)
    trained = trained._replace(usual_error=usual)
    write_table(run.predictions("test"), _test_table(windows, systems))
    write_table(run.predictions(NEXT), next_table(trained, windows.panel).rows)
    write_json(run.model, _model_facts(trained))
    metrics = context | _facts(trained, windows)
    metrics |= {"systems": scores, "differences": apart}
    write_json(run.metrics, metrics)
    return metrics


def _facts(trained: TrainedHeading, windows: PanelWindows) -> Facts:
    """What is true of the run whatever its scores are."""
    spec, now = trained.windows, datetime.datetime.now(datetime.UTC)
    latest, without = windows.reader.latest()
    return {
        "task": "heading",
        "created": now.isoformat(timespec="seconds"),
        "period": trained.data.period.value,
        "window": spec.window,
        "horizon": spec.horizon,
        "measures": list(trained.measures),
        "tolerance": dict(
            zip(
                trained.measures,
                spec.tolerance(trained.measures).tolist(),
                strict=True,
            )
        ),
        "temperatures": list(trained.temperatures),
        "usual_error": dict(zip(trained.measures, trained.usual_error, strict=True)),
        "intervals_draw": "periods" if len(windows.panel.groups) == 1 else "groups",
        "data": windows.summary(),
        "next": {"groups": len(latest.group_n), "without": without},
    }


def _model_facts(trained: TrainedHeading) -> Facts:
    """What answering needs beside the weights."""
    return {
        "task": "heading",
        "step": trained.step,
        "measures": list(trained.measures),
        "shift": trained.scale.shift_s.tolist(),
        "spread": trained.scale.spread_s.tolist(),
        "temperatures": list(trained.temperatures),
        "positive": trained.positive.to_dict(),
        "usual_error": list(trained.usual_error),
    }


def _temperatures(windows: PanelWindows, logits_nsy: np.ndarray) -> tuple[float, ...]:
    """One for each measure, from the validation windows."""
    row_n = windows.targets(VALIDATION)
    label_ns = windows.direction_ns[row_n]
    return tuple(
        fit_temperature(logits_nsy[row_n, s], label_ns[:, s])
        for s in range(label_ns.shape[1])
    )


def _answer(
    trained: TrainedHeading, scaled_ns: np.ndarray, logits_nsy: np.ndarray
) -> Answer:
    """The model's answers in the measures' own units, calibrated."""
    temperature_s1 = np.array(trained.temperatures)[:, None]
    forecast_ns = in_range(trained.scale.back(scaled_ns), trained.measures)
    return Answer(forecast_ns, probabilities(logits_nsy / temperature_s1, 1.0))


def _baselines(trained: TrainedHeading, windows: PanelWindows) -> dict[str, Answer]:
    """Every system beside the model, in the measures' own units."""
    scale = trained.scale

    def values(scaled_ns: np.ndarray) -> np.ndarray:
        return in_range(scale.back(scaled_ns), trained.measures)

    value_nts, _ = windows.reader.raw(windows.places)
    table = PanelTable(
        value_nts=scale.forward(value_nts),
        truth_ns=scale.forward(windows.truth_ns),
        last_ns=scale.forward(windows.last_ns),
        direction_ns=windows.direction_ns,
        train_n=windows.targets(TRAIN),
        validation_n=windows.targets(VALIDATION),
        classes=len(DIRECTIONS),
    )
    found = baselines(
        table, trained.evaluation, lambda said: windows.directed(values(said))
    )
    fitted = {
        name: said._replace(
            forecast_ns=None if said.forecast_ns is None else values(said.forecast_ns)
        )
        for name, said in found.items()
    }
    return {"persistence": Answer(windows.last_ns), **fitted}


def _test_table(windows: PanelWindows, systems: dict[str, Answer]) -> pd.DataFrame:
    """One row a test window and measure: what came, and what every system said."""
    row_n, panel = windows.targets(TEST), windows.panel
    measures, groups = list(panel.measures), list(panel.groups)
    group_n = np.repeat(windows.places.group_n[row_n], len(measures))
    numbers = panel.first + np.repeat(windows.target_n[row_n], len(measures))
    direction_m = windows.direction_ns[row_n].ravel()
    columns: dict[str, Any] = {
        "group": pd.Categorical.from_codes(group_n, groups),
        "period": panel.period.start(numbers).astype("datetime64[s]"),
        "measure": pd.Categorical.from_codes(
            np.tile(np.arange(len(measures)), len(row_n)), measures
        ),
        "last": windows.last_ns[row_n].ravel(),
        "truth": windows.truth_ns[row_n].ravel(),
        "direction": pd.Categorical.from_codes(direction_m, list(DIRECTIONS)),
    }
    for name, each in systems.items():
        said = each.of(row_n)
        if said.forecast_ns is not None:
            columns[name] = said.forecast_ns.ravel()
        if said.prob_nsy is not None:
            prob_my = said.prob_nsy.reshape(-1, len(DIRECTIONS))
            for y, direction in enumerate(DIRECTIONS):
                columns[f"{name}_probability_{direction}"] = prob_my[:, y]
        if said.answer_ns is not None:
            codes = said.answer_ns.ravel()
            answers = pd.Categorical.from_codes(codes, list(DIRECTIONS))
            columns[f"{name}_direction"] = answers
    return pd.DataFrame(columns)


class NextTable(NamedTuple):
    """Where groups are heading after the end of a panel.

    Attributes:
      rows: a row for each group and measure, see ``docs/formats.md``.
      without: why groups have no answer -> how many.
    """

    rows: pd.DataFrame
    without: dict[str, int]


def next_table(trained: TrainedHeading, panel: Panel) -> NextTable:
    """Answers from the newest window of every group that has one.

    A share that nobody has ever given has no last value, and no answer.
    """
    reader = WindowReader(panel, trained.windows)
    places, without = reader.latest()
    answered = answer_places(
        make_heading_step(trained.model),
        trained.params,
        reader,
        trained.scale,
        places,
        trained.evaluation.batch_windows,
    )
    said, last_ns = _answer(trained, *answered), reader.last(places)
    last, horizon = panel.periods - 1, trained.windows.horizon
    row_n, s_n = np.nonzero(~np.isnan(last_ns))
    assert said.forecast_ns is not None
    assert said.prob_nsy is not None
    prob_my = said.prob_nsy[row_n, s_n]
    usual = np.array(trained.usual_error or [np.nan] * len(trained.measures))
    group_n = places.group_n[row_n]
    columns: dict[str, Any] = {
        "group": np.array(panel.groups, object)[group_n],
        "measure": np.array(trained.measures, object)[s_n],
        "reviews": reader.held_gt[group_n, last],
        "last_period": panel.name(last),
        "last_value": last_ns[row_n, s_n],
        "horizon": horizon,
        "forecast_period": panel.name(last + horizon),
        "forecast": said.forecast_ns[row_n, s_n],
        "usual_error": usual[s_n],
        "direction": np.array(DIRECTIONS, object)[prob_my.argmax(-1)],
    }
    for y, name in enumerate(DIRECTIONS):
        columns[f"probability_{name}"] = prob_my[:, y]
    return NextTable(pd.DataFrame(columns), without)
