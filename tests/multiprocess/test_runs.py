"""Real processes: the same losses as one, ends that all learn of, exact restarts.

Most of it on a small forecast, whose step compiles in seconds. Everything the runs do
is done once, in fixtures; each test looks at one side of it.
"""

import json
import shutil
import signal
import time

import numpy as np
import pytest

from reviewintent_jax.build import build_experiment
from reviewintent_jax.training.loop import train
from tests.launch.test_commands import small_flags
from tests.multiprocess.jobs import Job

pytestmark = pytest.mark.slow
WAVES = {
    "windows": {"window": 9, "horizon": 2},
    "lstnet": {
        "kernel_sizes": "(3,)",
        "channels": 5,
        "recurrent_features": 4,
        "skip_period": 0,
        "skip_features": 0,
        "highway_window": 4,
    },
    "train": {
        "epochs": 100_000,
        "batch_windows": 15,
        "patience": 0,
        "validate_every_steps": 100_000,
        "checkpoint_every_steps": 10,
        "log_every_steps": 1,
    },
    "evaluation": {"batch_windows": 10, "season": 6},
}


@pytest.fixture(scope="module")
def waves(tmp_path_factory):
    """Flags of a small forecast."""
    t = np.arange(120)
    noise = np.random.default_rng(0).normal(0, 0.1, (2, 120))
    values = np.stack([5 + np.sin(t / 3), 200 + 9 * np.cos(t / 2)]) + noise
    path = tmp_path_factory.mktemp("waves") / "waves.csv"
    np.savetxt(path, values.T, delimiter=",", header="tea,milk", comments="")
    flags = ["--config=configs/forecast.py", f"--config.data.path={path}"]
    for group, fields in WAVES.items():
        flags += [f"--config.{group}.{name}={v}" for name, v in fields.items()]
    return flags


@pytest.fixture
def job(waves, tmp_path):
    job = Job(tmp_path, waves)
    yield job
    job.kill()


@pytest.fixture(scope="module")
def reviews(tiny_encoder, tmp_path_factory):
    """An epoch of reviews, by one process and by two."""
    flags = ["--config=configs/demo.py", "--config.encoder.sha256="]
    flags += ["--config.data.shop_rows=160", "--config.train.batch_reviews=24"]
    flags += [*small_flags(tiny_encoder), "--config.train.log_every_steps=1"]
    flags += ["--config.train.max_steps=0", "--config.train.checkpoint_every_steps=3"]
    folder = tmp_path_factory.mktemp("reviews")
    one = Job(folder / "one", flags).start(1, devices=2).finish()
    two = Job(folder / "two", flags).start(2).finish()
    return one, two


def test_reviews_on_two_processes_say_what_one_says(reviews):
    one, two = reviews
    losses = [list(job.losses().values()) for job in (one, two)]
    assert len(losses[0]) == 5
    np.testing.assert_allclose(*losses, atol=1e-6, rtol=0)
    scores = [json.loads(job.run.metrics.read_text()) for job in (one, two)]
    assert scores[1]["environment"]["processes"] == 2
    found = [each["systems"]["model"]["test"]["log_loss"]["value"] for each in scores]
    np.testing.assert_allclose(*found, atol=1e-5, rtol=0)
    # The first process speaks and writes; the other is quiet.
    assert "Report: " in two.said(0)
    assert "step" not in two.said(1)
    assert "Report" not in two.said(1)


def test_reviews_go_on_from_two_processes_to_one_without_a_gap(reviews, tmp_path):
    one, two = reviews
    broken = Job(tmp_path / "broken", [])
    shutil.copytree(two.run.root, broken.run.root)
    # As if both had been killed between the last two states; this process goes on.
    latest = broken.run.checkpoints / "latest"
    shutil.rmtree(max(latest.iterdir()))
    shutil.rmtree(broken.run.checkpoints / "best")
    (saved,) = (int(each.name) for each in latest.iterdir())
    values = json.loads(broken.run.config.read_text())
    values["mesh"]["data"] = 1
    tracker = train(build_experiment(values, broken.run), broken.run).tracker
    losses, wanted = broken.losses(), one.losses()
    assert 0 < saved < max(wanted)
    assert list(losses) == list(wanted)
    np.testing.assert_allclose(
        list(losses.values()), list(wanted.values()), atol=1e-5, rtol=0
    )
    whole = json.loads(one.run.metrics.read_text())["training"]
    assert tracker.epoch == whole["epochs"] == 1
    assert tracker.seen == whole["reviews"]


def test_a_mistake_ends_all_and_is_said_once(job):
    job.flags = [*job.flags, "--config.windows.window=1000"]
    assert job.start(2).codes() == [2, 2]
    assert "too few" in job.said(0)
    assert "too few" not in job.said(1)


@pytest.fixture(scope="module")
def story(waves, tmp_path_factory):
    """One run: its coordinator is killed, then SIGTERM comes, then one process ends it.

    Beside it a run of one process that nobody stopped.
    """
    job, facts = Job(tmp_path_factory.mktemp("story"), waves), {}
    try:
        job.start(2).signal_at(12, signal.SIGKILL, process=0)
        began = time.monotonic()
        facts["killed"] = job.codes()
        facts["seconds"] = time.monotonic() - began
        facts["survivor said"] = job.said(1)
        job.start(2).signal_at(30, signal.SIGTERM, process=1)
        facts["stopped"] = job.codes()
        facts["stopped said"] = job.said(0)
        folder = job.run.checkpoints / "latest"
        facts["saved"] = max(int(each.name) for each in folder.iterdir())
        facts["logged"] = max(job.losses())
        last = facts["saved"] + 10
        job.start(1, **{"config.train.max_steps": last}).finish()
        whole = Job(tmp_path_factory.mktemp("whole"), waves)
        whole.start(1, **{"config.train.max_steps": last}).finish()
        facts["losses"], facts["wanted"] = job.losses(), whole.losses()
    finally:
        job.kill()
    return facts


def test_when_the_coordinator_is_killed_the_other_ends_promptly_and_says_why(story):
    first, other = story["killed"]
    assert first == -signal.SIGKILL
    assert other not in (0, -signal.SIGKILL)  # it ended by itself
    assert story["seconds"] < 30
    said = story["survivor said"]
    assert "another process" in said or "another task died" in said


def test_sigterm_to_one_saves_the_same_step_on_all_and_exits_well(story):
    assert story["stopped"] == [0, 0]
    assert story["saved"] == story["logged"]
    assert f"Stopped after step {story['saved']}" in story["stopped said"]


def test_the_curve_goes_on_from_two_processes_to_one_as_if_nothing_had_been(story):
    losses, wanted = story["losses"], story["wanted"]
    assert list(losses) == list(wanted) == list(range(1, story["saved"] + 11))
    np.testing.assert_allclose(
        list(losses.values()), list(wanted.values()), atol=1e-5, rtol=0
    )
