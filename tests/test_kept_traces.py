"""A program that was kept is the one that would be traced, and only then is it read."""

import contextlib
import os
import time

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from reviewintent_jax import kept_traces
from reviewintent_jax.kept_traces import TRACED_ANEW, KeptTraces, traces_of_run

X = np.linspace(0, 1, 6, dtype=np.float32)
ABOUT = {"factor": 3}


class Traced:
    """A function that counts how often Python runs it."""

    def __init__(self):
        self.times = 0

    def __call__(self, x):
        self.times += 1
        return {"sine": 3 * jnp.sin(x), "sum": x.sum()}


@pytest.fixture
def traced():
    return Traced()


def ask(traced, about=ABOUT, x=X, name="mine"):
    """What a start computes; nothing that this process traced is known to it."""
    jax.clear_caches()
    return KeptTraces(about).jit(name, traced, (x,))(x)


def test_the_second_start_traces_nothing(kept_apart, traced):
    first, second = ask(traced), ask(traced)
    assert traced.times == 1
    assert len(list(kept_apart.iterdir())) == 1
    wanted = traced(X)
    np.testing.assert_array_equal(first["sine"], second["sine"])
    np.testing.assert_allclose(second["sine"], wanted["sine"], rtol=1e-6)
    np.testing.assert_allclose(second["sum"], wanted["sum"], rtol=1e-6)


@pytest.mark.parametrize(
    "changed",
    [
        {"about": {"factor": 4}},
        {"x": X[:5]},
        {"x": np.arange(6)},
        {"name": "other"},
    ],
    ids=["about", "shape", "type", "name"],
)
def test_what_differs_is_traced(kept_apart, traced, changed):
    ask(traced)
    ask(traced, **changed)
    assert traced.times == 2
    assert len(list(kept_apart.iterdir())) == 2


def test_other_code_versions_and_settings_are_traced(kept_apart, traced, monkeypatch):
    ask(traced)
    with monkeypatch.context() as patch:
        patch.setattr(kept_traces, "_code", lambda: "another")
        ask(traced)
    assert traced.times == 2
    with monkeypatch.context() as patch:
        patch.setattr(kept_traces, "_versions", lambda: {"jax": "another"})
        ask(traced)
    assert traced.times == 3
    before = jax.config.jax_default_matmul_precision
    jax.config.update("jax_default_matmul_precision", "highest")
    try:
        ask(traced)
    finally:
        jax.config.update("jax_default_matmul_precision", before)
    assert traced.times == 4
    ask(traced)
    assert traced.times == 4


def test_where_programs_are_kept_decides_nothing(kept_apart, traced, tmp_path):
    ask(traced)
    elsewhere = tmp_path / "elsewhere"
    kept_apart.parent.rename(elsewhere)
    jax.config.update("jax_compilation_cache_dir", str(elsewhere))
    ask(traced)
    assert traced.times == 1


def test_the_source_is_hashed_whole(tmp_path, monkeypatch):
    (tmp_path / "room").mkdir()
    for name in ("here.py", "room/there.py"):
        (tmp_path / name).write_text("x = 1\n")
    monkeypatch.setattr(kept_traces, "__file__", str(tmp_path / "here.py"))
    hashed = kept_traces._code.__wrapped__
    before = hashed()
    (tmp_path / "room" / "there.py").write_text("x = 2\n")
    assert hashed() != before
    (tmp_path / "room" / "there.py").write_text("x = 1\n")
    assert hashed() == before


def cut(content):
    return content[:-1]


def changed(content):
    return content[:-1] + bytes([content[-1] ^ 1])


def emptied(_content):
    return b""


@pytest.mark.parametrize("harm", [cut, changed, emptied])
def test_a_damaged_file_is_traced_and_mended(kept_apart, traced, harm):
    wanted = ask(traced)
    (file,) = kept_apart.iterdir()
    whole = file.read_bytes()
    file.write_bytes(harm(whole))
    np.testing.assert_array_equal(ask(traced)["sine"], wanted["sine"])
    assert traced.times == 2
    ask(traced)
    assert traced.times == 2


def test_without_a_folder_to_write_to_it_computes_the_same(kept_apart, traced, caplog):
    wanted = ask(traced)
    kept_apart.parent.rename(kept_apart.parent.with_name("away"))
    kept_apart.parent.write_text("no folder")
    np.testing.assert_array_equal(ask(traced)["sine"], wanted["sine"])
    assert "was not kept" in caplog.text


@contextlib.contextmanager
def setting(name, value):
    before = getattr(jax.config, name)
    jax.config.update(name, value)
    try:
        yield
    finally:
        jax.config.update(name, before)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("jax_compilation_cache_dir", None),
        ("jax_compilation_cache_dir", "gs://bucket/compiled"),
        ("jax_enable_compilation_cache", False),
    ],
)
def test_where_jax_keeps_nothing_here_nothing_is_kept(kept_apart, traced, name, value):
    with setting(name, value):
        ask(traced)
        ask(traced)
    assert traced.times == 2
    assert not kept_apart.exists()


def test_nothing_is_kept_of_functions_of_others(kept_apart, traced):
    TRACED_ANEW.jit("mine", traced, (X,))(X)
    assert traced.times == 1
    assert not kept_apart.exists()


def test_several_processes_trace_for_themselves(kept_apart, traced, monkeypatch):
    monkeypatch.setattr(jax, "process_count", lambda: 2)
    ask(traced)
    ask(traced)
    assert traced.times == 2
    assert not kept_apart.exists()


def test_what_nobody_wanted_for_a_month_goes(kept_apart, traced):
    ask(traced)
    (wanted,) = kept_apart.iterdir()
    ask(traced, name="old")
    (old,) = set(kept_apart.iterdir()) - {wanted}
    long_ago = time.time() - 31 * 24 * 3600
    for file in (wanted, old):
        os.utime(file, (long_ago, long_ago))
    ask(traced)  # reads the first
    ask(traced, name="new")
    left = set(kept_apart.iterdir())
    assert wanted in left
    assert old not in left


def test_options_are_those_of_jit(kept_apart, traced):
    donated = [
        KeptTraces(ABOUT).jit("mine", traced, (X,), donate_argnums=0).lower(X).as_text()
        for _ in range(2)
    ]
    assert traced.times == 1
    assert all("tf.aliasing_output" in text for text in donated)


def test_runs_that_differ_in_their_seeds_share_programs():
    one, other = (
        traces_of_run({"seed": seed, "train": {"rate": 1}}, {"seed": seed, "data": "a"})
        for seed in (1, 2)
    )
    assert one == other
    changed = traces_of_run({"seed": 1, "train": {"rate": 2}}, {"data": "a"})
    assert changed != one
    assert traces_of_run({"seed": 1, "train": {"rate": 1}}, {"data": "b"}) != one
