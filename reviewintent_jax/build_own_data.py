"""What runs begin with that keep a copy of their own data: tables, panels, cases."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Protocol

import jax

from reviewintent_jax.configuration import TaskKind
from reviewintent_jax.run_folders import refuse_foreign_folder
from reviewintent_jax.schema import InputError, RunFolder
from reviewintent_jax.training import hosts
from reviewintent_jax.training.checkpoints import Checkpoints
from reviewintent_jax.training.files import write_json


class Begun(Protocol):
    """An experiment, as far as its beginning is concerned."""

    @property
    def config(self) -> Mapping[str, Any]:
        """Plain values of the config."""
        ...

    def identity(self) -> dict[str, Any]:
        """What must stay the same for a run to be resumed."""
        ...


def rejected_part(run: RunFolder) -> Path:
    """Where this process logs rejected rows; that of the first becomes the run's."""
    mine = "" if hosts.is_first() else str(jax.process_index())
    return run.rejected.with_name(f"{run.rejected.name}.part{mine}")


def begin_own_data(
    experiment: Begun, run: RunFolder, task: TaskKind, save: Callable[[Path], None]
) -> None:
    """Writes what the run needs to score on its own: config, data, rejected rows.

    Args:
      experiment: what begins.
      run: its folder.
      task: what it learns.
      save: writes the copy of the data into a folder.

    Raises:
      InputError: the folder holds a run with other settings or other data; nothing is
        written then.
    """
    refuse_foreign_folder(run, task)
    try:
        with Checkpoints(run, experiment.identity()) as checkpoints:
            checkpoints.check()
    except InputError:
        rejected_part(run).unlink(missing_ok=True)
        raise
    if not hosts.is_first():
        rejected_part(run).unlink(missing_ok=True)
        return
    if rejected_part(run).exists():  # a table of numbers rejects none
        rejected_part(run).replace(run.rejected)
    write_json(run.config, experiment.config)
    run.prepared.mkdir(parents=True, exist_ok=True)
    save(run.prepared)
