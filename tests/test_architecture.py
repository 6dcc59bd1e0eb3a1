"""The arrows between the rooms, as pyproject.toml declares them."""

import os
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


HEAVY = ("torch", "transformers", "tensorflow", "tensorflow_datasets")


@pytest.fixture
def heavy_libraries(tmp_path) -> dict[str, str]:
    """An environment where all of them are found, and do nothing when imported."""
    for name in HEAVY:
        (tmp_path / f"{name}.py").write_text("")
    return os.environ | {"PYTHONPATH": f"{tmp_path}{os.pathsep}{ROOT}"}


def loaded_by(statement: str, env: dict[str, str]) -> str:
    """Which of them a statement loads."""
    command = f"import sys\n{statement}\nprint(sorted({set(HEAVY)} & set(sys.modules)))"
    done = subprocess.run(
        [sys.executable, "-c", command],
        cwd=ROOT,
        capture_output=True,
        text=True,
        env=env,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.mark.parametrize("name", ["train", "predict", "evaluate"])
def test_a_command_loads_no_heavy_library_it_does_not_need(name, heavy_libraries):
    assert loaded_by(f"import launch.{name}", heavy_libraries) == "[]"


def test_the_log_of_a_run_loads_none_either(tmp_path, heavy_libraries):
    opened = (
        "from pathlib import Path\n"
        "from reviewintent_jax.schema import RunFolder\n"
        "from reviewintent_jax.training.logs import RunLog\n"
        f"run = RunFolder(Path({str(tmp_path / 'run')!r}))\n"
        "with RunLog(run, step=0, seen=0, total=1, units='reviews') as log:\n"
        "    log.write('train', 1, loss=0.5)"
    )
    assert loaded_by(opened, heavy_libraries) == "[]"
