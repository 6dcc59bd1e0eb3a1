"""Processes of a pool: however the first one ends, none is left."""

import dataclasses
import os
import pickle
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from reviewintent_jax.build import plain_values
from reviewintent_jax.configuration import read_config
from reviewintent_jax.data.blocks import BlockSettings, block_names, read_block
from reviewintent_jax.data.sources import SourceKind

ROOT = Path(__file__).parents[2]
SCRIPT = """
import itertools, pathlib, pickle, sys
from launch import runtime
from reviewintent_jax.data.block_pool import prepare_blocks
from reviewintent_jax.data.blocks import cut_blocks
from reviewintent_jax.schema import RawRow

settings, folder = pickle.load(open(sys.argv[1], "rb"))
rows = (RawRow("a", n, {"text": f"fine {n}", "stars": 5}) for n in itertools.count(1))

def main(argv):
    runtime.end_in_order()
    prepare_blocks(cut_blocks(rows, "text", most_rows=500), settings, folder, 2)

del sys.argv[1:]
runtime.run(main, after_stop="Go on.")
"""


@pytest.fixture
def endless(tiny_config, tiny_encoder, tmp_path):
    """A process that prepares blocks without end, with two workers."""
    spec = read_config(plain_values(tiny_config)).data_spec()
    table = {"kind": SourceKind.TABLE, "path": "a", "text": "text", "title": ""}
    source = dataclasses.replace(spec.source, **table, label="stars")
    parts = source, spec.check, spec.clean, spec.intention, spec.duplicates
    settings = BlockSettings(*parts, Path(tiny_encoder), now=1_700_000_000)
    folder = tmp_path / "data.part"
    folder.mkdir()
    (tmp_path / "asked").write_bytes(pickle.dumps((settings, folder)))
    script = [sys.executable, "-c", SCRIPT, str(tmp_path / "asked")]
    environment = os.environ | {"JAX_PLATFORMS": "cpu"}
    process = subprocess.Popen(script, cwd=ROOT, env=environment, stderr=-1, text=True)
    try:
        yield process, folder
    finally:
        process.kill()
        process.communicate()


def state_of(pid):
    """(state, parent) of a process; None where it has ended."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text("ascii")
    except OSError:
        return None
    state, parent = stat.rpartition(")")[2].split()[:2]
    return None if state in "ZX" else (state, int(parent))


def children_of(parent):
    pids = [int(each.name) for each in Path("/proc").glob("[0-9]*")]
    states = {pid: state_of(pid) for pid in pids}
    return [pid for pid, state in states.items() if state and state[1] == parent]


def wait_until(what, seconds):
    until = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < until
        time.sleep(0.02)


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="reads /proc")
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_no_process_outlives_the_first(endless, number):
    process, folder = endless
    wait_until(lambda: len(block_names(folder)) > 2 or process.poll(), 300)
    assert process.poll() is None, process.communicate()[1]
    children = children_of(process.pid)
    assert len(children) == 3  # two workers, and one that watches over what they share
    process.send_signal(number)
    said = process.communicate(timeout=200)[1]
    wait_until(lambda: not any(map(state_of, children)), 60)
    if number == signal.SIGTERM:
        assert process.returncode == 143
        assert "Stopped. Go on." in said
        assert "Traceback" not in said
        assert all(read_block(folder, name).rows for name in block_names(folder))
    else:
        assert process.returncode == -number
