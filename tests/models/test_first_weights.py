"""First parameters depend on the seed alone, not on how they are compiled."""

import chex
import flax.linen as nn
import jax
import numpy as np
import pytest

from reviewintent_jax.models.first_weights import FirstParameters


def draw(key):
    orthogonal = nn.initializers.orthogonal()(key, (48, 48))
    normal = nn.initializers.truncated_normal(0.02)(key, (300, 7))
    return {"orthogonal": orthogonal, "normal": normal}


@pytest.mark.parametrize("seed", [0, 7])
def test_they_are_bitwise_those_of_a_program_compiled_with_care(seed):
    found = FirstParameters(draw, seed).draw()
    careful = jax.jit(draw)(jax.random.key(seed))
    chex.assert_trees_all_equal(found, careful)


def test_another_seed_draws_others():
    one, other = (FirstParameters(draw, seed).draw() for seed in (0, 1))
    assert not np.allclose(one["normal"], other["normal"])


def test_shapes_alone_need_no_drawing():
    shapes = FirstParameters(draw, 0).shapes
    chex.assert_shape(shapes["normal"], (300, 7))
    assert isinstance(shapes["normal"], jax.ShapeDtypeStruct)
    abstract = jax.eval_shape(FirstParameters(draw, 0).draw)
    chex.assert_trees_all_equal_shapes_and_dtypes(shapes, abstract)


def test_what_is_given_stands_beside_what_is_drawn():
    given = {"encoder": np.ones((2, 3), np.float32)}
    first = FirstParameters(draw, 0, lambda drawn: drawn | given)
    chex.assert_shape(first.shapes["encoder"], (2, 3))
    first.compile_ahead()
    drawn = first.draw()
    assert drawn.pop("encoder") is given["encoder"]
    chex.assert_trees_all_equal(drawn, FirstParameters(draw, 0).draw())
