"""How a process keeps its memory, for programs that free and ask much at every step."""

import ctypes
import gc
import platform

# From glibc's malloc.h: one arena, which maps no block by itself, gives nothing back
# and grows by 256 MiB.
_GLIBC_OPTIONS = (
    (-8, 1),  # M_ARENA_MAX
    (-4, 0),  # M_MMAP_MAX
    (-1, 2**31 - 1),  # M_TRIM_THRESHOLD
    (-2, 2**28),  # M_TOP_PAD
)
_HUGE_PAGE = 2**21
_HUGE_REGION = 2**30  # addresses, not memory: what is never used costs nothing
_MADV_HUGEPAGE = 14  # of Linux's mman.h
_YOUNG = 50_000  # objects that are made before Python looks for dead cycles


def keep_freed_memory() -> bool:
    """Makes this process keep the memory that XLA frees after each step for the next.

    By default glibc gives several hundred megabytes back after every step, and the
    system hands them out again page by page: a third of the CPU time of a
    forecast's training. What the process keeps is also laid on huge pages where the
    system allows programs to ask for them.

    Call it before anything starts a thread: a thread that has been given an arena of
    its own keeps it, and gives memory back from there. That is before NumPy is
    imported. For programs whose arrays have the same shapes at every step alone: shapes
    that vary (PyTorch with dynamic padding) leave holes, and the memory grows without
    end.

    Returns:
      Whether it was done; elsewhere than on Linux with glibc nothing is changed.
    """
    if platform.libc_ver()[0] != "glibc":
        return False
    library = ctypes.CDLL(None)
    taken = [library.mallopt(*option) for option in _GLIBC_OPTIONS]
    if not all(answer == 1 for answer in taken):
        return False
    _ask_for_huge_pages(library)
    return True


def _ask_for_huge_pages(library: ctypes.CDLL) -> None:
    """Lets the heap's next gibibyte lie on pages of 2 MiB; nothing is lost if refused.

    The options above make the heap grow once and stay, so its addresses are known.
    """
    library.malloc.restype = ctypes.c_void_p
    library.malloc.argtypes = [ctypes.c_size_t]
    library.free.argtypes = [ctypes.c_void_p]
    library.madvise.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]
    block = library.malloc(_HUGE_REGION)
    if not block:
        return
    start = -(-block // _HUGE_PAGE) * _HUGE_PAGE
    library.madvise(start, _HUGE_REGION - _HUGE_PAGE, _MADV_HUGEPAGE)
    library.free(block)


def collect_rarely() -> None:
    """Makes Python look for dead cycles after 50,000 new objects instead of 700.

    Importing the libraries and tracing a model make millions of objects that stay, and
    looking through them again and again takes about a tenth of that time. Arrays are
    freed as before, when their last name goes. Call it before the libraries are
    imported.
    """
    gc.set_threshold(_YOUNG, *gc.get_threshold()[1:])
