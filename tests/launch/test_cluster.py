"""What starts runs on clusters: checked by the tools that exist for it."""

import copy
import json
import subprocess
import sys
from pathlib import Path

import jsonschema
import pytest
import yaml

from launch.distributed import find_seat
from launch.supervise import Supervisor, describe
from tests.launch.jobset_schema import JOBSET

CLUSTER = Path(__file__).parents[2] / "launch" / "cluster"


@pytest.mark.parametrize("name", ["slurm.sbatch", "hosts.sh"])
def test_shellcheck_finds_nothing(name):
    command = [Path(sys.executable).with_name("shellcheck"), "--severity=style"]
    done = subprocess.run(
        [*command, CLUSTER / name], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout


@pytest.fixture(scope="module")
def jobset():
    return yaml.safe_load((CLUSTER / "jobset.yaml").read_text())


def test_the_jobset_follows_the_schema(jobset):
    jsonschema.Draft202012Validator.check_schema(JOBSET)
    validator = jsonschema.Draft202012Validator(JOBSET)
    assert [error.message for error in validator.iter_errors(jobset)] == []


@pytest.mark.parametrize(
    ("field", "value"),
    [("restartpolicy", "Never"), ("restartPolicy", "Always"), ("containers", [])],
)
def test_the_schema_would_find_a_mistake(jobset, field, value):
    wrong = copy.deepcopy(jobset)
    job = wrong["spec"]["replicatedJobs"][0]["template"]["spec"]
    job["template"]["spec"][field] = value
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(wrong, JOBSET)


def test_the_pods_of_the_jobset_find_each_other(jobset):
    name, (job,) = jobset["metadata"]["name"], jobset["spec"]["replicatedJobs"]
    spec = job["template"]["spec"]
    (container,) = spec["template"]["spec"]["containers"]
    environ = {each["name"]: each["value"] for each in container["env"]}
    last = find_seat(
        environ | {"JOB_COMPLETION_INDEX": str(spec["completions"] - 1)}, 0
    )
    assert last.processes == spec["completions"] == spec["parallelism"]
    assert last.address == f"{name}-{job['name']}-0-0.{name}:12355"
    mounts = {mount["name"] for mount in container["volumeMounts"]}
    assert mounts == {v["name"] for v in spec["template"]["spec"]["volumes"]}


def what_follows(jobset, code):
    """What Kubernetes does when a pod of the JobSet ends with a code.

    By the documented rules: of those of the Job the first that matches counts; a failed
    Job has the reason PodFailurePolicy after FailJob, else BackoffLimitExceeded.
    """
    failure = jobset["spec"]["failurePolicy"]
    (job,) = (each["template"]["spec"] for each in jobset["spec"]["replicatedJobs"])
    (container,) = job["template"]["spec"]["containers"]
    assert job["backoffLimit"] == 0
    reason = "BackoffLimitExceeded"
    for rule in job["podFailurePolicy"]["rules"]:
        codes = rule["onExitCodes"]
        assert codes["containerName"] == container["name"]
        assert codes["operator"] == "In"
        if code in codes["values"]:
            if rule["action"] == "Ignore":
                return "a new pod"
            assert rule["action"] == "FailJob"
            reason = "PodFailurePolicy"
            break
    for rule in failure["rules"]:
        if reason in rule["onJobFailureReasons"]:
            return rule["action"]
    return "RestartJobSet"


@pytest.mark.parametrize(
    ("code", "follows"),
    [
        (2, "FailJobSet"),
        (75, "a new pod"),  # however often: no restart is counted
        (1, "RestartJobSet"),
        (137, "RestartJobSet"),
    ],
)
def test_only_failures_use_up_the_restarts_of_the_jobset(jobset, code, follows):
    assert what_follows(jobset, code) == follows
    (job,) = (each["template"]["spec"] for each in jobset["spec"]["replicatedJobs"])
    (container,) = job["template"]["spec"]["containers"]
    assert "--preempted_exit_code=75" in container["command"]


def test_ssh_starts_a_supervisor_with_its_place_on_each_host(tmp_path):
    record = tmp_path / "said"
    ssh = tmp_path / "ssh"
    ssh.write_text(f'#!/bin/sh\nprintf "%s: %s\\n" "$1" "$2" >>{record}\n')
    ssh.chmod(0o755)
    done = subprocess.run(
        ["bash", CLUSTER / "hosts.sh", "n1 n2", "--config=a b.py"],
        env={"SSH": str(ssh), "PATH": "/usr/bin:/bin", "PYTHON": "py"},
        check=False,
    )
    assert done.returncode == 0
    said = sorted(record.read_text().splitlines())
    assert [line.split(":")[0] for line in said] == ["n1", "n2"]
    for number, line in enumerate(said):
        assert "JAX_COORDINATOR_ADDRESS=n1:12355 JAX_NUM_PROCESSES=2" in line
        assert f"JAX_PROCESS_ID={number} exec py -m launch.supervise -- " in line
        assert line.endswith("--config=a\\ b.py")


SRUN = """#!{python} -SE
import json, pathlib, sys
record = pathlib.Path({folder!r}, "starts")
before = record.read_text() if record.exists() else ""
record.write_text(before + "x\\n")
tasks = json.loads({starts!r})[len(before.split())]
first_bad = min((at for at, code in tasks if code), default=float("inf"))
words = sys.argv[1:]
spared = "--kill-on-bad-exit=0" in words[: words.index("-m")]
sys.exit(max(code if spared or at <= first_bad else 137 for at, code in tasks))
"""


def srun_that(tmp_path, *starts):
    """Commands of a Slurm cluster that kills what outlives a failed task by default.

    Each start of ``srun`` has tasks that end by themselves: (when, with which code).
    The code of ``srun`` is the highest, and 137 that of a task that was killed.
    """
    folder = str(tmp_path)
    srun = SRUN.format(python=sys.executable, folder=folder, starts=json.dumps(starts))
    for name, body in {
        "srun": srun,
        "scontrol": f'#!/bin/sh\necho "$@" >{tmp_path}/requeued\n',
        "sleep": "#!/bin/sh\n",
    }.items():
        (tmp_path / name).write_text(body)
        (tmp_path / name).chmod(0o755)
    return subprocess.run(
        ["bash", CLUSTER / "slurm.sbatch", "--config=c.py"],
        env={"PATH": f"{tmp_path}:/usr/bin:/bin", "SLURM_JOB_ID": "7", "RESTARTS": "3"},
        capture_output=True,
        check=False,
    ).returncode


WELL, MISTAKE = [(0, 0), (0, 0)], [(1, 2), (0, 2)]  # the first process leaves last
STOPPED, FAILED = [(0, 75), (2, 75)], [(0, 1), (3, 134)]


@pytest.mark.parametrize(
    ("starts", "ended", "count", "requeued"),
    [
        ([WELL], 0, 1, False),
        ([FAILED, [(0, 137), (1, 1)], WELL], 0, 3, False),
        ([MISTAKE], 2, 1, False),  # a mistake is not repeated
        ([FAILED, STOPPED], 0, 2, True),
        ([FAILED, FAILED, FAILED, [(0, 9)]], 9, 4, False),
    ],
)
def test_slurm_starts_again_requeues_or_gives_up(
    tmp_path, starts, ended, count, requeued
):
    assert srun_that(tmp_path, *starts) == ended
    assert len((tmp_path / "starts").read_text().split()) == count
    assert (tmp_path / "requeued").exists() == requeued


class Scripted(Supervisor):
    """A supervisor whose starts end as written."""

    def __init__(self, *attempts, told=None):
        super().__init__([], 2, 1.0)
        self.left, self._after = list(attempts), told

    def attempt(self):
        self.told = self._after
        return self.left.pop(0)


@pytest.mark.parametrize(
    ("attempts", "told", "code"),
    [
        ([[0, 0]], None, 0),
        ([[1, -9], [134, 1], [0, 0]], None, 0),
        ([[2, 1]], None, 2),
        ([[75, 75], [0, 0]], None, 0),  # one process alone was told to stop
        ([[75, 75]], 15, 0),
        ([[75, 1]], 15, 75),
        ([[1, -9], [1, -9], [1, -9]], None, 137),
    ],
)
def test_a_supervisor_starts_again_what_failed(attempts, told, code):
    supervisor = Scripted(*attempts, told=told)
    assert supervisor.run(restarts=2, pause=0.0) == code
    assert supervisor.left == []


def test_ends_are_told_in_words():
    assert describe([1, -9]) == (
        "process 0 failed with code 1, process 1 was killed (SIGKILL)"
    )
    assert describe([0, 0]) == "all processes ended well"
