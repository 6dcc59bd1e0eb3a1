"""The paths of attention beside each other: time, agreement, and whether they leak.

In: a :class:`~reviewintent_jax.benchmark.gpu_plan.Plan`. Out: for each path and layout
of the blocks, seconds forward and backward, how far it and its gradient are from those
of attention in float32, and from itself after another review of the block has changed.
A path that leaks in a layout is not chosen for it, however fast.
"""

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from reviewintent_jax.benchmark.gpu_plan import Plan
from reviewintent_jax.benchmark.timing import spread, timed
from reviewintent_jax.models.attention import attend, segment_mask
from reviewintent_jax.models.attention_kernels import BlockAttention, attend_blocks
from reviewintent_jax.models.attention_paths import attend_by
from reviewintent_jax.models.dropout import kept, key_words
from reviewintent_jax.models.encoder_spec import AttentionPath

Look = Callable[[Any], jax.Array]
"""Queries, keys and values -> what is seen, ``[g, i, h, e]``: as the encoder gives them
to this path, ``[g, i, h, e]`` each, or in one array, ``[g, i, 3, h, e]``."""
_RATE = 0.1  # of dropout, where there is any
_AGREES = 0.05  # largest difference to float32, of values of deviation 1 and of norms


def measure_attention(plan: Plan) -> dict[str, Any]:
    """Records of every path and layout; ``fastest`` is that for packed pages."""
    on_gpu = jax.default_backend() == "gpu"
    records = []
    for layout, segments in _layouts(plan).items():
        asked = _ask(plan, functools.partial(_look, AttentionPath.XLA, segments))
        for path in AttentionPath:
            record: dict[str, Any] = {"layout": layout, "path": path.value}
            look = functools.partial(_look, path, segments, interpret=not on_gpu)
            own = _together(asked) if path is AttentionPath.KERNEL else asked
            records.append(record | _tried(plan, look, own, segments))
        if layout == "packed":
            dropped = {"layout": "packed, dropout and biases", "path": "kernel"}
            look, exact = _dropping(plan, segments, interpret=not on_gpu)
            asked = _together(_ask(plan, exact))
            records.append(dropped | _tried(plan, look, asked, segments))
    sound = [
        each
        for each in records
        if each["layout"] == "packed"
        and each.get("sound")
        # What was interpreted is not there.
        and (on_gpu or each["path"] == AttentionPath.XLA.value)
    ]
    best = min(sound, key=lambda each: each["seconds"]["median"])
    return {"records": records, "fastest": best["path"], "interpreted": not on_gpu}


def _layouts(plan: Plan) -> dict[str, jax.Array]:
    """Segments of blocks: several reviews in each, and one in each."""
    blocks, size = plan.train_tokens // plan.cap, plan.cap
    step = np.broadcast_to(np.arange(size), (blocks, size))
    third = -(-size // 3)
    packed = np.where(step < size - 2, step // third + 1, 0)
    alone = np.where(step < size - third // 2, 1, 0)
    return {"packed": jnp.asarray(packed), "one a block": jnp.asarray(alone)}


class _Asked(NamedTuple):
    """What a path is given, and what it must say: float32, and gradients of squares."""

    given: tuple
    right: jax.Array
    slopes: tuple


def _ask(plan: Plan, exact: Look) -> _Asked:
    """Draws queries, keys and values, and computes what is right."""
    spec = plan.encoder
    heads, size = spec.num_heads, spec.hidden_size // spec.num_heads
    # As dense layers leave them.
    shape = plan.train_tokens // plan.cap, plan.cap, heads, size
    keys = jax.random.split(jax.random.key(0), 3)
    given = tuple(jax.random.normal(key, shape, spec.dtype) for key in keys)
    with jax.default_matmul_precision("highest"):  # a GPU's default is TF32
        wide = tuple(x.astype(jnp.float32) for x in given)
        return _Asked(given, jax.jit(exact)(wide), _gradient(exact)(wide))


def _together(asked: _Asked) -> _Asked:
    """The same with queries, keys and values in one array."""
    given, slopes = (jnp.stack(each, axis=2) for each in (asked.given, asked.slopes))
    return _Asked((given,), asked.right, (slopes,))


def _tried(
    plan: Plan, look: Look, asked: _Asked, segments: jax.Array
) -> dict[str, Any]:
    """What :func:`_one` finds, or why it found nothing."""
    try:
        return _one(plan, look, asked, segments)
    except Exception as error:  # a kernel that this device does not have
        return {"failed": f"{type(error).__name__}: {error}"[:300]}


def _one(plan: Plan, look: Look, asked: _Asked, segments: jax.Array) -> dict[str, Any]:
    """Time and soundness of one path in one layout."""
    given, gradient = asked.given, _gradient(look)
    said = jax.jit(look)(given).astype(jnp.float32)
    error = jnp.max(jnp.abs(said - asked.right))
    off = max(map(_distance, gradient(given), asked.slopes))
    leak = _leak(look, given, segments)
    run = lambda: jax.block_until_ready(gradient(given))  # noqa: E731
    seconds = spread([timed(run)["seconds"] for _ in range(2 * plan.rounds)])
    return {
        "seconds": seconds,
        "error": float(error),
        "gradient_error": off,
        "leak": leak,
        "sound": bool(error < _AGREES and off < _AGREES and leak == 0),
    }


def _leak(look: Look, given: tuple, segments: jax.Array) -> float:
    """What the first review of a block hears of all else in it, padding included.

    The most that it moves when all else has changed, or that its gradient says of
    anything else; 0 is sound.
    """
    first = segments == 1

    def mine(x: jax.Array) -> jax.Array:
        return jnp.expand_dims(first, range(2, x.ndim))

    @jax.jit
    def of_mine(given: tuple) -> jax.Array:
        seen = look(given).astype(jnp.float32)
        return jnp.where(mine(seen), seen, 0)

    changed = tuple(jnp.where(mine(x), x, x + 1) for x in given)
    moved = jnp.max(jnp.abs(of_mine(changed) - of_mine(given)))
    slopes = jax.jit(jax.grad(lambda given: jnp.sum(jnp.square(of_mine(given)))))(given)
    heard = [jnp.max(jnp.abs(jnp.where(mine(x), 0, x))) for x in slopes]
    return float(jnp.max(jnp.stack([moved, *heard]).astype(jnp.float32)))


def _gradient(look: Look) -> Callable[[tuple], tuple]:
    """Of the squares of what is seen, in float32."""

    def total(given: tuple) -> jax.Array:
        return jnp.sum(jnp.square(look(given).astype(jnp.float32)))

    return jax.jit(jax.grad(total))


def _distance(found: jax.Array, exact: jax.Array) -> float:
    """Norm of the difference, over that of what is right."""
    difference = found.astype(jnp.float32) - exact
    return float(jnp.linalg.norm(difference) / jnp.linalg.norm(exact))


def _look(
    path: AttentionPath, segments: jax.Array, given: Any, *, interpret: bool = False
) -> jax.Array:
    """Attention by a path, where heads stand behind tokens."""
    if path is AttentionPath.KERNEL:
        (product,) = given
        none = jnp.zeros(product.shape[2:], product.dtype)
        choice, words = BlockAttention(0.0, interpret), jnp.zeros(2, jnp.uint32)
        return attend_blocks(choice, product, none, segments, words)
    query, key, value = (x.swapaxes(1, 2) for x in given)
    if path is AttentionPath.XLA:
        found = attend(query, key, value, segment_mask(segments), None)
    else:
        found = attend_by(path, query, key, value, segments, interpret=interpret)
    return found.swapaxes(1, 2)


def _dropping(plan: Plan, segments: jax.Array, *, interpret: bool) -> tuple[Look, Look]:
    """Our kernel with dropout and biases, and what it must say."""
    spec, key = plan.encoder, jax.random.key(7, impl="rbg")
    heads, size = spec.num_heads, spec.hidden_size // spec.num_heads
    drawn = jax.random.normal(jax.random.key(1), (3, heads, size))
    choice, words = BlockAttention(_RATE, interpret), jnp.stack(key_words(key))

    def look(given: Any) -> jax.Array:
        (product,) = given
        biases = drawn.astype(product.dtype)
        return attend_blocks(choice, product, biases, segments, words)

    def exact(given: Any) -> jax.Array:
        whole = (x + bias[None, None] for x, bias in zip(given, drawn, strict=True))
        query, key_, value = (x.swapaxes(1, 2) for x in whole)
        drop = kept(key, (*query.shape[:3], plan.cap), _RATE)
        mask = segment_mask(segments)
        return attend(query, key_, value, mask, drop).swapaxes(1, 2)

    return look, exact
