"""A run killed with -9 and started again ends with bitwise the unbroken parameters."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import chex
import jax
import pytest

from reviewintent_jax import kept_traces
from reviewintent_jax.build import begin_run, build_experiment, plain_values
from reviewintent_jax.kept_traces import traces_of_run
from reviewintent_jax.models.first_weights import FirstParameters
from reviewintent_jax.schema import InputError, RunFolder, TransientError
from reviewintent_jax.training.checkpoints import (
    Checkpoints,
    has_checkpoint,
    restore_best,
)
from reviewintent_jax.training.loop import train
from reviewintent_jax.training.step import TrainStep

SCRIPT = """
import json, sys
from pathlib import Path
from reviewintent_jax.build import begin_run, build_experiment
from reviewintent_jax.schema import RunFolder
from reviewintent_jax.training.loop import train
run = RunFolder(Path(sys.argv[1]))
experiment = build_experiment(json.loads(Path(sys.argv[2]).read_text()), run)
begin_run(experiment, run)
train(experiment, run)
"""


@pytest.fixture
def values(tiny_config):
    tiny_config.train.update(epochs=1, max_steps=9)
    return plain_values(tiny_config)


def last_state(values, folder):
    """The newest full state of a run, as saved."""
    run = RunFolder(folder)
    experiment = build_experiment(values, run)
    with Checkpoints(run, experiment.identity()) as checkpoints:
        layout = experiment.first_state(experiment.make_optimizer()).layout
        found = checkpoints.restore(layout)
    assert found is not None
    return jax.device_get(found)


def steps_logged(run: RunFolder) -> list[int]:
    lines = run.log.read_text().splitlines() if run.log.is_file() else []
    records = [json.loads(line) for line in lines if line.endswith("}")]
    return [r["step"] for r in records if r["kind"] == "train"]


def start(values, folder: Path) -> subprocess.Popen:
    """Starts the run in a process of its own, as a user does, with one device."""
    config = folder.parent / "values.json"
    config.write_text(json.dumps(values))
    environment = os.environ | {
        "JAX_NUM_CPU_DEVICES": "1",
        "JAX_COMPILATION_CACHE_DIR": str(jax.config.jax_compilation_cache_dir),
        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0.1",
    }
    return subprocess.Popen(
        [sys.executable, "-c", SCRIPT, str(folder), str(config)],
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def start_and_kill(values, folder: Path, at_step: int, *, saved: bool = False) -> None:
    """Kills the run with -9 once it has reported a step, and ``saved`` a state."""
    process = start(values, folder)
    run, limit = RunFolder(folder), time.monotonic() + 180
    while not (
        any(step >= at_step for step in steps_logged(run))
        and (has_checkpoint(run) or not saved)
    ):
        assert process.poll() is None, "the run ended before it could be killed"
        assert time.monotonic() < limit
        time.sleep(0.005)
    process.send_signal(signal.SIGKILL)
    process.wait()


@pytest.mark.slow
def test_killed_at_three_places_the_run_ends_bitwise_the_same(values, tmp_path):
    unbroken, broken = tmp_path / "unbroken", tmp_path / "broken"
    assert start(values, unbroken).wait(180) == 0
    for at_step in (1, 4, 7):  # before the first save, between saves, after validation
        start_and_kill(values, broken, at_step)
    # What the last start goes on from is neither nothing nor the end.
    assert 0 < last_state(values, broken)[0].step < 9
    assert start(values, broken).wait(180) == 0
    run = RunFolder(broken)
    (state, tracker), (wanted, wanted_tracker) = (
        last_state(values, folder) for folder in (broken, unbroken)
    )
    assert state.step == 9
    chex.assert_trees_all_equal(state, wanted)
    assert tracker._replace(seconds=0) == wanted_tracker._replace(seconds=0)
    best, wanted_best = (
        restore_best(RunFolder(folder), state.params) for folder in (broken, unbroken)
    )
    chex.assert_trees_all_equal(best, wanted_best)
    # The log tells one story: every step once, in order, with the same losses.
    assert steps_logged(run) == list(range(1, 10))
    logs = [RunFolder(f).log.read_text().splitlines() for f in (broken, unbroken)]
    losses = [[json.loads(line)["loss"] for line in log] for log in logs]
    assert losses[0] == losses[1]


@pytest.mark.slow
def test_ctrl_c_saves_the_update_at_hand(values, tmp_path):
    values["train"] |= {"checkpoint_every_steps": 0, "max_steps": 500, "epochs": 99}
    process = start(values, tmp_path / "run")
    run, limit = RunFolder(tmp_path / "run"), time.monotonic() + 180
    while not any(step >= 2 for step in steps_logged(run)):
        assert process.poll() is None, "the run ended before it could be stopped"
        assert time.monotonic() < limit
        time.sleep(0.005)
    process.send_signal(signal.SIGINT)
    assert process.wait(60) != 0
    state, tracker = last_state(values, tmp_path / "run")
    assert state.step == max(steps_logged(run))
    assert tracker.seen > 0


@pytest.fixture
def histories(values):
    """The same run on histories; the weights of its losses are learned."""
    values["pages"]["slots"] = 12
    values["pages"]["max_tokens"] = 32
    values["data"].update(shop_rows=900, time="time")
    values["intention"].update(
        kind="repurchase", subject="user_id", window=2, covariates=["gap", "first"]
    )
    values["history"]["loss"]["weighting"] = "learned"
    return values


@pytest.mark.slow
def test_a_run_on_histories_killed_goes_on_exactly(histories, tmp_path):
    """Killed with -9 once, as soon as there is something to go on from."""
    values, last = histories, 12
    values["train"].update(max_steps=last, epochs=9, stop_metric="intention_macro_f1")
    unbroken, broken = tmp_path / "unbroken", tmp_path / "broken"
    assert start(values, unbroken).wait(400) == 0
    start_and_kill(values, broken, at_step=3, saved=True)
    assert 0 < last_state(values, broken)[0].step < last
    assert start(values, broken).wait(400) == 0
    (state, tracker), (wanted, wanted_tracker) = (
        last_state(values, folder) for folder in (broken, unbroken)
    )
    assert state.step == last
    assert "task_log_variance" in state.params
    chex.assert_trees_all_equal(state, wanted)
    assert tracker._replace(seconds=0) == wanted_tracker._replace(seconds=0)
    assert steps_logged(RunFolder(broken)) == list(range(1, last + 1))


@pytest.mark.slow
def test_a_run_on_histories_goes_on_exactly(histories, tmp_path):
    """Stopped after four of seven; learned weights are part of what is saved."""
    values, found = histories, []
    for folder, stops in (("unbroken", (7,)), ("broken", (4, 7))):
        run = RunFolder(tmp_path / folder)
        for stop in stops:
            values["train"]["max_steps"] = stop
            train(build_experiment(values, run), run)
        found.append(last_state(values, run.root)[0])
    assert found[0].step == found[1].step == 7
    assert "task_log_variance" in found[0].params
    chex.assert_trees_all_equal(*found)


def test_another_seed_is_not_the_same_run(values, tmp_path):
    run = RunFolder(tmp_path)
    values["train"]["max_steps"] = 2
    train(build_experiment(values, run), run)
    with pytest.raises(InputError, match="seed: 42 then, 43 now"):
        train(build_experiment(values | {"seed": 43}, run), run)


def test_another_meaning_of_best_is_not_the_same_run(values, tmp_path):
    run = RunFolder(tmp_path)
    values["train"]["max_steps"] = 2
    train(build_experiment(values, run), run)
    values["train"]["stop_metric"] = "loss"
    with pytest.raises(InputError, match="stop_metric: macro_f1 then, loss now"):
        train(build_experiment(values, run), run)


def test_changed_data_are_refused_once_training_began(values, tmp_path):
    run = RunFolder(tmp_path)
    values["train"]["max_steps"] = 2
    train(build_experiment(values, run), run)
    values["data"]["shop_rows"] = 200
    with pytest.raises(InputError, match="data or their settings changed"):
        build_experiment(values, run)


@pytest.mark.slow
def test_lost_data_are_made_again_as_they_were_or_not_at_all(values, tmp_path):
    run = RunFolder(tmp_path)
    values["train"]["max_steps"] = 2
    train(build_experiment(values, run), run)
    shutil.rmtree(run.prepared)
    changed = json.loads(json.dumps(values))
    changed["data"]["shop_seed"] += 1
    with pytest.raises(InputError, match=r"data or their settings changed.*source"):
        build_experiment(changed, run)
    assert not run.prepared.exists()
    values["train"]["max_steps"] = 3
    assert int(train(build_experiment(values, run), run).state.step) == 3


def test_another_run_s_data_in_the_place_of_its_own_are_refused(values, tmp_path):
    run, other = RunFolder(tmp_path / "run"), RunFolder(tmp_path / "other")
    values["train"]["max_steps"] = 2
    train(build_experiment(values, run), run)
    changed = json.loads(json.dumps(values))
    changed["data"]["shop_seed"] += 1
    experiment = build_experiment(changed, other)
    with pytest.raises(InputError, match=r"data\.source\.shop_seed: \d+ then"):
        begin_run(experiment, run)


@pytest.mark.slow
def test_a_nan_stops_with_step_and_rows_and_keeps_the_last_good_checkpoint(
    values, tmp_path
):
    run = RunFolder(tmp_path)
    values["optimizer"].update(head_rate=1e30, clip_norm=0.0, warmup_steps=3)
    values["train"]["checkpoint_every_steps"] = 1
    with pytest.raises(InputError, match=r"at step \d.*\n.*rows \d+") as error:
        train(build_experiment(values, run), run)
    assert "checkpoint is intact" in str(error.value)
    experiment = build_experiment(values, run)
    with Checkpoints(run, experiment.identity()) as checkpoints:
        layout = experiment.first_state(experiment.make_optimizer()).layout
        state, _ = checkpoints.restore(layout)
    assert state.step >= 1
    chex.assert_tree_all_finite(state.params)


@pytest.mark.slow
def test_patience_ends_training_and_the_best_is_kept(values, tmp_path):
    run = RunFolder(tmp_path)
    values["train"].update(
        max_steps=0, epochs=50, validate_every_steps=1, patience=2, stop_metric="loss"
    )
    values["optimizer"].update(encoder_rate=0.5, head_rate=0.5, warmup_steps=0)
    result = train(build_experiment(values, run), run)
    assert result.tracker.stale == 2
    assert result.tracker.best_step == int(result.state.step) - 2
    _, step = restore_best(run, result.state.params)
    assert step == result.tracker.best_step


def test_a_write_that_failed_ends_training_after_the_update_at_hand(
    values, tmp_path, monkeypatch
):
    asked = []

    def full_at_last(checkpoints):
        asked.append(checkpoints)
        if len(asked) == 3:
            raise TransientError("The disk is full.")

    monkeypatch.setattr(Checkpoints, "check_writes", full_at_last)
    run = RunFolder(tmp_path)
    experiment = build_experiment(values, run)
    begin_run(experiment, run)
    with pytest.raises(TransientError, match="disk is full"):
        train(experiment, run)
    assert steps_logged(run) == [1, 2]


def test_another_seed_finds_the_programs_that_were_kept(
    values, tmp_path, kept_apart, monkeypatch
):
    values["train"]["max_steps"] = 2

    def state(seed, name):
        run, own = RunFolder(tmp_path / name), values | {"seed": seed}
        experiment = build_experiment(own, run)
        begin_run(experiment, run)
        traces = traces_of_run(own, experiment.identity())
        return jax.device_get(train(experiment, run, traces).state)

    first = state(3, "first")
    monkeypatch.delattr(kept_traces.export, "export")  # or it would be traced again
    other, again = state(4, "other"), state(3, "again")
    chex.assert_trees_all_equal(again, first)
    drawn = zip(*(jax.tree.leaves(each.params) for each in (other, first)), strict=True)
    assert not all((one == two).all() for one, two in drawn)
    assert len(list(kept_apart.iterdir())) == 2


def test_a_run_that_goes_on_draws_no_first_weights(values, tmp_path, monkeypatch):
    values["train"]["max_steps"] = 2
    run = RunFolder(tmp_path)
    experiment = build_experiment(values, run)
    begin_run(experiment, run)
    train(experiment, run)
    values["train"]["max_steps"] = 3
    monkeypatch.delattr(FirstParameters, "draw")
    monkeypatch.delattr(FirstParameters, "compile_ahead")
    assert train(build_experiment(values, run), run).state.step == 3
    # Nor is anything compiled where all is done.
    monkeypatch.delattr(TrainStep, "compile_ahead")
    assert train(build_experiment(values, run), run).state.step == 3
