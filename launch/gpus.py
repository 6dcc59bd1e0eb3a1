"""Which GPUs a process uses that shares its host with others of its run.

In: what the environment and the device files say; JAX is not asked, because it would
take the GPUs. Out: their numbers, as JAX counts those that the process can see.
"""

from collections.abc import Mapping
from pathlib import Path

_DEVICES = Path("/dev")


def visible_gpus(environ: Mapping[str, str]) -> list[str]:
    """Those that ``CUDA_VISIBLE_DEVICES`` lists; none where it is not set."""
    return [d for d in environ.get("CUDA_VISIBLE_DEVICES", "").split(",") if d]


def count_gpus(environ: Mapping[str, str], devices: Path = _DEVICES) -> int:
    """How many GPUs this process can see; 0 where there are none, or none is known.

    What the scheduler says comes before the files, since files of GPUs that belong to
    others may be there too.
    """
    allotted = environ.get("SLURM_GPUS_ON_NODE", "")
    if "CUDA_VISIBLE_DEVICES" in environ:
        return len(visible_gpus(environ))
    if allotted.isdigit():
        return int(allotted)
    return sum(1 for _ in devices.glob("nvidia[0-9]*"))


def share(count: int, local: int, sharing: int) -> tuple[int, ...]:
    """An equal share of ``count`` GPUs, one at least.

    Example: process 1 of 2 that share 4 -> (2, 3). Where nothing is known of them it
    is (1,): a GPU of its own, if the host has so many.
    """
    each = max(1, count // sharing)
    return tuple(range(local * each, (local + 1) * each))
