"""A command of several processes that gets into trouble, without a training.

``python -m tests.multiprocess.troubles --trouble=full_disk``; what befalls one process
alone is here what it should be in a real run: an error where the program does not
expect one.
"""

import resource
import time
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
from absl import flags
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from launch import distributed, runtime
from reviewintent_jax.schema import RunFolder, TransientError
from reviewintent_jax.training import hosts
from reviewintent_jax.training.checkpoints import Checkpoints
from reviewintent_jax.training.state import TrainState
from reviewintent_jax.training.tracker import FRESH

_TROUBLE = flags.DEFINE_enum("trouble", None, ["full_disk", "passing"], "Which one.")
_WORKDIR = flags.DEFINE_string("workdir", "", "Folder of the run.")


def full_disk():
    """No room for what the last process writes; its parameters do not compress."""
    cut = NamedSharding(Mesh(jax.devices(), ("fsdp",)), PartitionSpec("fsdp"))
    noise = np.random.default_rng(0).normal(size=(400, 500)).astype(np.float32)
    kernel = jax.make_array_from_callback(noise.shape, cut, lambda part: noise[part])
    state = TrainState(jnp.asarray(1, jnp.int32), {"kernel": kernel}, {})
    with Checkpoints(RunFolder(Path(_WORKDIR.value)), {"seed": 1}) as checkpoints:
        if jax.process_index() == jax.process_count() - 1:
            limit = resource.getrlimit(resource.RLIMIT_FSIZE)
            resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, limit[1]))
        checkpoints.save(state, FRESH)
        end = time.monotonic() + 120
        while time.monotonic() < end:  # the updates that follow
            checkpoints.check_writes()
            time.sleep(0.05)


def passing():
    """What passes comes up on the first process, while the other waits for it."""

    def fail():
        raise TransientError("The disk is full.")

    hosts.in_turn("build", fail)


def main(argv):
    del argv
    seat = distributed.join()
    runtime.speak_as(seat.process, seat.processes)
    {"full_disk": full_disk, "passing": passing}[_TROUBLE.value]()


if __name__ == "__main__":
    runtime.run(main)
