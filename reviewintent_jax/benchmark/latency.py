"""How long an answer takes: so many items of one length, asked for one after another.

In: a config, numbers of items and lengths. Out: one record for each of their pairs:
latencies by percentile and items a second. The weights are drawn, for what they are
changes nothing; host arrays go in and host arrays come out, as in a service.
"""

import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import jax

from reviewintent_jax.benchmark.systems import build_system
from reviewintent_jax.benchmark.timing import percentiles, timed


def measure_latency(
    *,
    values: Mapping[str, Any],
    folder: str,
    batches: Sequence[int],
    lengths: Sequence[int],
    calls: int,
    seconds: float,
) -> Iterator[dict[str, Any]]:
    """Yields what is asked, then one record for each number of items and length.

    Args:
      values: of the config.
      folder: for prepared data.
      batches: numbers of items that are asked about at once.
      lengths: of an item; a system of windows has one only, its own.
      calls: most calls of a pair.
      seconds: that the calls of a pair take at most, three calls apart.
    """
    system = build_system(values, folder)
    task: Any = system.task  # which task it is makes no difference here
    params = task.first_state(task.make_optimizer()).draw().params
    lengths = system.lengths(lengths)
    yield {"items": system.items, "reads": system.reads, "lengths": list(lengths)}
    for length in lengths:
        for items in batches:
            question = system.question(items, length)

            def ask(question: Any = question) -> None:
                jax.device_get(question.answer(params, question.batch))

            compiling = timed(ask)["seconds"]
            taken: list[float] = []
            began = time.perf_counter()
            while len(taken) < calls:
                taken.append(timed(ask)["seconds"])
                if len(taken) >= 3 and time.perf_counter() - began > seconds:
                    break
            found = percentiles(taken)
            yield {
                "batch": items,
                "length": length,
                "calls": len(taken),
                "first_seconds": compiling,
                "seconds": found,
                "items_per_second": items / found["p50"],
                "flops": question.flops,
            }
