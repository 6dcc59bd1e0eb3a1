"""One process at a time: the other one is told who is at it."""

import errno
import fcntl
import os
import subprocess
import sys

import pytest

from reviewintent_jax.data.prepare import prepare
from reviewintent_jax.data.prepared_lock import alone_in
from reviewintent_jax.data.tokens import ReviewTokenizer
from reviewintent_jax.schema import InputError, RunFolder, TransientError
from tests.data.prepared_cases import reviews_spec, write_reviews

HOLDS = """
import fcntl, os, sys, time
held = os.open(sys.argv[1], os.O_RDWR | os.O_CREAT)
fcntl.flock(held, fcntl.LOCK_EX)
os.write(held, b"process 7 on elsewhere, since noon")
print("held", flush=True)
time.sleep(600)
"""


def test_a_folder_that_is_being_prepared_is_left_alone(
    tiny_config, tiny_encoder, tmp_path
):
    write_reviews(tmp_path / "reviews.csv")
    spec = reviews_spec(tiny_config, tmp_path / "reviews.csv")
    run, tokenizer = RunFolder(tmp_path / "run"), ReviewTokenizer(tiny_encoder)
    part = tmp_path / "run" / "data.part"
    part.mkdir(parents=True)
    (part / "plan.json").write_text("of another plan")
    lock = tmp_path / "run" / "data.part.lock"
    script = [sys.executable, "-S", "-c", HOLDS, str(lock)]
    with subprocess.Popen(script, stdout=subprocess.PIPE) as other:
        assert other.stdout.readline() == b"held\n"
        with pytest.raises(TransientError, match="by process 7 on elsewhere") as told:
            prepare(spec, tokenizer, run, began_with=None)
        assert told.value.where == str(run.prepared)
        assert (part / "plan.json").read_text() == "of another plan"
        assert not run.rejected.exists()
        other.kill()  # which gives the lock back, but leaves the file
    prepare(spec, tokenizer, run, began_with=None)
    left = sorted(each.name for each in run.root.iterdir())
    assert left == ["data", "rejected.jsonl"]


def test_the_holder_says_who_it_is(tmp_path):
    with alone_in(tmp_path / "data"):
        said = (tmp_path / "data.part.lock").read_text()
        assert said.startswith(f"process {os.getpid()} on {os.uname().nodename}, since")
        with pytest.raises(TransientError, match=said), alone_in(tmp_path / "data"):
            pass
        assert (tmp_path / "data.part.lock").exists()
    assert not list(tmp_path.iterdir())


def test_what_its_holder_has_just_removed_is_no_lock(tmp_path, monkeypatch):
    lock, real = tmp_path / "data.part.lock", fcntl.flock

    def late(opened, how):
        monkeypatch.setattr(fcntl, "flock", real)
        lock.unlink()  # between our opening and our locking
        real(opened, how)

    monkeypatch.setattr(fcntl, "flock", late)
    with alone_in(tmp_path / "data"):
        assert lock.exists()
        with pytest.raises(TransientError), alone_in(tmp_path / "data"):
            pass


def test_where_files_cannot_be_locked_that_is_said(tmp_path, monkeypatch, caplog):
    def without(opened, how):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", without)
    with alone_in(tmp_path / "data"):
        assert "no other process" in caplog.text


def test_a_file_of_others_in_the_place_of_the_lock_is_kept(tmp_path):
    lock = tmp_path / "data.part.lock"
    lock.write_text("cannot be fetched again")
    words = "lock of the prepared data belongs"
    with pytest.raises(InputError, match=words), alone_in(tmp_path / "data"):
        pass
    assert lock.read_text() == "cannot be fetched again"
