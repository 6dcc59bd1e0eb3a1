"""Our kernels for short blocks, run without a GPU: the same numbers, and no leaks."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from reviewintent_jax.models.attention import attend, segment_mask
from reviewintent_jax.models.attention_kernels import (
    BlockAttention,
    attend_blocks,
    fits_blocks,
)
from reviewintent_jax.models.dropout import kept, key_words
from reviewintent_jax.models.encoder import Encoder
from reviewintent_jax.models.encoder_spec import AttentionPath
from tests.conftest import tiny_encoder_spec

BLOCKS, TOKENS, HEADS, SIZE = 3, 16, 2, 16
KEY = jax.random.key(3, impl="rbg")
WORDS = jnp.stack(key_words(KEY))
SEGMENTS = jnp.asarray(
    [
        [1] * 5 + [2] * 7 + [3] * 2 + [0] * 2,
        [1] * 16,
        [1] * 3 + [0] * 13,
    ]
)
# A kernel that is interpreted, and what takes its place where there are none.
RUNS = [True, False]


def drawn():
    rng = np.random.default_rng(0)
    draw = lambda *shape: jnp.asarray(rng.normal(size=shape), jnp.float32)  # noqa: E731
    return draw(BLOCKS, TOKENS, 3, HEADS, SIZE), draw(3, HEADS, SIZE)


def reference(products, biases, rate):
    given = jnp.moveaxis(products + biases[None, None], (2, 3), (0, 2))
    drop = kept(KEY, (BLOCKS, HEADS, TOKENS, TOKENS), rate) if rate else None
    return attend(*given, segment_mask(SEGMENTS), drop).swapaxes(1, 2)


@pytest.mark.parametrize("interpret", RUNS)
@pytest.mark.parametrize("rate", [0.0, 0.3])
def test_the_answers_and_gradients_are_those_of_our_own_attention(rate, interpret):
    choice = BlockAttention(rate, interpret)
    turned = jnp.asarray(
        np.random.default_rng(1).normal(size=drawn()[0][:, :, 0].shape)
    )

    def found(products, biases):
        return attend_blocks(choice, products, biases, SEGMENTS, WORDS)

    def exact(products, biases):
        return reference(products, biases, rate)

    def both(look):
        total = lambda *given: jnp.sum(jnp.sin(look(*given) * turned))  # noqa: E731
        return look(*drawn()), jax.grad(total, (0, 1))(*drawn())

    one, other = (jax.tree.leaves(both(look)) for look in (found, exact))
    for a, b in zip(one, other, strict=True):
        np.testing.assert_allclose(a, b, atol=1e-5)


@pytest.mark.parametrize("interpret", RUNS)
def test_another_review_of_the_block_changes_nothing(interpret):
    choice = BlockAttention(0.0, interpret)
    products, biases = drawn()
    other = (SEGMENTS != 1)[..., None, None, None]
    changed = jnp.where(other, products + 1, products)
    first, second = (
        np.asarray(attend_blocks(choice, each, biases, SEGMENTS, WORDS))
        for each in (products, changed)
    )
    mine = np.asarray(SEGMENTS == 1)
    np.testing.assert_array_equal(first[mine], second[mine])
    assert not np.array_equal(first[np.asarray(SEGMENTS == 2)], second[SEGMENTS == 2])


def test_padding_gets_zeros():
    found = attend_blocks(BlockAttention(0.0, True), *drawn(), SEGMENTS, WORDS)
    assert (np.asarray(found)[np.asarray(SEGMENTS == 0)] == 0).all()


@pytest.mark.parametrize(
    ("tokens", "features", "fits"),
    [
        (128, 64, True),
        (16, 16, True),
        (256, 64, False),
        (96, 64, False),
        (32, 8, False),
    ],
)
def test_only_short_blocks_fit(tokens, features, fits):
    assert fits_blocks(tokens, features, jnp.bfloat16) is fits


@pytest.mark.parametrize("rate", [0.0, 0.2])
def test_an_encoder_with_kernels_is_the_same_encoder(rate):
    spec = dataclasses.replace(
        tiny_encoder_spec(97), hidden_size=64, num_heads=4, attention_dropout=rate
    )
    twin = dataclasses.replace(spec, attention=AttentionPath.KERNEL)
    token_ids = np.random.default_rng(0).integers(1, 97, SEGMENTS.shape)
    position_ids = np.broadcast_to(np.arange(TOKENS) % 8, SEGMENTS.shape)
    given = token_ids, SEGMENTS, position_ids
    plain, kernels = (Encoder(each, TOKENS) for each in (spec, twin))
    params = plain.init(jax.random.key(0), *given, deterministic=True)
    twins = kernels.init(jax.random.key(0), *given, deterministic=True)
    jax.tree.map(np.testing.assert_array_equal, params, twins)
    one, other = (
        each.apply(
            params, *given, deterministic=False, rngs={"dropout": jax.random.key(5)}
        )
        for each in (plain, kernels)
    )
    seen = np.asarray(SEGMENTS > 0)
    np.testing.assert_allclose(one.hidden_btd[seen], other.hidden_btd[seen], atol=2e-5)


def test_bfloat16_is_as_near_as_its_digits():
    products, biases = drawn()
    narrow = jax.tree.map(lambda x: x.astype(jnp.bfloat16), (products, biases))
    wide = jax.tree.map(lambda x: x.astype(jnp.float32), narrow)
    choice = BlockAttention(0.3, True)

    def answers(look, given):
        total = lambda *given: jnp.sum(jnp.square(look(*given)).astype(jnp.float32))  # noqa: E731
        return look(*given), jax.grad(total, (0, 1))(*given)

    found = answers(lambda *g: attend_blocks(choice, *g, SEGMENTS, WORDS), narrow)
    exact = answers(lambda *g: reference(*g, 0.3), wide)
    # A key's bias adds the same to all scores of a row: its gradient is rounding.
    _, (_, of_biases) = exact
    whole = jnp.linalg.norm(of_biases[0])
    assert jnp.linalg.norm(of_biases[1]) < 1e-4 * whole
    for a, b in zip(jax.tree.leaves(found), jax.tree.leaves(exact), strict=True):
        assert a.dtype == jnp.bfloat16
        off = jnp.linalg.norm(a.astype(jnp.float32) - b)
        assert off < 0.02 * jnp.maximum(jnp.linalg.norm(b), whole)


def test_the_gradient_of_a_review_says_nothing_of_others():
    products, biases = drawn()
    mine = (SEGMENTS == 1)[..., None, None]

    def total(products):
        found = attend_blocks(
            BlockAttention(0.0, True), products, biases, SEGMENTS, WORDS
        )
        return jnp.sum(jnp.square(jnp.where(mine, found, 0)))

    slopes = jax.grad(total)(products)
    assert (np.asarray(jnp.where(mine[..., None], 0, slopes)) == 0).all()
    assert (np.abs(slopes).max((0, 1, 3, 4)) > 0).all()


def test_gradients_of_an_encoder_with_kernels():
    spec = dataclasses.replace(
        tiny_encoder_spec(97), hidden_size=64, num_heads=4, attention_dropout=0.2
    )
    twin = dataclasses.replace(spec, attention=AttentionPath.KERNEL)
    token_ids = np.random.default_rng(0).integers(1, 97, SEGMENTS.shape)
    position_ids = np.broadcast_to(np.arange(TOKENS) % 8, SEGMENTS.shape)
    given = token_ids, SEGMENTS, position_ids
    params = Encoder(spec, TOKENS).init(jax.random.key(0), *given, deterministic=True)
    seen = (SEGMENTS > 0)[..., None]

    def slopes(spec):
        def total(params):
            said = Encoder(spec, TOKENS).apply(
                params,
                *given,
                deterministic=False,
                rngs={"dropout": jax.random.key(5)},
            )
            return jnp.sum(jnp.where(seen, jnp.sin(said.hidden_btd), 0))

        return jax.jit(jax.grad(total))(params)

    one, other = slopes(spec), slopes(twin)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=2e-4), one, other)
