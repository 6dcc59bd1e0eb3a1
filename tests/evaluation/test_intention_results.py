"""The page on intention: the question, every system, and what was checked."""

import copy
import json
from pathlib import Path

import pytest

from reviewintent_jax.evaluation.intention_results import write_intention_results

KEPT = Path(__file__).parents[2] / "docs" / "results" / "shop_intention.json"


@pytest.fixture
def metrics():
    return json.loads(KEPT.read_text("utf-8"))


def page_of(tmp_path, *runs):
    made = write_intention_results(runs, tmp_path, "page.md", lambda c: c["name"])
    return made.read_text("utf-8")


def test_every_system_stands_beside_the_model_with_its_interval(metrics, tmp_path):
    page = page_of(tmp_path, metrics)
    for key, name in {
        "model": "BERT-LSTNet-Softmax",
        "text_only": "text alone",
        "gradient_boosting": "gradient boosting",
        "recency_frequency": "recency/frequency",
        "last_value": "last value",
        "majority": "majority class",
    }.items():
        auc = metrics["intention"]["systems"][key]["test"]["auc"]
        interval = f" ({auc['low']:.4f} to {auc['high']:.4f})" if auc["low"] else ""
        assert f"| {name} | {auc['value']:.4f}{interval} |" in page, name
    best = metrics["intention"]["best_possible"]["auc"]
    assert f"| best that anyone could do | {best:.4f} |" in page
    assert metrics["intention"]["history"]["verdict"] in page
    cut = metrics["intention"]["cut"][:10]
    for said in ("`shop_intention`", f"cut date {cut}", "up to 7 reviews"):
        assert said in page
    together = metrics["intention"]["sentiment_correlation"]["labels"]["value"]
    for said in (f"Correlation with sentiment: {together:+.2f} of labels", ", chance."):
        assert said in page


def test_a_window_of_one_is_called_the_model_without_a_history(metrics, tmp_path):
    alone = copy.deepcopy(metrics)
    alone["name"], alone["intention"]["window"] = "shop_intention_window_1", 1
    page = page_of(tmp_path, metrics, alone)
    assert page.index("## shop_intention\n") < page.index("## shop_intention_window_1")
    assert "reads the last review alone, and no history" in page
    assert page.count(metrics["intention"]["history"]["verdict"]) == 1


def test_what_does_not_exist_is_said_or_left_out(metrics, tmp_path):
    asked = metrics["intention"]
    asked["systems"].pop("last_value")
    asked["absent"] = {"last_value": "No review has an earlier one."}
    asked["cut"] = asked["best_possible"] = asked["shuffled"] = None
    nothing = {"value": None, "low": None, "high": None, "n": 0}
    asked["sentiment_correlation"] = {"labels": nothing, "predictions": nothing}
    metrics["systems"] = {}
    page = page_of(tmp_path, metrics)
    assert "| last value | none: No review has an earlier one. | | |" in page
    assert "Correlation with sentiment: none; sentiment is not labelled." in page
    for absent in ("cut date", "shuffled", "Sentiment beside", "None"):
        assert absent not in page, absent
