import numpy as np
import pandas as pd

from reviewintent_jax.evaluation.evaluate import (
    EvaluationSpec,
    Threshold,
    subject_groups,
    table_metrics,
)


def test_subject_groups_are_the_picture_in_their_docstring():
    found = subject_groups(np.array(["b", "", "a", "b", ""], object))
    assert found.tolist() == [0, 2, 1, 0, 3]


def test_numbers_below_zero_are_no_subject():
    assert subject_groups(np.array([-1, 7, -1, 7])).tolist() == [1, 0, 2, 0]
    assert subject_groups(np.array([None, "x", None])).tolist() == [1, 0, 2]


def test_intervals_are_over_subjects_where_the_table_has_them():
    rng = np.random.default_rng(0)
    label_n = rng.integers(2, size=90)
    table = pd.DataFrame({"label": label_n, "logit_0": 0.0})
    table["logit_1"] = rng.normal(size=90) + label_n
    spec = EvaluationSpec(1, Threshold.ARGMAX, 100, 10, 0)

    def auc(table):
        how = {"temperature": 1.0, "threshold": None, "spec": spec}
        return table_metrics(table, ("no", "yes"), **how)["auc"]

    alone = auc(table)
    assert auc(table.assign(subject=np.arange(90))) == alone
    few = auc(table.assign(subject=np.arange(90) // 30))
    assert few["value"] == alone["value"]
    assert (few["low"], few["high"]) != (alone["low"], alone["high"])
