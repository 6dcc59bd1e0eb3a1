"""Parts of a test split, scored apart."""

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import accuracy_score, f1_score, roc_auc_score

from reviewintent_jax.evaluation.evaluate import (
    EvaluationSpec,
    Threshold,
    add_system,
    compare,
)
from reviewintent_jax.evaluation.results import section
from reviewintent_jax.evaluation.slices import EMPTY, check_slices, score_slices
from reviewintent_jax.evaluation.summary import summarise
from reviewintent_jax.schema import InputError

CLASSES = ("no", "yes")
SPEC = EvaluationSpec(4, Threshold.ARGMAX, 50, 100, 0)
CHOSEN = {"temperature": 1.7, "threshold": None}


@pytest.fixture
def table():
    rng = np.random.default_rng(2)
    table = pd.DataFrame({"label": rng.integers(0, 2, 60)})
    for y in range(2):
        table[f"logit_{y}"] = rng.normal(size=60) + (table["label"] == y)
    table["slice"] = np.where(np.arange(60) % 3 == 0, "False", "True")
    table.loc[57:, "slice"] = ""
    other = np.log(rng.dirichlet([1, 1], 60))
    add_system(table, "majority", other)
    return table


def test_each_part_is_scored_as_if_it_were_the_whole(table):
    found = score_slices(table, {"majority": {}}, CLASSES, **CHOSEN, spec=SPEC)
    assert list(found) == [EMPTY, "False", "True"]
    assert sum(part["n"] for part in found.values()) == 60
    for value, part in found.items():
        rows = table[table["slice"] == (value if value != EMPTY else "")]
        assert part["n"] == len(rows) == sum(part["classes"].values())
        assert part["classes"]["yes"] == (rows["label"] == 1).sum()
        said = (rows["logit_1"] > rows["logit_0"]).astype(int)
        test = part["systems"]["model"]["test"]
        assert test["accuracy"]["value"] == accuracy_score(rows["label"], said)
        if value != EMPTY:
            f1 = f1_score(rows["label"], said, average="macro")
            assert test["macro_f1"]["value"] == pytest.approx(f1)
            auc = roc_auc_score(rows["label"], rows["logit_1"] - rows["logit_0"])
            assert test["auc"]["value"] == pytest.approx(auc)
            assert test["auc"]["low"] < auc < test["auc"]["high"]
        assert part["systems"].keys() == part["differences"].keys() | {"model"}


def test_the_summary_and_the_page_of_results_show_every_part(table):
    found = score_slices(table, {"majority": {}}, CLASSES, **CHOSEN, spec=SPEC)
    model = {"test": found["True"]["systems"]["model"]["test"]}
    whole = compare(model, table, {"majority": {}}, CLASSES, **CHOSEN, spec=SPEC)
    metrics = {
        **{"name": "x", "created": "2026-01-01", "label_map": "0 -> no"},
        **CHOSEN,
        **whole,
        "slices": {"column": "translated", "values": found},
        "training": {"epochs": 1, "steps": 2, "best_step": 2, "seconds": 3},
        "data": {"splits": {"test": {"rows": 60}}},
        "environment": {"cores": 2, "device": "cpu"},
        "config": {"data": {"path": "x.csv", "kind": "table"}},
    }
    said = summarise(metrics)
    page = section(metrics, "python")
    for value, part in found.items():
        assert f"translated {value}: {part['n']} reviews" in said
        accuracy = part["systems"]["model"]["test"]["accuracy"]["value"]
        held = ", ".join(f"{n} {name}" for name, n in part["classes"].items())
        row = f"| {value} | {held} | BERT-LSTNet-Softmax | {accuracy:.4f}"
        assert row in page


def test_a_column_with_many_values_is_refused():
    check_slices(["a", "b"] * 30)
    with pytest.raises(InputError, match="25 values"):
        check_slices([str(n) for n in range(25)])
