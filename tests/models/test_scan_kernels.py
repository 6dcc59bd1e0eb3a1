"""A scan as one kernel, run without a GPU: what ``lax.scan`` gives."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from reviewintent_jax.models import scans
from reviewintent_jax.models.scan_kernels import ROWS, fits_kernel, scan_kernel
from reviewintent_jax.models.scans import (
    Candidate,
    GateFusion,
    ScanChoice,
    gru_scan,
    lstm_scan,
)


@pytest.fixture
def on_a_gpu(monkeypatch):
    """Takes the way of a GPU, whose kernels are interpreted."""
    choose = jax.lax.platform_dependent

    def interpreted(*given, cuda=None, **others):
        if cuda is None:
            return choose(*given, **others)
        return functools.partial(cuda, interpret=True)(*given)

    monkeypatch.setattr(scans.jax.lax, "platform_dependent", interpreted)


def drawn(gates, rows, features):
    rng = np.random.default_rng(0)
    draw = lambda *shape: jnp.asarray(rng.normal(size=shape), jnp.float32)  # noqa: E731
    inputs = tuple(draw(5, rows, features) for _ in range(gates))
    keep = jnp.asarray(rng.random((5, rows, 1)) > 0.3)
    return inputs, keep, draw(features, gates * features) / 4, draw(features)


@pytest.mark.parametrize("rows", [ROWS, 3, 2 * ROWS + 5])
@pytest.mark.parametrize("candidate", list(Candidate))
def test_a_gru_and_its_gradients(on_a_gpu, rows, candidate):
    inputs, keep, recurrent, bias = drawn(3, rows, 16)

    def answers(fusion):
        choice = ScanChoice(fusion, 1, jnp.float32, candidate)

        def total(inputs, recurrent, bias):
            states = gru_scan(choice, inputs, keep, recurrent, bias)
            return jnp.sum(jnp.sin(states)), states

        return jax.grad(total, (0, 1, 2), has_aux=True)(inputs, recurrent, bias)

    one, other = (answers(each) for each in (GateFusion.KERNEL, GateFusion.SEPARATE))
    for a, b in zip(jax.tree.leaves(one), jax.tree.leaves(other), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-5)
    alone = gru_scan(
        ScanChoice(GateFusion.KERNEL, 1, jnp.float32, candidate),
        inputs,
        keep,
        recurrent,
        bias,
    )
    np.testing.assert_allclose(alone, other[1], atol=1e-5)


def test_an_lstm_and_its_gradients(on_a_gpu):
    inputs, keep, recurrent, _ = drawn(4, 20, 16)

    def answers(fusion):
        choice = ScanChoice(fusion, 1, jnp.float32)

        def total(inputs, recurrent):
            states = lstm_scan(choice, inputs, keep, recurrent)
            return jnp.sum(jnp.sin(states)), states

        return jax.grad(total, (0, 1), has_aux=True)(inputs, recurrent)

    one, other = (answers(each) for each in (GateFusion.KERNEL, GateFusion.SEPARATE))
    for a, b in zip(jax.tree.leaves(one), jax.tree.leaves(other), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-5)


@pytest.mark.parametrize("reverse", [False, True])
def test_rows_that_fill_no_program_are_left_out_again(reverse):
    values = jnp.arange(4 * 3 * 16, dtype=jnp.float32).reshape(4, 3, 16)
    step = lambda constants, carry, x: (carry + x, carry + x)  # noqa: E731
    found = scan_kernel(
        step, (), jnp.zeros((3, 16)), values, reverse=reverse, interpret=True
    )
    order = slice(None, None, -1 if reverse else 1)
    np.testing.assert_array_equal(found, np.cumsum(values[order], axis=0)[order])


@pytest.mark.parametrize(
    ("shape", "dtype", "fits"),
    [
        ((128, 128), jnp.bfloat16, True),
        ((128, 128), jnp.float32, False),
        ((64, 64), jnp.float32, True),
        ((100, 100), jnp.bfloat16, False),
        ((8, 8), jnp.float32, False),
    ],
)
def test_what_fits_a_program(shape, dtype, fits):
    matrices = [jnp.zeros(shape, dtype)] * 3
    assert fits_kernel((matrices, jnp.zeros(shape[:1])), shape[0]) is fits


def test_sizes_that_do_not_fit_are_scanned_as_ever(on_a_gpu):
    inputs, keep, recurrent, bias = drawn(3, 4, 7)
    one, other = (
        gru_scan(ScanChoice(each, 1, jnp.float32), inputs, keep, recurrent, bias)
        for each in (GateFusion.KERNEL, GateFusion.SEPARATE)
    )
    np.testing.assert_array_equal(one, other)
