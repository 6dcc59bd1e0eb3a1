"""Our kernel for the end of a sub-layer, run without a GPU: the same numbers."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from reviewintent_jax.models import encoder_layer
from reviewintent_jax.models.dropout import kept, key_words
from reviewintent_jax.models.encoder import Encoder
from reviewintent_jax.models.encoder_spec import ComputeDtype, EpiloguePath
from reviewintent_jax.models.norm_kernels import (
    AddNorm,
    add_and_normalise,
    fits_rows,
)
from tests.conftest import tiny_encoder_spec

ROWS = 96  # a program of the gradient takes 32 of them
KEY = jax.random.key(3, impl="rbg")
WORDS = jnp.stack(key_words(KEY))
EPSILON = 1e-3
# A kernel that is interpreted, and what takes its place where there are none.
RUNS = [True, False]


def drawn(dtype=jnp.float32, features=192):
    rng = np.random.default_rng(0)
    draw = lambda *shape: jnp.asarray(rng.normal(size=shape), dtype)  # noqa: E731
    rows = draw(ROWS, features), draw(ROWS, features)
    own = (draw(features).astype(jnp.float32) for _ in range(2))
    return *rows, draw(features), *own


def reference(rate):
    """As numpy would write it down, differentiated by JAX."""

    def end(x, product, bias, scale, shift):
        keep = kept(KEY, product.shape, rate) if rate else jnp.ones(product.shape)
        total = x + (product + bias[None]) * keep
        mean = total.mean(axis=1)[:, None]
        deviation = jnp.sqrt(total.var(axis=1) + EPSILON)[:, None]
        return (total - mean) / deviation * scale[None] + shift[None]

    return end


def there_and_back(end, given):
    turned = np.random.default_rng(1).normal(size=given[0].shape)
    answer, back = jax.vjp(end, *given)
    return answer, *back(jnp.asarray(turned, answer.dtype))


@pytest.mark.parametrize("interpret", RUNS)
@pytest.mark.parametrize(
    ("rate", "features"),
    [(0.0, 192), (0.3, 192), (0.3, 128), (0.3, 448)],  # of two, one and three pieces
)
def test_answers_and_gradients_are_those_of_the_formula(rate, features, interpret):
    choice = AddNorm(EPSILON, rate, interpret)
    given = drawn(features=features)
    found = there_and_back(lambda *g: add_and_normalise(choice, *g, WORDS), given)
    exact = there_and_back(reference(rate), given)
    for one, other in zip(found, exact, strict=True):
        np.testing.assert_allclose(one, other, atol=3e-5)
    alone = add_and_normalise(choice, *given, WORDS)  # without a gradient
    np.testing.assert_array_equal(alone, found[0])


@pytest.mark.parametrize("interpret", RUNS)
def test_bfloat16_is_as_near_as_its_digits(interpret):
    given = drawn(jnp.bfloat16)
    wide = jax.tree.map(lambda x: x.astype(jnp.float32), given)
    choice = AddNorm(EPSILON, 0.3, interpret)
    found = there_and_back(lambda *g: add_and_normalise(choice, *g, WORDS), given)
    exact = there_and_back(reference(0.3), wide)
    for one, other in zip(found, exact, strict=True):
        off = jnp.linalg.norm(one.astype(jnp.float32) - other)
        assert off < 0.02 * jnp.linalg.norm(other)
    assert [x.dtype.name for x in found[1:]] == ["bfloat16"] * 3 + ["float32"] * 2


def test_a_row_says_nothing_of_others():
    x, *others = drawn()
    choice = AddNorm(EPSILON, 0.3, interpret=True)
    one = add_and_normalise(choice, x, *others, WORDS)
    other = add_and_normalise(choice, x.at[5].add(1.0), *others, WORDS)
    moved = np.any(np.asarray(one != other), axis=1)
    assert moved.nonzero()[0].tolist() == [5]


@pytest.mark.parametrize(
    ("features", "fits"),
    [
        (768, True),
        (384, True),
        (1_024, True),
        (312, False),  # 256 + 32 + 16 + 8
        (960, False),  # four pieces
        (1_536, False),
    ],
)
def test_only_features_that_fit_are_taken(features, fits):
    assert fits_rows(features) is fits


@pytest.fixture
def sizes_taken(monkeypatch):
    """Features of all that goes through the kernel, or through what stands for it."""
    found = []

    def watched(choice, x_td, *more):
        found.append(x_td.shape[-1])
        return add_and_normalise(choice, x_td, *more)

    monkeypatch.setattr(encoder_layer, "add_and_normalise", watched)
    return found


@pytest.mark.parametrize(
    ("features", "path", "taken"),
    [
        (128, EpiloguePath.KERNEL, [128, 128]),  # of a layer that is traced once
        (128, EpiloguePath.XLA, []),
        (24, EpiloguePath.KERNEL, []),
    ],
)
def test_both_ends_of_a_layer_go_where_they_are_sent(
    features, path, taken, sizes_taken
):
    spec = dataclasses.replace(
        tiny_encoder_spec(23), hidden_size=features, num_heads=2, epilogues=path
    )
    layer = encoder_layer.Layer(spec, 16)
    given = jnp.ones((32, features)), jnp.ones(32, jnp.int32)
    layer.init_with_output(jax.random.key(0), *given, deterministic=True)
    assert sizes_taken == taken


def test_states_of_another_type_go_to_xla(sizes_taken):
    sizes = {"hidden_size": 128, "num_heads": 2, "dtype": ComputeDtype.BFLOAT16}
    spec = dataclasses.replace(
        tiny_encoder_spec(23), epilogues=EpiloguePath.KERNEL, **sizes
    )
    layer = encoder_layer.Layer(spec, 16)
    given = jnp.ones((32, 128), jnp.float32), jnp.ones(32, jnp.int32)
    layer.init_with_output(jax.random.key(0), *given, deterministic=True)
    assert sizes_taken == [128]  # the second end alone: the first norm gives bfloat16


@pytest.mark.parametrize("rate", [0.0, 0.2])
def test_an_encoder_with_the_kernel_is_the_same_encoder(rate):
    spec = dataclasses.replace(
        tiny_encoder_spec(23), hidden_size=128, num_heads=2, hidden_dropout=rate
    )
    twin = dataclasses.replace(spec, epilogues=EpiloguePath.KERNEL)
    rng = np.random.default_rng(0)
    token_ids = rng.integers(1, 23, (2, 64))
    position_ids = np.broadcast_to(np.arange(64) % 8, token_ids.shape)
    segment_ids = np.broadcast_to(np.arange(64) // 8 % 2 + 1, token_ids.shape)
    given = token_ids, segment_ids, position_ids
    params = Encoder(spec, 16).init(jax.random.key(0), *given, deterministic=True)
    twins = Encoder(twin, 16).init(jax.random.key(0), *given, deterministic=True)
    jax.tree.map(np.testing.assert_array_equal, params, twins)
    turned = jnp.asarray(rng.normal(size=(2, 64, 128)), jnp.float32)

    def both(spec):
        def total(params):
            rngs = {"dropout": jax.random.key(5)}
            said = Encoder(spec, 16).apply(
                params, *given, deterministic=False, rngs=rngs
            )
            return jnp.sum(said.hidden_btd * turned), said.hidden_btd

        (_, hidden), slopes = jax.value_and_grad(total, has_aux=True)(params)
        return hidden, slopes

    (one, slopes), (other, twin_slopes) = both(spec), both(twin)
    np.testing.assert_allclose(one, other, atol=2e-5)
    largest = max(float(jnp.abs(x).max()) for x in jax.tree.leaves(slopes))
    jax.tree.map(
        lambda a, b: np.testing.assert_allclose(a, b, atol=2e-5 * largest),
        slopes,
        twin_slopes,
    )
