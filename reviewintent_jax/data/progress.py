"""A progress bar on a terminal, a plain line every few seconds anywhere else."""

import logging
import time
from types import TracebackType
from typing import Self

from tqdm import tqdm

log = logging.getLogger("reviewintent")

_SECONDS = 10.0  # between plain lines


class Progress:
    """Counts rows as they pass; a context manager.

    Args:
      what: what is being done, for people.
      unit: what is counted.
      total: how many there are, if that is known; the plain lines then come at the
        quarters of the way, so that they are four at most.
    """

    def __init__(
        self, what: str, unit: str = "rows", *, total: int | None = None
    ) -> None:
        self._what, self._unit, self._count = what, unit, 0
        self._total = total
        self._bar = tqdm(
            desc=what, total=total, unit=f" {unit}", disable=None, dynamic_ncols=True
        )
        self._began = self._said = time.monotonic()
        self._told = 0  # the count of the last plain line

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._bar.close()
        if self._told and self._count > self._told and not self._total:
            self._say()

    def update(self, count: int) -> None:
        """Moves on by ``count``."""
        before, self._count = self._count, self._count + count
        self._bar.update(count)
        if self._total:
            quarters = [4 * n // self._total for n in (before, self._count)]
            if self._bar.disable and quarters[1] > quarters[0]:
                self._say()
            return
        now = time.monotonic()
        if self._bar.disable and now - self._said >= _SECONDS:
            self._said = now
            self._say()

    def _say(self) -> None:
        self._told = self._count
        rate = self._count / max(time.monotonic() - self._began, 1e-9)
        count = f"{self._count:,}" + (f" of {self._total:,}" if self._total else "")
        log.info("%s: %s %s, %.0f a second", self._what, count, self._unit, rate)
