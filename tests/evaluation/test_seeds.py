"""Seeds of several configs side by side."""

import copy
import statistics

import pytest

from reviewintent_jax.evaluation.seeds import write_seeds_page
from reviewintent_jax.schema import InputError

COMPARED = {"pre-trained": "a", "random weights": "b"}


def score(value):
    return {"value": value, "low": value - 0.01, "high": value + 0.01}


def systems(value):
    names = {"model": value, "tfidf_logistic_regression": 0.71, "majority": 0.62}
    return {
        name: {"test": {key: score(each) for key in ("accuracy", "macro_f1", "auc")}}
        for name, each in names.items()
    }


def run(name, value):
    return {
        "name": f"{name}_{value}",
        "config": {"name": name},
        "model_title": "XLM-R-[CLS]-Softmax",
        "data": {"splits": {"test": {"rows": 9, "classes": {"bad": 5, "good": 4}}}},
        "systems": systems(value),
        "slices": {
            "column": "translated",
            "values": {
                "False": {
                    "n": 3,
                    "classes": {"bad": 2, "good": 1},
                    "systems": systems(value - 0.1),
                }
            },
        },
    }


def test_means_and_spreads_of_every_part_stand_beside_the_baselines(tmp_path):
    path = tmp_path / "page.md"
    path.write_text("Read this first.\n<!-- results -->\nold\n", "utf-8")
    values = (0.80, 0.84, 0.82)
    runs = [run("a", value) for value in values] + [run("b", 0.75), run("other", 0.1)]
    write_seeds_page(runs, path, COMPARED)
    page = path.read_text("utf-8")
    assert page.startswith("Read this first.")
    assert "old" not in page
    mean = statistics.fmean(values)
    cell = f"{mean:.4f} (0.8000 to 0.8400)"
    title = "XLM-R-[CLS]-Softmax, pre-trained"
    assert f"| all: 5 bad, 4 good | {title} | 3 | {cell} | {cell} | {cell} |" in page
    assert f"| translated False: 2 bad, 1 good | {title} | 3 | {mean - 0.1:.4f}" in page
    assert "random weights | 1 | 0.7500 | 0.7500" in page
    assert "TF-IDF + logistic regression | | 0.7100 (0.7000 to 0.7200)" in page
    assert "0.1000" not in page


def test_runs_of_other_test_reviews_are_not_compared(tmp_path):
    other = copy.deepcopy(run("b", 0.7))
    other["data"]["splits"]["test"]["classes"]["bad"] = 4
    with pytest.raises(InputError, match="other reviews"):
        write_seeds_page([run("a", 0.8), other], tmp_path / "page.md", COMPARED)
