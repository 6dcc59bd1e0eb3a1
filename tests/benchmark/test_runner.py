"""Workers in processes of their own: facts, rounds, what is absent, what fails."""

import json

import numpy as np
import pytest

from configs import forecast
from reviewintent_jax.benchmark.runner import Job, Part, open_records, run_part
from reviewintent_jax.build import plain_values


@pytest.fixture
def values(tmp_path):
    """A forecaster of a table of three series."""
    table = tmp_path / "table.csv"
    numbers = np.random.default_rng(0).random((80, 3)).round(3)
    lines = ["a,b,c", *(",".join(map(str, row)) for row in numbers)]
    table.write_text("\n".join(lines), "utf-8")
    config = forecast.get_config()
    config.data.path = str(table)
    config.windows.update(window=9, horizon=1)
    config.lstnet.update(
        kernel_sizes=(2,), channels=4, recurrent_features=5, skip_period=3,
        skip_features=2, highway_window=4,
    )  # fmt: skip
    config.train.batch_windows = 8
    return plain_values(config)


@pytest.mark.slow
def test_a_part_says_what_its_workers_said(values, tmp_path):
    own = {"values": values, "folder": str(tmp_path / "run")}
    lost = {**values, "data": {**values["data"], "path": "nowhere.csv"}}
    training = {**own, "updates": 2}
    workers = {
        "model": Job("training", training),
        "lost": Job("training", {**training, "values": lost}),
        "wrong": Job("training", {**training, "updates": "x"}),
    }
    found = run_part(Part("training of a table", workers, 2))
    assert found["lost"] == {"absent": "the data are not there: nowhere.csv"}
    assert "failed" in found["wrong"]
    model = found["model"]
    assert model["facts"]["items"] == "windows"
    assert [each["updates"] for each in model["rounds"]] == [2, 2]
    assert all(0 < each["useful"] <= each["places"] for each in model["rounds"])
    assert model["peak_bytes"] > 1e8


def test_settings_hold_no_path_of_a_machine():
    part = Part("x", {"y": Job("sizes", {"folder": "/home/me/runs/z", "n": [1]})}, 3)
    assert part.settings() == {
        "workers": {"y": ["sizes", {"folder": "z", "n": [1]}]},
        "rounds": 3,
    }
    assert part.settings() == json.loads(json.dumps(part.settings()))


def test_records_are_found_again(tmp_path):
    path = tmp_path / "benchmark.json"
    assert open_records(path) == {}
    path.write_text('{"parts": {"a": 1}}', "utf-8")
    assert open_records(path) == {"a": 1}
