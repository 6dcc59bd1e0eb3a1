"""A scan that writes over what it has read gives what ``lax.scan`` gives."""

import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from reviewintent_jax.models.loops import scan_in_place
from reviewintent_jax.models.recurrent import GRU, Candidate

STEPS, ROWS = 7, 5


def drawn():
    rng = np.random.default_rng(0)
    arrays = (
        jnp.asarray(rng.normal(size=(STEPS, ROWS)), jnp.float32) for _ in range(3)
    )
    return dict(zip("abc", arrays, strict=True)) | {"keep": jnp.arange(STEPS) % 3 > 0}


def step(carry, given):
    carry = jnp.where(given["keep"], jnp.tanh(carry + given["a"]), 0.0)
    return carry, {"one": carry * given["b"], "other": (carry - given["c"]) ** 2}


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("over", [(), (1, 2), (2, 1)])
def test_it_gives_what_a_scan_gives(over, reverse):
    start, given = jnp.ones(ROWS), drawn()
    want = jax.lax.scan(step, start, given, reverse=reverse)[1]

    @jax.jit
    def found(start, given):
        return scan_in_place(step, start, given, over=over, reverse=reverse)

    for _ in range(2):  # nothing that was given has changed
        said = found(start, given)
        assert said.keys() == want.keys()
        jax.tree.map(
            lambda a, b: np.testing.assert_allclose(a, b, atol=1e-6), said, want
        )


@pytest.mark.parametrize("over", [(), (1, 2)])
def test_no_step_copies_a_whole_array(over):
    """Which XLA does where it cannot see that all is read before it is written."""

    def made(start, given):
        # Of the program itself: what it was given from outside may not be written over.
        own = {name: x if name == "keep" else x * 2 for name, x in given.items()}
        return scan_in_place(step, start, own, over=over, reverse=True)

    program = jax.jit(made).lower(jnp.ones(ROWS), drawn()).compile().as_text()
    body = re.search(r"body=%?([\w.]+)", program)
    assert body is not None
    text = program.split(f"{body.group(1)} (")[1].split("\n}\n")[0]
    assert "dynamic" in text
    assert not re.search(rf"f32\[{STEPS},{ROWS}\]\S* copy\(", text)


@pytest.mark.skipif(jax.default_backend() != "cpu", reason="a CPU's program")
@pytest.mark.parametrize("rows", [1, 2])
def test_no_step_of_a_gru_copies_a_whole_array_whatever_its_rows(rows):
    steps, features = 24, 64
    layer = GRU(features, Candidate.TANH)
    x, valid = jnp.ones((rows, steps, 8)), jnp.ones((rows, steps), bool)
    params = jax.jit(layer.init)(jax.random.key(0), x, ~valid, valid)

    def loss(params, x):
        return jnp.square(layer.apply(params, x, ~valid, valid)).sum()

    program = jax.jit(jax.grad(loss, argnums=(0, 1))).lower(params, x).compile()
    text = program.as_text()
    names = re.findall(r"body=%?([\w.]+)", text)
    bodies = [text.split(f"{name} (")[1].split("\n}\n")[0] for name in names]
    assert len(bodies) == 2  # forwards and backwards
    copied = rf"f32\[{steps},{rows},{features}\]\S* copy\("
    assert not any(re.search(copied, body) for body in bodies)
