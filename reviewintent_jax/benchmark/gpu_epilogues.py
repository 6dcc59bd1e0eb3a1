"""The end of an encoder's sub-layer, by XLA and by our kernel.

In: a :class:`~reviewintent_jax.benchmark.gpu_plan.Plan`. Out: for both paths seconds
forward and backward, how far answers and gradients are from those in float32, and which
path is faster, if it is sound.
"""

import dataclasses
import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from reviewintent_jax.benchmark.gpu_plan import Plan
from reviewintent_jax.benchmark.timing import ratios, spread, timed
from reviewintent_jax.models.dropout import kept, key_words
from reviewintent_jax.models.encoder_layer import Norm
from reviewintent_jax.models.encoder_spec import EpiloguePath
from reviewintent_jax.models.norm_kernels import AddNorm, add_and_normalise

_AGREES = 0.02  # norm of the difference over that of what is right, in bfloat16
_RATE = 0.1  # of dropout
_CALLS = 10  # of a time
_NAME = "bias, dropout, sum, layer norm"

_Compute = Callable[..., jax.Array]


class _Epilogue(NamedTuple):
    """What is computed, from arrays of the types that an update has."""

    given: tuple[jax.Array, ...]
    by_xla: _Compute
    by_kernel: _Compute


def measure_epilogues(plan: Plan) -> dict[str, Any]:
    """Records of both paths, and which is ``fastest``, of those that are sound."""
    on_gpu = jax.default_backend() == "gpu"
    records = _measured(plan, _add_norm(plan, interpret=not on_gpu))
    sound = [
        each
        for each in records
        if each["sound"]
        # What was interpreted is not there.
        and (on_gpu or each["path"] == EpiloguePath.XLA.value)
    ]
    best = min(sound, key=lambda each: each["seconds"]["median"])
    return {"records": records, "fastest": best["path"], "interpreted": not on_gpu}


def _measured(plan: Plan, epilogue: _Epilogue) -> list[dict[str, Any]]:
    runs = {
        EpiloguePath.XLA: _there_and_back(epilogue.by_xla),
        EpiloguePath.KERNEL: _there_and_back(epilogue.by_kernel),
    }
    wide = [x.astype(jnp.float32) for x in epilogue.given]
    right = runs[EpiloguePath.XLA](*wide)
    seconds = _in_turns(plan, runs, epilogue.given)
    found = []
    for path, run in runs.items():
        off = max(map(_distance, run(*epilogue.given), right))
        record = {"epilogue": _NAME, "path": path.value, "off": off}
        record["sound"] = bool(off < _AGREES)
        record["seconds"] = spread(seconds[path])
        record["of_xla"] = ratios(seconds[path], seconds[EpiloguePath.XLA])
        found.append(record)
    return found


def _there_and_back(compute: _Compute) -> Callable[..., tuple[jax.Array, ...]]:
    """The answer, and gradients of all that is given, for one that comes last."""

    @jax.jit
    def run(*given: jax.Array) -> tuple[jax.Array, ...]:
        *inputs, gradient = given
        answer, back = jax.vjp(compute, *inputs)
        return answer, *back(gradient.astype(answer.dtype))

    return run


def _in_turns(
    plan: Plan, runs: dict[EpiloguePath, Callable[..., Any]], given: tuple
) -> dict[EpiloguePath, list[float]]:
    """Seconds of a call, forward and backward."""
    found: dict[EpiloguePath, list[float]] = {path: [] for path in runs}

    def calls(run: Callable[..., Any]) -> None:
        answers = [run(*given) for _ in range(_CALLS)]
        jax.block_until_ready(answers)

    for turn in range(2 * plan.rounds + 1):
        for path, run in runs.items():
            took = timed(functools.partial(calls, run))["seconds"] / _CALLS
            if turn:  # the first compiles
                found[path].append(took)
    return found


def _distance(found: jax.Array, exact: jax.Array) -> float:
    """Norm of the difference, over that of what is right."""
    difference = found.astype(jnp.float32) - exact
    return float(jnp.linalg.norm(difference) / jnp.linalg.norm(exact))


def _drawn(plan: Plan) -> list[jax.Array]:
    """Three arrays of all tokens of an update, then three of features alone."""
    features = plan.encoder.hidden_size
    keys = jax.random.split(jax.random.key(0), 6)
    shapes = [(plan.train_tokens, features)] * 3 + [(features,)] * 3
    return [
        1 + jax.random.normal(key, shape, plan.encoder.dtype.value)
        for key, shape in zip(keys, shapes, strict=True)
    ]


def _add_norm(plan: Plan, *, interpret: bool) -> _Epilogue:
    epsilon, key = plan.encoder.norm_eps, jax.random.key(7, impl="rbg")
    x, product, gradient, bias, scale, shift = _drawn(plan)
    own = scale.astype(jnp.float32), shift.astype(jnp.float32)

    def by_xla(x: jax.Array, product: jax.Array, *more: jax.Array) -> jax.Array:
        bias, scale, shift = more
        keep = kept(key, product.shape, _RATE).astype(product.dtype)
        norm = Norm(dataclasses.replace(plan.encoder, dtype=x.dtype.name))
        total = x + (product + bias[None]) * keep
        answer: Any = norm.apply({"params": {"scale": scale, "bias": shift}}, total)
        return answer

    def by_kernel(*given: jax.Array) -> jax.Array:
        choice = AddNorm(epsilon, _RATE, interpret)
        return add_and_normalise(choice, *given, jnp.stack(key_words(key)))

    return _Epilogue((x, product, bias, *own, gradient), by_xla, by_kernel)
