"""Kept results: every system, no path of this machine, what is missing is said."""

import json

import pytest

from reviewintent_jax.evaluation.results import read_results, write_review_results
from reviewintent_jax.schema import InputError, RunFolder


def metrics():
    def score(value, low=None, high=None):
        return {"value": value, "low": low, "high": high}

    test = {
        "accuracy": score(0.9, 0.88, 0.92),
        "macro_f1": score(0.8),
        "auc": score(None),
    }
    return {
        "name": "mine",
        "created": "2025-01-02T03:04:05+00:00",
        "label_map": "stars 1 -> bad",
        "temperature": 1.25,
        "data": {"splits": {"train": {"rows": 1200}, "test": {"rows": 300}}},
        "config": {
            "data": {
                "path": "/home/me/reviews.csv",
                "tfds_folder": "",
                "kind": "table",
            },
            "encoder": {"source": "/home/me/bert"},
        },
        "training": {"epochs": 2, "steps": 75, "best_step": 38, "seconds": 61.2},
        "environment": {"cores": 2, "device": "cpu"},
        "systems": {
            "model": {"test": test},
            "tfidf_logistic_regression": {"test": test, "seconds": 3.0},
            "majority": {"test": test},
        },
    }


def command(config):
    return f"train --path={config['data']['path']}"


def collect_results(runs, folder, page, command_of):
    folder.mkdir(exist_ok=True)
    return write_review_results(read_results(runs), folder, page, command_of)


@pytest.fixture
def run(tmp_path):
    folder = RunFolder(tmp_path / "run")
    folder.root.mkdir()
    folder.metrics.write_text(json.dumps(metrics()))
    return folder


def test_the_page_shows_every_system_and_names_what_is_missing(run, tmp_path):
    page = collect_results([run], tmp_path / "out", "page.md", command).read_text()
    scores = "0.9000 (0.8800 to 0.9200) | 0.8000 | not defined | 61 s"
    assert f"| BERT-LSTNet-Softmax | {scores} |" in page
    assert "| PyTorch fine-tune, same weights | not measured" in page
    assert "1,200 train, 300 test" in page
    assert "`train --path=reviews.csv`, reviews.csv:" in page


def test_no_path_of_this_machine_is_kept(run, tmp_path):
    collect_results([run], tmp_path / "out", "page.md", command)
    for file in (tmp_path / "out").iterdir():
        assert "/home/me" not in file.read_text()
    kept = json.loads((tmp_path / "out" / "mine.json").read_text())
    assert kept["config"]["data"]["path"] == "reviews.csv"


def test_what_a_person_wrote_above_the_results_stays(run, tmp_path):
    page = collect_results([run], tmp_path / "out", "page.md", command)
    page.write_text("# Said by a person\n\n" + page.read_text())
    again = collect_results([run], tmp_path / "out", "page.md", command).read_text()
    assert again.startswith("# Said by a person")
    assert again.count("## mine") == 1


def test_a_run_that_was_not_evaluated_is_refused(tmp_path):
    with pytest.raises(InputError, match="not been evaluated"):
        collect_results([RunFolder(tmp_path)], tmp_path / "out", "page.md", command)


def test_a_run_of_intention_alone_is_kept_and_has_no_scores_of_sentiment(tmp_path):
    folder = RunFolder(tmp_path / "alone")
    folder.root.mkdir()
    folder.metrics.write_text(json.dumps(metrics() | {"systems": {}}))
    page = collect_results([folder], tmp_path / "out", "page.md", command).read_text()
    assert "## mine" not in page
    assert (tmp_path / "out" / "mine.json").is_file()
