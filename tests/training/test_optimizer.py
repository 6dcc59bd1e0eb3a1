"""The optimizer against a NumPy loop of AdamW and against the printed schedule."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from reviewintent_jax.schema import InputError
from reviewintent_jax.training.optimizer import (
    OptimizerSpec,
    is_decayed,
    make_optimizer,
    part_labels,
    step_decay,
)

SPEC = {
    "encoder_rate": 0.02,
    "head_rate": 0.3,
    "history_rate": 0.07,
    "warmup_steps": 2,
    "decay_every_steps": 3,
    "decay_factor": 0.5,
    "weight_decay": 0.1,
    "clip_norm": 1.5,
    "beta1": 0.8,
    "beta2": 0.9,
    "epsilon": 1e-6,
}


def spec(**changes):
    return OptimizerSpec(**(SPEC | changes))


def test_schedule_of_the_docstring():
    rate = step_decay(1.0, spec())
    rates = [float(rate(count)) for count in range(7)]
    np.testing.assert_allclose(rates, [0.5, 1, 1, 0.5, 0.5, 0.5, 0.25], rtol=1e-6)


def test_published_schedule_is_nine_tenths_every_thousand():
    rate = step_decay(
        1e-3, spec(warmup_steps=0, decay_every_steps=1000, decay_factor=0.9)
    )
    counts = np.array([0, 999, 1000, 2500, 9999])
    wanted = 1e-3 * 0.9 ** (counts // 1000)
    np.testing.assert_allclose([float(rate(c)) for c in counts], wanted, rtol=1e-5)


def numpy_adamw(params, gradients, s):
    """AdamW by hand, over a dict of (part, array)."""
    first = {k: np.zeros_like(v) for k, v in params.items()}
    second = {k: np.zeros_like(v) for k, v in params.items()}
    for count, gradient in enumerate(gradients):
        norm = np.sqrt(sum((g**2).sum() for g in gradient.values()))
        for k, g in gradient.items():
            g = g * min(1.0, s.clip_norm / norm)
            first[k] = s.beta1 * first[k] + (1 - s.beta1) * g
            second[k] = s.beta2 * second[k] + (1 - s.beta2) * g**2
            m = first[k] / (1 - s.beta1 ** (count + 1))
            v = second[k] / (1 - s.beta2 ** (count + 1))
            move = m / (np.sqrt(v) + s.epsilon)
            if params[k].ndim >= 2:
                move = move + s.weight_decay * params[k]
            peak = s.peaks()[k[0]]
            rate = peak * s.decay_factor ** (count // s.decay_every_steps)
            params[k] = params[k] - rate * min(1, (count + 1) / s.warmup_steps) * move
    return params


def test_updates_equal_adamw_by_hand():
    random = np.random.default_rng(0)
    shapes = {("encoder", "kernel"): (3, 4), ("encoder", "bias"): (4,)}
    shapes |= {("head", "kernel"): (4, 2), ("head", "scale"): (2,)}
    shapes |= {("history", "kernel"): (2, 5), ("history", "bias"): (5,)}
    params = {k: random.normal(size=s) for k, s in shapes.items()}
    gradients = [
        {k: random.normal(size=s) * 3 for k, s in shapes.items()} for _ in range(5)
    ]

    def tree(flat):
        nested = {"encoder": {}, "head": {}, "history": {}}
        for (part, name), value in flat.items():
            nested[part][name] = jnp.asarray(value, jnp.float32)
        return nested

    optimizer = make_optimizer(spec())
    ours = tree(params)
    moments = optimizer.init(ours)
    for gradient in gradients:
        updates, moments = optimizer.update(tree(gradient), moments, ours)
        ours = optax.apply_updates(ours, updates)
    wanted = tree(numpy_adamw(dict(params), gradients, spec()))
    jax.tree.map(
        lambda a, b: np.testing.assert_allclose(a, b, rtol=2e-5, atol=2e-6),
        ours,
        wanted,
    )


def test_a_rate_of_zero_freezes_the_encoder_alone():
    params = {
        "encoder": {"kernel": jnp.ones((2, 3))},
        "head": {"kernel": jnp.ones((3, 2))},
    }
    optimizer = make_optimizer(spec(encoder_rate=0.0, warmup_steps=0))
    gradient = jax.tree.map(jnp.ones_like, params)
    updates, _ = optimizer.update(gradient, optimizer.init(params), params)
    assert not updates["encoder"]["kernel"].any()
    assert updates["head"]["kernel"].all()


def test_biases_and_norms_are_not_decayed_and_parts_are_told_apart():
    params = {
        "encoder": {"w": jnp.ones((2, 3)), "b": jnp.ones(3)},
        "history": {"w": jnp.ones((2, 3))},
        "lstnet": {"s": jnp.ones(())},
    }
    assert is_decayed(params) == {
        "encoder": {"w": True, "b": False},
        "history": {"w": True},
        "lstnet": {"s": False},
    }
    labels = part_labels(params)
    assert labels == {
        "encoder": {"w": "encoder", "b": "encoder"},
        "history": {"w": "history"},
        "lstnet": {"s": "head"},
    }


def test_histories_learn_at_the_rate_of_the_rest_where_none_is_given():
    assert spec(history_rate=0.0).peaks()["history"] == SPEC["head_rate"]
    assert spec().peaks()["history"] == SPEC["history_rate"]


@pytest.mark.parametrize(
    "bad",
    [
        {"encoder_rate": -1.0},
        {"history_rate": -1.0},
        {"decay_factor": 0.0},
        {"warmup_steps": -1},
    ],
)
def test_impossible_settings_are_refused(bad):
    with pytest.raises(InputError, match="optimizer"):
        spec(**bad)
