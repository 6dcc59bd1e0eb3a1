"""Stopping a run so that nothing is lost: after the update at hand, with all saved.

Ctrl-C stops it, and so does SIGTERM, with which schedulers give notice. In a run of
several processes JAX passes the notice of one on to all and says after which update
they stop together.
"""

import logging
import os
import signal
import threading
from types import FrameType, TracebackType
from typing import Any, Self

from jax.experimental import multihost_utils

from reviewintent_jax.training import hosts

log = logging.getLogger("reviewintent")


class Preempted(Exception):  # noqa: N818 - nothing went wrong
    """The run was told to stop (SIGTERM), and has saved all that it needs to go on."""


class StopRequest:
    """Notes the first Ctrl-C or SIGTERM; a second Ctrl-C interrupts at once.

    A context manager. Python delivers signals to its main thread alone; elsewhere
    nothing is noted, and signals do what they did before.
    """

    def __init__(self) -> None:
        self._asked: int | None = None
        self._reached = False
        self._before: dict[int, Any] = {}

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            # With several processes SIGTERM is JAX's own: see multihost_utils.
            numbers = [signal.SIGINT, *([] if hosts.count() > 1 else [signal.SIGTERM])]
            self._before = {n: signal.signal(n, self._note) for n in numbers}
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._give_back()

    def reached(self, step: int) -> bool:
        """Whether to stop after ``step`` updates; asked once after every update.

        The answer is the same in all processes.
        """
        if hosts.count() > 1:
            asked = multihost_utils.reached_preemption_sync_point(step)
        else:
            asked = self._asked is not None
        self._reached = self._reached or asked
        return self._reached

    def leave(self, step: int) -> None:
        """Ends the training after everything is saved.

        Raises:
          KeyboardInterrupt: after Ctrl-C.
          Preempted: after SIGTERM.
        """
        if self._asked == signal.SIGINT:
            raise KeyboardInterrupt
        raise Preempted(f"Stopped after step {step}, which is saved.")

    def _note(self, number: int, frame: FrameType | None) -> None:
        del frame
        self._asked = number
        self._give_back()
        again = "; Ctrl-C again stops at once" if number == signal.SIGINT else ""
        log.info("Stopping after this update%s.", again)
        if hosts.count() > 1:
            os.kill(os.getpid(), signal.SIGTERM)  # the notice that reaches all

    def _give_back(self) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
        self._before = {}
