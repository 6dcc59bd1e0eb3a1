"""Products of one step: the same numbers in every layout, and shared where it pays."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from reviewintent_jax.models.products import SHARED, shared_product

WIDE = SHARED + 3


def operands(rows, features, outputs):
    rng = np.random.default_rng(0)
    return rng.normal(size=(rows, features)), rng.normal(size=(features, outputs))


@pytest.mark.parametrize("dtype", [jnp.float32, jnp.bfloat16])
@pytest.mark.parametrize(
    "sizes",
    [
        (WIDE, WIDE, 3 * WIDE),  # the state is turned
        (WIDE, 3 * WIDE, WIDE),  # the answer is turned
        (2, WIDE, 3 * WIDE),  # few rows: as it stands
        (WIDE, 5, 15),
    ],
)
def test_a_shared_product_is_the_product(sizes, dtype):
    x, matrix = (jnp.asarray(each, dtype) for each in operands(*sizes))
    found = jax.jit(shared_product)(x, matrix)
    expected = np.asarray(x, np.float64) @ np.asarray(matrix, np.float64)
    assert found.dtype == jnp.float32
    np.testing.assert_allclose(found, expected, atol=2e-4)


@pytest.mark.parametrize("sizes", [(WIDE, WIDE, 3 * WIDE), (WIDE, 3 * WIDE, WIDE)])
def test_the_compiler_keeps_the_sides_turned(sizes):
    """Turned back, a product goes to the library that takes one core."""
    given = [jnp.asarray(each, jnp.float32) for each in operands(*sizes)]
    program: Any = jax.jit(shared_product).lower(*given).compile().as_text()
    products = [line for line in program.splitlines() if " dot(" in line]
    assert len(products) == 1
    assert "lhs_contracting_dims={0}" in products[0]
    assert "ynn" not in program
