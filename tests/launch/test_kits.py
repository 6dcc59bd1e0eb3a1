"""A task's libraries are imported when a run needs them: commands begin soon."""

import subprocess
import sys

import pytest

from launch.kits import KITS
from launch.own_data import Kit

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
