"""A JSON schema of the part of JobSet and Kubernetes that our manifest uses.

Written from the documented fields of jobset.x-k8s.io/v1alpha2, batch/v1 Job and Pod,
and strict: a field that does not stand here, or a value of another kind, is an error.
It says nothing of what the manifest leaves out.
"""

TEXT = {"type": "string"}
COUNT = {"type": "integer", "minimum": 0}
NAME = {"type": "string", "pattern": r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"}


def one_of(*words):
    return {"enum": list(words)}


def many(item):
    return {"type": "array", "items": item, "minItems": 1}


def record(needed="", /, **fields):
    """An object of just these fields; ``needed`` names those that must be there."""
    return {
        "type": "object",
        "properties": fields,
        "required": needed.split(),
        "additionalProperties": False,
    }


CONTAINER = record(
    "name image",
    name=NAME,
    image=TEXT,
    workingDir=TEXT,
    command=many(TEXT),
    env=many(record("name value", name=TEXT, value=TEXT)),
    ports=many(record("containerPort", containerPort=COUNT)),
    resources=record(limits={"type": "object", "additionalProperties": COUNT}),
    volumeMounts=many(record("name mountPath", name=NAME, mountPath=TEXT)),
)
VOLUME = record(
    "name",
    name=NAME,
    persistentVolumeClaim=record("claimName", claimName=NAME),
    emptyDir=record(medium=one_of("", "Memory")),
)
POD = record(
    "containers restartPolicy",
    restartPolicy=one_of("Never", "OnFailure"),  # what a Job allows
    terminationGracePeriodSeconds=COUNT,
    containers=many(CONTAINER),
    volumes=many(VOLUME),
)
EXIT_CODES = record(
    "operator values",
    containerName=NAME,
    operator=one_of("In", "NotIn"),
    values=many(COUNT),
)
JOB = record(
    "template",
    completionMode=one_of("Indexed", "NonIndexed"),
    parallelism=COUNT,
    completions=COUNT,
    backoffLimit=COUNT,
    podFailurePolicy=record(
        "rules",
        rules=many(
            record(
                "action",
                action=one_of("FailJob", "FailIndex", "Ignore", "Count"),
                onExitCodes=EXIT_CODES,
            )
        ),
    ),
    template=record("spec", spec=POD),
)
RULE = record(
    "action",
    name=TEXT,
    action=one_of("FailJobSet", "RestartJobSet", "RestartJobSetAndIgnoreMaxRestarts"),
    onJobFailureReasons=many(
        one_of(
            "BackoffLimitExceeded",
            "DeadlineExceeded",
            "FailedIndexes",
            "MaxFailedIndexesExceeded",
            "PodFailurePolicy",
        )
    ),
)
JOBSET = record(
    "apiVersion kind metadata spec",
    apiVersion={"const": "jobset.x-k8s.io/v1alpha2"},
    kind={"const": "JobSet"},
    metadata=record("name", name=NAME),
    spec=record(
        "replicatedJobs",
        network=record(enableDNSHostnames={"type": "boolean"}),
        failurePolicy=record(maxRestarts=COUNT, rules=many(RULE)),
        replicatedJobs=many(
            record(
                "name template",
                name=NAME,
                replicas=COUNT,
                template=record("spec", spec=JOB),
            )
        ),
    ),
)
