import jax.numpy as jnp
from hypothesis import given, settings
from hypothesis import strategies as st
from lstnet_cases import slots

from reviewintent_jax.models.slots import (
    last_steps,
    slot_ages,
    slot_members,
    slot_positions,
)


def test_positions_are_the_picture_of_the_docstring():
    start, length = slots([0, 4], [3, 2])
    assert slot_positions(start, length, 7).tolist() == [[0, 1, 2, -1, 0, 1, -1]]


@settings(deadline=None, max_examples=30)
@given(
    st.lists(st.tuples(st.integers(0, 2), st.integers(0, 5)), min_size=1, max_size=4)
)
def test_positions_equal_a_loop(gaps_and_lengths):
    expected, starts = [], []
    for gap, length in gaps_and_lengths:
        expected += [-1] * gap
        starts.append(len(expected))
        expected += range(length)
    expected += [-1] * (30 - len(expected))
    start, length = slots(starts, [length for _, length in gaps_and_lengths])
    assert slot_positions(start, length, 30)[0].tolist() == expected


def test_last_steps_are_oldest_first_and_zero_where_missing():
    x = jnp.arange(1.0, 8.0)[None, :, None]
    start, length = slots([0, 2, 6, 0], [2, 4, 1, 0])
    found = last_steps(x, start + length - 1, length, 3)[0, ..., 0]
    assert found.tolist() == [[0, 1, 2], [4, 5, 6], [0, 0, 7], [0, 0, 0]]


def test_members_and_ages_are_the_pictures_of_their_docstrings():
    start, length = slots([0, 4], [3, 2])
    position = jnp.asarray([[-1, 0, 1, -1, -1, 0, -1]])  # the first of each is lost
    found = slot_members(start, length, position)[0].astype(int)
    assert found.tolist() == [[0, 1, 1, 0, 0, 0, 0], [0, 0, 0, 0, 0, 1, 0]]
    assert slot_ages(start, length, 7).tolist() == [[2, 1, 0, -1, 1, 0, -1]]
