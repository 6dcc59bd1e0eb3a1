"""Starts training and starts it again when it fails: ``python -m launch.supervise --
--config=configs/yelp.py --workdir=runs/yelp``.

What stands after ``--`` are the flags of ``launch.train``. With ``--processes=2`` it
starts two processes of this machine as one run, as a cluster would. All of them are
started again when one fails, with the newest checkpoint. A mistake in the config (exit
code 2) is not tried again. After SIGTERM, Ctrl-C or hanging up the run saves and ends.

On several hosts, start one of these on each, with the environment that
:mod:`launch.distributed` describes.
"""

import logging
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Sequence

from absl import app, flags

from launch.gpus import count_gpus, share

_PROCESSES = flags.DEFINE_integer(
    "processes", 1, "Processes to start on this machine.", lower_bound=1
)
_RESTARTS = flags.DEFINE_integer(
    "restarts", 10, "How often to start again after a failure.", lower_bound=0
)
_GRACE = flags.DEFINE_float(
    "grace_seconds",
    60.0,
    "When one process has failed, how long the others may take to end by themselves.",
    lower_bound=0.0,
)
_PAUSE = flags.DEFINE_float(
    "pause_seconds", 5.0, "Before starting again.", lower_bound=0.0
)

INPUT_ERROR = 2
STOPPED = 75
"""Exit code of a process that was told to stop and has saved."""
_TICK = 0.1

log = logging.getLogger("supervise")


class Supervisor:
    """Keeps one run going.

    Args:
      words: flags of ``launch.train``.
      processes: how many to start; with 1 the environment is passed on as it is.
      grace: seconds that processes have to end when another has failed.
    """

    def __init__(self, words: Sequence[str], processes: int, grace: float) -> None:
        self._command = [sys.executable, "-m", "launch.train", *words]
        self._command += [f"--preempted_exit_code={STOPPED}"]
        self._processes, self._grace = processes, grace
        self._running: list[subprocess.Popen] = []
        self.told: int | None = None

    def stop(self, number: int, frame: object) -> None:
        """Tells the processes to save and end; a handler of signals."""
        del frame
        self.told = number
        self._tell()

    def _tell(self) -> None:
        for process in self._running:
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)

    def run(self, restarts: int, pause: float) -> int:
        """Starts, and starts again; returns the exit code for the whole."""
        for attempt in range(restarts + 1):
            codes = self.attempt()
            if self.told is not None:
                # Before training begins SIGTERM just ends a process; nothing is lost.
                well = set(codes) <= {0, STOPPED, -signal.SIGTERM}
                return 0 if well else max(map(_shell_code, codes))
            if not any(codes):
                return 0
            if INPUT_ERROR in codes:
                return INPUT_ERROR
            if attempt < restarts:
                again = f"starting again ({attempt + 1} of {restarts} times)"
                log.warning("%s; %s.", describe(codes), again)
                if not self._pause(pause):
                    return 0  # told to stop while nothing ran
        log.error("%s; giving up after %d restarts.", describe(codes), restarts)
        return max(map(_shell_code, codes))

    def _pause(self, seconds: float) -> bool:
        """Waits; returns whether to go on: False once told to stop."""
        end = time.monotonic() + seconds
        while self.told is None and time.monotonic() < end:
            time.sleep(_TICK)
        return self.told is None

    def attempt(self) -> list[int]:
        """Starts all processes once; returns their exit codes, negative for signals."""
        self._running = [
            # In sessions of their own, so that Ctrl-C and hanging up come through here.
            subprocess.Popen(
                self._command, env=os.environ | place, start_new_session=True
            )
            for place in _places(self._processes)
        ]
        if self.told is not None:  # while they were started
            self._tell()
        deadline = float("inf")
        while any(process.poll() is None for process in self._running):
            if any(process.poll() for process in self._running):
                deadline = min(deadline, time.monotonic() + self._grace)
            if time.monotonic() > deadline:
                for process in self._running:
                    process.kill()
            time.sleep(_TICK)
        return [process.wait() for process in self._running]


def _places(processes: int) -> list[dict[str, str]]:
    """What the environment tells each process, its share of the GPUs included."""
    if processes == 1:
        return [{}]
    with socket.socket() as probe:
        probe.bind(("localhost", 0))
        address = f"localhost:{probe.getsockname()[1]}"
    return [
        {
            "JAX_COORDINATOR_ADDRESS": address,
            "JAX_NUM_PROCESSES": str(processes),
            "JAX_PROCESS_ID": str(process),
            **_devices(process, processes),
        }
        for process in range(processes)
    ]


def _devices(process: int, processes: int) -> dict[str, str]:
    """Nothing where there are too few GPUs: processes then use the cores."""
    gpus = count_gpus(os.environ)
    if gpus < processes:
        return {}
    own = share(gpus, process, processes)
    return {"JAX_LOCAL_DEVICE_IDS": ",".join(map(str, own))}


def _shell_code(code: int) -> int:
    """Exit code as shells count: 128 and the signal."""
    return code if code >= 0 else 128 - code


def describe(codes: Sequence[int]) -> str:
    """How processes ended, in words.

    Example: ``[1, -9]`` -> ``process 0 failed with code 1, process 1 was killed
    (SIGKILL)``.
    """
    said = []
    for process, code in enumerate(codes):
        if code < 0:
            said.append(f"process {process} was killed ({signal.Signals(-code).name})")
        elif code == STOPPED:
            said.append(f"process {process} was told to stop")
        elif code:
            said.append(f"process {process} failed with code {code}")
    return ", ".join(said) or "all processes ended well"


def main(argv: list[str]) -> None:
    """Flags of the training in, exit code out."""
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter("Supervisor: %(message)s"))
    log.handlers[:], log.propagate = [handler], False
    supervisor = Supervisor(argv[1:], _PROCESSES.value, _GRACE.value)
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, supervisor.stop)
    sys.exit(supervisor.run(_RESTARTS.value, _PAUSE.value))


if __name__ == "__main__":
    app.run(main)
