"""Who am I, and where are the others: what each kind of cluster says."""

import pytest

from launch.distributed import Seat, find_seat
from reviewintent_jax.schema import InputError

PLAIN = {
    "JAX_COORDINATOR_ADDRESS": "node1:12355",
    "JAX_NUM_PROCESSES": "4",
    "JAX_PROCESS_ID": "3",
}
KUBERNETES = {
    "JAX_COORDINATOR_ADDRESS": "run-workers-0-0.run:12355",
    "JAX_NUM_PROCESSES": "4",
    "JOB_COMPLETION_INDEX": "2",
    "KUBERNETES_SERVICE_HOST": "10.0.0.1",
}
SLURM = {
    "SLURM_JOB_ID": "4097",
    "SLURM_NTASKS": "6",
    "SLURM_PROCID": "5",
    "SLURM_LOCALID": "1",
    "SLURM_STEP_NODELIST": "node[001-002,007]",
    "SLURM_STEP_TASKS_PER_NODE": "2(x3)",
}
OMPI = {
    "OMPI_COMM_WORLD_SIZE": "2",
    "OMPI_COMM_WORLD_RANK": "1",
    "OMPI_COMM_WORLD_LOCAL_RANK": "0",
    "OMPI_COMM_WORLD_LOCAL_SIZE": "1",
    "OMPI_MCA_orte_hnp_uri": "1531576320.0;tcp://10.96.0.1,10.148.0.1:34911",
}
SEES_FOUR = {"CUDA_VISIBLE_DEVICES": "0,1,2,3"}
ON_NODE = {count: {"SLURM_GPUS_ON_NODE": str(count)} for count in (4, 8)}


@pytest.mark.parametrize(
    ("environ", "seat"),
    [
        (PLAIN, Seat("node1:12355", 4, 3, None)),
        (PLAIN | {"JAX_LOCAL_DEVICE_IDS": "0,2"}, Seat("node1:12355", 4, 3, (0, 2))),
        (KUBERNETES, Seat("run-workers-0-0.run:12355", 4, 2, None)),
        # Port by job: 65536 - 4096 + 4097 % 4096. Two tasks a node: a device each.
        (SLURM, Seat("node001:61441", 6, 5, (1,))),
        (SLURM | {"CUDA_VISIBLE_DEVICES": "3"}, Seat("node001:61441", 6, 5, None)),
        # Both tasks see all four; or each its own two.
        (SLURM | SEES_FOUR, Seat("node001:61441", 6, 5, (2, 3))),
        (SLURM | SEES_FOUR | ON_NODE[4], Seat("node001:61441", 6, 5, (2, 3))),
        (SLURM | SEES_FOUR | ON_NODE[8], Seat("node001:61441", 6, 5, None)),
        (
            SLURM
            | {"SLURM_STEP_TASKS_PER_NODE": "1(x6)", "SLURM_STEP_NODELIST": "a,b"},
            Seat("a:61441", 6, 5, None),
        ),
        (
            SLURM
            | {"SLURM_STEP_TASKS_PER_NODE": "16", "JAX_COORDINATOR_ADDRESS": "n:9"},
            Seat("n:9", 6, 5, (1,)),
        ),
        # 1531576320 / 4096 = 373920, and that % 4096 = 1184.
        (OMPI, Seat("10.96.0.1:62624", 2, 1, None)),
    ],
)
def test_every_cluster_says_it_in_its_own_way(environ, seat):
    assert find_seat(environ) == seat


@pytest.mark.parametrize(
    "environ",
    [
        {},
        {"SLURM_NTASKS": "1", "SLURM_JOB_ID": "7"},
        {"SLURM_NTASKS": ""},
        {"OMPI_COMM_WORLD_SIZE": "1"},
        {"JOB_COMPLETION_INDEX": "0"},  # a Job that is no run of several processes
        {"JAX_NUM_PROCESSES": "1", "JAX_PROCESS_ID": "0"},
    ],
)
def test_alone_means_alone(environ):
    assert find_seat(environ) is None


@pytest.mark.parametrize(
    ("environ", "said"),
    [
        ({"JAX_NUM_PROCESSES": "2"}, "no JAX_PROCESS_ID"),
        ({"JAX_PROCESS_ID": "1"}, "no JAX_NUM_PROCESSES"),
        ({"JAX_COORDINATOR_ADDRESS": "a:1"}, "no JAX_NUM_PROCESSES"),
        (
            {"JAX_NUM_PROCESSES": "2", "JAX_PROCESS_ID": "1"},
            "no JAX_COORDINATOR_ADDRESS",
        ),
        (PLAIN | {"JAX_PROCESS_ID": "4"}, "process 4 of 4"),
        (PLAIN | {"JAX_PROCESS_ID": "one"}, "no whole number"),
        (PLAIN | {"JAX_COORDINATOR_ADDRESS": "node1"}, "free port"),
        (PLAIN | {"JAX_LOCAL_DEVICE_IDS": "a"}, "Example: 0,1"),
        ({"OMPI_COMM_WORLD_SIZE": "x"}, "OMPI_COMM_WORLD_SIZE is 'x'"),
        ({"SLURM_NTASKS": "4", "SLURM_PROCID": "0"}, "not started by srun"),
        (
            {k: v for k, v in OMPI.items() if not k.startswith("OMPI_MCA")},
            "no JAX_COORDINATOR_ADDRESS",
        ),
    ],
)
def test_half_of_it_is_refused_with_what_is_missing(environ, said):
    with pytest.raises(InputError, match=said):
        find_seat(environ)
