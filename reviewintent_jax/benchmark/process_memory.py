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
    does not count; that takes time, so nothing should be timed here. What the system
    says of the peak of the process is that since here from then on.
    """
    if platform.libc_ver()[0] == "glibc":
        ctypes.CDLL(None).malloc_trim(0)
    told = _forget_peak()
    work()
    if not told:
        return None
    lines = Path("/proc/self/status").read_text("ascii").splitlines()
    peaks = [line.split()[1] for line in lines if line.startswith("VmHWM")]
    return int(peaks[0]) * _KIB if peaks else None


def _forget_peak() -> bool:
    """Lets the peak begin anew; whether the system does so."""
    try:
        Path("/proc/self/clear_refs").write_text(_FORGET_PEAK, "ascii")
    except OSError:
        return False
    return True
