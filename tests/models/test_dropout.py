"""Dropout by hashing: right shares, no pattern, the same wherever it is computed."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.stats import chisquare

from reviewintent_jax.models.dropout import Dropout, kept

SHAPE = (40, 50, 60)
KINDS = ("threefry2x32", "rbg")


def mask(seed, shape=SHAPE, rate=0.25, kind="rbg"):
    return np.asarray(kept(jax.random.key(seed, impl=kind), shape, rate))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("rate", [0.1, 0.5, 0.9])
def test_the_share_that_is_dropped_is_the_rate(kind, rate):
    drawn = mask(3, rate=rate, kind=kind)
    dropped = (drawn == 0).mean()
    # Five standard deviations of a fair draw.
    assert abs(dropped - rate) < 5 * np.sqrt(rate * (1 - rate) / drawn.size)
    np.testing.assert_allclose(drawn[drawn > 0], 1 / (1 - rate), rtol=1e-6)


@pytest.mark.parametrize("axis", range(3))
@pytest.mark.parametrize("lag", [1, 2, 16])
def test_neighbours_are_dropped_independently(axis, lag):
    drawn = (mask(5) == 0).astype(float) - 0.25
    near = np.roll(drawn, lag, axis)
    correlation = (drawn * near).mean() / (0.25 * 0.75)
    assert abs(correlation) < 5 / np.sqrt(drawn.size)


@pytest.mark.parametrize("kind", KINDS)
def test_keys_that_follow_each_other_draw_independently(kind):
    keys = [jax.random.fold_in(jax.random.key(1, impl=kind), i) for i in range(8)]
    drawn = np.stack([np.asarray(kept(key, SHAPE, 0.25)) == 0 for key in keys])
    off = np.corrcoef(drawn.reshape(8, -1)) - np.eye(8)
    assert np.abs(off).max() < 5 / np.sqrt(drawn[0].size)


def test_groups_of_neighbours_take_all_patterns_as_often_as_chance():
    drawn = (mask(7, (64, 1024), 0.5) == 0).reshape(-1, 8)
    pattern = drawn @ (1 << np.arange(8))
    assert chisquare(np.bincount(pattern, minlength=256)).pvalue > 1e-4


def test_a_part_computed_alone_draws_what_the_whole_does():
    key = jax.random.key(2, impl="rbg")
    whole = jax.jit(lambda: kept(key, (8, 24), 0.5))()
    mesh = jax.make_mesh((8,), ("b",), axis_types=(jax.sharding.AxisType.Auto,))
    spread = jax.sharding.NamedSharding(mesh, jax.sharding.PartitionSpec("b"))
    cut = jax.jit(lambda: kept(key, (8, 24), 0.5), out_shardings=spread)()
    np.testing.assert_array_equal(whole, cut)


def test_gradients_pass_where_numbers_were_kept():
    x = jnp.ones((6, 7))
    drop = Dropout(0.5)

    def total(x):
        key = jax.random.key(0)
        return drop.apply({}, x, deterministic=False, rngs={"dropout": key}).sum()

    value = drop.apply({}, x, deterministic=False, rngs={"dropout": jax.random.key(0)})
    np.testing.assert_array_equal(jax.grad(total)(x), value)
    assert (np.asarray(value) == 0).any()


def test_without_a_rate_or_in_scoring_nothing_changes():
    x = jnp.arange(5.0)
    assert Dropout(0.0).apply({}, x, deterministic=False) is x
    assert Dropout(0.5).apply({}, x, deterministic=True) is x
