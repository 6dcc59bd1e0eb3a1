"""What follows the products of an encoder's layer, by XLA and by our kernels.

In: a :class:`~reviewintent_jax.benchmark.gpu_plan.Plan`. Out: for both epilogues and
both paths seconds forward and backward, how far answers and gradients are from those in
float32, and which path is faster for a layer, if it is sound.
"""

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from reviewintent_jax.benchmark.gpu_plan import Plan
from reviewintent_jax.benchmark.timing import ratios, spread, timed
from reviewintent_jax.models.activation_kernels import (
    BiasedActivation,
    activate_product,
)
from reviewintent_jax.models.activations import activate
from reviewintent_jax.models.dropout import kept, key_words
from reviewintent_jax.models.encoder_spec import EpiloguePath
from reviewintent_jax.models.norm_kernels import AddNorm, add_and_normalise

_AGREES = 0.02  # norm of the difference over that of what is right, in bfloat16
_RATE = 0.1  # of dropout
_CALLS = 10  # of a time

_Compute = Callable[..., jax.Array]


class _Epilogue(NamedTuple):
    """What is computed, from arrays of the types that an update has."""

    given: tuple[jax.Array, ...]
    by_xla: _Compute
    by_kernel: _Compute


def measure_epilogues(plan: Plan) -> dict[str, Any]:
    """Records of both epilogues and paths; ``fastest`` is that of both together."""
    on_gpu = jax.default_backend() == "gpu"
    records: list[dict[str, Any]] = []
    for name, make in _EPILOGUES.items():
        epilogue = make(plan, interpret=not on_gpu)
        records += _measured(plan, name, epilogue)
    totals = {
        path: sum(
            each["seconds"]["median"] for each in records if each["path"] == path.value
        )
        for path in EpiloguePath
    }
    sound = all(each["sound"] for each in records)
    faster = min(totals, key=lambda path: totals[path])
    # What was interpreted is not there.
    fastest = faster if sound and on_gpu else EpiloguePath.XLA
    return {"records": records, "fastest": fastest.value, "interpreted": not on_gpu}


def _measured(plan: Plan, name: str, epilogue: _Epilogue) -> list[dict[str, Any]]:
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
        record = {"epilogue": name, "path": path.value, "off": off}
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


def _drawn(plan: Plan, features: int, rows: int, others: int) -> list[jax.Array]:
    """``rows`` arrays of all tokens of an update, then ``others`` of features alone."""
    keys = jax.random.split(jax.random.key(0), rows + others)
    shapes = [(plan.train_tokens, features)] * rows + [(features,)] * others
    return [
        1 + jax.random.normal(key, shape, plan.encoder.dtype.value)
        for key, shape in zip(keys, shapes, strict=True)
    ]


def _activation(plan: Plan, *, interpret: bool) -> _Epilogue:
    kind = plan.encoder.activation
    product, gradient, bias = _drawn(plan, plan.encoder.intermediate_size, 2, 1)

    def by_xla(product: jax.Array, bias: jax.Array) -> jax.Array:
        return activate(kind, product + bias[None])

    by_kernel = functools.partial(activate_product, BiasedActivation(kind, interpret))
    return _Epilogue((product, bias, gradient), by_xla, by_kernel)


def _add_norm(plan: Plan, *, interpret: bool) -> _Epilogue:
    epsilon, key = plan.encoder.norm_eps, jax.random.key(7, impl="rbg")
    drawn = _drawn(plan, plan.encoder.hidden_size, 3, 3)
    x, product, gradient, bias, scale, shift = drawn
    own = scale.astype(jnp.float32), shift.astype(jnp.float32)

    def by_xla(x: jax.Array, product: jax.Array, *more: jax.Array) -> jax.Array:
        bias, scale, shift = more
        keep = kept(key, product.shape, _RATE).astype(product.dtype)
        total = (x + (product + bias[None]) * keep).astype(jnp.float32)
        centred = total - total.mean(axis=-1, keepdims=True)
        variance = jnp.square(centred).mean(axis=-1, keepdims=True)
        normal = centred * jax.lax.rsqrt(variance + epsilon)
        return (normal * scale[None] + shift[None]).astype(x.dtype)

    def by_kernel(*given: jax.Array) -> jax.Array:
        choice = AddNorm(epsilon, _RATE, interpret)
        return add_and_normalise(choice, *given, jnp.stack(key_words(key)))

    return _Epilogue((x, product, bias, *own, gradient), by_xla, by_kernel)


_EPILOGUES: dict[str, Callable[..., _Epilogue]] = {
    "bias, activation": _activation,
    "bias, dropout, sum, layer norm": _add_norm,
}
