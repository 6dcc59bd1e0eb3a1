"""Stopping a run so that nothing is lost: Ctrl-C ends it after the update at hand."""

import logging
import signal
import threading
from types import FrameType, TracebackType
from typing import Any, Self

log = logging.getLogger("reviewintent")


class StopRequest:
    """Notes the first Ctrl-C; a second one interrupts at once, as it usually does.

    A context manager. Python delivers signals to its main thread alone; elsewhere
    nothing is noted, and Ctrl-C does what it did before.

    Attributes:
      made: whether somebody asked to stop.
    """

    def __init__(self) -> None:
        self.made = False
        self._before: Any = None

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            self._before = signal.signal(signal.SIGINT, self._note)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._give_back()

    def _note(self, number: int, frame: FrameType | None) -> None:
        del number, frame
        self.made = True
        self._give_back()
        log.info("Stopping after this update; Ctrl-C again stops at once.")

    def _give_back(self) -> None:
        if self._before is not None:
            signal.signal(signal.SIGINT, self._before)
            self._before = None
