"""All that is measured on a GPU, in one process and ten minutes.

In: a :class:`Plan`: sizes, and what takes how many rounds. Out: a record a part. Needs
jax, flax, optax, orbax and, for the comparison, PyTorch; no tokenizer, no files but
``lengths.json``. Weights are drawn and tokens are random: neither changes the time, and
the lengths are those of published reviews. A part that fails says so, and the next one
is measured.
"""

import contextlib
import functools
import operator
import time
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from reviewintent_jax.benchmark.absent import AbsentError
from reviewintent_jax.benchmark.flops import count_flops, page_work
from reviewintent_jax.benchmark.full_pages import full_pages
from reviewintent_jax.benchmark.gpu_attention import measure_attention
from reviewintent_jax.benchmark.gpu_epilogues import measure_epilogues
from reviewintent_jax.benchmark.gpu_plan import Plan
from reviewintent_jax.benchmark.gpu_scans import measure_scans
from reviewintent_jax.benchmark.gpu_training import Trainings
from reviewintent_jax.benchmark.timing import percentiles, spread, timed
from reviewintent_jax.benchmark.torch_device import torch_device
from reviewintent_jax.data.pages import PageSpec
from reviewintent_jax.evaluation.frozen import FrozenScorer
from reviewintent_jax.models.encoder import narrow_kernels
from reviewintent_jax.models.encoder_spec import AttentionPath, EpiloguePath
from reviewintent_jax.models.recurrent import GateFusion
from reviewintent_jax.models.review_intent import ReviewIntent, init_params

Records = dict[str, Any]
_CHAIN = 10  # products of a time
_REST = 0.2  # seconds
# Seconds that must be left for a part to begin.
_TRAINING, _LATENCY, _OTHERS = 120.0, 100.0, 40.0


def measure_gpu(plan: Plan, keep: Callable[[Records], None]) -> Records:
    """Measures every part and returns their records.

    Args:
      plan: what is measured.
      keep: is given all records after every part, so that none is lost.
    """
    began, found = time.monotonic(), {}
    chosen = plan
    for name, measure in _parts(plan, found, keep).items():
        left = plan.seconds - (time.monotonic() - began)
        if plan.seconds and left < _needed(name):
            found[name] = {"skipped": f"only {max(left, 0):.0f} s were left"}
            keep(found)
            continue
        try:
            record = measure(chosen)
        except Exception as error:
            # Rounds that were taken before are there.
            told = {"failed": f"{type(error).__name__}: {error}"[:600]}
            record = found.get(name, {}) | told
        found[name] = record | {"ended_after_seconds": time.monotonic() - began}
        chosen = _choose(chosen, name, record)
        keep(found)
    return found


def _parts(plan: Plan, found: Records, keep: Callable[[Records], None]) -> "_Parts":
    """What is measured, in this order: what the others need, then what matters most."""
    trainings = Trainings()

    def training(name: str) -> Callable[[Plan], Records]:
        def told(record: Records) -> None:
            found[f"training: {name}"] = record
            keep(found)

        return functools.partial(trainings.measure, name=name, keep=told)

    first, *others = ({f"training: {name}": training(name)} for name in plan.data)
    return functools.reduce(operator.or_, [_FIRST, first, _NEXT, *others])


def _needed(name: str) -> float:
    """Seconds that a part takes to say anything at all, compiling included."""
    if name.startswith("training: "):
        return _TRAINING
    return _LATENCY if name == "latency" else _OTHERS


def _choose(plan: Plan, name: str, record: Records) -> Plan:
    """What was the fastest is used in the parts that follow."""
    if name == "attention" and record.get("fastest"):
        return plan.with_attention(AttentionPath(record["fastest"]))
    if name == "epilogues" and record.get("fastest"):
        return plan.with_epilogues(EpiloguePath(record["fastest"]))
    if name == "layers" and record.get("fastest"):
        fusion, unroll = record["fastest"]
        return plan.with_scan(GateFusion(fusion), unroll)
    return plan


def _peak(plan: Plan) -> Records:
    """Operations a second of large products: the most of XLA's and PyTorch's.

    Of random numbers, since devices clock higher on constant ones; a chain of products
    a time, so that starting them does not count. After a rest a device may clock higher
    than one that has to keep its power down: both are measured.
    """
    dtype, size = jnp.dtype(plan.encoder.dtype), (plan.side, plan.side)
    x = jax.random.normal(jax.random.key(0), size, dtype)
    by = x / jnp.asarray(plan.side**0.5, dtype)  # so that products keep their size
    work = _CHAIN * 2 * plan.side**3

    @jax.jit
    def multiply(a: jax.Array, b: jax.Array) -> jax.Array:
        for _ in range(_CHAIN):
            a = a @ b
        return a

    chains = {"XLA": lambda: jax.block_until_ready(multiply(x, by))}
    with contextlib.suppress(ImportError, AbsentError):
        chains["PyTorch"] = _torch_chain(np.asarray(x.astype(jnp.float32)), dtype.name)
    rates: dict[str, list[float]] = {}
    for rest in (0.0, _REST):
        for turn in range(2 * plan.rounds):
            for name, run in chains.items():
                time.sleep(rest)
                took = timed(run)["seconds"]
                if turn:  # the first compiles
                    label = f"{name}, rested" if rest else name
                    rates.setdefault(label, []).append(work / took)
    found = {name: spread(each) for name, each in rates.items()}
    best = max(found, key=lambda name: found[name]["median"])
    sizes = {"side": plan.side, "dtype": dtype.name}
    return sizes | {"flops": found[best], "of": best, "by_library": found}


def _torch_chain(x: np.ndarray, dtype: str) -> Callable[[], None]:
    """The same chain in PyTorch."""
    import torch  # pyright: ignore[reportMissingImports]

    device, kind = torch_device(torch), getattr(torch, dtype)
    first = torch.tensor(x, device=device).to(kind)
    by = first / len(x) ** 0.5

    def run() -> None:
        a = first
        for _ in range(_CHAIN):
            a = a @ by
        if device == "cuda":
            torch.cuda.synchronize()

    return run


class _Asked(NamedTuple):
    """So many reviews, and what answers them; answering does not wait."""

    reviews: int
    params: Any
    answer: Callable[[Any, Any], jax.Array]
    batch: Any
    flops: int

    def ask(self) -> jax.Array:
        """The answer, on its way."""
        return self.answer(self.params, self.batch)


def _asked(plan: Plan, tokens: int) -> Iterator[_Asked]:
    """Questions of reviews of ``tokens`` tokens, so many of them at once as planned."""
    chunk = min(tokens, plan.cap)
    model = ReviewIntent(plan.model(chunk))
    layout = PageSpec(tokens, chunk, tokens, 1)
    page = full_pages(model.spec, layout, 1, tokens, window=0)
    params = init_params(model, page, seed=0, encoder=None)
    params["encoder"] = narrow_kernels(params["encoder"], plan.encoder.dtype)

    @jax.jit
    def answer(params: Any, batch: Any) -> jax.Array:
        output: Any = model.apply({"params": params}, batch, deterministic=True)
        return jax.nn.softmax(output.logits_bky)

    for reviews in plan.score_reviews:
        batch = full_pages(model.spec, layout, reviews, tokens, window=0)
        work = page_work(reviews, tokens, 1, chunk)
        flops = count_flops(model.spec, work).answer
        yield _Asked(reviews, params, answer, batch, flops)


def _stream(asked: _Asked, calls: int) -> None:
    """Asks again and again; an answer is read when the next question is on its way."""
    before = asked.ask()
    for _ in range(calls - 1):
        after = asked.ask()
        jax.device_get(before)
        before = after
    jax.device_get(before)


def _scoring(plan: Plan) -> Records:
    """Answers a second at the longest length, host to host, by reviews at once."""
    found = {}
    for asked in _asked(plan, plan.cap):
        stream = functools.partial(_stream, asked, plan.calls)
        stream()
        seconds = spread([timed(stream)["seconds"] for _ in range(plan.rounds)])
        calls = plan.calls / seconds["median"]
        found[str(asked.reviews)] = {
            "reviews_per_second": asked.reviews * calls,
            "seconds": seconds,
            "flops_per_second": asked.flops * calls,
        }
    return {"tokens": plan.cap, "by_reviews_at_once": found}


def _latency(plan: Plan) -> Records:
    """Latency of one review by length, from the host to the host.

    By the scorer for services, and with parameters handed over at every call; of that
    also with a batch that is on the device already.
    """
    seconds: dict[str, Records] = {}
    for tokens in plan.latency_tokens:
        asked = next(_asked(plan.scoring_one(), tokens))
        there = asked._replace(batch=jax.device_put(asked.batch))
        frozen = FrozenScorer(asked.answer, asked.params, asked.batch)
        ways = {
            "FrozenScorer": functools.partial(frozen, asked.batch),
            "parameters handed over": functools.partial(_stream, asked, 1),
            "parameters handed over, batch on the device": functools.partial(
                _stream, there, 1
            ),
        }
        for way, ask in ways.items():
            for _ in range(3):
                ask()
            taken = [timed(ask)["seconds"] for _ in range(plan.latency_calls)]
            seconds.setdefault(way, {})[str(tokens)] = percentiles(taken)
    paths = {"attention": plan.encoder.attention.value}
    paths["epilogues"] = plan.encoder.epilogues.value
    return paths | {"seconds_by_tokens": seconds}


_Parts = dict[str, Callable[[Plan], Records]]
_FIRST: _Parts = {
    "peak": _peak,
    "attention": measure_attention,
    "epilogues": measure_epilogues,
    "layers": measure_scans,
}
_NEXT: _Parts = {"latency": _latency, "scoring": _scoring}
