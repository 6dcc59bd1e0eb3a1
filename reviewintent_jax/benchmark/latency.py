"""How long an answer takes: so many items of one length, asked for one after another.

In: a config, numbers of items and lengths. Out: one record for each of their pairs:
latencies by percentile, items a second and peak memory. The weights are drawn, for what
they are changes nothing; host arrays go in and host arrays come out, as in a service.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import jax

from reviewintent_jax.benchmark.process_memory import peak_of
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
    few_calls: int,
) -> Iterator[dict[str, Any]]:
    """Yields what is asked, then one record for each number of items and length.

    Args:
      values: of the config.
      folder: for prepared data.
      batches: numbers of items that are asked about at once.
      lengths: of an item; a system of windows has one only, its own.
      calls: of a pair, where they fit into ``seconds``.
      seconds: that all calls of a pair may take.
      few_calls: of a pair where they do not fit.
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
            peak = peak_of(ask)
            one = min(timed(ask)["seconds"] for _ in range(2))
            times = calls if one * calls <= seconds else min(few_calls, calls)
            taken = [timed(ask)["seconds"] for _ in range(times)]
            found = percentiles(taken)
            yield {
                "batch": items,
                "length": length,
                "calls": len(taken),
                "first_seconds": compiling,
                "peak_bytes": peak,
                "seconds": found | {"longest": max(taken)},
                "items_per_second": items / found["p50"],
                "flops": question.flops,
            }
