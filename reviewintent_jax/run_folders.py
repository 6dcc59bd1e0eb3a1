"""Folders of runs: whose they are, and which task a run learned.

In: a folder that a user named. Out: what its own config says, or an error that names
what stands in the way; nothing is written here.
"""

import dataclasses
import json
from pathlib import Path

from reviewintent_jax.configuration import TaskKind, read_stored_config, task_of
from reviewintent_jax.data.checks import is_rejection_log
from reviewintent_jax.data.splits import SPLIT_NAMES
from reviewintent_jax.schema import InputError, RunFolder
from reviewintent_jax.training.checkpoints import has_checkpoint

_RUN_GROUPS = {"name", "data", "train"}
_MODEL_GROUPS = {"lstnet", "masking"}
"""Settings that the config of every run has had, and of which it has had one; no other
config.json has them."""


def refuse_foreign_folder(run: RunFolder, task: TaskKind = TaskKind.REVIEW) -> None:
    """Refuses a folder in which a run would write over files that are not its own.

    Raises:
      InputError: names them, or the other task; nothing has been touched.
    """
    if run.config.exists():
        if _is_config(run.config) and stored_task(run) is not task:
            raise InputError(
                f"The folder holds a run of another task ({stored_task(run)}).",
                where=str(run.root),
                fix="Give --workdir a folder of its own, such as --workdir=runs/mine.",
            )
        foreign = [] if _is_config(run.config) else [run.config]
    elif has_checkpoint(run):
        foreign = []
    else:
        places = [run.encoder, run.model, run.metrics, run.report, run.log]
        places += [run.words, run.tensorboard, *map(run.predictions, SPLIT_NAMES)]
        foreign = [place for place in places if place.exists()]
        if not is_rejection_log(run.rejected):
            foreign.append(run.rejected)
    if foreign:
        names = ", ".join(place.name for place in foreign)
        raise InputError(
            f"The folder is no run's, but holds {names}, which a run would write over.",
            where=str(run.root),
            fix="Give --workdir a folder of its own, such as --workdir=runs/mine.",
        )


def stored_task(run: RunFolder) -> TaskKind:
    """What a run learned, by the config that it kept.

    Raises:
      InputError: the folder is not a run.
    """
    if not run.config.is_file() or not _is_config(run.config):
        raise no_run(run)
    return task_of(json.loads(run.config.read_text("utf-8")))


def whole_run(run: RunFolder) -> RunFolder:
    """The folder of a finished run, with all that its config keeps elsewhere."""
    if not run.config.is_file() or not _is_config(run.config):
        raise no_run(run)
    config = read_stored_config(json.loads(run.config.read_text("utf-8")))
    return dataclasses.replace(
        run, elsewhere=config.checkpoints.folder, shared=config.prepared.folder
    )


def no_run(run: RunFolder) -> InputError:
    """What to raise where a folder holds no finished run."""
    return InputError(
        "This folder holds no finished run.",
        where=str(run.root),
        fix="Train one: python -m launch.train --config=... --workdir=...",
    )


def _is_config(path: Path) -> bool:
    """Whether a file is the config that a run wrote, of this version or an older one.

    Encoders have a ``config.json`` too, and so has many a project.
    """
    try:
        values = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError):
        return False
    if not isinstance(values, dict) or not values.keys() >= _RUN_GROUPS:
        return False
    return not values.keys().isdisjoint(_MODEL_GROUPS)
