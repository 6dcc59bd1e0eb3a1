"""A program that was kept is the one that would be traced, and only then is it read."""

import contextlib
import io
import logging
import os
import time
from pathlib import Path

import flax
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax.core import FrozenDict

from reviewintent_jax import kept_traces
from reviewintent_jax.kept_traces import TRACED_ANEW, KeptTraces, traces_of_run

X = np.linspace(0, 1, 6, dtype=np.float32)
ABOUT = {"factor": 3}


@contextlib.contextmanager
def setting(name, value):
    before = getattr(jax.config, name)
    jax.config.update(name, value)
    try:
        yield
    finally:
        jax.config.update(name, before)


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
        for name, value in (("_CODE", "another"), ("_code", lambda: "another")):
            patch.setattr(kept_traces, name, value)
        ask(traced)
    assert traced.times == 2
    with monkeypatch.context() as patch:
        patch.setattr(kept_traces, "_versions", lambda: {"jax": "another"})
        ask(traced)
    assert traced.times == 3
    with setting("jax_default_matmul_precision", "highest"):
        ask(traced)
    assert traced.times == 4
    with flax.config.temp_flip_flag("fix_rng_separator", True):
        ask(traced)
    assert traced.times == 5
    ask(traced)
    assert traced.times == 5


def test_the_libraries_that_make_programs_have_their_versions_in_the_key():
    libraries = {"jax", "jaxlib", "flax", "optax", "numpy", "python"}
    assert set(kept_traces._versions()) == libraries
    assert kept_traces._versions()["jax"] == jax.__version__


def test_source_that_changed_since_it_was_imported_leaves_nothing(
    kept_apart, traced, monkeypatch
):
    monkeypatch.setattr(kept_traces, "_code", lambda: "edited meanwhile")
    ask(traced)
    ask(traced)
    assert traced.times == 2
    assert not kept_apart.exists()


def test_where_programs_are_kept_decides_nothing(kept_apart, traced, tmp_path):
    ask(traced)
    elsewhere = tmp_path / "elsewhere"
    kept_apart.parent.rename(elsewhere)
    jax.config.update("jax_compilation_cache_dir", str(elsewhere))
    ask(traced)
    assert traced.times == 1


def test_the_source_is_hashed_whole(tmp_path, monkeypatch):
    monkeypatch.setattr(kept_traces, "__file__", str(tmp_path / "here.py"))
    assert kept_traces._code() == ""  # as in an archive, where nothing is kept
    there, moved = tmp_path / "room" / "there.py", tmp_path / "room" / "then.py"
    there.parent.mkdir()
    found = []
    for content in ("x = 1\n", "x = 2\n"):
        there.write_text(content)
        found.append(kept_traces._code())
    (tmp_path / "new.py").touch()
    found.append(kept_traces._code())
    there.rename(moved)
    found.append(kept_traces._code())
    assert len(set(found)) == 4
    moved.rename(there)
    (tmp_path / "new.py").unlink()
    assert kept_traces._code() == found[1]


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


@pytest.fixture
def said(monkeypatch):
    """What a command says."""
    stream = io.StringIO()
    log = logging.getLogger("reviewintent")
    monkeypatch.setattr(log, "handlers", [logging.StreamHandler(stream)])
    monkeypatch.setattr(log, "propagate", False)
    return stream


def test_without_a_folder_to_write_to_it_computes_the_same(kept_apart, traced, said):
    wanted = ask(traced)
    kept_apart.parent.rename(kept_apart.parent.with_name("away"))
    kept_apart.parent.write_text("no folder")
    np.testing.assert_array_equal(ask(traced)["sine"], wanted["sine"])
    assert "was not kept" in said.getvalue()


def test_a_full_disk_leaves_nothing_behind(kept_apart, traced, said, monkeypatch):
    def full(path, _content):
        path.touch()
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    np.testing.assert_allclose(ask(traced)["sine"], 3 * np.sin(X), rtol=1e-6)
    assert list(kept_apart.iterdir()) == []
    assert "No space left" in said.getvalue()


def test_what_cannot_be_exported_is_traced(kept_apart, said):
    def frozen(x):
        return FrozenDict(sine=jnp.sin(x))  # a tree that jax.export does not know

    found = KeptTraces(ABOUT).jit("mine", frozen, (X,))(X)
    np.testing.assert_allclose(found["sine"], np.sin(X), rtol=1e-6)
    assert "cannot be kept" in said.getvalue()
    assert not kept_apart.exists()


def test_an_error_of_the_function_itself_is_raised(kept_apart):
    def broken(x):
        raise ValueError("no such layer")

    with pytest.raises(ValueError, match="no such layer"):
        KeptTraces(ABOUT).jit("mine", broken, (X,))(X)


def test_about_is_of_plain_values(kept_apart, traced):
    with pytest.raises(TypeError, match="JSON"):
        ask(traced, about={"array": X})


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


@pytest.mark.parametrize(
    ("name", "answer"), [("process_count", 2), ("default_backend", "gpu")]
)
def test_several_processes_and_other_devices_trace_for_themselves(
    kept_apart, traced, monkeypatch, name, answer
):
    monkeypatch.setattr(jax, name, lambda: answer)
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
    (kept_apart / "folder").mkdir()  # of somebody else, and left alone
    for file in (wanted, old, kept_apart / "folder"):
        os.utime(file, (long_ago, long_ago))
    ask(traced)  # reads the first
    ask(traced, name="new")
    left = set(kept_apart.iterdir())
    assert {wanted, kept_apart / "folder"} < left
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
