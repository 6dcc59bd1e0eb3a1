"""The forecast report: complete, harmless, honest; and the words that go with it."""

import copy
import json
import re

import numpy as np
import pandas as pd
import pytest

from reviewintent_jax.evaluation import forecast_report
from reviewintent_jax.evaluation.forecast_metrics import forecast_metrics
from reviewintent_jax.evaluation.forecast_report import write_forecast_report
from reviewintent_jax.evaluation.forecast_summary import (
    SYSTEMS,
    summarise_forecast,
    verdict,
)
from reviewintent_jax.schema import InputError, RunFolder

NAMES = ("<script>tea", "coffee & milk", "flat")
ROWS = 240


def made(tmp_path, *, dates=False):
    """A run's folder with scores of made-up forecasts and the table of them."""
    rng = np.random.default_rng(0)
    truth = rng.normal(size=(ROWS, 3)).cumsum(axis=0)
    truth[:, 2] = 4.0
    errors = {"model": 0.2, "persistence": 1.0, "seasonal_naive": 2.0, "ar_ridge": 0.5}
    said = {k: truth + e * rng.normal(size=truth.shape) for k, e in errors.items()}
    said["persistence"][:, 2] = 4.0  # never wrong, so nobody has skill there
    scores = {
        key: {
            split: forecast_metrics(truth, said[key], said["persistence"], NAMES)
            for split in ("validation", "test")
        }
        for key in SYSTEMS
    }
    scores["seasonal_naive"]["season"] = 7
    table = {"row": np.repeat(np.arange(ROWS) + 960, 3)}
    if dates:
        days = np.datetime64("2024-01-01", "s") + np.arange(ROWS) * 86400
        table["time"] = np.repeat(days, 3)
    table |= {"series": pd.Categorical(list(NAMES) * ROWS), "truth": truth.ravel()}
    table |= {key: value.ravel() for key, value in said.items()}
    split = {"windows": ROWS, "first_row": 960, "last_row": 1199}
    if dates:
        split |= {"from": "2024-01-01T00:00:00", "to": "2024-08-27T00:00:00"}
    metrics = {
        "name": "made",
        "task": "forecast",
        "window": 24,
        "horizon": 3,
        "scale": {"kind": "max", "fit": "all"},
        "systems": scores,
        "data": {
            "rows": 1200,
            "series": list(NAMES),
            "dates": dates,
            "step_seconds": 86400 if dates else None,
            "irregular_steps": 0,
            "constant": ["flat"],
            "splits": {"test": split},
        },
        "config": {"data": {"path": "<img src=x>"}},
    }
    run = RunFolder(tmp_path)
    run.metrics.write_text(json.dumps(metrics))
    pd.DataFrame(table).to_parquet(run.predictions("test"))
    return run, metrics


@pytest.mark.parametrize("dates", [False, True])
def test_every_series_is_drawn_and_every_name_is_escaped(tmp_path, dates):
    run, metrics = made(tmp_path, dates=dates)
    run.log.write_text(json.dumps({"kind": "validation", "step": 5, "rse": 0.3}) + "\n")
    page = write_forecast_report(run).read_text()
    assert "<script" not in page
    assert "<img" not in page
    assert page.count("<svg") == 3 + 2  # series; RSE of systems; learning
    for name in ("&lt;script&gt;tea", "coffee &amp; milk"):
        assert f"<h3>{name}</h3>" in page
    assert not re.search(r'(src|href)="(?!#)', page)
    assert f"{metrics['systems']['model']['test']['rse']:.4f}" in page
    assert "Constant in training" in page
    assert "those of the test too" in page
    assert ("2024-08-27" in page) == dates


def test_of_many_series_those_are_drawn_that_persistence_does_worst(
    tmp_path, monkeypatch
):
    monkeypatch.setattr(forecast_report, "SERIES_DRAWN", 1)
    run, metrics = made(tmp_path)
    each = metrics["systems"]["persistence"]["test"]["per_series"]
    worst = max(NAMES[:2], key=lambda name: each[name]["rse"])
    page = write_forecast_report(run).read_text()
    assert "Of 3 series, the 1" in page
    drawn = re.findall(r"<h3>(.*?)</h3>", page)
    assert drawn[1:] == [
        worst.replace("&", "&amp;").replace("<script>", "&lt;script&gt;")
    ]


def test_without_scores_there_is_no_report(tmp_path):
    with pytest.raises(InputError, match="no scores"):
        write_forecast_report(RunFolder(tmp_path))


def test_the_verdict_says_who_wins(tmp_path):
    _, metrics = made(tmp_path)
    assert verdict(metrics).startswith("The model beats persistence: RSE ")
    assert "better in 2 of 2 series" in verdict(metrics)
    swapped = copy.deepcopy(metrics)
    systems = swapped["systems"]
    systems["model"], systems["seasonal_naive"] = (
        systems["seasonal_naive"],
        systems["model"],
    )
    assert "does not beat" in verdict(swapped)
    assert "Best of all is seasonal naive" in verdict(swapped)


def test_what_is_not_defined_is_said_and_not_compared(tmp_path):
    _, metrics = made(tmp_path)
    for system in metrics["systems"].values():
        system["test"] |= {"skill": None}
    assert "nothing can beat it" in verdict(metrics)
    for system in metrics["systems"].values():
        system["test"] |= {"rse": None}
    assert "never change" in verdict(metrics)
    assert " - " in summarise_forecast(metrics)
