"""The forecaster: one LSTNet over windows, against the twin and by its own rules."""

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from lstnet_cases import SPEC, VALID_SPEC, random
from test_lstnet_parity import GOLDEN_SPECS, REFERENCE, ours_from_torch

from reviewintent_jax.models.forecaster import (
    Anchor,
    Forecaster,
    ForecasterSpec,
    OutputActivation,
)
from reviewintent_jax.models.lstnet_spec import Fusion
from reviewintent_jax.schema import InputError

SERIES, WINDOW, BATCH = 7, 11, 3


def spec_of(lstnet=VALID_SPEC, **changes):
    lstnet = dataclasses.replace(lstnet, summary_features=SERIES)
    plain = ForecasterSpec(lstnet, WINDOW, OutputActivation.NONE, Anchor.NONE)
    return dataclasses.replace(plain, **changes)


def variables_of(spec, seed=0):
    x = jnp.zeros((1, WINDOW, SERIES))
    model = Forecaster(spec)
    shapes = jax.eval_shape(
        lambda key: model.init(key, x, deterministic=True), jax.random.key(0)
    )
    rng = np.random.default_rng(seed)
    return jax.tree.map(
        lambda s: jnp.asarray(0.5 * rng.normal(size=s.shape), s.dtype), shapes
    )


@functools.partial(jax.jit, static_argnames="spec")
def forecast(spec, variables, x):
    return Forecaster(spec).apply(variables, x, deterministic=True)


def test_the_golden_file_s_windows_are_forecast_as_the_twin_says():
    lstnet = GOLDEN_SPECS["forecast"]
    with np.load(REFERENCE / "golden" / "lstnet.npz") as golden:
        arrays = dict(golden)
    params = ours_from_torch(arrays, lstnet, "forecast/param/")["params"]
    variables = {"params": {"lstnet": params}}
    windows = {k.rsplit("/")[-1]: v for k, v in arrays.items() if "forecast/x/" in k}
    long_enough = {i: window for i, window in windows.items() if len(window) > 6}
    assert long_enough
    for i, window in long_enough.items():
        spec = ForecasterSpec(lstnet, len(window), OutputActivation.NONE, Anchor.NONE)
        found = forecast(spec, variables, window[None]).forecast_bs[0]
        np.testing.assert_allclose(found, arrays[f"forecast/summary/{i}"], atol=1e-5)


@pytest.mark.parametrize("lstnet", [SPEC, VALID_SPEC], ids=lambda s: s.padding)
def test_a_window_is_forecast_as_if_it_were_alone(lstnet):
    spec = spec_of(lstnet)
    variables, x = variables_of(spec), random(BATCH, WINDOW, SERIES)
    together = forecast(spec, variables, x).forecast_bs
    assert together.shape == (BATCH, SERIES)
    for b in range(BATCH):
        alone = forecast(spec, variables, x[b : b + 1]).forecast_bs[0]
        np.testing.assert_allclose(together[b], alone, atol=1e-5)


@pytest.mark.parametrize(
    ("output", "function"),
    [
        (OutputActivation.SIGMOID, lambda x: 1 / (1 + np.exp(-x))),
        (OutputActivation.TANH, np.tanh),
    ],
)
def test_the_output_goes_through_its_function(output, function):
    spec = spec_of()
    variables, x = variables_of(spec), random(BATCH, WINDOW, SERIES)
    plain = np.asarray(forecast(spec, variables, x).forecast_bs)
    found = forecast(dataclasses.replace(spec, output=output), variables, x)
    np.testing.assert_allclose(found.forecast_bs, function(plain), rtol=1e-5)


def test_with_an_anchor_a_level_passes_through_unchanged():
    spec = spec_of(anchor=Anchor.LAST)
    variables, x = variables_of(spec), random(BATCH, WINDOW, SERIES)
    level = np.arange(SERIES, dtype=np.float32)
    low, high = (
        np.asarray(forecast(spec, variables, each).forecast_bs)
        for each in (x, x + level)
    )
    np.testing.assert_allclose(high, low + level, atol=1e-4)
    last = x - x[:, -1:]
    by_hand = forecast(spec_of(), variables, last).forecast_bs + x[:, -1]
    np.testing.assert_allclose(low, by_hand, atol=1e-5)


def test_every_step_that_a_kernel_reaches_counts():
    spec = spec_of(SPEC)
    variables = variables_of(spec)

    def first(x):
        return (
            Forecaster(spec).apply(variables, x, deterministic=True).forecast_bs[0, 0]
        )

    gradient = jax.jit(jax.grad(first))(jnp.asarray(random(2, WINDOW, SERIES)))
    assert (jnp.abs(gradient[0]).sum(-1) > 0).all()
    assert (gradient[1] == 0).all()


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"window": 4}, "kernel_sizes"),
        ({"window": 8}, "skip_period"),
        (
            {"output": OutputActivation.TANH, "anchor": Anchor.LAST},
            "forecaster.anchor",
        ),
    ],
)
def test_impossible_settings_are_refused(changes, field):
    with pytest.raises(InputError, match=field):
        spec_of(**changes)


def test_without_skips_the_window_may_be_short():
    short = spec_of(dataclasses.replace(VALID_SPEC, fusion=Fusion.ATTENTION), window=5)
    assert short.window == 5
