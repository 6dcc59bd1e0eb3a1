"""The command beside a kept result is the one that makes it."""

import importlib
import json
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from absl.flags import FlagValues
from ml_collections import config_flags

from launch.results import APART, overrides, result_name, training_command
from reviewintent_jax.build import plain_values
from reviewintent_jax.evaluation.results import without_paths

FILES = sorted(Path(__file__).parents[2].glob("docs/results/*.json"))
STORED = {path: json.loads(path.read_text("utf-8")) for path in FILES}
KEPT = [  # of runs; measurements may name a config, but hold none
    path
    for path, stored in STORED.items()
    if isinstance(stored, dict) and isinstance(stored.get("config"), dict)
]
FORECASTS = [path for path, stored in STORED.items() if isinstance(stored, list)]


def values(file, **changes):
    config = importlib.import_module(f"configs.{file}").get_config()
    config.update_from_flattened_dict(changes)
    return without_paths({"config": plain_values(config)})["config"]


@pytest.mark.parametrize("path", KEPT, ids=[path.stem for path in KEPT])
def test_a_kept_result_was_made_with_its_config_file(path):
    config = json.loads(path.read_text("utf-8"))["config"]
    assert path.stem == result_name(config)
    changed = overrides(config, config["name"])
    assert all(APART.match(setting) for setting in changed)


@pytest.mark.parametrize("path", FORECASTS, ids=[path.stem for path in FORECASTS])
def test_kept_forecasts_differ_from_their_config_file_in_horizon_and_seed(path):
    for run in json.loads(path.read_text("utf-8")):
        changed = overrides(run["config"], run["name"])
        speed = {"lstnet.gate_fusion"}  # the same numbers but for rounding
        assert changed.keys() <= {"windows.horizon", "seed", "data.path"} | speed
        assert path.stem == f"{run['name']}_h{run['config']['windows']['horizon']}"


def test_without_changes_the_command_names_the_file_alone():
    command = training_command(values("imdb"))
    assert command == "python -m launch.train --config=configs/imdb.py"


@pytest.mark.filterwarnings("ignore:the load_module:DeprecationWarning")  # theirs
def test_the_command_makes_the_same_config_again():
    changes = {
        "data.path": "/home/me/my reviews.csv",
        "lstnet.kernel_sizes": (2, 3),
        "labels.classes": ("no", "yes"),
        "optimizer.head_rate": 2e-4,
        "clean.html": False,
        "train.epochs": 5,
    }
    config = values("table", **changes)
    words = shlex.split(training_command(config))
    assert words[:3] == ["python", "-m", "launch.train"]
    assert len(words) == 4 + len(changes)
    assert """--config.labels.classes="('no', 'yes')\"""" in training_command(config)
    flags = FlagValues()
    holder = config_flags.DEFINE_config_file(
        "config", flag_values=flags, sys_argv=words[2:]
    )
    flags(words[2:])
    assert plain_values(holder.value) == config


def test_a_setting_younger_than_the_run_is_no_difference():
    config = values("demo")
    del config["evaluation"]["threshold"]
    assert overrides(config, "demo") == {}


def test_a_name_without_a_file_stands_on_the_base():
    command = training_command(values("table", name="mine"))
    assert command == (
        "python -m launch.train --config=configs/base.py --config.name=mine"
    )


def test_another_question_of_the_same_config_is_another_result():
    asked = {"intention.window": 1, "train.epochs": 3}
    assert result_name(values("shop_intention", **asked)) == "shop_intention_window_1"
    other = values("amazon_musical", **{"intention.kind": "next_positive"})
    assert result_name(other) == "amazon_musical_kind_next_positive"
    assert result_name(values("demo", seed=1)) == "demo_seed_1"
    assert result_name(values("demo", **{"split.seed": 1})) == "demo"


def test_what_is_kept_stays_and_a_run_of_the_same_name_and_seed_replaces_it(tmp_path):
    root = Path(__file__).parents[2]
    kept, run = tmp_path / "kept", tmp_path / "run"
    kept.mkdir(), run.mkdir()
    for name in ("exchange_rate_h3", "yelp10k", "shop_series", "memory"):
        shutil.copy(root / f"docs/results/{name}.json", kept)
    before = {path.name: path.read_bytes() for path in kept.iterdir()}
    new = json.loads(before["exchange_rate_h3.json"])[0]
    old_seed = new["config"]["seed"]

    def write(**runs):
        words = [f"--{name}={value}" for name, value in runs.items()]
        command = [sys.executable, "-m", "launch.results", f"--output={kept}", *words]
        subprocess.run(command, cwd=root, check=True, capture_output=True)

    write()
    assert before.items() <= {p.name: p.read_bytes() for p in kept.iterdir()}.items()
    assert "## yelp10k" in (kept / "sentiment.md").read_text("utf-8")
    assert "## shop_series" in (kept / "series.md").read_text("utf-8")
    for seed in (old_seed, 1):
        new["config"]["seed"], new["created"] = seed, "2030-01-01"
        (run / "metrics.json").write_text(json.dumps(new), "utf-8")
        write(runs=run)
    stored = json.loads((kept / "exchange_rate_h3.json").read_text("utf-8"))
    begun = {each["config"]["seed"]: each["created"] for each in stored}
    others = {s["config"]["seed"] for s in json.loads(before["exchange_rate_h3.json"])}
    assert begun.keys() == others | {1}
    assert begun[old_seed] == begun[1] == "2030-01-01"
