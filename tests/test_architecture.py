"""The arrows between the rooms, as pyproject.toml declares them."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


def test_rooms_open_one_way():
    command = (
        "from importlinter.cli import lint_imports; raise SystemExit(lint_imports())"
    )
    done = subprocess.run(
        [sys.executable, "-c", command], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout
    assert "0 broken" in done.stdout


@pytest.mark.parametrize("name", ["train", "predict", "evaluate"])
def test_a_command_loads_no_heavy_library_it_does_not_need(name):
    command = (
        f"import sys, launch.{name}\n"
        "heavy = {'torch', 'transformers', 'tensorflow', 'tensorflow_datasets'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", command], cwd=ROOT, capture_output=True, text=True
    )
    assert done.stdout.strip() == "[]", done.stderr
