"""The C library's allocator, set for programs that free and ask much at every step."""

import ctypes
import platform

# From glibc's malloc.h: one arena, which maps no block by itself, gives nothing back
# and grows by 256 MiB.
_GLIBC_OPTIONS = (
    (-8, 1),  # M_ARENA_MAX
    (-4, 0),  # M_MMAP_MAX
    (-1, 2**31 - 1),  # M_TRIM_THRESHOLD
    (-2, 2**28),  # M_TOP_PAD
)


def keep_freed_memory() -> bool:
    """Makes this process keep the memory that XLA frees after each step for the next.

    By default glibc gives several hundred megabytes back after every step, and the
    system hands them out again page by page: 15 % of a training step on two CPU cores.
    For programs whose arrays have the same shapes at every step alone: shapes that vary
    (PyTorch with dynamic padding) leave holes, and the memory grows without end.

    Returns:
      Whether it was done; elsewhere than on Linux with glibc nothing is changed.
    """
    if platform.libc_ver()[0] != "glibc":
        return False
    library = ctypes.CDLL(None)
    taken = [library.mallopt(*option) for option in _GLIBC_OPTIONS]
    return all(answer == 1 for answer in taken)
