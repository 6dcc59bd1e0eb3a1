"""Peak memory of this process while it does something."""

import ctypes
import platform
from collections.abc import Callable
from pathlib import Path
from typing import Any

_KIB = 1024  # Linux counts in KiB
_FORGET_PEAK = "5"  # man 5 proc, clear_refs: the peak begins anew at what is in use


def peak_of(work: Callable[[], Any]) -> int | None:
    """Does something and returns the peak in bytes; None where the system cannot tell.

    It is that of the whole process, what it holds all the time among it. Memory that
    was freed before and kept for later is given back first, so that what came before
    does not count; that takes time, so nothing should be timed here.
    """
    told = Path("/proc/self/status")
    try:
        if platform.libc_ver()[0] == "glibc":
            ctypes.CDLL(None).malloc_trim(0)
        Path("/proc/self/clear_refs").write_text(_FORGET_PEAK, "ascii")
        work()
        lines = told.read_text("ascii").splitlines()
    except OSError:
        return None
    kib = next(line.split()[1] for line in lines if line.startswith("VmHWM"))
    return int(kib) * _KIB
