"""Runs of several real processes on this machine, started as a cluster starts them."""

import dataclasses
import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import jax

from reviewintent_jax.schema import RunFolder

ROOT = Path(__file__).parents[2]
LIMIT = 300  # seconds that anything may take, on a busy machine too


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("localhost", 0))
        return probe.getsockname()[1]


def environment(devices: int) -> dict[str, str]:
    return os.environ | {
        "JAX_PLATFORMS": "cpu",
        "JAX_NUM_CPU_DEVICES": str(devices),
        "HF_HUB_OFFLINE": "1",
        "JAX_COMPILATION_CACHE_DIR": str(jax.config.jax_compilation_cache_dir),
        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0.1",
        # On CPU only process 0 finds its programs in the cache; the others compile them
        # at every start, which takes longer than all that they then do.
        "JAX_DISABLE_MOST_OPTIMIZATIONS": "1",
    }


@dataclasses.dataclass
class Job:
    """One run: its command, and the processes of its present start.

    ``logs`` are the outputs of each process: of the last start.
    """

    folder: Path
    flags: list[str]
    module: str = "launch.train"
    processes: list[subprocess.Popen] = dataclasses.field(default_factory=list)

    @property
    def run(self) -> RunFolder:
        return RunFolder(self.folder / "run")

    def start(self, processes: int, devices: int = 1, **flags: object) -> "Job":
        port, command = free_port(), [sys.executable, "-m", self.module, *self.flags]
        command += [f"--workdir={self.run.root}", "--heartbeat_seconds=10"]
        command += [f"--{name}={value}" for name, value in flags.items()]
        self.folder.mkdir(exist_ok=True)
        self.processes = []
        for process in range(processes):
            place = {
                "JAX_COORDINATOR_ADDRESS": f"localhost:{port}",
                "JAX_NUM_PROCESSES": str(processes),
                "JAX_PROCESS_ID": str(process),
            }
            with self.log(process).open("w") as log:
                self.processes.append(
                    subprocess.Popen(
                        command,
                        cwd=ROOT,
                        env=environment(devices) | place,
                        stdout=log,
                        stderr=subprocess.STDOUT,
                    )
                )
        return self

    def log(self, process: int) -> Path:
        return self.folder / f"process_{process}.log"

    def said(self, process: int) -> str:
        return self.log(process).read_text(errors="replace")

    def codes(self, limit: float = LIMIT) -> list[int]:
        """Exit codes, once all processes have ended; kills what does not end."""
        end = time.monotonic() + limit
        try:
            return [p.wait(max(0.1, end - time.monotonic())) for p in self.processes]
        finally:
            self.kill()

    def kill(self) -> None:
        for process in self.processes:
            if process.poll() is None:
                process.kill()
                process.wait()

    def finish(self) -> "Job":
        """Waits for an end without fault."""
        codes = self.codes()
        everything = "\n".join(self.said(p) for p in range(len(codes)))
        assert codes == [0] * len(codes), everything
        return self

    def signal_at(self, step: int, number: signal.Signals, process: int) -> None:
        """Sends a signal to one process once the run has reported a step."""
        end = time.monotonic() + LIMIT
        while not any(found >= step for found in self.losses()):
            ended = [p.poll() for p in self.processes]
            assert not any(code is not None for code in ended), self.said(0)
            assert time.monotonic() < end
            time.sleep(0.01)
        self.processes[process].send_signal(number)

    def losses(self) -> dict[int, float]:
        """The training loss of every step that the log tells of."""
        lines = self.run.log.read_text().splitlines() if self.run.log.is_file() else []
        records = [json.loads(line) for line in lines if line.endswith("}")]
        return {r["step"]: r["loss"] for r in records if r["kind"] == "train"}
