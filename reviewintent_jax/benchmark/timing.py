"""Clocks, and what is made of the times they give.

In: something to do, again and again. Out: seconds on the wall and seconds of CPU, their
medians and quartiles, and ratios of one system to another in the same round, which a
machine that slows down for a while does not change.
"""

import os
import random
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

import numpy as np

T = TypeVar("T")
K = TypeVar("K")


def timed(work: Callable[[], Any]) -> dict[str, float]:
    """Does something and returns ``seconds`` on the wall and ``cpu_seconds``.

    The second are those of all threads of this process.
    """
    return watched(work)[1]


def watched(work: Callable[[], T]) -> tuple[T, dict[str, float]]:
    """Does something; returns what it returns, and its times (:func:`timed`)."""
    began, spent = time.perf_counter(), time.process_time()
    found = work()
    return found, {
        "seconds": time.perf_counter() - began,
        "cpu_seconds": time.process_time() - spent,
    }


def medians(runs: Mapping[K, Callable[[], Any]], rounds: int) -> dict[K, float]:
    """Median seconds of each, which take turns.

    Args:
      runs: what is timed.
      rounds: turns of each, 1 or more.
    """
    seconds: dict[K, list[float]] = {name: [] for name in runs}
    for _ in range(rounds):
        for name, run in runs.items():
            seconds[name].append(timed(run)["seconds"])
    return {name: statistics.median(each) for name, each in seconds.items()}


def turns(
    runs: Mapping[K, Callable[[], Any]], rounds: int
) -> dict[K, list[dict[str, float]]]:
    """Times (:func:`timed`) of each, which take turns, in another order each round.

    Each turn is run twice and timed the second time: what ran before leaves caches and
    threads that still wait for work, PyTorch's above all, to the first.

    Args:
      runs: what is timed; once each before, untimed, which compiles it.
      rounds: turns of each, 1 or more.
    """
    for run in runs.values():
        run()
    found: dict[K, list[dict[str, float]]] = {name: [] for name in runs}
    order, shuffle = list(runs), random.Random(0).shuffle
    for _ in range(rounds):
        shuffle(order)
        for name in order:
            runs[name]()
            found[name].append(timed(runs[name]))
    return found


def spread(values: Sequence[float]) -> dict[str, float]:
    """``median``, ``low`` and ``high``: the quartiles.

    Example: 1 2 3 4 5 -> 3, 2 and 4.
    """
    low, high = np.quantile(values, (0.25, 0.75))
    return {
        "median": statistics.median(values),
        "low": float(low),
        "high": float(high),
    }


def ratios(ours: Sequence[float], theirs: Sequence[float]) -> dict[str, float]:
    """Spread of ``ours / theirs``, round by round.

    Raises:
      ValueError: there are not equally many rounds.
    """
    return spread([a / b for a, b in zip(ours, theirs, strict=True)])


def percentiles(seconds: Sequence[float]) -> dict[str, float]:
    """``p50``, ``p90`` and ``p99`` of some latencies."""
    return {f"p{p}": float(np.percentile(seconds, p)) for p in (50, 90, 99)}


def exponent(sizes: Sequence[float], seconds: Sequence[float]) -> dict[str, float]:
    """How a cost grows: ``b`` of ``seconds = a sizes ** b``, with a 95 % interval.

    A straight line through logarithms, by least squares; Student's t.

    Example: 1 2 4 and 3 6 12 -> value 1.

    Args:
      sizes: 3 or more, all above 0.
      seconds: above 0.
    """
    from scipy import stats  # slow to import, which starts are measured with

    line = stats.linregress(np.log(sizes), np.log(seconds))
    slope, error = float(line.slope), float(line.stderr)  # type: ignore[attr-defined]
    reach = float(stats.t.ppf(0.975, len(sizes) - 2)) * error
    return {"value": slope, "low": slope - reach, "high": slope + reach}


def load_average() -> float | None:
    """Programs that want a core, over the last minute; None where nobody counts."""
    return os.getloadavg()[0] if hasattr(os, "getloadavg") else None
