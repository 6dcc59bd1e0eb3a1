"""The step: pure, repeatable, the same in pieces, and it learns."""

import dataclasses

import chex
import jax
import numpy as np
import pytest

from reviewintent_jax.build import build_experiment, plain_values
from reviewintent_jax.data.batches import Position
from reviewintent_jax.schema import RunFolder
from reviewintent_jax.training.experiment import review_weights
from reviewintent_jax.training.placement import Placement
from reviewintent_jax.training.state import count_parameters
from reviewintent_jax.training.step import make_train_step
from reviewintent_jax.training.train_spec import ClassWeights
from tests.training.first_states import (
    blank_and_batch,
    planned_and_drawn,
)


@pytest.fixture
def experiment(tiny_config, tmp_path):
    tiny_config.augment.update(delete=0.0, replace=0.0, shuffle=0.0)
    return build_experiment(plain_values(tiny_config), RunFolder(tmp_path))


def without_dropout(config):
    config.encoder.update(hidden_dropout=0.0, attention_dropout=0.0)
    config.lstnet.dropout = config.head.dropout = 0.0


def start(experiment, *, seed=5, accumulate=1):
    """The step with that seed, from first weights that do not depend on it."""
    optimizer = experiment.make_optimizer()
    seeded = dataclasses.replace(experiment, seed=seed)
    state = experiment.first_state(optimizer).draw()
    return make_train_step(seeded, optimizer, state, accumulate=accumulate), state


def first_batch(experiment):
    return next(experiment.train_batches().batches(Position(0, 0)))[0]


def test_same_state_and_batch_give_bitwise_the_same(experiment):
    batch = first_batch(experiment)
    (step, one), (_, two) = start(experiment), start(experiment)
    chex.assert_trees_all_equal(step(one, batch), step(two, batch))


@pytest.mark.slow
def test_dropout_depends_on_seed_and_step(experiment):
    batch = first_batch(experiment)
    losses = set()
    for seed, at in ((5, 0), (6, 0), (5, 1)):
        step, state = start(experiment, seed=seed)
        losses.add(float(step(state._replace(step=state.step + at), batch)[1].loss))
    assert len(losses) == 3


def test_another_seed_is_no_other_program(experiment):
    """So runs that differ in their seeds find what the first of them compiled."""
    batch = first_batch(experiment)
    texts = set()
    for seed in (5, 2**32 - 1):
        step, state = start(experiment, seed=seed)
        texts.add(step.lower(state, batch).as_text())
    assert len(texts) == 1


@pytest.mark.slow
def test_pieces_give_the_update_of_the_whole(tiny_config, tmp_path):
    without_dropout(tiny_config)
    tiny_config.train.accumulate = 2
    tiny_config.optimizer.update(warmup_steps=0, epsilon=1e-2)
    experiment = build_experiment(plain_values(tiny_config), RunFolder(tmp_path))
    batch = first_batch(experiment)
    assert len(batch.token_ids_bt) % 2 == 0
    results = []
    for pieces in (1, 2):
        step, state = start(experiment, accumulate=pieces)
        results.append(step(state, batch))
    chex.assert_trees_all_close(*results, rtol=1e-4, atol=1e-6)


def test_one_compilation_serves_an_epoch(experiment):
    step, state = start(experiment)
    stream = experiment.train_batches().batches(Position(0, 0))
    for _ in range(4):
        state, _ = step(state, next(stream)[0])
    assert step._program._cache_size() == 1
    assert state.step == 4


@pytest.mark.slow
def test_forty_steps_on_one_batch_learn_it(tiny_config, tmp_path):
    without_dropout(tiny_config)
    tiny_config.optimizer.update(encoder_rate=3e-3, head_rate=1e-2)
    experiment = build_experiment(plain_values(tiny_config), RunFolder(tmp_path))
    step, state = start(experiment)
    batch = first_batch(experiment)
    for _ in range(40):
        state, metrics = step(state, batch)
    assert metrics.loss < 0.05
    assert metrics.figures["accuracy"] == 1.0


def test_every_parameter_receives_a_gradient(experiment):
    step, state = start(experiment)
    before = jax.device_get(state.params)
    state, _ = step(state, first_batch(experiment))
    moved = jax.tree.map(lambda a, b: bool((a != b).any()), before, state.params)
    still = [
        jax.tree_util.keystr(path)
        for path, was in jax.tree_util.tree_leaves_with_path(moved)
        if not was
    ]
    assert still == []


def test_parameters_are_counted_by_part(experiment):
    _, state = start(experiment)
    counted = count_parameters(state.params)
    assert set(counted) == {"encoder", "lstnet", "sentiment"}
    assert counted["sentiment"] == 9 * 2 + 2


def test_balanced_weights_give_every_class_the_same_total():
    label = np.array([0, 0, 0, 1, -1, 1, 2])
    train = np.array([0, 1, 2, 3, 6])
    weight = review_weights(label, train, 3, ClassWeights.BALANCED)
    totals = [weight[train][label[train] == y].sum() for y in range(3)]
    np.testing.assert_allclose(totals, 5 / 3, rtol=1e-6)
    assert weight[4] == 0
    assert weight[train].mean() == pytest.approx(1)


def test_shapes_are_known_beforehand(experiment):
    planned, drawn = planned_and_drawn(experiment)
    assert planned == drawn
    blank, batch = blank_and_batch(experiment)
    assert blank == batch


def test_a_kept_program_makes_the_same_update(experiment, anew_and_kept):
    anew, kept = anew_and_kept(experiment)
    chex.assert_trees_all_equal(anew, kept)


def test_a_state_drawn_ahead_is_the_same(experiment):
    optimizer = experiment.make_optimizer()
    ahead = experiment.first_state(optimizer)
    ahead.compile_ahead()
    chex.assert_trees_all_equal(ahead.draw(), experiment.first_state(optimizer).draw())


def test_compiled_ahead_it_makes_the_same_update(experiment):
    batch = first_batch(experiment)
    (step, one), (ahead, two) = start(experiment), start(experiment)
    first = experiment.first_state(experiment.make_optimizer())
    placement, data = Placement(experiment.mesh), experiment.train_batches()
    rows = placement.rows(data.size)
    ahead.compile_ahead(first.layout, placement.put(data.blank(rows), rows))
    chex.assert_trees_all_equal(
        step(one, batch), ahead(two, placement.put(batch, rows))
    )
