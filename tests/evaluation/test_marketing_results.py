"""Runs of BERT-LSTM become a table beside what the paper claims."""

from reviewintent_jax.evaluation.marketing_results import (
    is_marketing,
    write_marketing_results,
)


def score(value):
    return {"value": value, "low": value - 0.01, "high": value + 0.01}


def scored(accuracy):
    scores = {name: score(accuracy) for name in ("accuracy", "macro_f1", "auc")}
    per_class = {"no": {"precision": None, "recall": 0.0, "f1": 0.0, "support": 4}}
    per_class["yes"] = {"precision": 0.6, "recall": 1.0, "f1": 0.75, "support": 6}
    return scores | {"per_class": per_class, "confusion": [[0, 4], [0, 6]]}


def run(name, accuracy, title):
    others = {"tfidf_logistic_regression": {"test": scored(0.7)}}
    return {
        "name": name,
        "model_title": title,
        "classes": ["no", "yes"],
        "config": {"name": name, "data": {"path": "tweets.csv.gz"}},
        "data": {
            "splits": {k: {"rows": 1000} for k in ("train", "validation", "test")}
        },
        "systems": {
            "model": {"test": scored(accuracy)},
            **others,
            "majority": others["tfidf_logistic_regression"],
        },
        "training": {
            "parameters": {"encoder": 1000, "sentiment": 3},
            **{"steps": 90, "best_step": 60, "seconds": 12.4},
        },
        "environment": {"cores": 2, "device": "cpu"},
        "created": "2030-01-02T00:00:00",
    }


RUNS = [
    run("marketing", 0.8, "BERT-BiLSTM-Softmax"),
    run("marketing_lstm", 0.75, "LSTM over word vectors"),
    run("marketing_sst2", 0.9, "BERT-BiLSTM-Softmax"),
    run("airline_tweets", 0.6, "BERT-LSTNet-Softmax"),
]


def test_every_score_stands_beside_the_claim(tmp_path):
    (tmp_path / "m.md").write_text("Above.\n<!-- results -->\nold\n")
    command = "train {}".format
    page = write_marketing_results(
        RUNS[:3], tmp_path, "m.md", lambda config: command(config["name"])
    )
    text = page.read_text()
    assert text.startswith("Above.\n<!-- results -->\n")
    assert "old" not in text
    tweets, sst2 = text.split("## SST-2")
    bracket = "(0.7900 to 0.8100)"
    assert (
        f"| BERT-LSTM, sequential (BERT-BiLSTM-Softmax) | 0.8000 {bracket} | 0.8000 "
        f"{bracket} | 0.8000 {bracket} | 0.914 |" in tweets
    )
    assert "| BERT alone | not run yet | | | |" in tweets
    assert "| TF-IDF + logistic regression | 0.7000 (0.6900 to 0.7100)" in tweets
    assert "| 0.765 |" in tweets
    assert "- LSTM alone: 1,003 parameters; 90 updates, best at 60; 12 s" in tweets
    assert "`train marketing_lstm`" in tweets
    assert "  - no: precision none, recall 0.000, f1 0.000; answered 0 / 4" in tweets
    assert "0.9000 (0.8900 to 0.9100)" in sst2
    names = {"marketing.json", "marketing_lstm.json", "marketing_sst2.json", "m.md"}
    assert {each.name for each in tmp_path.iterdir()} == names


def test_only_runs_of_that_name_are_on_the_page():
    assert [is_marketing(each) for each in RUNS] == [True, True, True, False]
    assert not is_marketing({"name": "marketing_other"})
