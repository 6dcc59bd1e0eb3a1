"""MSDP-Net as a task: pieces, going on exactly, chance from shuffled answers, sizes."""

import json

import chex
import jax
import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from reviewintent_jax.build import plain_values
from reviewintent_jax.build_msdp import (
    begin_msdp,
    build_msdp,
    load_msdp,
    open_msdp_data,
)
from reviewintent_jax.data.batches import Position
from reviewintent_jax.data.splits import TEST, TRAIN
from reviewintent_jax.schema import RunFolder
from reviewintent_jax.training.loop import train
from reviewintent_jax.training.msdp_answers import answer_cases, make_msdp_step
from reviewintent_jax.training.msdp_outcome import (
    evaluate_msdp,
    read_alone,
    write_msdp_outcome,
)
from reviewintent_jax.training.step import make_train_step
from tests.data.purchases import (
    purchase_config,
    write_customers,
    write_purchases,
)
from tests.training.first_states import (
    blank_and_batch,
    planned_and_drawn,
)


def tiny(config):
    """Sizes of a run that takes seconds; pairwise different."""
    config.lstnet.update(
        kernel_sizes=(1, 2), channels=3, recurrent_features=5, highway_window=2
    )
    config.network.update(features=7, item_features=4, category_features=2, dropout=0.0)
    config.lstnet.dropout = 0.0
    config.train.update(epochs=2, batch_windows=16, log_every_steps=1)
    config.evaluation.update(batch_cases=13, bootstrap_samples=10)
    config.mesh.data = 1
    return config


@pytest.fixture
def config(tmp_path):
    config = tiny(purchase_config(tmp_path, customers=120))
    config.data.dates = config.events.texts = ()
    config.events.summaries = False
    return config


def built(config, folder):
    return build_msdp(plain_values(config), RunFolder(folder))


def first_batch(experiment):
    return next(experiment.train_batches().batches(Position(0, 0)))[0]


@pytest.mark.slow
def test_pieces_make_the_same_update(config, tmp_path):
    config.train.batch_windows = 12
    experiment = built(config, tmp_path / "run")
    states = []
    for pieces in (1, 3):
        optimizer = experiment.make_optimizer()
        state = experiment.first_state(optimizer).draw()
        step = make_train_step(experiment, optimizer, state, accumulate=pieces)
        state, _ = step(state, first_batch(experiment))
        states.append(jax.device_get(state.params))
    chex.assert_trees_all_close(*states, atol=2e-6)


def test_answers_do_not_depend_on_how_many_are_asked_at_once(config, tmp_path):
    experiment = built(config, tmp_path / "run")
    params = experiment.first_state(experiment.make_optimizer()).draw().params
    step, rows = make_msdp_step(experiment.model), experiment.windows.targets(TEST)
    few, many = (
        answer_cases(step, params, experiment.windows, rows, size) for size in (5, 64)
    )
    for one, other in zip(few, many, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-5)


@pytest.mark.slow
def test_a_finished_run_goes_on_no_further_and_scores_the_same_again(config, tmp_path):
    run = RunFolder(tmp_path / "run")
    experiment = build_msdp(plain_values(config), run)
    begin_msdp(experiment, run)
    result = train(experiment, run)
    metrics = write_msdp_outcome(experiment, result, run, {})
    assert metrics["systems"].keys() >= {
        *("model", "behaviour_alone", "structured_alone", "recency_frequency"),
        *("user_mean", "category_median", "kaplan_meier", "gradient_boosting"),
    }
    assert metrics["fusion"]["complete"]["text"] == 0
    stored = json.loads(run.config.read_text("utf-8"))
    del stored["encoder"]["epilogues"]  # a run may be older than this setting
    run.config.write_text(json.dumps(stored), "utf-8")
    trained, _ = load_msdp(run)
    data = open_msdp_data(run, trained)
    again = evaluate_msdp(trained, data, run, metrics, read_alone(run))
    assert again["systems"] == metrics["systems"]
    for task in ("intent", "value", "time"):
        assert metrics["systems"]["model"][task]
    unbroken = train(build_msdp(plain_values(config), run), run)
    chex.assert_trees_all_equal(
        jax.device_get(unbroken.state.params), jax.device_get(result.state.params)
    )


@pytest.mark.slow
def test_what_was_learned_by_heart_says_nothing_of_other_cases(config, tmp_path):
    """Answers dealt out anew can be learned by heart alone.

    Who knows those of test as well has seen them: in a batch, or among the features.
    """
    customers = tmp_path / "many.csv", tmp_path / "bought.csv"
    config.data.path = str(write_customers(customers[0], customers=1500))
    config.events.path = str(write_purchases(customers[1], customers=1500))
    config.events.summaries = True
    config.targets.update(value="", time="")
    config.split.test_fraction = 0.4
    config.network.update(features=32, sources=("structured",))
    config.optimizer.update(head_rate=1e-2, weight_decay=0.0)
    config.train.update(epochs=30, batch_windows=64, log_every_steps=100, patience=0)
    experiment = built(config, tmp_path / "run")
    cases = experiment.windows.cases
    intent = cases.targets.intent_n
    intent[:] = np.random.default_rng(0).permutation(intent)
    result = train(experiment, RunFolder(tmp_path / "run"))
    step = make_msdp_step(experiment.model)

    def auc(split):
        rows = cases.rows(split)
        rows = rows[intent[rows] >= 0]
        said = answer_cases(step, result.state.params, experiment.windows, rows, 64)
        margin = said.intent_ny[:, 1] - said.intent_ny[:, 0]
        return len(rows), roc_auc_score(intent[rows], margin)

    print("AUC", auc(TRAIN), auc(TEST))
    assert auc(TRAIN)[1] > 0.65
    count, of_test = auc(TEST)
    assert count == 600  # chance alone spreads the AUC by 0.024 then
    assert 0.42 < of_test < 0.58


def test_shapes_are_known_beforehand(config, tmp_path):
    experiment = built(config, tmp_path / "run")
    planned, drawn = planned_and_drawn(experiment)
    assert planned == drawn
    blank, batch = blank_and_batch(experiment)
    assert blank == batch


def test_a_kept_program_makes_the_same_update(config, tmp_path, anew_and_kept):
    anew, kept = anew_and_kept(built(config, tmp_path / "run"))
    chex.assert_trees_all_equal(anew, kept)
