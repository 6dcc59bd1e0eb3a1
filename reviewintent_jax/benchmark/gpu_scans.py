"""The settings of the scans beside each other: time, and whether the kernel is right.

In: a :class:`~reviewintent_jax.benchmark.gpu_plan.Plan`. Out: one GRU layer of every
setting, linen's and PyTorch's, forward and backward; how far the kernel's states and
gradients are from those of the plain scan in float32; and the fastest sound setting.
"""

from typing import Any

import jax
import jax.numpy as jnp

from reviewintent_jax.benchmark.gpu_plan import Plan
from reviewintent_jax.benchmark.recurrent import Use, measure_recurrent
from reviewintent_jax.models.recurrent import GRU, Candidate, GateFusion

_AGREES = 0.05  # norm of the difference over that of what is right, in bfloat16


def measure_scans(plan: Plan) -> dict[str, Any]:
    """Records, what the kernel is off by, and ``fastest``: gate fusion and unroll."""
    lstnet = plan.lstnet
    use = Use(
        "tokens of reviews",
        plan.train_tokens // plan.cap,
        plan.cap,
        lstnet.channels * len(lstnet.kernel_sizes),
        lstnet.recurrent_features,
        (lstnet.gate_fusion.value, lstnet.unroll),
        plan.encoder.dtype.value,
    )
    off = {
        name: _off(use, features, period)
        for name, features, period in (
            ("recurrent", lstnet.recurrent_features, 1),
            ("skip", lstnet.skip_features, lstnet.skip_period),
        )
    }
    sound = max(map(max, off.values())) < _AGREES
    records = measure_recurrent([use], rounds=plan.rounds, unrolls=plan.unrolls)
    ours = [
        each
        for each in records
        if "unroll" in each["system"]
        and each["pass"] == "forward+backward"
        and (sound or GateFusion.KERNEL.value not in each["system"])
    ]
    best = min(ours, key=lambda each: each["milliseconds"]["median"])
    fusion, unroll = best["system"].split(", unroll ")
    return {
        "records": records,
        "kernel": {"off": off, "sound": sound},
        "fastest": [fusion, int(unroll)],
    }


def _off(use: Use, features: int, period: int) -> list[float]:
    """Distances of states, and of gradients of parameters and inputs, from float32."""
    keys = jax.random.split(jax.random.key(0), 3)
    x = jax.random.normal(keys[0], (use.rows, use.steps, use.inputs))
    reset = jax.random.bernoulli(keys[1], 0.1, x.shape[:2])
    valid = jnp.arange(use.steps) < use.steps - 2
    valid = jnp.broadcast_to(valid, x.shape[:2])

    def answers(fusion: GateFusion, dtype: str) -> Any:
        settings: Any = {"gate_fusion": fusion, "dtype": jnp.dtype(dtype)}
        layer = GRU(features, Candidate.RELU, period=period, **settings)
        params = layer.init(keys[2], x[:1], reset[:1], valid[:1])

        def total(params: Any, x: jax.Array) -> tuple[jax.Array, jax.Array]:
            states: Any = layer.apply(params, x, reset, valid)
            return jnp.sum(jnp.square(states)), states

        return jax.jit(jax.grad(total, argnums=(0, 1), has_aux=True))(params, x)

    with jax.default_matmul_precision("highest"):  # a GPU's default is TF32
        exact = jax.tree.leaves(answers(GateFusion.SEPARATE, "float32"))
    found = jax.tree.leaves(answers(GateFusion.KERNEL, use.dtype))
    return [
        float(jnp.linalg.norm(a - b) / jnp.linalg.norm(b))
        for a, b in zip(found, exact, strict=True)
    ]
