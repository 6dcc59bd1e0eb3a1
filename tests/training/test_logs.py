"""What a run tells: plain lines without a terminal, and one story after a resume."""

import json
import logging

import pytest

from reviewintent_jax.schema import RunFolder
from reviewintent_jax.training.logs import RunLog

FACTS = {"loss": 0.71828, "accuracy": 0.5}


@pytest.fixture
def said(caplog):
    """Lines said so far, for people."""
    logging.getLogger("reviewintent").propagate = True
    caplog.set_level(logging.INFO, logger="reviewintent")
    return lambda: [record.getMessage() for record in caplog.records]


def steps(run):
    return [json.loads(line)["step"] for line in run.log.read_text().splitlines()]


def test_without_a_terminal_a_record_is_a_plain_line(tmp_path, said):
    with RunLog(
        RunFolder(tmp_path), step=0, seen=0, total=1200, units="reviews"
    ) as log:
        log.advance(300)
        log.write("train", 7, **FACTS, gradient_norm=2.5)
    (line,) = said()
    assert line.startswith("train step 7, 300 of 1,200 reviews, loss 0.7183, accuracy")
    assert "gradient_norm" not in line
    assert line.endswith(" left")


def test_nothing_is_left_once_all_reviews_are_seen(tmp_path, said):
    with RunLog(RunFolder(tmp_path), step=0, seen=0, total=40, units="reviews") as log:
        log.advance(40)
        log.write("validation", 3, macro_f1=0.25, auc=None)
    (line,) = said()
    assert "40 of 40 reviews" in line
    assert "macro_f1 0.25" in line
    assert "left" not in line


def test_records_are_whole_in_the_file_at_once(tmp_path):
    run = RunFolder(tmp_path)
    with RunLog(run, step=0, seen=0, total=40, units="reviews") as log:
        log.write("train", 1, **FACTS)
        assert json.loads(run.log.read_text()) == {"kind": "train", "step": 1, **FACTS}


def test_a_resumed_log_drops_later_steps_and_a_torn_last_line(tmp_path):
    run = RunFolder(tmp_path)
    with RunLog(run, step=0, seen=0, total=40, units="reviews") as log:
        for step in (1, 2, 3, 4):
            log.write("train", step, **FACTS)
    with run.log.open("a") as file:
        file.write('{"kind": "train", "st')
    with RunLog(run, step=2, seen=20, total=40, units="reviews") as log:
        assert steps(run) == [1, 2]
        log.write("train", 3, **FACTS)
    assert steps(run) == [1, 2, 3]


def test_a_run_that_starts_afresh_starts_its_log_afresh(tmp_path):
    run = RunFolder(tmp_path)
    run.log.write_text('{"kind": "train", "step": 1}\n')
    with RunLog(run, step=0, seen=0, total=40, units="reviews"):
        pass
    assert run.log.read_text() == ""


def test_the_rate_counts_this_process_alone(tmp_path):
    with RunLog(
        RunFolder(tmp_path), step=9, seen=1_000_000, total=2_000_000, units="reviews"
    ) as log:
        assert log.rate == 0
        log.advance(10)
        assert log.rate > 0
        assert log.seen == 1_000_010
