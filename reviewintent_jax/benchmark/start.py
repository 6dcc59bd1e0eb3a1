"""How long ``launch.train`` takes from its start to its first update.

In: a config, and a folder for the run and for compiled programs. Out: seconds until the
first update stands in the run's log: cold, with nothing prepared and nothing compiled,
and then again and again, with both kept as a first run left them.
"""

import json
import os
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from reviewintent_jax.benchmark.absent import AbsentError
from reviewintent_jax.schema import RunFolder

_POLL = 0.01  # seconds
_CONFIG = """import json
from pathlib import Path

from ml_collections import ConfigDict


def get_config() -> ConfigDict:
    values = Path(__file__).with_name("values.json").read_text("utf-8")
    return ConfigDict(json.loads(values))
"""


def measure_start(
    *, values: Mapping[str, Any], folder: str
) -> Iterator[dict[str, Any]]:
    """Yields the cold start, then a warm one a round.

    Each is ``seconds`` on the wall and ``cpu_seconds`` of all cores together.

    Args:
      values: of the config.
      folder: emptied first.

    Raises:
      AbsentError: its data are not there.
    """
    data = values["data"]
    path = Path(str(data.get("path")))
    if data.get("kind", "table") == "table" and not path.exists():
        raise AbsentError(f"the data are not there: {path.name}")
    root = Path(folder).absolute()
    shutil.rmtree(root, ignore_errors=True)
    root.mkdir(parents=True)
    (root / "config.py").write_text(_CONFIG, "utf-8")
    (root / "values.json").write_text(json.dumps(dict(values)), "utf-8")
    while True:
        spent = _spent()
        seconds = _first_update(root)
        yield {"seconds": seconds, "cpu_seconds": _spent() - spent}


def _spent() -> float:
    """CPU seconds of all processes that this one started and that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _first_update(root: Path) -> float:
    """Seconds from starting the command to its first update; it is ended then.

    Raises:
      RuntimeError: it ended before.
    """
    run = RunFolder(root / "run")
    if run.root.exists():
        for each in set(run.root.iterdir()) - {run.prepared}:
            shutil.rmtree(each) if each.is_dir() else each.unlink()
    command = [sys.executable, "-m", "launch.train"]
    command += [f"--config={root / 'config.py'}", f"--workdir={run.root}"]
    with tempfile.TemporaryFile("w+") as said:
        began = time.perf_counter()
        process = subprocess.Popen(
            command,
            stdout=said,
            stderr=said,
            env=os.environ | {"XDG_CACHE_HOME": str(root / "cache")},
            start_new_session=True,
        )
        try:
            while not _has_update(run.log):
                if process.poll() is not None:
                    said.seek(0)
                    raise RuntimeError(f"launch.train ended: {said.read()[-400:]}")
                time.sleep(_POLL)
            return time.perf_counter() - began
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def _has_update(log: Path) -> bool:
    return log.is_file() and '"train"' in log.read_text("utf-8")
