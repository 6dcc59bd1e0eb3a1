"""Every score of a run can be computed again from its table of predictions."""

import json
import logging

import numpy as np
import pandas as pd
import pytest
from scipy.special import log_softmax, softmax
from sklearn.metrics import accuracy_score, f1_score, roc_auc_score

from reviewintent_jax.build import build_experiment, plain_values
from reviewintent_jax.configuration import read_config
from reviewintent_jax.data.splits import TEST, TRAIN, VALIDATION
from reviewintent_jax.evaluation.evaluate import Baseline, Threshold
from reviewintent_jax.evaluation.reports import write_report
from reviewintent_jax.schema import InputError, RunFolder
from reviewintent_jax.training.loop import train
from reviewintent_jax.training.outcome import (
    PEER,
    add_peer,
    count_seen,
    evaluate_own,
    write_outcome,
)
from reviewintent_jax.training.trained import Trained

SYSTEMS = ("majority", "tfidf_logistic_regression", "pytorch_fine_tune")


class Evaluated:
    """A model with its first random weights, scored in ``run``."""

    def __init__(self, config, folder, threshold=Threshold.ARGMAX):
        config.evaluation.threshold = str(threshold)
        values = plain_values(config)
        self.run = RunFolder(folder)
        experiment = build_experiment(values, self.run)
        self.prepared = experiment.prepared
        state = experiment.first_state(experiment.make_optimizer()).draw()
        self.trained = Trained(
            model=experiment.model,
            params=state.params,
            step=0,
            tokenizer=experiment.tokenizer,
            pages=experiment.pages,
            labels=experiment.prepared.labels,
            temperature=1.0,
            threshold=None,
            intention=None,
            data=experiment.data,
            evaluation=experiment.evaluation,
        )
        self.context = {"name": "tiny", "training": {}, "config": values}
        self.metrics = self.evaluate(self.context)

    def evaluate(self, context):
        return evaluate_own(self.trained, self.prepared, self.run, context)

    def add_peer(self):
        reviews = self.prepared.reviews(TEST)
        logits = np.random.default_rng(5).normal(size=(len(reviews), 2))
        facts = {"seconds": 1.5, "reviews": 33}
        peer = Baseline(log_softmax(logits, axis=1), facts)
        return add_peer(self.run, reviews, peer, self.trained.evaluation)

    def table(self, split="test"):
        return pd.read_parquet(self.run.predictions(split))


def answers_in(table, system):
    """Probability of class 1 by the documented columns alone."""
    if system == "model":
        return softmax(table[["logit_0", "logit_1"]].to_numpy(), axis=1)[:, 1]
    return np.exp(table[f"{system}_log_probability_1"].to_numpy())


def again(table, system):
    """scikit-learn's scores of one system."""
    label, positive = table["label"], answers_in(table, system)
    answer = positive > 0.5
    return {
        "accuracy": accuracy_score(label, answer),
        "macro_f1": f1_score(label, answer, average="macro"),
        "auc": roc_auc_score(label, positive),
    }


def test_texts_of_training_and_validation_are_seen_and_those_of_the_test_are_not(
    tiny_config, tmp_path
):
    prepared = build_experiment(plain_values(tiny_config), RunFolder(tmp_path)).prepared
    seen = [prepared.texts(prepared.reviews(s)) for s in (TRAIN, VALIDATION, TEST)]
    train, validation, test = seen
    assert count_seen(prepared, [train[0].upper() + " !", validation[-1]]) == 2
    assert count_seen(prepared, [*test, "nobody ever wrote this about a kettle"]) == 0


def test_every_score_is_computed_again_from_the_table_alone(tiny_config, tmp_path):
    done = Evaluated(tiny_config, tmp_path)
    done.add_peer()
    table, metrics = done.table(), json.loads(done.run.metrics.read_text())
    assert set(metrics["systems"]) == {"model", *SYSTEMS}
    ours = again(table, "model")
    for system in metrics["systems"]:
        theirs = again(table, system)
        for name, value in theirs.items():
            said = metrics["systems"][system]["test"][name]["value"]
            assert said == pytest.approx(value, abs=1e-9), (system, name)
        for name, value in theirs.items() if system != "model" else ():
            said = metrics["differences"][system][name]["value"]
            assert said == pytest.approx(ours[name] - value, abs=1e-9), (system, name)


def test_a_peer_stays_beside_the_model_when_it_is_scored_again(tiny_config, tmp_path):
    done = Evaluated(tiny_config, tmp_path)
    before = done.add_peer()
    after = done.evaluate(before)
    peer = "pytorch_fine_tune"
    assert after["systems"][peer] == before["systems"][peer]
    assert list(after["systems"]) == list(before["systems"])
    assert after["differences"] == before["differences"]
    assert "pytorch_fine_tune_log_probability_1" in done.table().columns


def test_a_peer_without_answers_in_the_table_is_kept_and_said(
    tiny_config, tmp_path, caplog
):
    done = Evaluated(tiny_config, tmp_path)
    old = {"test": {"accuracy": {"value": 0.25, "low": None, "high": None}}}
    context = done.metrics | {"systems": {"pytorch_fine_tune": old}}
    logging.getLogger("reviewintent").propagate = True
    after = done.evaluate(context)
    assert after["systems"]["pytorch_fine_tune"] == old
    assert "launch.compare measures it again" in caplog.text


def test_a_peer_that_answered_other_reviews_is_refused(tiny_config, tmp_path):
    done = Evaluated(tiny_config, tmp_path)
    kept = done.run.metrics.read_bytes()
    reviews = done.prepared.reviews(VALIDATION)
    peer = Baseline(np.zeros((len(reviews), 2)), {})
    with pytest.raises(InputError, match="other reviews"):
        add_peer(done.run, reviews, peer, done.trained.evaluation)
    assert done.run.metrics.read_bytes() == kept


def test_a_threshold_is_the_best_on_validation_and_decides_the_test(
    tiny_config, tmp_path
):
    done = Evaluated(tiny_config, tmp_path, Threshold.VALIDATION)
    threshold, temperature = done.metrics["threshold"], done.metrics["temperature"]

    def positive(table):
        gap = table["logit_1"] - table["logit_0"]
        return (1 / (1 + np.exp(-gap / temperature))).to_numpy()

    def macro_f1(table, boundary):
        answer = positive(table) >= boundary
        return f1_score(table["label"], answer, average="macro", zero_division=0)

    validation, test = done.table("validation"), done.table("test")
    every = np.concatenate([[0.5, 1.1], positive(validation) - 1e-9])
    best = max(macro_f1(validation, boundary) for boundary in every)
    assert macro_f1(validation, threshold) == pytest.approx(best)
    systems = done.metrics["systems"]
    said = systems["model"]["test"]["macro_f1"]["value"]
    assert said == pytest.approx(macro_f1(test, threshold))
    # The rival is given the same means.
    rival = systems["tfidf_logistic_regression"]
    answer = answers_in(test, "tfidf_logistic_regression") >= rival["threshold"]
    assert rival["test"]["accuracy"]["value"] == pytest.approx(
        accuracy_score(test["label"], answer)
    )
    assert json.loads(done.run.model.read_text())["threshold"] == threshold
    page = write_report(done.run).read_text()
    assert f"positive from {threshold:.3f}, chosen on validation" in page
    assert "Old figures" not in page


def test_by_default_the_most_probable_class_is_answered(tiny_config, tmp_path):
    done = Evaluated(tiny_config, tmp_path)
    assert done.metrics["threshold"] is None
    assert "threshold" not in done.metrics["systems"]["tfidf_logistic_regression"]
    assert "<dt>Threshold</dt>" not in write_report(done.run).read_text()


def test_scoring_and_baselines_are_told_in_a_handful_of_lines(
    tiny_config, tmp_path, caplog
):
    logging.getLogger("reviewintent").propagate = True
    with caplog.at_level(logging.INFO, logger="reviewintent"):
        done = Evaluated(tiny_config, tmp_path)
    said = [record.getMessage() for record in caplog.records]
    n = len(done.table())
    test = [line for line in said if line.startswith("Scoring test: ")]
    assert 1 <= len(test) <= 4
    assert f"{n} of {n} reviews" in test[-1]
    baselines = [line for line in said if line.startswith("Baseline: ")]
    assert len(baselines) == 2
    assert "TF-IDF" in baselines[1]


@pytest.mark.slow
def test_training_a_finished_run_again_keeps_its_peer(tiny_config, tmp_path):
    values = plain_values(tiny_config)
    run = RunFolder(tmp_path)
    experiment = build_experiment(values, run)
    result = train(experiment, run)
    write_outcome(experiment, result, run, {})
    reviews = experiment.prepared.reviews(TEST)
    peer = Baseline(np.log(np.full((len(reviews), 2), 0.5)), {"seconds": 1.5})
    with_peer = add_peer(run, reviews, peer, experiment.evaluation)["systems"][PEER]
    again = write_outcome(experiment, train(experiment, run), run, {})
    assert again["systems"][PEER] == with_peer


@pytest.mark.parametrize("change", [{"seed": -1}, {"bootstrap_samples": -1}])
def test_impossible_settings_of_the_evaluation_are_refused(tiny_config, change):
    tiny_config.evaluation.update(change)
    with pytest.raises(InputError, match=next(iter(change))):
        read_config(plain_values(tiny_config))
