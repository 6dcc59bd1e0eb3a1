"""Several processes as one run: who speaks, who waits, who has failed.

One process is the *first*: it prepares data and writes logs, results and reports; the
others follow. All of them share the run's folder, which lies on a shared file system.
With one process everything here does nothing.
"""

import itertools
from collections.abc import Callable
from typing import Any, TypeVar

import jax
from jax._src import distributed  # the key-value store has no public name yet

from reviewintent_jax.schema import InputError, TransientError

T = TypeVar("T")

_LONGEST_WAIT_MS = 7 * 24 * 3600 * 1000
"""For the work of the first process, such as preparing data; should the process end,
the heartbeat ends the wait at once."""

_DONE, _MISTAKE, _PASSES = "+-~"
"""How what the first process tells the others begins."""

_turns = itertools.count()


class SaidElsewhereError(InputError):
    """A mistake of the user that the first process reports; the others stay quiet."""


class TransientElsewhereError(SaidElsewhereError, TransientError):
    """The same of what may pass: all processes end with the code of that."""


def count() -> int:
    """Processes of this run."""
    return jax.process_count()


def is_first() -> bool:
    """Whether this process speaks and writes for all."""
    return jax.process_index() == 0


def _store() -> Any:
    """The key-value store that process 0 keeps for all."""
    return distributed.global_state.client


def wait(what: str) -> None:
    """Waits until every process has come here; ``what`` names the place."""
    if count() > 1:
        key = f"reviewintent/{what}/{next(_turns)}"
        _store().wait_at_barrier(key, _LONGEST_WAIT_MS)


def in_turn(what: str, work: Callable[[], T]) -> T:
    """Does ``work`` on the first process and, when that is done, on the others.

    Work that finds done what the first process did, such as preparing data, is done
    once. Every process must call this at the same point.

    Raises:
      InputError: as ``work`` does; where the first process fails, the others raise
        :class:`SaidElsewhereError` or :class:`TransientElsewhereError`, and do not
        begin.
    """
    done: list[T] = []

    def first() -> str:
        done.append(work())
        return ""

    told(what, first)
    return done[0] if done else work()


def told(what: str, say: Callable[[], str]) -> str:
    """What ``say`` returns on the first process, told to all.

    Every process must call this at the same point.

    Raises:
      InputError: as ``say`` does; on the others as :class:`SaidElsewhereError`, or
        as :class:`TransientElsewhereError` if it may pass.
    """
    if count() == 1:
        return say()
    key = f"reviewintent/{what}/{next(_turns)}"
    client = _store()
    if is_first():
        try:
            answer = say()
        except InputError as error:
            mark = _PASSES if isinstance(error, TransientError) else _MISTAKE
            client.key_value_set(key, f"{mark}{error.what}")
            raise
        client.key_value_set(key, f"{_DONE}{answer}")
        return answer
    heard = client.blocking_key_value_get(key, _LONGEST_WAIT_MS)
    mark, words = heard[0], heard[1:]
    if mark == _DONE:
        return words
    kind = TransientElsewhereError if mark == _PASSES else SaidElsewhereError
    raise kind(words)


def raise_once(error: InputError) -> None:
    """Raises what every process found at the same point; the first one reports it."""
    raise error if is_first() else SaidElsewhereError(error.what)


def others_do_not_wait(kind: type | None) -> bool:
    """Whether others have ended, or know nothing of an error that came up here alone.

    Mistakes are found by all at the same point; what passes, such as a full disk, may
    befall one.
    """
    if kind is None or count() == 1 or not issubclass(kind, Exception):
        return False
    return issubclass(kind, TransientError) or not issubclass(kind, InputError)
