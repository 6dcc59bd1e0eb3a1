"""Sentiment and intention together: against scikit-learn, in pieces, and in a step."""

import types

import chex
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from sklearn.metrics import log_loss

from reviewintent_jax.data.pages import PageSpec, empty_pages
from reviewintent_jax.data.tokens import SpecialIds
from reviewintent_jax.schema import HistoryBatch, InputError, ModelOutput
from reviewintent_jax.training.losses import (
    IntentionLossSpec,
    TaskWeighting,
    joint_loss,
    loss_totals,
    sentiment_loss,
    task_parameters,
)
from reviewintent_jax.training.optimizer import is_decayed, part_labels
from reviewintent_jax.training.state import make_state
from reviewintent_jax.training.step import make_train_step

FIXED = IntentionLossSpec(TaskWeighting.FIXED, 0.5, 2.0)
LEARNED = IntentionLossSpec(TaskWeighting.LEARNED, 0.5, 2.0)
B, K = 4, 5


def batch_and_output(seed=0):
    rng = np.random.default_rng(seed)
    batch = empty_pages(B, SpecialIds(1, 2, 0), PageSpec(8, 8, 8, K))
    batch.label_bk[:, :4] = rng.integers(0, 3, (B, 4))
    batch.weight_bk[:, :4] = rng.uniform(0.5, 2, (B, 4))
    history = HistoryBatch(
        window_slots_bkw=np.full((B, K, 2), -1, np.int32),
        covariate_bkx=np.zeros((B, K, 3), np.float32),
        intent_label_bk=rng.integers(-1, 2, (B, K)).astype(np.int32),
        intent_weight_bk=rng.uniform(0.5, 2, (B, K)).astype(np.float32),
    )
    logits = [
        jnp.asarray(rng.normal(size=(B, K, y)) * 2, jnp.float32) for y in (3, 2, 2)
    ]
    nothing = jnp.zeros((B, K, 1))
    output = ModelOutput(
        nothing, nothing, logits[0], nothing, logits[1], text_intent_bky=logits[2]
    )
    return batch._replace(history=history), output


def loss_of(batch, output, spec, params=None, totals=None):
    return joint_loss(
        task_parameters(spec) if params is None else params,
        output,
        batch,
        loss_totals(batch) if totals is None else totals,
        spec,
        label_smoothing=0.0,
    )


def wanted_losses(batch, output):
    """Sentiment, intention and text-only, by scikit-learn."""
    history = batch.history
    found = []
    for logits, label, weight in (
        (output.logits_bky, batch.label_bk, batch.weight_bk),
        (output.intent_bky, history.intent_label_bk, history.intent_weight_bk),
        (output.text_intent_bky, history.intent_label_bk, history.intent_weight_bk),
    ):
        known = label >= 0
        chosen = np.asarray(logits, np.float64)[known]
        prob = np.exp(chosen) / np.exp(chosen).sum(-1, keepdims=True)
        classes = range(logits.shape[-1])
        found.append(
            log_loss(label[known], prob, sample_weight=weight[known], labels=classes)
        )
    return found


def test_fixed_weights_weigh_and_the_text_head_counts_one():
    batch, output = batch_and_output()
    sums = loss_of(batch, output, FIXED)
    sentiment, intention, text = wanted_losses(batch, output)
    wanted = 0.5 * sentiment + 2 * intention + text
    np.testing.assert_allclose(sums.loss, wanted, rtol=1e-5)
    for name, loss in (("sentiment", sentiment), ("intention", intention)):
        total, count = sums.tallies[f"{name}_loss"]
        np.testing.assert_allclose(total / count, loss, rtol=1e-5)
    hits, windows = sums.tallies["intention_accuracy"]
    known = batch.history.intent_label_bk >= 0
    right = np.asarray(output.intent_bky).argmax(-1) == batch.history.intent_label_bk
    assert (hits, windows) == (right[known].sum(), known.sum())


def test_sentiment_in_the_joint_loss_is_sentiment_alone():
    batch, output = batch_and_output()
    alone = sentiment_loss(
        output, batch, loss_totals(batch).sentiment, label_smoothing=0.0
    )
    sums = loss_of(batch, output, FIXED)
    assert sums.tallies["sentiment_loss"].total == alone.loss
    assert sums.tallies["accuracy"] == alone.tallies["accuracy"]


def test_learned_weights_are_the_formula_of_the_paper():
    batch, output = batch_and_output()
    variance = jnp.asarray([0.3, -0.7])
    params = {"task_log_variance": variance}
    sums = loss_of(batch, output, LEARNED, params)
    sentiment, intention, text = wanted_losses(batch, output)
    wanted = np.exp(-0.3) * sentiment + 0.3 + np.exp(0.7) * intention - 0.7 + text
    np.testing.assert_allclose(sums.loss, wanted, rtol=1e-5)
    weight = sums.tallies["intention_weight"]
    np.testing.assert_allclose(weight.total / weight.count, np.exp(0.7), rtol=1e-5)
    gradient = jax.grad(lambda p: loss_of(batch, output, LEARNED, p).loss)(params)
    np.testing.assert_allclose(
        gradient["task_log_variance"],
        [1 - np.exp(-0.3) * sentiment, 1 - np.exp(0.7) * intention],
        rtol=1e-4,
    )


def test_learned_weights_begin_as_the_fixed_ones():
    batch, output = batch_and_output()
    params = task_parameters(LEARNED)
    of = {
        spec: jax.grad(
            lambda logits, s=spec: (
                loss_of(batch, output._replace(intent_bky=logits), s).loss
            )
        )(output.intent_bky)
        for spec in (FIXED, LEARNED)
    }
    np.testing.assert_allclose(of[FIXED], of[LEARNED], rtol=1e-5)
    assert params["task_log_variance"].shape == (2,)
    assert task_parameters(FIXED) == task_parameters(None) == {}


@pytest.mark.parametrize("spec", [FIXED, LEARNED])
def test_parts_add_up_to_the_whole(spec):
    batch, output = batch_and_output()
    batch.history.intent_label_bk[1] = -1  # a piece without a window
    whole = loss_of(batch, output, spec)
    parts = [
        loss_of(
            *jax.tree.map(lambda x, i=i: x[i : i + 1], (batch, output)),
            spec,
            totals=loss_totals(batch),
        )
        for i in range(B)
    ]
    total = jax.tree.map(lambda *each: sum(each), *parts)
    chex.assert_trees_all_close(total, whole, rtol=1e-5)


@pytest.mark.parametrize("spec", [FIXED, LEARNED])
def test_without_a_label_there_is_no_loss_and_nothing_moves(spec):
    batch, output = batch_and_output()
    batch.label_bk[:] = -1
    batch.history.intent_label_bk[:] = -1
    params = {"task_log_variance": jnp.asarray([0.4, 0.2])}

    def loss(params, output):
        return loss_of(batch, output, spec, params).loss

    value, gradient = jax.value_and_grad(loss, argnums=(0, 1))(params, output)
    assert value == 0
    assert not any(np.asarray(leaf).any() for leaf in jax.tree.leaves(gradient))


def test_the_log_variances_learn_with_the_head_and_are_not_decayed():
    params = task_parameters(LEARNED)
    assert part_labels(params) == {"task_log_variance": "head"}
    assert is_decayed(params) == {"task_log_variance": False}


@pytest.mark.parametrize("spec", [FIXED, LEARNED])
def test_pieces_give_the_update_of_the_whole(spec):
    """The step cuts histories as it cuts pages."""
    batch, output = batch_and_output()
    rng = np.random.default_rng(3)
    params = {"scale": rng.normal(size=3).astype(np.float32)}
    # As NumPy, because the step is given its state for good.
    params |= jax.device_get(task_parameters(spec))
    names = ("logits_bky", "intent_bky", "text_intent_bky")

    def loss(params, batch, totals, key):
        """A model of three numbers, which reads labels and windows of its own piece."""
        feature = batch.weight_bk[..., None] + batch.history.covariate_bkx[..., :1]
        logits = {
            name: params["scale"][i] * feature * jnp.arange(1.0, y + 1).reshape(1, 1, y)
            for i, (name, y) in enumerate(zip(names, (3, 2, 2), strict=True))
        }
        said = output._replace(**logits)
        return joint_loss(params, said, batch, totals, spec, label_smoothing=0.1)

    task = types.SimpleNamespace(seed=1, totals=loss_totals, loss=loss)
    optimizer = optax.sgd(0.1)
    results = []
    for pieces in (1, 2):
        state = make_state(params, optimizer)
        step = make_train_step(task, optimizer, state, accumulate=pieces)
        results.append(step(state, batch))
    chex.assert_trees_all_close(*results, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize(
    ("weighting", "weights"),
    [("fixed", (-1.0, 1.0)), ("fixed", (0.0, 0.0)), ("learned", (0.0, 1.0))],
)
def test_weights_that_make_no_loss_are_refused(weighting, weights):
    with pytest.raises(InputError, match=r"history\.loss"):
        IntentionLossSpec(TaskWeighting(weighting), *weights)


def test_intention_alone_is_allowed():
    assert IntentionLossSpec(TaskWeighting.FIXED, 0.0, 1.0).sentiment_weight == 0
