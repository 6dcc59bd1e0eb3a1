"""Forecasting as a task: its loss, its pieces, its stopping and going on."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import chex
import jax
import numpy as np
import pytest

from configs import forecast
from reviewintent_jax.build import begin_run, plain_values
from reviewintent_jax.build_forecast import (
    begin_forecast,
    build_forecast,
    load_forecaster,
    open_table,
)
from reviewintent_jax.data.batches import Position
from reviewintent_jax.data.splits import TEST, VALIDATION
from reviewintent_jax.evaluation.forecast_metrics import forecast_metrics
from reviewintent_jax.schema import InputError, RunFolder
from reviewintent_jax.training.checkpoints import Checkpoints, restore_best
from reviewintent_jax.training.forecast import forecast_rows, make_forecast_step
from reviewintent_jax.training.forecast_outcome import (
    forecast_latest,
    write_forecast_outcome,
)
from reviewintent_jax.training.loop import train
from reviewintent_jax.training.step import make_train_step
from tests.training.first_states import (
    blank_and_batch,
    planned_and_drawn,
)

SCRIPT = """
import json, sys
from pathlib import Path
from reviewintent_jax.build_forecast import begin_forecast, build_forecast
from reviewintent_jax.schema import RunFolder
from reviewintent_jax.training.loop import train
run = RunFolder(Path(sys.argv[1]))
experiment = build_forecast(json.loads(Path(sys.argv[2]).read_text()), run)
begin_forecast(experiment, run)
train(experiment, run)
"""


@pytest.fixture
def config(tmp_path):
    """Config of a run that takes seconds: two waves, a tiny LSTNet."""
    t = np.arange(120)
    rng = np.random.default_rng(0)
    waves = [5 + np.sin(t / 3), 200 + 9 * np.cos(t / 2) + rng.normal(0, 0.1, 120)]
    path = tmp_path / "waves.csv"
    np.savetxt(path, np.stack(waves, 1), delimiter=",", header="tea,milk", comments="")
    config = forecast.get_config()
    config.data.path = str(path)
    config.windows.update(window=9, horizon=2)
    config.lstnet.update(
        kernel_sizes=(3,),
        channels=5,
        recurrent_features=4,
        skip_period=3,
        skip_features=2,
        highway_window=4,
    )
    config.optimizer.head_rate = 0.01
    config.train.update(
        epochs=2, batch_windows=16, checkpoint_every_steps=2, log_every_steps=1
    )
    config.evaluation.update(batch_windows=10, season=6, ridge_alphas=(0.1, 10.0))
    config.mesh.data = 1
    return config


def built(config, folder):
    return build_forecast(plain_values(config), RunFolder(folder))


def first_batch(experiment):
    return next(experiment.train_batches().batches(Position(0, 0)))[0]


@pytest.mark.parametrize("total", ["mean", "sum"])
@pytest.mark.parametrize("units", ["scaled", "table"])
@pytest.mark.parametrize("loss", ["l1", "l2"])
def test_the_loss_is_that_of_a_plain_loop(config, tmp_path, loss, units, total):
    config.lstnet.dropout = 0.0
    config.train.update(
        loss=loss, loss_units=units, loss_total=total, batch_windows=100
    )
    experiment = built(config, tmp_path / "run")
    batch, _, windows = next(experiment.train_batches().batches(Position(0, 0)))
    assert 0 < windows < 100  # the rest is empty and must not count
    params = experiment.first_state(experiment.make_optimizer()).draw().params
    said = make_forecast_step(experiment.model)(params, batch.value_bts)
    errors = []
    for b in range(100):
        for s in range(2):
            error = float(said[b, s]) - float(batch.target_bs[b, s])
            if units == "table":
                error *= experiment.windows.scale.spread_s[s]
            if batch.row_b[b] >= 0:
                errors.append(abs(error) if loss == "l1" else error**2)
    wanted = np.mean(errors) if total == "mean" else np.sum(errors)
    totals = experiment.totals(batch)
    sums = experiment.loss(params, batch, totals, jax.random.key(0))
    np.testing.assert_allclose(sums.loss, wanted, rtol=1e-4)
    assert sums.tallies["mae"].count == len(errors)


def test_pieces_make_the_same_update(config, tmp_path):
    config.lstnet.dropout = 0.0
    config.train.batch_windows = 12
    experiment = built(config, tmp_path / "run")
    states = []
    for pieces in (1, 3):
        optimizer = experiment.make_optimizer()
        state = experiment.first_state(optimizer).draw()
        step = make_train_step(experiment, optimizer, state, accumulate=pieces)
        state, _ = step(state, first_batch(experiment))
        states.append(jax.device_get(state.params))
    chex.assert_trees_all_close(*states, atol=1e-6)


@pytest.mark.slow
def test_it_learns_a_wave_that_persistence_cannot(config, tmp_path):
    config.train.update(epochs=60, patience=0)
    config.windows.scale = "standard"
    config.lstnet.dropout = 0.0
    run = RunFolder(tmp_path / "run")
    experiment = built(config, run.root)
    begin_forecast(experiment, run)
    result = train(experiment, run)
    metrics = write_forecast_outcome(experiment, result, run, {})
    scores = {name: system["test"] for name, system in metrics["systems"].items()}
    assert scores["model"]["skill"] > 0.5
    assert scores["persistence"]["skill"] == 0
    _age(run)
    trained = load_forecaster(run)
    _same_scores(trained, experiment, scores["model"])
    _forecasts_the_next_value(trained, open_table(run), experiment)


def _age(run):
    """Takes a setting from the run's config that runs of before it do not have."""
    values = json.loads(run.config.read_text())
    del values["data"]["date_order"]
    run.config.write_text(json.dumps(values))


def _same_scores(trained, experiment, scores):
    """Forecasts made from the folder alone have the scores that it reports."""
    windows, row_n = experiment.windows, experiment.windows.targets(TEST)
    step = make_forecast_step(trained.model)
    said = forecast_rows(step, trained.params, windows, row_n, 7)
    naive = windows.series.value_ts[row_n - 2]
    found = forecast_metrics(windows.truth(row_n), said, naive, trained.names)
    assert found["rse"] == pytest.approx(scores["rse"])


def _forecasts_the_next_value(trained, series, experiment):
    """The newest window but two steps is the one whose answer is the last row."""
    cut = type(series)(series.file, series.names, series.value_ts[:-2], None)
    said = [each.forecast for each in forecast_latest(trained, cut)]
    step = make_forecast_step(trained.model)
    rows = np.array([len(series.value_ts) - 1])
    wanted = forecast_rows(step, trained.params, experiment.windows, rows, 1)[0]
    np.testing.assert_allclose(said, wanted, rtol=1e-5)


def test_validation_says_what_the_metrics_say(config, tmp_path):
    config.train.update(loss="l2", loss_units="table")
    experiment = built(config, tmp_path / "run")
    params = experiment.first_state(experiment.make_optimizer()).draw().params
    scores = experiment.validation()(params)
    windows, row_n = experiment.windows, experiment.windows.targets(VALIDATION)
    step = make_forecast_step(experiment.model)
    said = forecast_rows(step, params, windows, row_n, 5)
    wanted = np.square(said - windows.truth(row_n)).mean()
    assert scores["loss"] == pytest.approx(wanted, rel=1e-5)
    assert experiment.stop_score(scores) == -scores["rse"]


def test_a_still_validation_split_cannot_choose(config, tmp_path):
    path = Path(config.data.path)
    lines = path.read_text().splitlines()
    lines[70:] = [lines[70]] * len(lines[70:])
    path.write_text("\n".join(lines))
    config.windows.train_fraction = 0.6
    config.train.stop_metric = "rse_per_series"
    experiment = built(config, tmp_path / "run")
    params = experiment.first_state(experiment.make_optimizer()).draw().params
    with pytest.raises(InputError, match="no series changes"):
        experiment.stop_score(experiment.validation()(params))


def start(values, folder):
    path = folder.parent / "values.json"
    path.write_text(json.dumps(values))
    environment = os.environ | {
        "JAX_NUM_CPU_DEVICES": "1",
        "JAX_COMPILATION_CACHE_DIR": str(jax.config.jax_compilation_cache_dir),
        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0.1",
    }
    return subprocess.Popen(
        [sys.executable, "-c", SCRIPT, str(folder), str(path)],
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def steps_logged(run):
    lines = run.log.read_text().splitlines() if run.log.is_file() else []
    records = [json.loads(line) for line in lines if line.endswith("}")]
    return [r["step"] for r in records if r["kind"] == "train"]


def last_state(values, folder):
    run = RunFolder(folder)
    experiment = build_forecast(values, run)
    with Checkpoints(run, experiment.identity()) as checkpoints:
        layout = experiment.first_state(experiment.make_optimizer()).layout
        found = checkpoints.restore(layout)
    assert found is not None
    return jax.device_get(found)


@pytest.mark.slow
def test_killed_twice_the_run_ends_bitwise_the_same(config, tmp_path):
    config.train.update(epochs=3, batch_windows=9)
    values = plain_values(config)
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    assert start(values, whole).wait(180) == 0
    for at_step in (3, 9):
        process, limit = start(values, broken), time.monotonic() + 180
        while not any(step >= at_step for step in steps_logged(RunFolder(broken))):
            assert process.poll() is None, "the run ended before it could be killed"
            assert time.monotonic() < limit
            time.sleep(0.002)
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert last_state(values, broken)[0].step > 0
    assert start(values, broken).wait(180) == 0
    (state, tracker), (wanted, wanted_tracker) = (
        last_state(values, folder) for folder in (broken, whole)
    )
    assert state.step == wanted.step == 3 * -(-62 // 9)
    chex.assert_trees_all_equal(state, wanted)
    assert tracker._replace(seconds=0) == wanted_tracker._replace(seconds=0)
    best = [restore_best(RunFolder(f), state.params) for f in (broken, whole)]
    chex.assert_trees_all_equal(*best)


@pytest.mark.parametrize(
    ("group", "field", "value", "said"),
    [
        ("windows", "horizon", 3, "windows.horizon: 2 then, 3 now"),
        ("train", "loss", "l2", "loss: l1 then, l2 now"),
    ],
)
def test_other_settings_or_data_are_not_the_same_run(
    config, tmp_path, group, field, value, said
):
    run = RunFolder(tmp_path / "run")
    config.train.max_steps = 1
    begin_forecast(built(config, run.root), run)
    train(built(config, run.root), run)
    config[group][field] = value
    with pytest.raises(InputError, match=said):
        begin_forecast(built(config, run.root), run)


def test_a_table_that_changed_is_not_the_same_run(config, tmp_path):
    run = RunFolder(tmp_path / "run")
    config.train.max_steps = 1
    train(built(config, run.root), run)
    with Path(config.data.path).open("a") as file:
        file.write("5,200\n")
    with pytest.raises(InputError, match="table: "):
        begin_forecast(built(config, run.root), run)


def test_a_folder_of_another_task_is_refused(config, tiny_config, tmp_path):
    run = RunFolder(tmp_path / "run")
    run.root.mkdir()
    run.config.write_text(json.dumps(plain_values(tiny_config)))
    with pytest.raises(InputError, match=r"another task \(review\)"):
        built(config, run.root)
    run.config.write_text(json.dumps(plain_values(config)))
    with pytest.raises(InputError, match=r"another task \(forecast\)"):
        begin_run(None, run)


def test_a_broken_loss_names_the_rows(config, tmp_path):
    config.optimizer.update(head_rate=1e30, clip_norm=0.0)
    config.train.loss = "l2"
    with pytest.raises(InputError, match=r"(?s)broke at step.*forecasts of rows \d+"):
        train(built(config, tmp_path / "run"), RunFolder(tmp_path / "run"))


def test_shapes_are_known_beforehand(config, tmp_path):
    experiment = built(config, tmp_path / "run")
    planned, drawn = planned_and_drawn(experiment)
    assert planned == drawn
    blank, batch = blank_and_batch(experiment)
    assert blank == batch


@pytest.mark.slow
def test_a_kept_program_makes_the_same_update(config, tmp_path, anew_and_kept):
    anew, kept = anew_and_kept(built(config, tmp_path / "run"))
    chex.assert_trees_all_equal(anew, kept)
