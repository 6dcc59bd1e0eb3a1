"""Memory that a process frees stays with it."""

import platform
import subprocess
import sys

import pytest

PROGRAM = """
import ctypes, resource
from reviewintent_jax.allocator import keep_freed_memory

library = ctypes.CDLL(None)
library.malloc.restype = ctypes.c_void_p
library.free.argtypes = [ctypes.c_void_p]
SIZE = 64 * 2**20

def faults():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    block = library.malloc(SIZE)
    ctypes.memset(block, 1, SIZE)
    library.free(block)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

if {keep}:
    assert keep_freed_memory()
faults()
print(faults())
"""


def faults_of_second_use(*, keep: bool) -> int:
    program = PROGRAM.format(keep=keep)
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    return int(done.stdout)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="glibc's own options")
def test_a_block_asked_for_again_is_not_faulted_in_again():
    kept = faults_of_second_use(keep=True)
    given_back = faults_of_second_use(keep=False)
    assert kept < 16
    assert given_back >= 32  # 64 MiB, even where a page is 2 MiB


def test_cycles_are_sought_seldom_and_found_all_the_same():
    program = """
import gc, weakref
from reviewintent_jax.allocator import collect_rarely

collect_rarely()
class Node:
    pass
node = Node()
node.itself = node
alive = weakref.ref(node)
del node
kept = [[] for _ in range(10_000)]
print(alive() is not None)
kept += [[] for _ in range(60_000)]
print(alive() is None)
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == ["True", "True"]
