"""Headings as a task: its loss, its pieces, what it leaves, and going on exactly."""

import json
import os
import signal
import subprocess
import sys
import time

import chex
import jax
import numpy as np
import pandas as pd
import pytest

from configs import intention_series
from reviewintent_jax.build import plain_values
from reviewintent_jax.build_heading import (
    begin_heading,
    build_heading,
    load_heading,
    open_panel,
    read_newer,
)
from reviewintent_jax.data.batches import Position
from reviewintent_jax.data.checks import RejectionLog
from reviewintent_jax.data.splits import TEST, VALIDATION
from reviewintent_jax.schema import InputError, RunFolder
from reviewintent_jax.training.checkpoints import Checkpoints, restore_best
from reviewintent_jax.training.heading_answers import make_heading_step
from reviewintent_jax.training.heading_outcome import (
    NEXT,
    evaluate_heading,
    next_table,
    write_heading_outcome,
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
from reviewintent_jax.build_heading import begin_heading, build_heading
from reviewintent_jax.schema import RunFolder
from reviewintent_jax.training.loop import train
run = RunFolder(Path(sys.argv[1]))
experiment = build_heading(json.loads(Path(sys.argv[2]).read_text()), run)
begin_heading(experiment, run)
train(experiment, run)
"""


def reviews(path, *, days=220, seed=0, groups=("tea", "milk", "oats")):
    """Reviews whose share swings with the weeks, so that there is much to foresee."""
    rng = np.random.default_rng(seed)
    rows = []
    for g, group in enumerate(groups):
        for day in range(30 * g, days):
            week = day // 7
            for _ in range(rng.poisson(1.5 + (week % 2))):
                good = rng.random() < (0.9 if week % 2 else 0.1)
                date = str(np.datetime64("2020-01-06") + day)
                rows.append((group, date, 5 if good else 1, int(good)))
    names = ["product", "when", "stars", "again"]
    pd.DataFrame(rows, columns=names).to_csv(path, index=False)
    return path


@pytest.fixture
def config(tmp_path):
    """Config of a run that takes seconds."""
    config = intention_series.get_config()
    config.data.update(
        path=str(reviews(tmp_path / "reviews.csv")),
        time="when",
        group="product",
        recommending="again",
        period="week",
    )
    config.windows.update(window=4, min_reviews=3, min_periods=2)
    config.lstnet.update(
        kernel_sizes=(1, 2), channels=3, recurrent_features=5, highway_window=4
    )
    config.optimizer.head_rate = 0.01
    config.train.update(
        epochs=2, batch_windows=16, checkpoint_every_steps=2, log_every_steps=1
    )
    config.evaluation.update(
        batch_windows=10,
        ridge_alphas=(0.1, 10.0),
        logistic_costs=(1.0,),
        bootstrap_samples=20,
    )
    config.mesh.data = 1
    return config


def built(config, folder):
    return build_heading(plain_values(config), RunFolder(folder))


def first_batch(experiment):
    return next(experiment.train_batches().batches(Position(0, 0)))[0]


@pytest.mark.slow
@pytest.mark.parametrize("loss", ["l1", "l2"])
def test_the_loss_is_that_of_a_plain_loop(config, tmp_path, loss):
    config.lstnet.dropout = config.head.dropout = 0.0
    config.train.update(
        loss=loss, value_weight=2.0, direction_weight=0.3, batch_windows=100
    )
    experiment = built(config, tmp_path / "run")
    batch = first_batch(experiment)
    assert 0 < (batch.row_b >= 0).sum() < 100  # the rest is empty and must not count
    batch.known_bs[3, 1], batch.direction_bs[3, 1] = 0, -1  # one that nobody knows
    params = experiment.first_state(experiment.make_optimizer()).draw().params
    step = make_heading_step(experiment.model)
    forecast, logits = map(np.asarray, step(params, batch.value_bts, batch.length_b))
    total, known, hits = 0.0, 0, 0
    for b, s in np.ndindex(100, 3):
        if batch.row_b[b] < 0 or not batch.known_bs[b, s]:
            continue
        error = abs(forecast[b, s] - batch.target_bs[b, s])
        odds = np.exp(logits[b, s] - logits[b, s].max())
        label = batch.direction_bs[b, s]
        nats = -np.log(odds[label] / odds.sum())
        total += 2.0 * (error if loss == "l1" else error**2) + 0.3 * nats
        known += 1
        hits += odds.argmax() == label
    totals = experiment.totals(batch)
    sums = experiment.loss(params, batch, totals, jax.random.key(0))
    np.testing.assert_allclose(sums.loss, total / known, rtol=1e-4)
    assert sums.tallies["mae"].count == known
    assert sums.tallies["accuracy"].total == hits


def test_pieces_make_the_same_update(config, tmp_path):
    config.lstnet.dropout = config.head.dropout = 0.0
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


def test_validation_says_what_the_loss_says(config, tmp_path):
    config.lstnet.dropout = config.head.dropout = 0.0
    experiment = built(config, tmp_path / "run")
    params = experiment.first_state(experiment.make_optimizer()).draw().params
    scores = experiment.validation()(params)
    row_n = experiment.windows.targets(VALIDATION)
    batch = experiment.windows.batch(row_n, len(row_n))
    totals = experiment.totals(batch)
    sums = experiment.loss(params, batch, totals, jax.random.key(0))
    assert scores["loss"] == pytest.approx(float(sums.loss), rel=1e-4)
    assert experiment.stop_score(scores) == -scores["loss"]


@pytest.mark.slow
def test_it_learns_a_swing_that_persistence_cannot(config, tmp_path):
    config.train.update(epochs=25, patience=0, checkpoint_every_steps=0)
    config.optimizer.head_rate = 0.03
    run = RunFolder(tmp_path / "run")
    experiment = built(config, run.root)
    begin_heading(experiment, run)
    result = train(experiment, run)
    metrics = write_heading_outcome(experiment, result, run, {})
    test = metrics["systems"]["model"]["test"]
    assert test["values"]["positive"]["skill"]["value"] > 0.5
    assert test["directions"]["positive"]["accuracy"]["value"] > 0.8
    majority = metrics["differences"]["directions"]["positive"]["majority"]
    assert majority["low"] > 0
    trained = load_heading(run)
    assert trained.usual_error[0] == test["values"]["positive"]["mae"]["value"]
    assert run.rejected.read_text() == ""
    _scores_are_those_of_the_table(run, metrics)
    _evaluating_again_changes_nothing(trained, experiment, run, metrics)
    _next_is_what_the_newest_window_says(trained, run, experiment)


def _scores_are_those_of_the_table(run, metrics):
    table = pd.read_parquet(run.predictions("test"))
    for measure, rows in table.dropna(subset="truth").groupby("measure", observed=True):
        for name in ("model", "persistence", "window_mean", "ar_ridge"):
            scores = metrics["systems"][name]["test"]["values"][measure]
            mae = (rows[name] - rows["truth"]).abs().mean()
            assert scores["mae"]["value"] == pytest.approx(mae)
        columns = [f"model_probability_{d}" for d in ("falling", "steady", "rising")]
        answered = rows[columns].to_numpy().argmax(1)
        right = (answered == rows["direction"].cat.codes.to_numpy()).mean()
        scores = metrics["systems"]["model"]["test"]["directions"][measure]
        assert scores["accuracy"]["value"] == pytest.approx(right)


def _evaluating_again_changes_nothing(trained, experiment, run, metrics):
    again = evaluate_heading(trained, experiment.windows, run, {})
    assert again["systems"] == metrics["systems"]


def _next_is_what_the_newest_window_says(trained, run, experiment):
    """The panel but its last period is asked what the last test window was asked."""
    panel = open_panel(run)
    cut = type(panel)(
        panel.period,
        panel.first,
        panel.groups,
        panel.measures,
        panel.reviews_gt[:, :-1],
        panel.value_gts[:, :-1],
        panel.facts,
    )
    said = next_table(trained, cut).rows.set_index(["group", "measure"])
    table = pd.read_parquet(run.predictions("test"))
    last = table[table["period"] == table["period"].max()]
    assert len(last) == len(said) == 9
    for _, row in last.iterrows():
        wanted = said.loc[(row["group"], row["measure"])]
        assert wanted["forecast"] == pytest.approx(row["model"], abs=1e-6)
        assert wanted["last_value"] == pytest.approx(row["last"])
        rising = row["model_probability_rising"]
        assert wanted["probability_rising"] == pytest.approx(rising, abs=1e-6)
    assert len(experiment.windows.targets(TEST)) * 3 == len(table)
    kept = pd.read_parquet(run.predictions(NEXT))
    assert kept["forecast_period"].unique().tolist() == [panel.name(panel.periods)]


def test_newer_reviews_may_have_other_groups_and_unknown_answers(config, tmp_path):
    run = RunFolder(tmp_path / "run")
    config.train.max_steps = 1
    experiment = built(config, run.root)
    begin_heading(experiment, run)
    write_heading_outcome(experiment, train(experiment, run), run, {})
    values = json.loads(run.config.read_text())
    del values["data"]["date_order"]  # a run may be older than the setting
    run.config.write_text(json.dumps(values))
    trained = load_heading(run)
    path = reviews(tmp_path / "newer.csv", seed=5, groups=("tea", "cocoa"))
    with path.open("a") as file:
        file.write("cocoa,2020-05-01,no idea,\n,2020-05-01,5,1\n")
    data = trained.data.__class__(**(vars(trained.data) | {"path": str(path)}))
    with RejectionLog(tmp_path / "log.jsonl") as log:
        panel = read_newer(trained, data, log)
    found = next_table(trained, panel)
    assert set(found.rows["group"]) == {"tea", "cocoa"}
    assert found.rows["forecast"].between(0, np.inf).all()
    shares = found.rows[found.rows["measure"] != "log_volume"]
    assert shares["forecast"].between(0, 1).all()
    columns = ["probability_falling", "probability_steady", "probability_rising"]
    np.testing.assert_allclose(found.rows[columns].sum(axis=1), 1)
    assert log.counts == {"no group": 1, "counted in volume alone": 2}
    path.write_text("product,when,stars,again\ntea,05/06/2020,5,1\n")
    with (
        RejectionLog(tmp_path / "log.jsonl") as log,
        pytest.raises(InputError, match=r"(?s)None of the 1 rows.*Write dates year"),
    ):
        read_newer(trained, data, log)


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
    experiment = build_heading(values, run)
    with Checkpoints(run, experiment.identity()) as checkpoints:
        layout = experiment.first_state(experiment.make_optimizer()).layout
        found = checkpoints.restore(layout)
    assert found is not None
    return jax.device_get(found)


@pytest.mark.slow
def test_killed_the_run_ends_bitwise_the_same(config, tmp_path):
    config.train.update(epochs=3, batch_windows=7)
    values = plain_values(config)
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    assert start(values, whole).wait(180) == 0
    process, limit = start(values, broken), time.monotonic() + 180
    while not any(step >= 5 for step in steps_logged(RunFolder(broken))):
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
    chex.assert_trees_all_equal(state, wanted)
    assert tracker._replace(seconds=0) == wanted_tracker._replace(seconds=0)
    best = [restore_best(RunFolder(f), state.params) for f in (broken, whole)]
    chex.assert_trees_all_equal(*best)


@pytest.mark.parametrize(
    ("group", "field", "value", "said"),
    [
        ("windows", "horizon", 2, "windows.horizon: 1 then, 2 now"),
        ("train", "direction_weight", 0.7, r"direction_weight: 0\.5 then, 0\.7 now"),
        ("data", "period", "month", "reviews: "),
    ],
)
def test_other_settings_or_reviews_are_not_the_same_run(
    config, tmp_path, group, field, value, said
):
    run = RunFolder(tmp_path / "run")
    config.train.max_steps = 1
    config.windows.update(window=2, min_reviews=1)
    experiment = built(config, run.root)
    begin_heading(experiment, run)
    train(experiment, run)
    before = {path: path.read_bytes() for path in run.root.glob("*.json*")}
    config[group][field] = value
    with pytest.raises(InputError, match=said):
        begin_heading(built(config, run.root), run)
    assert {path: path.read_bytes() for path in run.root.glob("*.json*")} == before


def test_a_folder_of_another_task_or_of_others_is_refused(config, tmp_path):
    run = RunFolder(tmp_path / "run")
    run.root.mkdir()
    run.report.write_text("mine")
    with pytest.raises(InputError, match=r"no run's, but holds report\.html"):
        built(config, run.root)
    run.report.unlink()
    values = plain_values(config) | {"task": "forecast"}
    run.config.write_text(json.dumps(values))
    with pytest.raises(InputError, match=r"another task \(forecast\)"):
        built(config, run.root)
    assert list(run.root.iterdir()) == [run.config]


@pytest.mark.parametrize(
    ("group", "values", "said"),
    [
        ("forecaster", {"output": "sigmoid"}, "cannot go through sigmoid"),
        ("train", {"value_weight": 0.0, "direction_weight": 0.0}, "nor both be 0"),
        ("lstnet", {"skip_period": 9, "skip_features": 2}, "holds no two steps"),
        ("windows", {"window": 0}, "windows.window is 0"),
    ],
)
def test_settings_that_make_no_run_are_refused(config, tmp_path, group, values, said):
    config[group].update(values)
    with pytest.raises(InputError, match=said):
        built(config, tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_broken_loss_names_groups_and_periods(config, tmp_path):
    config.optimizer.update(head_rate=1e30, clip_norm=0.0)
    config.train.loss = "l2"
    with pytest.raises(InputError, match=r"(?s)broke at step.*(tea|milk) in 2020-"):
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
