"""The paths of attention beside each other: time, agreement, and whether they leak.

In: a :class:`~reviewintent_jax.benchmark.gpu_plan.Plan`. Out: for each path and layout
of the blocks, milliseconds forward and backward, its distance from attention in float32
and from itself after another review of the block has changed. A path that leaks in a
layout is not chosen for it, however fast.
"""

import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from reviewintent_jax.benchmark.gpu_plan import Plan
from reviewintent_jax.benchmark.timing import spread, timed
from reviewintent_jax.models.attention import attend, segment_mask
from reviewintent_jax.models.attention_paths import attend_by
from reviewintent_jax.models.encoder_spec import AttentionPath

_AGREES = 0.05  # largest difference to float32, for values of deviation 1


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
    shape = len(segments), heads, plan.cap, size
    keys = jax.random.split(jax.random.key(0), 3)
    given = tuple(jax.random.normal(key, shape, spec.dtype) for key in keys)
    look = functools.partial(_look, path, segments, interpret=not on_gpu)

    @jax.jit
    def gradient(given: tuple) -> tuple:
        return jax.grad(lambda given: jnp.sum(jnp.square(look(given))))(given)

    answer = jax.jit(look)
    said = answer(given).astype(jnp.float32)
    exact = _look(AttentionPath.XLA, segments, [x.astype(jnp.float32) for x in given])
    last = segments[:, None, :, None] == segments.max()
    other = tuple(jnp.where(last, x + 1, x) for x in given)
    mine = (segments == 1)[:, None, :, None]
    moved = jnp.abs(answer(other).astype(jnp.float32) - said)
    leak = jnp.max(jnp.where(mine, moved, 0)) if segments.max() > 1 else jnp.zeros(())
    error = jnp.max(jnp.abs(said - exact))
    run = lambda: jax.block_until_ready(gradient(given))  # noqa: E731
    run()
    seconds = spread([timed(run)["seconds"] for _ in range(2 * plan.rounds)])
    return {
        "seconds": seconds,
        "error": float(error),
        "leak": float(leak),
        "sound": bool(error < _AGREES and leak == 0),
    }


def _look(
    path: AttentionPath, segments: jax.Array, given: Any, *, interpret: bool = False
) -> jax.Array:
    query, key, value = given
    if path is AttentionPath.XLA:
        return attend(query, key, value, segment_mask(segments), None)
    return attend_by(path, query, key, value, segments, interpret=interpret)
