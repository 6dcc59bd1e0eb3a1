"""Starting again, and being told to stop while nothing runs."""

import os
import signal
import sys
import threading
import time

import pytest

from launch.supervise import Supervisor


@pytest.fixture
def supervisor(tmp_path):
    """One whose process writes a line to ``tmp_path/starts`` and ends as told."""
    made = Supervisor([], 1, grace=5.0)
    handlers = {n: signal.signal(n, made.stop) for n in (signal.SIGTERM,)}

    def of(code):
        script = f"open({str(tmp_path / 'starts')!r}, 'a').write('x\\n'); {code}"
        made._command = [sys.executable, "-S", "-E", "-c", script]
        return made

    yield of
    for number, handler in handlers.items():
        signal.signal(number, handler)


def starts(tmp_path):
    return len((tmp_path / "starts").read_text("utf-8").splitlines())


def tell_after(seconds):
    threading.Timer(seconds, os.kill, (os.getpid(), signal.SIGTERM)).start()


def test_a_failure_is_tried_again_so_often(supervisor, tmp_path):
    assert supervisor("raise SystemExit(1)").run(restarts=2, pause=0.0) == 1
    assert starts(tmp_path) == 3


def test_a_mistake_of_the_user_is_not_tried_again(supervisor, tmp_path):
    assert supervisor("raise SystemExit(2)").run(restarts=2, pause=0.0) == 2
    assert starts(tmp_path) == 1


def test_told_in_the_pause_it_does_not_start_again(supervisor, tmp_path):
    tell_after(1.5)
    began = time.monotonic()
    assert supervisor("raise SystemExit(1)").run(restarts=2, pause=60.0) == 0
    assert time.monotonic() - began < 30
    assert starts(tmp_path) == 1


def test_told_while_a_process_starts_it_ends_and_is_not_started_again(
    supervisor, tmp_path
):
    tell_after(1.5)
    assert supervisor("import time; time.sleep(60)").run(restarts=2, pause=0.0) == 0
    assert starts(tmp_path) == 1
