"""Checkpoints keep what is needed and refuse what is another run."""

import resource
import threading
import time

import chex
import fsspec
import jax
import jax.numpy as jnp
import numpy as np
import orbax.checkpoint as ocp
import pytest
from etils import epath

from reviewintent_jax.schema import InputError, RunFolder, TransientError
from reviewintent_jax.training import checkpoint_folder
from reviewintent_jax.training.checkpoint_folder import CheckpointSpec
from reviewintent_jax.training.checkpoints import (
    Checkpoints,
    has_checkpoint,
    restore_best,
)
from reviewintent_jax.training.state import TrainState
from reviewintent_jax.training.stopping import Preempted
from reviewintent_jax.training.tracker import FRESH

IDENTITY = {"seed": 1, "model": {"lstnet": {"channels": 5}}}


def state(step):
    """A state in which every number tells its step."""
    params = {"kernel": jnp.full((2, 3), step, jnp.float32)}
    moments = {"mean": jnp.full((3,), 10 * step, jnp.float32)}
    return TrainState(jnp.asarray(step, jnp.int32), params, moments)


def kept(run, folder):
    return sorted(int(path.name) for path in (run.checkpoints / folder).iterdir())


def test_nothing_saved_means_a_fresh_start(tmp_path):
    with Checkpoints(RunFolder(tmp_path), IDENTITY) as checkpoints:
        assert checkpoints.restore(state(0)) is None


def test_the_last_two_states_and_the_best_parameters_are_kept(tmp_path):
    run = RunFolder(tmp_path)
    trackers = [FRESH._replace(page=7 * step, seen=step) for step in range(5)]
    with Checkpoints(run, IDENTITY) as checkpoints:
        for step in (1, 2, 3, 4):
            if step in (1, 3):
                checkpoints.save_best(state(step))
            checkpoints.save(state(step), trackers[step])
    assert kept(run, "latest") == [3, 4]
    assert kept(run, "best") == [3]
    with Checkpoints(run, IDENTITY) as checkpoints:
        found, tracker = checkpoints.restore(state(0))
    chex.assert_trees_all_equal(jax.device_get(found), jax.device_get(state(4)))
    assert tracker == trackers[4]
    params, step = restore_best(run, jax.eval_shape(lambda: state(0)).params)
    assert step == 3
    np.testing.assert_array_equal(params["kernel"], np.full((2, 3), 3.0))


def test_another_model_is_refused_and_what_differs_is_named(tmp_path):
    run = RunFolder(tmp_path)
    with Checkpoints(run, IDENTITY) as checkpoints:
        checkpoints.save(state(1), FRESH)
    other = {"seed": 1, "model": {"lstnet": {"channels": 4}}}
    said = pytest.raises(InputError, match=r"channels: 5 then, 4 now")
    with Checkpoints(run, other) as checkpoints, said as refused:
        checkpoints.restore(state(0))
    assert "seed" not in refused.value.what
    assert str(run.checkpoints) in refused.value.where


def test_a_run_without_a_finished_checkpoint_has_no_model_to_score(tmp_path):
    with pytest.raises(InputError, match="no trained model yet"):
        restore_best(RunFolder(tmp_path), {"kernel": jnp.zeros((2, 3))})


def test_weights_of_another_model_are_refused_in_a_sentence(tmp_path):
    run = RunFolder(tmp_path)
    with Checkpoints(run, IDENTITY) as checkpoints:
        checkpoints.save_best(state(1))
    with pytest.raises(InputError, match="do not fit its model") as refused:
        restore_best(run, {"dense": {"kernel": jnp.zeros((2, 3))}})
    assert len(refused.value.what) < 300


def test_what_a_killed_run_left_is_gone_before_orbax_looks(tmp_path, monkeypatch):
    run = RunFolder(tmp_path)
    with Checkpoints(run, IDENTITY) as checkpoints:
        checkpoints.save_best(state(1))
        checkpoints.save(state(1), FRESH)
    foreign = run.checkpoints / "mine.orbax-checkpoint-tmp"
    foreign.mkdir()
    for name in (
        "latest/00000002.orbax-checkpoint-tmp",
        "best/2.orbax-checkpoint-tmp-7",
    ):
        (run.checkpoints / name / "params").mkdir(parents=True)
        (run.checkpoints / name / "params" / "part").write_text("half")
    real, seen = ocp.CheckpointManager, []

    def watched(folder, *, options):
        seen.extend(sorted(path.name for path in folder.iterdir()))
        assert not options.cleanup_tmp_directories
        return real(folder, options=options)

    monkeypatch.setattr(ocp, "CheckpointManager", watched)
    with Checkpoints(run, IDENTITY) as checkpoints:
        assert checkpoints.restore(state(0))[0].step == 1
    assert seen == ["00000001", "00000001"]
    assert foreign.is_dir()


def save_steps(run, *steps):
    with Checkpoints(run, IDENTITY) as checkpoints:
        for step in steps:
            checkpoints.save(state(step), FRESH._replace(seen=step))


def damage(run, step, what, kind="latest", item="tensors"):
    """Cuts or takes away files of a checkpoint, as a failing disk does."""
    folder = run.checkpoints / kind / f"{step:08d}"
    if what == "meta":
        (folder / "meta" / "metadata").write_text("{")
        return
    for path in (folder / item).rglob("*"):
        if path.is_file() and "d" in path.parts:
            path.write_bytes(path.read_bytes()[:1] if what == "cut" else b"")
        elif path.is_file() and what == "gone":
            path.unlink()


@pytest.mark.parametrize("what", ["cut", "gone", "meta"])
def test_a_damaged_newest_checkpoint_gives_way_with_a_warning(tmp_path, caplog, what):
    run = RunFolder(tmp_path)
    save_steps(run, 1, 2)
    damage(run, 2, what)
    with Checkpoints(run, IDENTITY) as checkpoints:
        found, tracker = checkpoints.restore(state(0))
        chex.assert_trees_all_equal(jax.device_get(found), jax.device_get(state(1)))
        assert tracker.seen == 1
        # Its step comes again, and is saved again.
        checkpoints.save(state(2), FRESH)
    assert "step 2 cannot be read" in caplog.text
    assert kept(run, "latest") == [1, 2]


@pytest.mark.parametrize("what", ["cut", "gone"])
def test_a_damaged_best_checkpoint_is_not_called_one_of_another_model(tmp_path, what):
    run = RunFolder(tmp_path)
    with Checkpoints(run, IDENTITY) as checkpoints:
        checkpoints.save_best(state(1))
    damage(run, 1, what, "best", "params")
    with pytest.raises(InputError, match=r"best checkpoint .* cannot be read") as found:
        restore_best(run, state(0).params)
    assert "version" not in found.value.fix
    assert len(found.value.what) < 300
    assert "best/00000001" in found.value.where


def test_where_no_checkpoint_can_be_read_none_is_touched(tmp_path):
    run = RunFolder(tmp_path)
    save_steps(run, 1, 2)
    damage(run, 1, "cut")
    damage(run, 2, "cut")
    said = pytest.raises(InputError, match="None of the run's checkpoints")
    with Checkpoints(run, IDENTITY) as checkpoints, said:
        checkpoints.restore(state(0))
    assert kept(run, "latest") == [1, 2]


def poll(checkpoints):
    """Asks after every update, as the loop does, and saves no more."""
    end = time.monotonic() + 60
    while time.monotonic() < end:
        checkpoints.check_writes()
        time.sleep(0.01)


@pytest.mark.parametrize("learn", [Checkpoints.wait, poll])
def test_a_full_disk_is_told_and_the_checkpoint_before_stays(tmp_path, learn):
    """The limit on the size of a file stands for the disk."""
    run = RunFolder(tmp_path)
    save_steps(run, 1)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    noise = jax.random.normal(jax.random.key(0), (600, 500))  # does not compress
    big = state(2)._replace(params={"kernel": noise})
    try:
        said = pytest.raises(TransientError, match="disk is full")
        with said, Checkpoints(run, IDENTITY) as checkpoints:
            resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, before[1]))
            checkpoints.save(big, FRESH)
            learn(checkpoints)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    with Checkpoints(run, IDENTITY) as checkpoints:
        assert checkpoints.restore(state(0))[0].step == 1
    assert kept(run, "latest") == [1]


def test_checkpoints_may_lie_elsewhere(tmp_path):
    run = RunFolder(tmp_path / "run", str(tmp_path / "disk" / "mine"))
    save_steps(run, 1, 2)
    assert has_checkpoint(run)
    assert not has_checkpoint(RunFolder(tmp_path / "run"))
    assert (tmp_path / "disk" / "mine" / "latest" / "00000002").is_dir()
    assert not run.checkpoints.exists()


@pytest.mark.parametrize("folder", ["", "/disk/run", "gs://bucket/run", "s3://b/run"])
def test_folders_and_buckets_are_taken(folder):
    assert CheckpointSpec(folder).folder == folder


@pytest.fixture
def bucket(monkeypatch):
    """A bucket in memory, which is treated as S3 is."""
    monkeypatch.setattr(checkpoint_folder, "_COPIED", ("memory",))
    files = fsspec.filesystem("memory")
    yield files
    files.store.clear()


def copied(bucket, kind):
    marks = bucket.glob(f"/run/{kind}/*/COMPLETE")
    return sorted(mark.split("/")[-2] for mark in marks)


def test_copies_in_a_bucket_follow_the_run(bucket, tmp_path):
    run = RunFolder(tmp_path / "here", "memory://run")
    save_steps(run, 1, 2, 3)
    assert kept(run, "latest") == [2, 3]
    assert copied(bucket, "latest") == ["00000002", "00000003"]
    with Checkpoints(run, IDENTITY) as checkpoints:
        checkpoints.save_best(state(3))
        checkpoints.wait()
        assert copied(bucket, "best") == ["00000003"]


def test_a_new_machine_goes_on_from_the_copies(bucket, tmp_path):
    save_steps(RunFolder(tmp_path / "lost", "memory://run"), 1, 2)
    # A copy that was broken off has no mark.
    bucket.copy("/run/latest/00000002", "/run/latest/00000005", recursive=True)
    bucket.rm_file("/run/latest/00000005/COMPLETE")
    run = RunFolder(tmp_path / "new", "memory://run")
    assert has_checkpoint(run)
    with Checkpoints(run, IDENTITY) as checkpoints:
        found, tracker = checkpoints.restore(state(0))
        chex.assert_trees_all_equal(jax.device_get(found), jax.device_get(state(2)))
        assert tracker.seen == 2
        checkpoints.save(state(3), FRESH)
    assert kept(run, "latest") == [2, 3]
    assert len(bucket.ls("/run/latest")) == 2


def test_a_bucket_that_fails_loses_nothing_and_is_told(bucket, tmp_path, monkeypatch):
    def refuse(*_, **__):
        raise PermissionError("Access denied")

    monkeypatch.setattr(type(bucket), "put", refuse)
    run = RunFolder(tmp_path, "memory://run")
    with pytest.raises(TransientError, match="cannot be copied: Access denied"):
        save_steps(run, 1)
    assert kept(run, "latest") == [1]


@pytest.fixture
def tries(bucket, monkeypatch):
    """The threads that tried to write to a bucket that cannot be reached."""
    tried = []

    def refuse(*_, **__):
        tried.append(threading.current_thread())
        raise ConnectionError("No route to host")

    monkeypatch.setattr(type(bucket), "put", refuse)
    return tried


def leave(run, error, *, wait):
    with Checkpoints(run, IDENTITY) as checkpoints:
        checkpoints.save(state(1), FRESH)
        if wait:
            checkpoints.wait()
        raise error


def test_told_to_stop_it_leaves_well_though_the_bucket_is_gone(tries, tmp_path, caplog):
    run = RunFolder(tmp_path, "memory://run")
    with pytest.raises(Preempted):
        leave(run, Preempted("Stopped after step 1."), wait=True)
    assert kept(run, "latest") == [1]
    assert "not all copied to memory://run: No route to host" in caplog.text
    # Each try takes minutes where nothing answers, and the grace is short.
    assert tries.count(threading.main_thread()) == 1


def test_a_bucket_that_is_gone_does_not_hide_another_error(tries, tmp_path):
    run = RunFolder(tmp_path, "memory://run")
    with pytest.raises(InputError, match="The loss is not finite"):
        leave(run, InputError("The loss is not finite."), wait=False)
    assert tries.count(threading.main_thread()) == 1


def test_other_addresses_are_refused():
    with pytest.raises(InputError, match="cannot be a ftp:// address"):
        CheckpointSpec("ftp://host/run")


def test_a_bucket_without_its_file_system_says_what_to_install(monkeypatch):
    def missing(self):
        raise ImportError("Please install gcsfs")

    monkeypatch.setattr(type(epath.Path("gs://a/b")), "exists", missing)
    with pytest.raises(InputError, match="install gcsfs") as refused:
        has_checkpoint(RunFolder("run", "gs://bucket/run"))
    assert "[remote]" in refused.value.fix


def test_an_unfinished_folder_is_no_checkpoint(tmp_path):
    run = RunFolder(tmp_path)
    assert not has_checkpoint(run)
    unfinished = run.checkpoints / "latest" / "00000002.orbax-checkpoint-tmp"
    unfinished.mkdir(parents=True)
    assert not has_checkpoint(run)
    (run.checkpoints / "latest" / "00000001").mkdir()
    assert has_checkpoint(run)
