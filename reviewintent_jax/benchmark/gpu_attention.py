"""The paths of attention beside each other: time, agreement, and whether they leak.

In: a :class:`~reviewintent_jax.benchmark.gpu_plan.Plan`. Out: for each path and layout
of the blocks, seconds forward and backward, how far it and its gradient are from those
of attention in float32, and from itself after another review of the block has changed.
A path that leaks in a layout is not chosen for it, however fast.
"""

import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from reviewintent_jax.benchmark.gpu_plan import Plan
from reviewintent_jax.benchmark.timing import spread, timed
from reviewintent_jax.models.attention import attend, segment_mask
from reviewintent_jax.models.attention_kernels import (
    BlockAttention,
    Projected,
    attend_blocks,
)
from reviewintent_jax.models.attention_paths import attend_by
from reviewintent_jax.models.encoder_spec import AttentionPath

_AGREES = 0.05  # largest difference to float32, of values of deviation 1 and of norms


def measure_attention(plan: Plan) -> dict[str, Any]:
    """Records of every path and layout; ``fastest`` is that for packed pages."""
    on_gpu = jax.default_backend() == "gpu"
    records = []
    for layout, segments in _layouts(plan).items():
        for path in AttentionPath:
            record: dict[str, Any] = {"layout": layout, "path": path.value}
            try:
                record |= _one(plan, path, segments, on_gpu=on_gpu)
            except Exception as error:  # a kernel that this device does not have
                record["failed"] = f"{type(error).__name__}: {error}"[:300]
            records.append(record)
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


def _one(
    plan: Plan, path: AttentionPath, segments: jax.Array, *, on_gpu: bool
) -> dict[str, Any]:
    """Time and soundness of one path in one layout."""
    spec = plan.encoder
    heads, size = spec.num_heads, spec.hidden_size // spec.num_heads
    shape = len(segments), plan.cap, heads, size  # as dense layers leave them
    keys = jax.random.split(jax.random.key(0), 3)
    given = tuple(jax.random.normal(key, shape, spec.dtype) for key in keys)
    look = functools.partial(_look, path, segments, interpret=not on_gpu)

    gradient, answer = _gradient(look), jax.jit(look)
    said = answer(given).astype(jnp.float32)
    reference = functools.partial(_look, AttentionPath.XLA, segments)
    wide = tuple(x.astype(jnp.float32) for x in given)
    exact, slope = reference(wide), _gradient(reference)(wide)
    last = segments[:, :, None, None] == segments.max()
    other = tuple(jnp.where(last, x + 1, x) for x in given)
    mine = (segments == 1)[:, :, None, None]
    moved = jnp.abs(answer(other).astype(jnp.float32) - said)
    leak = jnp.max(jnp.where(mine, moved, 0)) if segments.max() > 1 else jnp.zeros(())
    error = jnp.max(jnp.abs(said - exact))
    off = max(map(_distance, gradient(given), slope))
    run = lambda: jax.block_until_ready(gradient(given))  # noqa: E731
    run()
    seconds = spread([timed(run)["seconds"] for _ in range(2 * plan.rounds)])
    return {
        "seconds": seconds,
        "error": float(error),
        "gradient_error": off,
        "leak": float(leak),
        "sound": bool(error < _AGREES and off < _AGREES and leak == 0),
    }


def _gradient(look: Callable[[Any], jax.Array]) -> Callable[[tuple], tuple]:
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
    if path is AttentionPath.KERNEL:
        none = Projected(*(jnp.zeros(x.shape[2:], x.dtype) for x in given))
        choice, words = BlockAttention(0.0, interpret), jnp.zeros(2, jnp.uint32)
        return attend_blocks(choice, Projected(*given), none, segments, words)
    query, key, value = (x.swapaxes(1, 2) for x in given)
    if path is AttentionPath.XLA:
        found = attend(query, key, value, segment_mask(segments), None)
    else:
        found = attend_by(path, query, key, value, segments, interpret=interpret)
    return found.swapaxes(1, 2)
