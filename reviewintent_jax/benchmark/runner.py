"""Measurements in processes of their own that take turns.

In: parts, each with one or several *workers*: the name of a job and its arguments. Out:
what every worker said, round by round.

A job is a generator: its first ``next`` prepares and yields facts, every further one
does one round and yields what it measured. Each runs in a process of its own, so that
its peak memory, its allocator, its threads and what it has compiled are its own; where
several are compared, one does a round, then the next, so that a machine that slows down
slows all of them.
"""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

_WORKER = "reviewintent_jax.benchmark.worker"


class Job(NamedTuple):
    """What one process does.

    Attributes:
      name: of ``worker.JOBS``.
      arguments: its keyword arguments, plain JSON values.
    """

    name: str
    arguments: dict[str, Any]


class Part(NamedTuple):
    """One measurement.

    Attributes:
      name: of the part, such as ``latency of BERT alone``.
      workers: system -> what it does; those of several systems take turns.
      rounds: most rounds of each.
    """

    name: str
    workers: dict[str, Job]
    rounds: int

    def settings(self) -> dict[str, Any]:
        """What decides about the measurement, as plain JSON values."""
        said = {name: list(job) for name, job in self.workers.items()}
        given = json.loads(json.dumps({"workers": said, "rounds": self.rounds}))
        return _without_folders(given)


def run_part(part: Part) -> dict[str, dict[str, Any]]:
    """Runs the workers of a part and returns, for each, what it said.

    Returns:
      System -> ``facts``, ``rounds`` (a list) and ``peak_bytes``; or ``absent`` (why it
      is not there), or ``failed`` (what went wrong).
    """
    found: dict[str, dict[str, Any]] = {}
    alive: dict[str, _Worker] = {}
    try:
        for name, job in part.workers.items():
            worker = _Worker(job)
            said = worker.next()
            found[name] = {"facts": said, "rounds": []} if _fine(said) else said
            if _fine(said):
                alive[name] = worker
            else:
                worker.close()
        for turn in range(part.rounds):
            order = list(alive)
            for name in order if turn % 2 == 0 else reversed(order):
                said = alive[name].next()
                if not _fine(said):
                    found[name] |= said
                if said.get("ended") or not _fine(said):
                    found[name]["peak_bytes"] = alive.pop(name).close()
                else:
                    found[name]["rounds"].append(said)
            if not alive:
                break
        for name, worker in alive.items():
            found[name]["peak_bytes"] = worker.close()
    finally:
        for worker in alive.values():
            worker.close()
    return found


def _fine(said: dict[str, Any]) -> bool:
    return "absent" not in said and "failed" not in said


class _Worker:
    """A process that does a job, one step for every line it is sent."""

    def __init__(self, job: Job) -> None:
        given = {"job": job.name, "arguments": job.arguments}
        self._process = subprocess.Popen(
            [sys.executable, "-m", _WORKER, json.dumps(given)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._peak: int | None = None

    def next(self) -> dict[str, Any]:
        """The next thing it says; ``failed`` where it has died."""
        said = self._ask("next")
        code = None if said else self._process.wait()
        return said or {"failed": f"its process ended with code {code}"}

    def close(self) -> int | None:
        """Ends the process; returns its peak memory in bytes, if it lives to say it."""
        if self._process.poll() is None:
            said = self._ask("end")
            self._peak = said.get("peak_bytes", self._peak)
            self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()
        return self._peak

    def _ask(self, word: str) -> dict[str, Any]:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        try:
            self._process.stdin.write(f"{word}\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            return {}
        line = self._process.stdout.readline()
        return json.loads(line) if line else {}


def open_records(path: Path) -> dict[str, Any]:
    """Parts that were measured before, from the file of the results."""
    if not path.exists():
        return {}
    return json.loads(path.read_text("utf-8"))["parts"]


def _without_folders(value: Any) -> Any:
    """The same with paths shortened to file names: the rest belongs to a machine."""
    if isinstance(value, dict):
        return {key: _without_folders(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_without_folders(each) for each in value]
    return Path(value).name if isinstance(value, str) and "/" in value else value
