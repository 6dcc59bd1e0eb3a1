"""Next values and directions from one reading: masks, anchors, shapes."""

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from lstnet_cases import SPEC

from reviewintent_jax.models.forecaster import (
    Anchor,
    Forecaster,
    ForecasterSpec,
    OutputActivation,
)
from reviewintent_jax.models.heading import Heading, HeadingSpec
from reviewintent_jax.models.lstnet_spec import Fusion

SERIES, WINDOW, BATCH = 3, 7, 4
ANCHORS = (Anchor.NONE, Anchor.LAST, Anchor.NONE)


def spec_of(fusion=Fusion.SKIP, anchors=ANCHORS):
    lstnet = dataclasses.replace(SPEC, summary_features=SERIES, fusion=fusion)
    forecaster = ForecasterSpec(lstnet, WINDOW, OutputActivation.NONE, Anchor.NONE)
    return HeadingSpec(forecaster, anchors, 0.0)


def variables_of(spec, seed=0):
    x, length = jnp.zeros((1, WINDOW, SERIES)), jnp.ones(1, jnp.int32)
    shapes = jax.eval_shape(
        lambda key: Heading(spec).init(key, x, length, deterministic=True),
        jax.random.key(0),
    )
    rng = np.random.default_rng(seed)
    return jax.tree.map(
        lambda s: jnp.asarray(0.5 * rng.normal(size=s.shape), s.dtype), shapes
    )


@functools.partial(jax.jit, static_argnames="spec")
def answer(spec, variables, x, length):
    return Heading(spec).apply(variables, x, length, deterministic=True)


def windows(seed=1):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(BATCH, WINDOW, SERIES)).astype(np.float32)


LENGTHS = np.array([7, 1, 4, 6], np.int32)


def test_there_is_a_value_and_a_softmax_for_each_measure():
    spec = spec_of()
    variables = variables_of(spec)
    said = answer(spec, variables, windows(), LENGTHS)
    assert said.forecast_bs.shape == (BATCH, SERIES)
    assert said.direction_bsy.shape == (BATCH, SERIES, 3)
    heads = {name for name in variables["params"] if name != "forecaster"}
    assert heads == {"direction_0", "direction_1", "direction_2"}


@pytest.mark.parametrize("fusion", list(Fusion))
def test_what_is_masked_changes_nothing(fusion):
    spec = spec_of(fusion)
    variables, x = variables_of(spec), windows()
    other = x.copy()
    for b, length in enumerate(LENGTHS):
        other[b, : WINDOW - length] = 1e3
    said, again = (answer(spec, variables, each, LENGTHS) for each in (x, other))
    np.testing.assert_array_equal(said.forecast_bs, again.forecast_bs)
    np.testing.assert_array_equal(said.direction_bsy, again.direction_bsy)


def test_a_short_window_is_a_short_series():
    spec = spec_of()
    variables, x = variables_of(spec), windows()
    said = answer(spec, variables, x, np.full(BATCH, 4, np.int32))
    alone = answer(spec, variables, x[:, 3:], np.full(BATCH, 4, np.int32))
    np.testing.assert_allclose(said.forecast_bs, alone.forecast_bs, atol=1e-5)
    np.testing.assert_allclose(said.direction_bsy, alone.direction_bsy, atol=1e-5)


def test_a_measure_that_counts_from_its_last_value_follows_its_level():
    spec = spec_of()
    variables, x = variables_of(spec), windows()
    length = np.full(BATCH, WINDOW, np.int32)
    raised = x + np.array([0, 5, 0], np.float32)
    said, again = (answer(spec, variables, each, length) for each in (x, raised))
    change = np.asarray(again.forecast_bs - said.forecast_bs)
    np.testing.assert_allclose(change[:, 1], 5.0, atol=1e-4)
    np.testing.assert_allclose(change[:, [0, 2]], 0.0, atol=1e-4)


@pytest.mark.slow
def test_without_anchors_the_values_are_the_forecaster_s():
    spec = spec_of(anchors=(Anchor.NONE,) * SERIES)
    variables, x = variables_of(spec), windows()
    length = np.full(BATCH, WINDOW, np.int32)
    inner = {"params": variables["params"]["forecaster"]}
    wanted = Forecaster(spec.forecaster).apply(inner, x, deterministic=True)
    said = answer(spec, variables, x, length)
    np.testing.assert_allclose(said.forecast_bs, wanted.forecast_bs, atol=1e-6)
