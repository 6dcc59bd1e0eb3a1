"""A task's libraries are imported when a run needs them: commands begin soon."""

import subprocess
import sys
from types import SimpleNamespace

import pytest

from launch import own_data, reviews
from launch.kits import KITS
from launch.own_data import Kit, train_with
from launch.reviews import train_reviews
from reviewintent_jax.build import plain_values
from reviewintent_jax.kept_traces import traces_of_run

LATER = {"sklearn", "matplotlib", "scipy.stats", "scipy.optimize", "jinja2"}
"""What scores, compares and draws; together they take longer to import than JAX."""


@pytest.mark.parametrize("command", ["train", "prepare"])
def test_a_command_begins_without_what_only_scoring_needs(command):
    code = f"import sys, launch.{command}; print(*sys.modules)"
    said = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    loaded = set(said.stdout.split())
    assert "jax" in loaded
    assert loaded.isdisjoint(LATER)


def test_every_kit_is_there_when_it_is_asked_for():
    assert all(isinstance(KITS[task], Kit) for task in KITS)
    assert len(KITS) == len({kit.called for kit in KITS.values()})


class AskedError(Exception):
    """Training was asked for."""


def ask(experiment, run, traces):
    raise AskedError(experiment.identity(), traces)


def test_reviews_are_trained_by_the_programs_of_their_run(
    tiny_config, tmp_path, monkeypatch
):
    monkeypatch.setattr(reviews, "train", ask)
    values = plain_values(tiny_config)
    with pytest.raises(AskedError) as asked:
        train_reviews(values, str(tmp_path / "run"))
    identity, traces = asked.value.args
    assert traces == traces_of_run(values, identity)
    assert {"optimizer", "data"} <= set(traces.about["config"])
    assert "model" in traces.about["run"]


def test_so_are_tasks_with_data_of_their_own(tmp_path, monkeypatch):
    monkeypatch.setattr(own_data, "train", ask)
    config = SimpleNamespace(name="mine", checkpoints=SimpleNamespace(folder=""))
    identity = {"model": "small"}
    experiment = SimpleNamespace(identity=lambda: identity, describe=lambda: "")
    kit = Kit(
        called="a trial",
        read=lambda values: config,
        build=lambda values, run: experiment,
        begin=lambda experiment, run: None,
        **dict.fromkeys(("finish", "again", "summarise", "report"), None),
    )
    with pytest.raises(AskedError) as asked:
        train_with(kit, {"seed": 1, "rate": 2}, str(tmp_path))
    assert asked.value.args == (identity, traces_of_run({"rate": 2}, identity))
