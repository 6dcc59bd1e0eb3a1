"""The process of a measurement: does the next step of a job for every line it reads.

In: the name of a job, its arguments and lines of stdin; see ``runner.py``. Out: a line
of JSON for each.
"""

import json
import sys

from reviewintent_jax.allocator import collect_rarely, keep_freed_memory

if __name__ == "__main__":
    # Before the imports below start threads. Systems whose arrays change shape keep the
    # usual allocator.
    if not any(word in sys.argv[1][:40] for word in ("torch", "pipeline", "onnx")):
        keep_freed_memory()
        collect_rarely()  # as all commands do

import importlib
import os
import resource
from collections.abc import Iterator
from typing import Any

from reviewintent_jax.benchmark.absent import AbsentError
from reviewintent_jax.schema import InputError

JOBS = {
    "peaks": "here:measure_peaks",
    "sizes": "sizes:measure_sizes",
    "latency": "latency:measure_latency",
    "training": "training:measure_training",
    "start": "start:measure_start",
    "torch training": "torch_training:measure_torch_training",
    "scoring": "scoring:measure_scoring",
    "pipeline scoring": "pipeline_scoring:measure_pipeline",
    "onnx scoring": "onnx_scoring:measure_onnx",
    "recurrent": "recurrent:measure_layers",
    "whole lstnet": "whole_lstnet:measure_whole",
    "windows once": "windows_once:measure_windows_once",
    "cost": "cost:measure_cost",
    "rows": "cost:measure_rows",
    "claimed": "claimed:measure_claimed",
}
"""Job -> module of this room and function."""

_KIB = 1024  # Linux counts peaks in KiB


def serve(given: dict[str, Any]) -> None:
    """Does a job in this process, one step for every line of stdin."""
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "w")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # whatever libraries print
    steps: Iterator[dict[str, Any]] | None = None
    for line in sys.stdin:
        if line.strip() == "end":
            peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * _KIB
            said: dict[str, Any] = {"peak_bytes": peak}
        else:
            try:
                if steps is None:
                    steps = begin(given["job"], given["arguments"])
                said = next(steps, {"ended": True})
            except AbsentError as absent:
                said = {"absent": str(absent)}
            except InputError as error:
                said = {"failed": str(error)}
            except Exception as error:
                said = {"failed": f"{type(error).__name__}: {error}"[:600]}
        answers.write(json.dumps(said) + "\n")
        answers.flush()
        if line.strip() == "end":
            return


def begin(job: str, arguments: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The generator of a job.

    Args:
      job: of :data:`JOBS`.
      arguments: of it.
    """
    module, function = JOBS[job].split(":")
    room = importlib.import_module(f"reviewintent_jax.benchmark.{module}")
    return getattr(room, function)(**arguments)


if __name__ == "__main__":
    serve(json.loads(sys.argv[1]))
