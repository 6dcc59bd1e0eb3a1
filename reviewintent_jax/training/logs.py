"""What a run tells while it trains: a progress bar, JSON lines, TensorBoard.

On a terminal there is one bar (rate, loss, time left); where the output is no terminal
the same facts come as plain lines.
"""

import json
import logging
import sys
import time
from pathlib import Path
from typing import Any

from tqdm import tqdm

from reviewintent_jax.schema import RunFolder
from reviewintent_jax.training import hosts

log = logging.getLogger("reviewintent")

_UNSHOWN = ("epoch", "gradient_norm", "learning_rate_", "reviews_", "windows_")
"""Figures of a line for machines that a line for people does without."""


class RunLog:
    """Records of a run; a context manager.

    A run that is resumed at ``step`` drops the records of later steps, which it is
    about to write again.

    Args:
      run: the run's folder.
      step: updates already done.
      seen: items already seen.
      total: items to be seen in all.
      units: what the items are, such as ``reviews``.
    """

    def __init__(
        self, run: RunFolder, *, step: int, seen: int, total: int, units: str
    ) -> None:
        run.root.mkdir(parents=True, exist_ok=True)
        _keep_until(run.log, step)
        self._lines = run.log.open("a", encoding="utf-8")
        self._board = _board(run.tensorboard, step)
        self._bar = tqdm(
            desc="Training",
            total=total,
            initial=seen,
            unit=f" {units}",
            disable=None,
            dynamic_ncols=True,
            smoothing=0.05,
        )
        self._began, self._first = time.monotonic(), seen
        self.seen, self._total, self._units = seen, total, units

    def __enter__(self) -> "RunLog":
        return self

    def __exit__(self, *error: object) -> None:
        self._bar.close()
        self._board.close()
        self._lines.close()

    def advance(self, items: int) -> None:
        """Moves the bar on by some items."""
        self.seen += items
        self._bar.update(items)

    @property
    def rate(self) -> float:
        """Items per second since this process began to train."""
        seconds = time.monotonic() - self._began
        return (self.seen - self._first) / max(seconds, 1e-9)

    def write(self, kind: str, step: int, **values: Any) -> None:
        """Records ``values`` of a step in the JSON lines and in TensorBoard."""
        line = {"kind": kind, "step": step, **values}
        self._lines.write(json.dumps(line) + "\n")
        self._lines.flush()
        for name, value in values.items():
            if isinstance(value, int | float):
                self._board.add_scalar(f"{kind}/{name}", value, step)
        if kind == "train":
            self._bar.set_postfix(loss=f"{values['loss']:.3f}", refresh=False)
        if self._bar.disable:
            log.info("%s", self._plain(kind, step, values))

    def _plain(self, kind: str, step: int, values: dict[str, Any]) -> str:
        shown = {k: v for k, v in values.items() if not k.startswith(_UNSHOWN)}
        seen = f"{self.seen:,} of {self._total:,} {self._units}"
        facts = [f"{kind} step {step}", seen]
        facts += [f"{k} {v:.4g}" for k, v in shown.items() if isinstance(v, float)]
        facts.append(f"{self.rate:.0f} {self._units}/s")
        if self.seen < self._total:
            left = (self._total - self.seen) / max(self.rate, 1e-9)
            facts.append(f"{time.strftime('%H:%M:%S', time.gmtime(left))} left")
        return ", ".join(facts)


class SilentLog:
    """The log of a process that leaves the speaking to another; records nothing.

    Attributes:
      seen: items seen.
      rate: unknown, 0.
    """

    rate = 0.0

    def __init__(self, seen: int) -> None:
        self.seen = seen

    def __enter__(self) -> "SilentLog":
        return self

    def __exit__(self, *error: object) -> None:
        pass

    def advance(self, items: int) -> None:
        """Counts some items."""
        self.seen += items

    def write(self, kind: str, step: int, **values: Any) -> None:
        """Records nothing."""


def open_log(
    run: RunFolder, *, step: int, seen: int, total: int, units: str
) -> RunLog | SilentLog:
    """The records of a run on its first process; see :class:`RunLog`."""
    if not hosts.is_first():
        return SilentLog(seen)
    return RunLog(run, step=step, seen=seen, total=total, units=units)


def _board(folder: Path, step: int) -> Any:
    """TensorBoard's files of a run, with nothing in them after ``step``.

    tensorboardX imports PyTorch wherever it finds it, for tensors that are never given
    to it here: seconds of every start, and memory. So it does not find it.
    """
    hidden = "torch" not in sys.modules
    if hidden:
        sys.modules["torch"] = None  # type: ignore[assignment]
    try:
        from tensorboardX import SummaryWriter
    finally:
        if hidden:
            del sys.modules["torch"]
    return SummaryWriter(str(folder), purge_step=step or None)


def _keep_until(path: Path, step: int) -> None:
    """Drops records of steps that a resumed run will do again, and a torn last line."""
    if not path.is_file():
        return
    kept = []
    for line in path.read_text("utf-8").splitlines():
        try:
            record = json.loads(line)
        except json.JSONDecodeError:
            continue
        if step and isinstance(record, dict) and record.get("step", step) <= step:
            kept.append(line)
    path.write_text("".join(line + "\n" for line in kept), "utf-8")


def say(text: str) -> None:
    """Prints a line for people without tearing a progress bar."""
    tqdm.write(text, file=sys.stdout)
