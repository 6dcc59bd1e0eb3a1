"""``python -m launch.benchmark``: parts that are asked for, kept, and on the page."""

import json
import os
import re
import subprocess
import sys
from datetime import datetime
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]


def benchmark(folder, *flags, data=""):
    """Runs the command on two hundred reviews of the built-in shop."""
    given = ["folder=" + str(folder / "docs"), "work=" + str(folder / "runs")]
    given += ["shop_rows=200", *flags]
    command = [
        sys.executable,
        "-m",
        "launch.benchmark",
        "--config=configs/benchmark.py",
    ]
    return subprocess.run(
        [*command, *(f"--config.{each}" for each in given)],
        cwd=ROOT,
        env=os.environ | {"REVIEWINTENT_DATA": data},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture(scope="module")
def measured(tmp_path_factory):
    """Sizes of all systems and the counted costs, measured; what was said."""
    folder = tmp_path_factory.mktemp("benchmark")
    ended = benchmark(folder, "only=sizes of BERT-LSTNet,claimed")
    assert ended.returncode == 0, ended.stderr
    return folder, ended


def test_parts_are_kept_with_their_settings_and_shown(measured):
    folder, ended = measured
    docs = folder / "docs"
    parts = json.loads((docs / "results" / "benchmark.json").read_text("utf-8"))[
        "parts"
    ]
    assert list(parts) == [
        "claimed costs",
        "sizes of BERT-LSTNet-Softmax",
        "sizes of BERT-LSTNet-Softmax with histories",
    ]
    sizes = parts["sizes of BERT-LSTNet-Softmax"]
    assert sizes["settings"]["workers"]["model"][0] == "sizes"
    assert datetime.fromisoformat(sizes["measured"]).tzinfo is not None
    assert sizes["commit"] is None or re.fullmatch(r"[0-9a-f]+\+?", sizes["commit"])
    assert str(folder) not in json.dumps(parts)
    parameters = sizes["workers"]["model"]["facts"]["parameters"]
    page = (docs / "benchmark.md").read_text("utf-8")
    assert f"{sum(parameters.values()) / 1e6:.1f} M" in page
    assert "What the paper prints" in page
    assert f"Benchmark: {docs / 'benchmark.md'}" in ended.stderr + ended.stdout


def test_what_is_there_is_not_measured_again(measured):
    folder, _ = measured
    kept = folder / "docs" / "results" / "benchmark.json"
    before = kept.read_bytes()
    ended = benchmark(folder, "only=claimed")
    assert ended.returncode == 0, ended.stderr
    assert "Measuring" not in ended.stderr + ended.stdout
    assert kept.read_bytes() == before


def test_data_that_are_not_there_are_reported_as_absent(measured):
    folder, _ = measured
    ended = benchmark(folder, "only=sizes of BERT alone")
    assert ended.returncode == 0, ended.stderr
    page = (folder / "docs" / "benchmark.md").read_text("utf-8")
    assert "sizes of BERT alone, model: absent (the data are not there" in page
    said = ended.stderr + ended.stdout
    assert "REVIEWINTENT_DATA is not set" in said
    assert "model: absent (the data are not there: tweets.csv.gz)" in said


def test_a_folder_of_data_that_is_not_there_is_refused(tmp_path):
    ended = benchmark(tmp_path, "only=claimed", data=str(tmp_path / "nowhere"))
    said = ended.stderr + ended.stdout
    assert ended.returncode == 2
    assert f"REVIEWINTENT_DATA names no folder: {tmp_path / 'nowhere'}" in said
    assert "Traceback" not in said


def test_what_another_machine_measured_leaves_the_page(measured, tmp_path):
    folder, _ = measured
    kept = tmp_path / "docs" / "results" / "benchmark.json"
    kept.parent.mkdir(parents=True)
    text = (folder / "docs" / "results" / "benchmark.json").read_text("utf-8")
    parts = json.loads(text)["parts"]
    for part in parts.values():
        part["environment"]["processor"] = "another"
    kept.write_text(json.dumps({"parts": parts}), "utf-8")
    ended = benchmark(tmp_path, "only=claimed")
    said = ended.stderr + ended.stdout
    assert ended.returncode == 0, said
    assert f"{len(parts)} parts in {kept} are of another machine" in said
    assert "Measuring claimed costs" in said
    assert list(json.loads(kept.read_text("utf-8"))["parts"]) == ["claimed costs"]
    before = kept.with_name("benchmark.before.json")
    assert json.loads(before.read_text("utf-8"))["parts"] == parts


def test_a_part_that_is_not_there_is_refused_with_the_names_of_those_that_are(tmp_path):
    ended = benchmark(tmp_path, "only=claimed,speed")
    assert ended.returncode == 2
    said = ended.stderr + ended.stdout
    assert "No part of the benchmark begins with speed" in said
    assert "recurrent layers" in said
    assert "Traceback" not in said
