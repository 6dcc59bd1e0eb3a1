"""What befalls one process of several, in a program that is up in seconds."""

import time

import pytest

from tests.multiprocess.jobs import Job

pytestmark = pytest.mark.slow


@pytest.fixture
def job(tmp_path):
    job = Job(tmp_path, [], "tests.multiprocess.troubles")
    yield job
    job.kill()


def test_a_disk_that_is_full_for_one_process_ends_all_and_is_said(job):
    began = time.monotonic()
    first, other = job.start(2, trouble="full_disk").codes()
    assert time.monotonic() - began < 60
    assert other == 1
    assert "[process 1 of 2] Error: The disk is full" in job.said(1)
    assert first not in (0, 2, -9)  # a supervisor starts it again


def test_what_passes_is_no_mistake_in_any_process(job):
    assert job.start(2, trouble="passing").codes() == [1, 1]
    assert "The disk is full." in job.said(0)
    assert "The disk is full." not in job.said(1)
