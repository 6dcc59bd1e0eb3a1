"""Products of recurrent layers that do not wait for a state."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from reviewintent_jax.models import recurrent, scans
from reviewintent_jax.models.recurrent import GRU, LSTM, Candidate
from tests.models.recurrent_cases import (
    ALL,
    BATCH,
    INPUTS,
    NONE,
    STATES,
    STEPS,
    parameters,
    random_x,
)


def products(jaxpr, inside=False):
    """(whether inside a scan, size summed over) of every matrix product."""
    for equation in jaxpr.eqns:
        if equation.primitive.name == "dot_general":
            (left, _), _ = equation.params["dimension_numbers"]
            yield inside, equation.invars[0].aval.shape[left[0]]
        deeper = inside or equation.primitive.name == "scan"
        # The branches are the same product, laid out for one device or another.
        branches = equation.params.get("branches", ())[:1]
        for value in (*branches, *equation.params.values()):
            if hasattr(value, "eqns") or hasattr(value, "jaxpr"):
                yield from products(getattr(value, "jaxpr", value), deeper)


def every_state_is_wide(monkeypatch):
    for module in (recurrent, scans):
        monkeypatch.setattr(module, "WIDE", 1)


LAYERS = [(GRU(STATES, Candidate.RELU, period=3), 3), (LSTM(STATES), 4)]


@pytest.mark.parametrize(("layer", "gates"), LAYERS)
def test_narrow_and_wide_states_are_computed_alike(layer, gates, monkeypatch):
    x = random_x(BATCH, STEPS, INPUTS)
    variables = parameters(layer, x)

    def answers():
        def total(variables, x):
            states = layer.apply(variables, x, NONE, ALL)
            return jnp.sum(jnp.sin(states)), states

        return jax.grad(total, (0, 1), has_aux=True)(variables, x)

    narrow = answers()
    every_state_is_wide(monkeypatch)
    for a, b in zip(jax.tree.leaves(narrow), jax.tree.leaves(answers()), strict=True):
        np.testing.assert_allclose(a, b, atol=2e-6)


@pytest.mark.parametrize(("layer", "gates"), LAYERS)
@pytest.mark.parametrize("wide", [True, False])
def test_inputs_are_projected_outside_the_scan(layer, gates, wide, monkeypatch):
    """Once a gate, or where states are narrow once for all gates."""
    if wide:
        every_state_is_wide(monkeypatch)
    x = random_x(BATCH, STEPS, INPUTS)
    variables = parameters(layer, x)
    # A function of its own: what was traced before knows another width.
    apply = lambda *given: layer.apply(*given)  # noqa: E731
    found = list(products(jax.make_jaxpr(apply)(variables, x, NONE, ALL).jaxpr))
    times = gates if wide else 1
    assert [size for inside, size in found if not inside] == times * [INPUTS]
    assert {size for inside, size in found if inside} == {STATES}
