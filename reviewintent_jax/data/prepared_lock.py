"""Serves stages 1 to 6: one process at a time writes to a folder of prepared data.

A lock of the system (``flock``) on ``data.part.lock``, beside the folder: the kernel
gives it back however its holder ends, on a shared file system too. Processes of one
training that prepare in turn do not meet: the first has given it back when the next one
looks, and finds the data ready.
"""

import contextlib
import errno
import fcntl
import logging
import os
import socket
import time
from collections.abc import Iterator
from pathlib import Path

from reviewintent_jax.schema import InputError, TransientError

_log = logging.getLogger("reviewintent")

_BEGINS = "process"  # what we write into the file

_HELD = {errno.EWOULDBLOCK, errno.EAGAIN, errno.EACCES}
_WITHOUT = {errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOLCK, errno.EINVAL}
"""What file systems say that have no locks, or whose server of locks is not there."""


@contextlib.contextmanager
def alone_in(folder: Path) -> Iterator[None]:
    """Nobody else who asks for it writes to ``folder`` meanwhile.

    Raises:
      TransientError: somebody does; says who.
      InputError: a file of others lies in the place of the lock.
    """
    folder = folder.resolve()  # whatever link it is reached by
    path = folder.with_name(f"{folder.name}.part.lock")
    path.parent.mkdir(parents=True, exist_ok=True)
    held = _taken(path, folder)
    try:
        os.ftruncate(held, 0)
        began = time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime())
        me = f"{_BEGINS} {os.getpid()} on {socket.gethostname()}, since {began}"
        os.write(held, me.encode("utf-8"))
        yield
    finally:
        with contextlib.suppress(OSError):
            path.unlink()  # before it is given back, so that it is still ours
        os.close(held)


def _taken(path: Path, folder: Path) -> int:
    """The open file whose lock is ours."""
    while True:
        # Not inherited by workers, which must not hold it longer than we do.
        opened = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
        try:
            _lock(opened, folder)
            if _is_at(path, opened):
                _refuse_foreign(path, opened)
                return opened
        except BaseException:
            os.close(opened)
            raise
        os.close(opened)  # its holder has just removed it: another file counts now


def _lock(opened: int, folder: Path) -> None:
    try:
        fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno in _WITHOUT:
            _log.warning(
                "%s lies where files cannot be locked: see to it that no other process "
                "prepares the same data.",
                folder,
            )
        elif error.errno in _HELD:
            holder = _said(opened) or "another process"
            raise TransientError(
                f"These data are being prepared already, by {holder}.",
                where=str(folder),
                fix="Wait until that is done and give the command again, or end it.",
            ) from None
        elif error.errno != errno.ESTALE:  # which is that of a file that is gone
            raise


def _refuse_foreign(path: Path, opened: int) -> None:
    if _said(opened) and not _said(opened).startswith(_BEGINS):
        raise InputError(
            "A file stands where the lock of the prepared data belongs.",
            where=str(path),
            fix="Move it elsewhere.",
        )


def _said(opened: int) -> str:
    """What the file says of its holder."""
    return os.pread(opened, 1000, 0).decode("utf-8", "replace").strip()


def _is_at(path: Path, opened: int) -> bool:
    """Whether the file has not been removed since it was opened."""
    try:
        return os.path.samestat(path.stat(), os.fstat(opened))
    except OSError:  # of a server too, which no longer knows it
        return False
