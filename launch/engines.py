"""What does the work of ``launch.prepare``: this machine, or an Apache Beam runner."""

import shlex

from launch import runtime
from reviewintent_jax.data.ingest import Engine, on_this_machine
from reviewintent_jax.schema import InputError


def engine_of(beam: str, workers: int) -> Engine:
    """What does the work.

    Args:
      beam: options of a pipeline, quoted as in a shell; '' = this machine alone.
      workers: processes on this machine; 0 = one for each core.

    Raises:
      InputError: the options cannot be read, or Beam is not installed.
    """
    if not beam:
        return on_this_machine(workers or runtime.cores())
    try:
        options = shlex.split(beam)
    except ValueError as error:
        raise InputError(
            f"The options of the pipeline cannot be read: {error}.",
            where="flag --beam",
            fix="Quote values as in a shell: --beam='--runner=X --name=\"a b\"'.",
        ) from None
    try:
        from reviewintent_jax.data.beam_blocks import on_beam  # Beam is an extra
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != "apache_beam":
            raise
        raise InputError(
            "Apache Beam is not installed.",
            where="flag --beam",
            fix="Install it with pip install '.[beam]', on all machines that take "
            "part; or leave out --beam.",
        ) from None
    return on_beam(options)
