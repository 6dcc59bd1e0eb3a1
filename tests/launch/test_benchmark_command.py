"""``python -m launch.benchmark``: parts that are asked for, kept, and on the page."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]


def benchmark(folder, *flags):
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
        env=os.environ | {"REVIEWINTENT_DATA": ""},
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


def test_a_part_that_is_not_there_is_refused_with_the_names_of_those_that_are(tmp_path):
    ended = benchmark(tmp_path, "only=speed")
    assert ended.returncode == 2
    said = ended.stderr + ended.stdout
    assert "No part of the benchmark begins with speed" in said
    assert "recurrent layers" in said
    assert "Traceback" not in said
