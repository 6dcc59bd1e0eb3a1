"""First parameters depend on the seed alone, not on how they are compiled."""

import chex
import flax.linen as nn
import jax
import numpy as np
import pytest

from reviewintent_jax.models.first_weights import draw_parameters


def draw(key):
    orthogonal = nn.initializers.orthogonal()(key, (48, 48))
    normal = nn.initializers.truncated_normal(0.02)(key, (300, 7))
    return {"orthogonal": orthogonal, "normal": normal}


@pytest.mark.parametrize("seed", [0, 7])
def test_they_are_bitwise_those_of_a_program_compiled_with_care(seed):
    found = draw_parameters(draw, seed)
    careful = jax.jit(draw)(jax.random.key(seed))
    chex.assert_trees_all_equal(found, careful)


def test_another_seed_draws_others():
    one, other = draw_parameters(draw, 0), draw_parameters(draw, 1)
    assert not np.allclose(one["normal"], other["normal"])


def test_shapes_alone_need_no_drawing():
    shapes = jax.eval_shape(lambda: draw_parameters(draw, 0))
    chex.assert_shape(shapes["normal"], (300, 7))
