"""A killed worker, end to end: the others end, all start again, the result is exact."""

import os
import re
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from tests.multiprocess.jobs import LIMIT, ROOT, Job, environment
from tests.multiprocess.test_runs import waves  # noqa: F401 - a fixture

pytestmark = pytest.mark.slow


def workers(parent: int) -> list[int]:
    """Process ids of the children of a process."""
    children = f"/proc/{parent}/task/{parent}/children"
    with open(children) as listed:  # noqa: PTH123 - not a file of a disk
        return [int(each) for each in listed.read().split()]


def test_a_killed_worker_is_started_again_and_nothing_is_lost(
    waves,  # noqa: F811
    tmp_path,
):
    flags = [*waves, "--config.train.max_steps=60"]
    job, whole = Job(tmp_path / "broken", flags), Job(tmp_path / "whole", flags)
    job.folder.mkdir()
    command = [sys.executable, "-m", "launch.supervise", "--processes=2"]
    command += ["--pause_seconds=0", "--", *flags, f"--workdir={job.run.root}"]
    with job.log(0).open("w") as log:
        supervisor = subprocess.Popen(
            [*command, "--heartbeat_seconds=10"],
            cwd=ROOT,
            env=environment(1),
            stdout=log,
            stderr=subprocess.STDOUT,
        )
    job.processes = [supervisor]
    try:
        end = time.monotonic() + LIMIT
        while not any(step >= 12 for step in job.losses()):
            assert supervisor.poll() is None, job.said(0)
            assert time.monotonic() < end
            time.sleep(0.01)
        killed, survivor = workers(supervisor.pid)[1], workers(supervisor.pid)[0]
        os.kill(killed, signal.SIGKILL)
        began = time.monotonic()
        while survivor in workers(supervisor.pid):
            assert time.monotonic() - began < 30  # after 60 the supervisor kills it
            time.sleep(0.05)
        assert job.codes() == [0], job.said(0)
    finally:
        job.kill()
    said = job.said(0)
    assert re.search(r"Supervisor: process 0 .*process 1 was killed \(SIGKILL\)", said)
    assert "This process cannot go on" in said or "another task died" in said
    losses, wanted = job.losses(), whole.start(1, devices=2).finish().losses()
    assert list(losses) == list(wanted) == list(range(1, 61))
    np.testing.assert_allclose(
        list(losses.values()), list(wanted.values()), atol=1e-5, rtol=0
    )
