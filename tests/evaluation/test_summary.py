"""The lines printed at the end: the score beside its baselines, nothing made up."""

from reviewintent_jax.evaluation.summary import summarise


def score(value, low=None, high=None):
    return {"value": value, "low": low, "high": high}


def metrics(**changes):
    systems = {
        "model": {"test": {"accuracy": score(0.9, 0.88, 0.92), "macro_f1": score(0.8)}},
        "majority": {"test": {"accuracy": score(0.7), "macro_f1": score(0.41)}},
    }
    for system in systems.values():
        system["test"]["auc"] = score(None)
    return {"systems": systems} | changes


def test_systems_stand_one_under_the_other_with_intervals():
    lines = summarise(metrics()).splitlines()
    assert lines[0].split() == ["Test", "split", "accuracy", "macro", "F1", "AUC"]
    assert lines[1].split("  ")[0] == "BERT-LSTNet-Softmax"
    assert "0.9000 [0.8800, 0.9200]" in lines[1]
    assert lines[1].endswith("-")
    assert lines[2].startswith("Majority class")
    assert len(lines) == 3
    assert lines[1].index("0.9000") == lines[2].index("0.7000")


def test_the_best_possible_score_comes_with_how_near_we_are():
    best = {"accuracy": 0.95, "auc": 0.99}
    lines = summarise(metrics(best_possible=best)).splitlines()
    assert lines[-2].startswith("Best that anyone could do")
    assert "5.0 more reviews in 100" in lines[-1]


def test_a_lucky_model_is_not_called_worse():
    best = {"accuracy": 0.89, "auc": 0.99}
    assert "as well as" in summarise(metrics(best_possible=best)).splitlines()[-1]


def test_reviews_of_the_training_are_named_when_they_are_scored_again():
    lines = summarise(metrics(evaluated={"reviews": 600, "seen": 480})).splitlines()
    assert lines[0].startswith("600 reviews")
    assert "480 of these 600 reviews" in lines[-1]
    lines = summarise(metrics(evaluated={"reviews": 600, "seen": 0})).splitlines()
    assert not lines[-1].startswith("Beware")


def test_classes_that_no_scored_review_has_are_named():
    given = metrics()
    per_class = {"bad": {"support": 0}, "good": {"support": 7}}
    given["systems"]["model"]["test"]["per_class"] = per_class
    assert "None of these reviews is bad: macro scores" in summarise(given)
    per_class["bad"]["support"] = 1
    assert "None of these" not in summarise(given)
