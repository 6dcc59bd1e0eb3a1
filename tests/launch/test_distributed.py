"""Who am I, and where are the others: what each kind of cluster says."""

from pathlib import Path

import pytest

from launch import supervise
from launch.distributed import Seat, find_seat
from launch.gpus import count_gpus
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
NO_FILES = Path("/nowhere")
SEES_FOUR = {"CUDA_VISIBLE_DEVICES": "0,1,2,3"}
ON_NODE = {count: {"SLURM_GPUS_ON_NODE": str(count)} for count in (4, 8)}


@pytest.mark.parametrize(
    ("environ", "seat"),
    [
        (PLAIN, Seat("node1:12355", 4, 3, None)),
        (PLAIN | {"JAX_LOCAL_DEVICE_IDS": "0,2"}, Seat("node1:12355", 4, 3, (0, 2))),
        (KUBERNETES, Seat("run-workers-0-0.run:12355", 4, 2, None)),
        # Port by job: 65536 - 4096 + 4097 % 4096. Two tasks a node, of whose GPUs
        # nothing is known: one each.
        (SLURM, Seat("node001:61441", 6, 5, (1,))),
        (SLURM | {"CUDA_VISIBLE_DEVICES": "3"}, Seat("node001:61441", 6, 5, None)),
        # Both tasks see all four; or each its own two.
        (SLURM | SEES_FOUR, Seat("node001:61441", 6, 5, (2, 3))),
        (SLURM | SEES_FOUR | ON_NODE[4], Seat("node001:61441", 6, 5, (2, 3))),
        (SLURM | SEES_FOUR | ON_NODE[8], Seat("node001:61441", 6, 5, None)),
        # Only how many there are is known.
        (SLURM | ON_NODE[8], Seat("node001:61441", 6, 5, (4, 5, 6, 7))),
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
    assert find_seat(environ, count_gpus(environ, NO_FILES)) == seat


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
    assert find_seat(environ, 0) is None


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
        find_seat(environ, 0)


@pytest.fixture
def eight_gpus(tmp_path):
    """A folder of device files, as the driver of eight GPUs makes it."""
    for name in ("nvidiactl", "nvidia-uvm", "null", *(f"nvidia{n}" for n in range(8))):
        (tmp_path / name).touch()
    return tmp_path


@pytest.mark.parametrize(
    ("sharing", "local", "devices"),
    [(2, 0, (0, 1, 2, 3)), (3, 2, (4, 5)), (1, 0, None)],
)
def test_mpirun_on_one_host_shares_all_its_gpus(eight_gpus, sharing, local, devices):
    environ = OMPI | {
        "OMPI_COMM_WORLD_LOCAL_RANK": str(local),
        "OMPI_COMM_WORLD_LOCAL_SIZE": str(sharing),
    }
    assert find_seat(environ, count_gpus(environ, eight_gpus)).devices == devices


@pytest.mark.parametrize(
    ("environ", "count"),
    [
        ({}, 8),
        (ON_NODE[4], 4),
        (SEES_FOUR | ON_NODE[8], 4),
        ({"CUDA_VISIBLE_DEVICES": ""}, 0),
    ],
)
def test_gpus_are_counted_by_what_the_process_may_see(eight_gpus, environ, count):
    assert count_gpus(environ, eight_gpus) == count


def test_gpus_that_cannot_be_shared_evenly_are_warned_of_once(caplog):
    for local in (0, 1):
        environ = SLURM | {"SLURM_LOCALID": str(local), "SLURM_GPUS_ON_NODE": "5"}
        find_seat(environ, count_gpus(environ, NO_FILES))
    assert [record.message for record in caplog.records] == [
        "1 of the 5 GPUs of this host stay idle: its 2 processes get equally many."
    ]


def test_a_supervisor_shares_the_gpus_among_its_processes(monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "4,5,6,7")
    places = supervise._places(2)
    assert [place["JAX_LOCAL_DEVICE_IDS"] for place in places] == ["0,1", "2,3"]
    assert [find_seat(place, 4).devices for place in places] == [(0, 1), (2, 3)]
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert all("JAX_LOCAL_DEVICE_IDS" not in place for place in supervise._places(2))
