"""The loss against PyTorch's definition, written out, and against its own sums."""

import chex
import jax
import jax.numpy as jnp
import numpy as np
from sklearn.metrics import log_loss

from reviewintent_jax.data.pages import PageSpec, empty_pages
from reviewintent_jax.data.tokens import SpecialIds
from reviewintent_jax.schema import ModelOutput
from reviewintent_jax.training.losses import sentiment_loss, sentiment_weight


def batch_and_output(seed=0):
    random = np.random.default_rng(seed)
    batch = empty_pages(3, SpecialIds(1, 2, 0), PageSpec(8, 8, 8, 5))
    batch.label_bk[:, :4] = random.integers(0, 3, (3, 4))
    batch.weight_bk[:, :4] = random.uniform(0.5, 2, (3, 4))
    logits = random.normal(size=(3, 5, 3)).astype(np.float32) * 2
    output = ModelOutput(
        jnp.zeros((3, 8, 2)), jnp.zeros((3, 5, 2)), jnp.asarray(logits)
    )
    return batch, output


def loss_of(output, batch, label_smoothing=0.0):
    weight = sentiment_weight(batch)
    return sentiment_loss(output, batch, weight, label_smoothing=label_smoothing)


def test_sums_equal_scikit_learn_on_the_labelled_reviews():
    batch, output = batch_and_output()
    sums = loss_of(output, batch)
    known = batch.label_bk >= 0
    logits = np.asarray(output.logits_bky, np.float64)[known]
    prob = np.exp(logits) / np.exp(logits).sum(-1, keepdims=True)
    weight = batch.weight_bk[known]
    wanted = log_loss(
        batch.label_bk[known], prob, sample_weight=weight, labels=[0, 1, 2]
    )
    np.testing.assert_allclose(sums.loss, wanted, rtol=1e-5)
    correct, reviews = sums.tallies["accuracy"]
    assert reviews == known.sum()
    assert correct == (logits.argmax(-1) == batch.label_bk[known]).sum()


def test_empty_slots_weigh_nothing_whatever_their_logits():
    batch, output = batch_and_output()
    wild = output._replace(logits_bky=output.logits_bky.at[:, 4].set(1e9))
    assert loss_of(wild, batch) == loss_of(output, batch)


def test_smoothing_mixes_in_the_uniform_target():
    batch, output = batch_and_output()
    sums = loss_of(output, batch, label_smoothing=0.3)
    known = batch.label_bk >= 0
    logits = np.asarray(output.logits_bky, np.float64)[known]
    log_prob = logits - np.log(np.exp(logits).sum(-1, keepdims=True))
    target = 0.7 * np.eye(3)[batch.label_bk[known]] + 0.1
    weight = batch.weight_bk[known]
    wanted = (-(target * log_prob).sum(-1) * weight).sum() / weight.sum()
    np.testing.assert_allclose(sums.loss, wanted, rtol=1e-5)


def test_parts_add_up_to_the_whole():
    batch, output = batch_and_output()
    whole = loss_of(output, batch)
    parts = [
        sentiment_loss(
            *jax.tree.map(lambda x, i=i: x[i : i + 1], (output, batch)),
            sentiment_weight(batch),
            label_smoothing=0.0,
        )
        for i in range(3)
    ]
    total = jax.tree.map(lambda *each: sum(each), *parts)
    chex.assert_trees_all_close(total, whole, rtol=1e-5)


def test_a_batch_without_labels_has_no_loss_and_no_nan():
    batch, output = batch_and_output()
    batch.label_bk[:] = -1
    assert loss_of(output, batch).loss == 0
