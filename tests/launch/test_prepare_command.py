"""``launch.prepare``: prepared once, shared by runs, stale data are refused."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import jax
import pytest

from reviewintent_jax.data.bazaar import BazaarSpec, write_shop

pytestmark = pytest.mark.slow
ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def words(tiny_encoder, tmp_path_factory):
    """Command-line words of a tiny run on a table of the shop; and the table."""
    table = tmp_path_factory.mktemp("table") / "shop.csv"
    write_shop(BazaarSpec(rows=300, seed=5), table)
    return [
        "--config=configs/table.py",
        f"--config.data.path={table}",
        "--config.data.label=stars",
        f"--config.encoder.source={tiny_encoder}",
        "--config.pages.page_tokens=64",
        "--config.pages.chunk_tokens=64",
        "--config.pages.max_tokens=64",
        "--config.pages.slots=8",
        "--config.lstnet.channels=5",
        "--config.lstnet.recurrent_features=7",
        "--config.lstnet.recurrent_layers=1",
        "--config.lstnet.skip_period=0",
        "--config.lstnet.skip_features=0",
        "--config.train.max_steps=2",
        "--config.evaluation.bootstrap_samples=20",
    ], table


def command(module, *words):
    return [sys.executable, "-m", f"launch.{module}", *words]


def launch(module, *words, code=0):
    environment = os.environ | {
        "JAX_PLATFORMS": "cpu",
        "JAX_NUM_CPU_DEVICES": "1",
        "JAX_COMPILATION_CACHE_DIR": str(jax.config.jax_compilation_cache_dir),
    }
    done = subprocess.run(
        command(module, *words),
        capture_output=True,
        cwd=ROOT,
        env=environment,
        timeout=300,
        text=True,
        check=False,
    )
    assert done.returncode == code, done.stderr
    return done


def test_data_are_prepared_once_and_shared(words, tmp_path):
    words, table = words
    shared = f"--config.prepared.folder={tmp_path / 'shared'}"
    lacking = launch("train", *words, shared, f"--workdir={tmp_path}/a", code=2)
    assert "No prepared data lie there" in lacking.stderr
    said = launch("prepare", *words, shared, "--workers=2", "--verify").stdout
    assert "300 rows read" in said
    manifest = json.loads((tmp_path / "shared" / "manifest.json").read_text("utf-8"))
    assert manifest["summary"]["rows"] == 300
    assert manifest["reviews"] == sum(s["reviews"] for s in manifest["shards"])
    for run in ("a", "b"):
        launch("train", *words, shared, f"--workdir={tmp_path / run}")
        assert not (tmp_path / run / "data").exists()
    launch("evaluate", f"--workdir={tmp_path}/a")
    again = launch("prepare", *words, shared)
    assert "300 rows read" in again.stdout
    changed = launch(
        *("train", *words, shared, "--config.split.seed=3"),
        f"--workdir={tmp_path}/c",
        code=2,
    )
    assert "stale" in changed.stderr
    assert "split" in changed.stderr
    moved = table.rename(table.with_name("away.csv"))
    launch("train", *words, shared, f"--workdir={tmp_path}/d")  # taken as they are
    moved.rename(table)
    whole = table.read_bytes()
    table.write_bytes(whole[:-1])
    stale = launch("train", *words, shared, f"--workdir={tmp_path}/e", code=2)
    assert (
        f"files.files.0.size: {len(whole)} then, {len(whole) - 1} now" in stale.stderr
    )
    table.write_bytes(whole)


def test_a_killed_preparation_goes_on(words, tmp_path):
    _, table = words
    many = tmp_path / "many"
    many.mkdir()
    for n in range(12):
        (many / f"{n:02}.csv").write_bytes(table.read_bytes())
    words = [*words[0], f"--config.data.path={many}/*.csv", "--workers=1"]
    workdir = tmp_path / "run"
    killed = subprocess.Popen(
        command("prepare", *words, f"--workdir={workdir}"),
        cwd=ROOT,
        stderr=subprocess.DEVNULL,
    )
    part = workdir / "data.part"
    while len(list(part.glob("block-*.npz"))) < 3:
        assert killed.poll() is None
        time.sleep(0.01)
    killed.send_signal(signal.SIGKILL)
    killed.wait()
    done = {path: path.stat().st_mtime_ns for path in part.glob("tokens-*")}
    whole = [p for p in done if (part / f"block-{p.stem[7:]}.npz").is_file()]
    assert 3 <= len(whole) < 12
    launch("prepare", *words, f"--workdir={workdir}")
    assert not part.exists()
    for path in whole:
        now = workdir / "data" / path.name
        assert now.stat().st_mtime_ns == done[path]
    other = tmp_path / "other"
    launch("prepare", *words, f"--workdir={other}")
    for path in (workdir / "data").glob("tokens-*"):
        assert path.read_bytes() == (other / "data" / path.name).read_bytes()
    launch("train", *words[:-1], f"--workdir={workdir}")


def test_what_makes_no_sense_is_said(words, tmp_path):
    said = launch("prepare", code=2).stderr
    assert "No config was named" in said
    said = launch("prepare", "--config=configs/nope.py", code=2).stderr
    assert "config file cannot be read" in said
    assert "configs/nope.py" in said
    table = launch("prepare", "--config=configs/exchange_rate.py", code=2).stderr
    assert "Only runs on reviews are prepared beforehand" in table
    both = f"--config.prepared.folder={tmp_path / 'shared'}"
    said = launch("prepare", *words[0], both, "--workdir=x", code=2).stderr
    assert "Leave out one of" in said
