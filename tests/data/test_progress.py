"""Progress without a terminal: a line now and then, and a last one."""

import logging

from reviewintent_jax.data import progress


def lines_of(caplog, monkeypatch, seconds):
    monkeypatch.setattr(progress, "_SECONDS", seconds)
    logging.getLogger("reviewintent").propagate = True
    with caplog.at_level(logging.INFO), progress.Progress("Reading") as bar:
        for _ in range(3):
            bar.update(500)
    return [record.getMessage() for record in caplog.records]


def test_a_slow_job_says_where_it_is(caplog, monkeypatch):
    lines = lines_of(caplog, monkeypatch, 0.0)
    assert lines[0].startswith("Reading: 500 rows")
    assert lines[-1].startswith("Reading: 1,500 rows")
    assert len(lines) == 3  # the last is not said twice


def test_a_quick_job_says_nothing(caplog, monkeypatch):
    assert lines_of(caplog, monkeypatch, 60.0) == []


def test_with_a_total_there_are_four_lines_at_most(caplog):
    logging.getLogger("reviewintent").propagate = True
    with (
        caplog.at_level(logging.INFO),
        progress.Progress("Scoring", "reviews", total=1003) as bar,
    ):
        for _ in range(1003):
            bar.update(1)
    said = [record.getMessage().split(",")[0] for record in caplog.records]
    assert len(said) == 4
    assert caplog.records[-1].getMessage().startswith("Scoring: 1,003 of 1,003 reviews")
    assert said[0] == "Scoring: 251 of 1"


def test_a_total_of_nothing_says_nothing(caplog):
    logging.getLogger("reviewintent").propagate = True
    with caplog.at_level(logging.INFO), progress.Progress("Scoring", total=0):
        pass
    assert caplog.records == []
