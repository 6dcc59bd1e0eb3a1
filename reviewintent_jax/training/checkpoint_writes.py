"""What goes wrong while checkpoints are written in the background.

In: the meeting points of the threads that write, in all processes. Out: the first
failure of this process, at once.
"""

import sys
from collections.abc import Callable


class WriteFailures:
    """Notes a failure where the thread that failed would wait for other processes.

    A thread of Orbax whose writing failed tells so after it has met those of the other
    processes at the end of the save. They wait for it where the writing is done, so
    neither would come. This thread does not go to the meeting but ends with its error.

    Args:
      meet: waits for the other processes; takes ``key`` and ``timeout_ms``.
    """

    def __init__(self, meet: Callable[..., None]) -> None:
        self._meet = meet
        self._failures: list[BaseException] = []

    def meet(self, *, key: str, timeout_ms: int) -> None:
        """Waits for the other processes, unless an error is under way here."""
        failure = sys.exception()
        if failure is not None:
            self._failures.append(failure)
            raise failure
        self._meet(key=key, timeout_ms=timeout_ms)

    def check(self) -> None:
        """Raises the first failure, if there was one; does not wait."""
        if self._failures:
            raise self._failures[0]
