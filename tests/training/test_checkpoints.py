"""Checkpoints keep what is needed and refuse what is another run."""

import chex
import jax
import jax.numpy as jnp
import numpy as np
import orbax.checkpoint as ocp
import pytest

from reviewintent_jax.schema import InputError, RunFolder
from reviewintent_jax.training.checkpoints import (
    FRESH,
    Checkpoints,
    has_checkpoint,
    restore_best,
)
from reviewintent_jax.training.state import TrainState

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
        found, tracker = checkpoints.restore(state(0))
    chex.assert_trees_all_equal(found, state(0))
    assert tracker == FRESH


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
    with pytest.raises(InputError, match="do not fit its model"):
        restore_best(run, {"dense": {"kernel": jnp.zeros((2, 3))}})


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


def test_an_unfinished_folder_is_no_checkpoint(tmp_path):
    run = RunFolder(tmp_path)
    assert not has_checkpoint(run)
    unfinished = run.checkpoints / "latest" / "00000002.orbax-checkpoint-tmp"
    unfinished.mkdir(parents=True)
    assert not has_checkpoint(run)
    (run.checkpoints / "latest" / "00000001").mkdir()
    assert has_checkpoint(run)
