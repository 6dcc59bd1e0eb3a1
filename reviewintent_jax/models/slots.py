"""Where the slots of a page are, as arrays: starts and lengths -> positions and masks.

Everything that reads a page slot by slot hangs on one array, the position of each step
within its slot::

    slot_start [0, 4]  slot_length [3, 2]  page of 7 steps
    position_bt  [0, 1, 2, -1, 0, 1, -1]           -1 where the step is padding
"""

import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int


def slot_positions(
    slot_start_bk: Int[Array, "*b k"], slot_length_bk: Int[Array, "*b k"], steps: int
) -> Int[Array, "*b t"]:
    """Position of each step within its slot; -1 where a step belongs to none.

    Example: starts [0, 4], lengths [3, 2], 7 steps -> [0, 1, 2, -1, 0, 1, -1].
    """
    step = jnp.arange(steps).reshape((1,) * slot_start_bk.ndim + (-1,))
    offset_bkt = step - slot_start_bk[..., None]
    inside_bkt = (offset_bkt >= 0) & (offset_bkt < slot_length_bk[..., None])
    return jnp.sum(jnp.where(inside_bkt, offset_bkt + 1, 0), axis=-2) - 1


def last_steps(
    x_btr: Float[Array, "*b t r"],
    slot_end_bk: Int[Array, "*b k"],
    slot_length_bk: Int[Array, "*b k"],
    count: int,
) -> Float[Array, "*b k {count} r"]:
    """The last ``count`` steps of every slot, oldest first; missing ones are zero.

    Example: a slot of steps [a b], count 3 -> [0 a b]. The newest is always last.
    """
    age = jnp.arange(count)[::-1].reshape((1,) * slot_end_bk.ndim + (-1,))
    index = jnp.maximum(slot_end_bk[..., None] - age, 0)
    flat = index.reshape(*index.shape[:-2], -1, 1)
    taken = jnp.take_along_axis(x_btr, flat, axis=-2)
    taken = taken.reshape(*index.shape, x_btr.shape[-1])
    exists = age < slot_length_bk[..., None]
    return jnp.where(exists[..., None], taken, 0.0)


def slot_members(
    slot_start_bk: Int[Array, "*b k"],
    slot_length_bk: Int[Array, "*b k"],
    position_bt: Int[Array, "*b t"],
) -> Bool[Array, "*b k t"]:
    """Which steps belong to which slot; a step whose position is -1 to none.

    Example: starts [0, 4], lengths [3, 2], positions [-1, 0, 1, -1, -1, 0, -1] ->
    [[. x x . . . .], [. . . . . x .]].
    """
    step = jnp.arange(position_bt.shape[-1])
    step = step.reshape((1,) * slot_start_bk.ndim + (-1,))
    offset_bkt = step - slot_start_bk[..., None]
    inside_bkt = (offset_bkt >= 0) & (offset_bkt < slot_length_bk[..., None])
    return inside_bkt & (position_bt >= 0)[..., None, :]


def slot_ages(
    slot_start_bk: Int[Array, "*b k"], slot_length_bk: Int[Array, "*b k"], steps: int
) -> Int[Array, "*b t"]:
    """Steps that follow each step within its slot; -1 where a step belongs to none.

    Example: starts [0, 4], lengths [3, 2], 7 steps -> [2, 1, 0, -1, 1, 0, -1].
    """
    step = jnp.arange(steps).reshape((1,) * slot_start_bk.ndim + (-1,))
    left_bkt = (slot_start_bk + slot_length_bk)[..., None] - 1 - step
    inside_bkt = (left_bkt >= 0) & (left_bkt < slot_length_bk[..., None])
    return jnp.sum(jnp.where(inside_bkt, left_bkt + 1, 0), axis=-2) - 1
