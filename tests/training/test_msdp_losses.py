"""Losses of MSDP-Net against plain loops; pieces add up; the unknown weighs nothing."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from reviewintent_jax.models.msdp_net import MsdpOutput
from reviewintent_jax.schema import CaseBatch, InputError
from reviewintent_jax.training.losses import TaskWeighting
from reviewintent_jax.training.msdp_losses import (
    MsdpLossSpec,
    case_totals,
    hazard_loss,
    msdp_loss,
    msdp_parameters,
)

TASKS = ("intent", "value", "time")


def spec(weighting=TaskWeighting.FIXED, **weights):
    chosen = {"intent_weight": 0.7, "value_weight": 1.3, "time_weight": 0.4}
    return MsdpLossSpec(weighting, **(chosen | weights))


@pytest.fixture
def said():
    rng = np.random.default_rng(1)
    nothing = jnp.zeros(0)
    return MsdpOutput(
        *(nothing,) * 3,
        jnp.asarray(rng.standard_normal((6, 2)), jnp.float32),
        jnp.asarray(rng.standard_normal(6), jnp.float32),
        jnp.asarray(rng.standard_normal((6, 4)), jnp.float32),
    )


@pytest.fixture
def batch():
    none = np.zeros((6, 1))
    return CaseBatch(
        *(none,) * 9,
        intent_b=np.array([1, 0, -1, 1, 0, -1]),
        value_b=np.array([0.5, 0, -0.3, 0, 1.1, 0], np.float32),
        value_known_b=np.array([1, 0, 1, 0, 1, 0], np.float32),
        interval_b=np.array([0, 4, 2, 3, 2, -1]),
        came_b=np.array([1, 0, 1, 0, 0, 0], np.float32),
        row_b=np.arange(6),
    )


def by_hand(said, batch):
    """Means of the three losses over what is known, by loops."""
    nats, square, likely = [], [], []
    for b in range(6):
        if batch.intent_b[b] >= 0:
            odds = np.exp(np.asarray(said.intent_by[b], np.float64))
            nats.append(-np.log(odds[batch.intent_b[b]] / odds.sum()))
        if batch.value_known_b[b]:
            square.append(float(said.value_b[b] - batch.value_b[b]) ** 2)
        if batch.interval_b[b] >= 0:
            hazard = 1 / (1 + np.exp(-np.asarray(said.hazard_bj[b], np.float64)))
            chance = np.prod(1 - hazard[: batch.interval_b[b]])
            if batch.came_b[b]:
                chance *= hazard[batch.interval_b[b]]
            likely.append(-np.log(chance))
    return [np.mean(each) for each in (nats, square, likely)]


def test_the_fixed_loss_is_that_of_plain_loops(said, batch):
    sums = msdp_loss({}, said, batch, case_totals(batch), spec())
    assert float(sums.loss) == pytest.approx(
        np.dot([0.7, 1.3, 0.4], by_hand(said, batch)), rel=1e-5
    )
    tally = sums.tallies["time_loss"]
    assert float(tally.total / tally.count) == pytest.approx(by_hand(said, batch)[2])


def test_the_learned_loss_is_kendalls_and_begins_at_the_weights(said, batch):
    learned = spec(TaskWeighting.LEARNED)
    params = msdp_parameters(learned, TASKS)
    sums = msdp_loss(params, said, batch, case_totals(batch), learned)
    variances = -np.log([0.7, 1.3, 0.4])
    wanted = np.dot(np.exp(-variances), by_hand(said, batch)) + variances.sum()
    assert float(sums.loss) == pytest.approx(wanted, rel=1e-5)
    weight = sums.tallies["value_weight"]
    assert float(weight.total / weight.count) == pytest.approx(1.3, rel=1e-5)


@pytest.mark.parametrize("weighting", list(TaskWeighting))
def test_pieces_of_a_batch_add_up(said, batch, weighting):
    chosen = spec(weighting)
    params, totals = msdp_parameters(chosen, TASKS), case_totals(batch)

    def part(some):
        output = MsdpOutput(*said[:3], *(x[some] for x in said[3:]))
        piece = CaseBatch(*(x[some] for x in batch))
        return float(msdp_loss(params, output, piece, totals, chosen).loss)

    whole = float(msdp_loss(params, said, batch, totals, chosen).loss)
    assert part(slice(0, 2)) + part(slice(2, 6)) == pytest.approx(whole, rel=1e-5)


def test_a_task_without_answers_drives_no_weight(said, batch):
    silent = batch._replace(value_known_b=np.zeros(6, np.float32))
    learned = spec(TaskWeighting.LEARNED)
    params = msdp_parameters(learned, TASKS)

    def loss(params):
        return msdp_loss(params, said, silent, case_totals(silent), learned).loss

    slope = jax.grad(loss)(params)["task_log_variance"]
    assert slope[1] == 0
    assert slope[0] != 0


def test_censoring_in_an_interval_counts_what_was_survived_alone():
    logits = jnp.zeros((2, 3))
    loss = hazard_loss(logits, jnp.array([1, 1]), jnp.array([0.0, 1.0]))
    np.testing.assert_allclose(loss, [np.log(2), 2 * np.log(2)], rtol=1e-6)


def test_one_task_alone_has_nothing_to_balance():
    assert msdp_parameters(spec(TaskWeighting.LEARNED), ("intent",)) == {}


@pytest.mark.parametrize(
    ("weighting", "weights", "said_"),
    [
        ("fixed", {"value_weight": -1.0}, "may be negative"),
        ("learned", {"time_weight": 0.0}, "cannot be learned"),
    ],
)
def test_weights_that_balance_nothing_are_refused(weighting, weights, said_):
    with pytest.raises(InputError, match=said_):
        spec(TaskWeighting(weighting), **weights)
