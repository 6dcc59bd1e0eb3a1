"""Several processes as one run: who this process is, and how it finds the others.

Whatever starts the processes tells them through the environment:

- anything: ``JAX_COORDINATOR_ADDRESS`` (host:port of process 0), ``JAX_NUM_PROCESSES``
  and ``JAX_PROCESS_ID``; ``JAX_LOCAL_DEVICE_IDS`` where processes share a host;
- an indexed Job of Kubernetes: the first two; ``JOB_COMPLETION_INDEX`` is the third;
- Slurm: its own, when started with ``srun``;
- Open MPI: its own, when started with ``mpirun``; from 5.0 on the address as well;
- Cloud TPU: none, because JAX asks the machine.

Without any of them the process is alone.
"""

import contextlib
import logging
import os
import re
import sys
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import jax
from absl import flags

from launch.gpus import count_gpus, share, visible_gpus
from reviewintent_jax.schema import InputError, TransientError
from reviewintent_jax.training.stopping import Preempted

log = logging.getLogger("reviewintent")

_DISTRIBUTED = flags.DEFINE_enum(
    "distributed",
    "auto",
    ["auto", "off"],
    "auto: join the other processes that the environment names; off: run alone.",
)
_HEARTBEAT = flags.DEFINE_integer(
    "heartbeat_seconds",
    100,
    "After so long without a sign of life a process counts as dead and all end.",
    lower_bound=1,
)
_START = flags.DEFINE_integer(
    "start_seconds",
    300,
    "How long processes wait for each other at the start.",
    lower_bound=1,
)
_PREEMPTED = flags.DEFINE_integer(
    "preempted_exit_code",
    0,
    "Exit code after SIGTERM, when all is saved. Schedulers that start again only what "
    "failed want another, such as 75.",
    lower_bound=0,
    upper_bound=255,
)

ADDRESS = "JAX_COORDINATOR_ADDRESS"
PROCESSES = "JAX_NUM_PROCESSES"
PROCESS = "JAX_PROCESS_ID"
DEVICES = "JAX_LOCAL_DEVICE_IDS"
COMPLETION = "JOB_COMPLETION_INDEX"
_PORTS = 2**12


class Seat(NamedTuple):
    """The place of this process in the run.

    Attributes:
      address: host:port at which process 0 is found.
      processes: how many there are.
      process: which one this is, from 0.
      devices: which of the host's devices are its own; None = all.
    """

    address: str
    processes: int
    process: int
    devices: tuple[int, ...] | None


def find_seat(environ: Mapping[str, str], gpus: int) -> Seat | None:
    """Reads the place of this process from the environment; None = it is alone.

    ``gpus`` says how many the process can see, to be shared with other processes of the
    host; 0 = none, or unknown.

    Raises:
      InputError: the variables are half set, or contradict each other.
    """
    if PROCESSES in environ or PROCESS in environ:
        seat = _plain_seat(environ)
    elif _processes(environ, "OMPI_COMM_WORLD_SIZE") > 1:
        seat = _ompi_seat(environ, gpus)
    elif _processes(environ, "SLURM_NTASKS") > 1:
        seat = _slurm_seat(environ, gpus)
    elif ADDRESS in environ:
        raise _half_set(environ, PROCESSES)
    else:
        return None
    if not 0 <= seat.process < seat.processes:
        raise InputError(
            f"This is process {seat.process} of {seat.processes}, counted from 0.",
            where="the environment",
            fix=f"Number the processes from 0 to {seat.processes - 1}.",
        )
    if seat.processes > 1 and not re.fullmatch(r".+:\d+", seat.address):
        raise InputError(
            f"{ADDRESS} is {seat.address!r}.",
            where="the environment",
            fix="Write the host of process 0 and a free port: node1:12355.",
        )
    return seat if seat.processes > 1 else None


def join() -> Seat | None:
    """Joins the other processes, if there are any; before JAX touches a device.

    Raises:
      InputError: see :func:`find_seat`.
      TransientError: the others do not come in time, as far as JAX lives to say so.
    """
    if _DISTRIBUTED.value == "off":
        return None
    seat = find_seat(os.environ, count_gpus(os.environ))
    if seat is None and "," not in os.environ.get("TPU_WORKER_HOSTNAMES", ""):
        return None
    limits: dict[str, Any] = {
        "heartbeat_timeout_seconds": _HEARTBEAT.value,
        "initialization_timeout": _START.value,
    }
    if seat is None:
        jax.distributed.initialize(**limits)
        return Seat("", jax.process_count(), jax.process_index(), None)
    # JAX ends the process itself when the time is up, so this is said beforehand.
    log.info(
        "Process %d of %d: waiting for the others at %s, %d s at most. If they do not "
        "come, start all with the same address, which all hosts must reach.",
        *(seat.process, seat.processes, seat.address, _START.value),
    )
    try:
        jax.distributed.initialize(
            seat.address,
            seat.processes,
            seat.process,
            local_device_ids=seat.devices,
            cluster_detection_method="deactivate",
            **limits,
        )
    except RuntimeError as error:
        raise TransientError(
            f"Process {seat.process} of {seat.processes} did not find the others: "
            f"{str(error).splitlines()[0]}",
            where=seat.address,
            fix="Start all processes with the same address, which all hosts must "
            f"reach, within --start_seconds={_START.value}.",
        ) from None
    return seat


@contextlib.contextmanager
def leaving_when_told() -> Iterator[None]:
    """Turns SIGTERM, after which all is saved, into ``--preempted_exit_code``."""
    try:
        yield
    except Preempted as stopped:
        log.info("%s The same command goes on from there.", stopped)
        sys.exit(_PREEMPTED.value)


def _half_set(environ: Mapping[str, str], *needed: str) -> InputError:
    """What to raise where some variables are there and others are not."""
    known = (ADDRESS, PROCESSES, PROCESS, COMPLETION, *needed)
    there = [name for name in dict.fromkeys(known) if name in environ]
    missing = [name for name in needed if name not in environ]
    return InputError(
        f"The environment names a run of several processes by half: there is "
        f"{', '.join(there) or 'nothing'}, but no {' and no '.join(missing)}.",
        where="the environment",
        fix=f"Set {', '.join(missing)} too, or give --distributed=off to run alone. "
        "See docs/clusters.md.",
    )


def _number(environ: Mapping[str, str], name: str) -> int:
    try:
        return int(environ[name])
    except ValueError:
        raise InputError(
            f"{name} is {environ[name]!r}, which is no whole number.",
            where="the environment",
        ) from None


def _processes(environ: Mapping[str, str], name: str) -> int:
    """What a scheduler says of their number; 1 where it says nothing."""
    return _number(environ, name) if environ.get(name) else 1


def _plain_seat(environ: Mapping[str, str]) -> Seat:
    process = PROCESS if PROCESS in environ else COMPLETION
    needed = (PROCESSES, PROCESS if process not in environ else process)
    if any(name not in environ for name in needed):
        raise _half_set(environ, *needed)
    processes = _number(environ, PROCESSES)
    if processes > 1 and ADDRESS not in environ:
        raise _half_set(environ, ADDRESS)
    number = _number(environ, process)
    return Seat(environ.get(ADDRESS, ""), processes, number, _own_devices(environ))


def _own_devices(environ: Mapping[str, str]) -> tuple[int, ...] | None:
    listed = environ.get(DEVICES, "")
    try:
        return tuple(int(each) for each in listed.split(",")) if listed else None
    except ValueError:
        raise InputError(
            f"{DEVICES} is {listed!r}.", where="the environment", fix="Example: 0,1"
        ) from None


def _shared_devices(
    environ: Mapping[str, str], gpus: int, local: int, sharing: int
) -> tuple[int, ...] | None:
    """Which devices a process owns that shares its host with ``sharing - 1`` others.

    Equally many each, unless the scheduler has already hidden those of the others.

    Example: process 1 of 2 on a host of which both see 4 GPUs -> (2, 3); where each
    sees 2 of 4 -> all that it sees, None.
    """
    own, visible = _own_devices(environ), visible_gpus(environ)
    if own is not None or sharing == 1 or len(visible) == 1:
        return own
    on_host = environ.get("SLURM_GPUS_ON_NODE", "")
    if visible and on_host.isdigit() and len(visible) < int(on_host):
        return None
    if local == 0 and gpus > sharing and gpus % sharing:
        log.warning(
            "%d of the %d GPUs of this host stay idle: its %d processes get equally "
            "many.",
            *(gpus % sharing, gpus, sharing),
        )
    return share(gpus, local, sharing)


def _slurm_seat(environ: Mapping[str, str], gpus: int) -> Seat:
    needed = ("SLURM_PROCID", "SLURM_LOCALID", "SLURM_STEP_NODELIST", "SLURM_JOB_ID")
    if any(name not in environ for name in needed):
        raise InputError(
            f"This Slurm job has {environ['SLURM_NTASKS']} tasks, but this process was "
            "not started by srun.",
            where="the environment",
            fix="Start it with srun, or give --distributed=off to run alone.",
        )
    nodes = environ["SLURM_STEP_NODELIST"]
    # node001, node001,host2 or node[001-015,020],host2
    first = re.match(r"([^,\[]+)(?:\[([^,\-\]]+))?", nodes)
    host = "".join(part for part in (first.groups() if first else ()) if part)
    port = 65536 - _PORTS + _number(environ, "SLURM_JOB_ID") % _PORTS
    processes = _number(environ, "SLURM_NTASKS")
    each = environ.get("SLURM_STEP_TASKS_PER_NODE", "1")  # such as 2(x3),1
    sharing = max(int(tasks) for tasks in re.findall(r"(?:^|,)(\d+)", each))
    devices = _shared_devices(environ, gpus, _number(environ, "SLURM_LOCALID"), sharing)
    address = environ.get(ADDRESS, f"{host}:{port}")
    return Seat(address, processes, _number(environ, "SLURM_PROCID"), devices)


def _ompi_seat(environ: Mapping[str, str], gpus: int) -> Seat:
    needed = ("OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_LOCAL_RANK")
    if any(name not in environ for name in needed):
        raise _half_set(environ, *needed)
    address = environ.get(ADDRESS, "")
    # Up to Open MPI 4: 1531576320.0;tcp://10.96.0.1,10.148.0.1:34911
    uri = environ.get("OMPI_MCA_orte_hnp_uri", "")
    told = re.match(r"(\d+)\..*?tcp://([^,:]+)", uri)
    if not address and told:
        port = 65536 - _PORTS + int(told[1]) // _PORTS % _PORTS
        address = f"{told[2]}:{port}"
    if not address:
        raise _half_set(environ, ADDRESS)
    local = _number(environ, "OMPI_COMM_WORLD_LOCAL_RANK")
    sharing = int(environ.get("OMPI_COMM_WORLD_LOCAL_SIZE", "1"))
    return Seat(
        address,
        _number(environ, "OMPI_COMM_WORLD_SIZE"),
        _number(environ, "OMPI_COMM_WORLD_RANK"),
        _shared_devices(environ, gpus, local, sharing),
    )
