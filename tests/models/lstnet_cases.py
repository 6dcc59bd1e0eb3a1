"""Specs and small helpers that the tests of LSTNet and its parts share."""

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from reviewintent_jax.models.lstnet import LSTNet
from reviewintent_jax.models.lstnet_spec import Fusion, LSTNetSpec, Padding
from reviewintent_jax.models.recurrent import Candidate, GateFusion

FEATURES = 8
SPEC = LSTNetSpec(
    kernel_sizes=(2, 5),
    channels=3,
    padding=Padding.CAUSAL,
    recurrent_features=6,
    recurrent_layers=2,
    candidate=Candidate.RELU,
    skip_period=4,
    skip_features=2,
    fusion=Fusion.SKIP,
    highway_window=5,
    summary_features=7,
    dropout=0.0,
    gate_fusion=GateFusion.SEPARATE,
    unroll=1,
)
VALID_SPEC = dataclasses.replace(SPEC, padding=Padding.VALID)
OTHERS = [
    dataclasses.replace(SPEC, fusion=fusion, skip_period=0, skip_features=0)
    for fusion in (Fusion.ATTENTION, Fusion.TREND)
]
EACH = pytest.mark.parametrize(
    "spec", [SPEC, VALID_SPEC, *OTHERS], ids=lambda s: f"{s.fusion}-{s.padding}"
)


def random(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def variables_of(spec, features=FEATURES, seed=0):
    """All parameters random, biases too, so that each of them matters."""
    x, slot = jnp.zeros((1, 9, features)), jnp.ones((1, 1), jnp.int32)
    model = LSTNet(spec)
    shapes = jax.eval_shape(
        lambda key: model.init(key, x, slot, slot, deterministic=True),
        jax.random.key(0),
    )
    rng = np.random.default_rng(seed)
    return jax.tree.map(
        lambda s: jnp.asarray(0.5 * rng.normal(size=s.shape), s.dtype), shapes
    )


@functools.partial(jax.jit, static_argnames=("spec", "dtype"))
def forward(spec, variables, x, start, length, dtype=jnp.float32):
    return LSTNet(spec, dtype).apply(variables, x, start, length, deterministic=True)


@functools.partial(jax.jit, static_argnames="spec")
def forward_in_training(spec, variables, x, start, length, seed):
    return LSTNet(spec).apply(
        variables,
        x,
        start,
        length,
        deterministic=False,
        rngs={"dropout": jax.random.key(seed)},
    )


@functools.partial(jax.jit, static_argnames="spec")
def gradients(spec, variables, x, start, length, weight):
    """Of ``sum(weight * summary)``, with respect to parameters and inputs."""

    def loss(variables, x):
        out = LSTNet(spec).apply(variables, x, start, length, deterministic=True)
        return jnp.sum(out.summary_bkm * weight), out.summary_bkm

    return jax.grad(loss, argnums=(0, 1), has_aux=True)(variables, x)


def pack(series, steps, starts, noise=0.0, seed=9):
    """One page with each of ``series [t, d]`` from its start, noise between them."""
    page = noise * random(steps, series[0].shape[-1], seed=seed)
    for x, start in zip(series, starts, strict=True):
        page[start : start + len(x)] = x
    return page


def slots(starts, lengths):
    return jnp.asarray([starts], jnp.int32), jnp.asarray([lengths], jnp.int32)


def alone(spec, variables, x):
    """What the model says of one series on a page of just its length."""
    out = forward(spec, variables, jnp.asarray(x)[None], *slots([0], [len(x)]))
    return out.summary_bkm[0, 0]
