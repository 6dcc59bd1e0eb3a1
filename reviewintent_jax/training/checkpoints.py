"""Checkpoints: all that is needed to go on exactly, and the best model so far.

Two folders, because they have two purposes. ``latest`` keeps the last two full states
(parameters, moments, step, position in the data, trackers): a run that is killed goes
on from there. ``best`` keeps the parameters that scored best on validation: scoring
reads those. Orbax writes each into a temporary folder and renames it when it is
complete, so a run killed while saving leaves the one before intact. Orbax appears in no
other file.

Several processes write one checkpoint together, each the parts that its devices hold;
it is read again by any number of processes and devices.
"""

import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import jax
import numpy as np
import orbax.checkpoint as ocp
from etils import epath

from reviewintent_jax.schema import InputError, RunFolder, TransientError
from reviewintent_jax.settings import setting_leaves
from reviewintent_jax.training import hosts
from reviewintent_jax.training.checkpoint_copies import BucketCopies
from reviewintent_jax.training.checkpoint_folder import (
    finished_steps,
    first_line,
    is_copied,
    is_full,
    remove_unfinished,
    root_of,
)
from reviewintent_jax.training.checkpoint_writes import WriteFailures
from reviewintent_jax.training.placement import put_tree
from reviewintent_jax.training.state import TrainState
from reviewintent_jax.training.tracker import Tracker

log = logging.getLogger("reviewintent")


_OPTIONS = {"step_format_fixed_length": 8, "cleanup_tmp_directories": False}


class Checkpoints:
    """Saves and restores one run; a context manager that waits for pending writes.

    Args:
      run: the run's folder.
      identity: what must not change between sessions of a run (seed, page and batch
        sizes); a restart with another identity is refused, because it would not
        continue the same run. Devices and processes are no part of it.
    """

    def __init__(self, run: RunFolder, identity: dict[str, Any]) -> None:
        self._root = root_of(run)
        self._identity = identity
        self._copies: BucketCopies | None = None
        self._waited = False
        hosts.told("clean", lambda: self._clean(run))
        self._failures = WriteFailures(ocp.multihost.get_barrier_sync_fn())
        self._latest = self._manager("latest", 2)
        self._best = self._manager("best", 1)

    def _clean(self, run: RunFolder) -> str:
        """What one process does before all begin."""
        for folder in ("latest", "best"):
            remove_unfinished(self._root / folder)
        self._copies = _copies_of(run)
        if self._copies is not None:
            self._copies.fetch()
            self._copies.start()
        return ""

    def _manager(self, folder: str, keep: int) -> ocp.CheckpointManager:
        writing = ocp.AsyncOptions(barrier_sync_fn=self._failures.meet)
        options = ocp.CheckpointManagerOptions(
            max_to_keep=keep, async_options=writing, **_OPTIONS
        )
        return ocp.CheckpointManager(self._root / folder, options=options)

    def __enter__(self) -> "Checkpoints":
        return self

    def __exit__(self, kind: type | None, *error: object) -> None:
        if hosts.others_do_not_wait(kind):
            return  # waiting for them would hide what happened
        with self._writing("the last"):
            try:
                self._latest.close()
                self._best.close()
            except Exception:
                if kind is None:  # otherwise the first error is the one to tell
                    raise
        if self._copies is None:
            return
        if kind is None:
            self._copies.close()
            return
        self._copies.stop()
        if not self._waited:  # otherwise all was copied, or could not be
            self._copies.try_to_copy()

    def save(self, state: TrainState, tracker: Tracker) -> None:
        """Saves the full state in the background; the caller may go on at once.

        Raises:
          TransientError: the disk is full, now or at the save before; what was saved
            earlier is intact.
        """
        step = int(state.step)
        if self._latest.latest_step() == step:
            return
        tensors = {"params": state.params, "moments": state.moments}
        meta = {"tracker": tracker._asdict(), "identity": self._identity}
        with self._writing(f"that of step {step}, or the one before,"):
            saved = self._latest.save(
                step,
                args=ocp.args.Composite(
                    tensors=ocp.args.StandardSave(tensors), meta=ocp.args.JsonSave(meta)
                ),
            )
        if not saved:
            raise RuntimeError(f"Orbax did not save step {step} in {self._root}.")

    def check_writes(self) -> None:
        """Raises what went wrong in the background since the last save; cheap.

        Raises:
          TransientError: the disk is full.
        """
        with self._writing("the last"):
            self._failures.check()

    def wait(self) -> None:
        """Waits until everything is safe, before the run is left.

        A bucket that cannot be reached is warned of: what it lacks is whole here.

        Raises:
          TransientError: the disk is full.
        """
        with self._writing("the last"):
            self._latest.wait_until_finished()
        self._waited = True
        if self._copies is not None:
            self._copies.try_to_copy()

    def save_best(self, state: TrainState) -> None:
        """Saves the parameters as the best so far, and waits until they are safe.

        The best is written before the state that remembers it: a run killed in between
        validates again and writes the same.

        Raises:
          TransientError: the disk is full.
        """
        step = int(state.step)
        if step in self._best.all_steps():
            return
        with self._writing(f"the best, of step {step},"):
            self._best.save(
                step,
                args=ocp.args.Composite(params=ocp.args.StandardSave(state.params)),
                force=True,
            )
            self._best.wait_until_finished()

    @contextmanager
    def _writing(self, which: str) -> Iterator[None]:
        """Turns a full disk into a sentence."""
        try:
            yield
        except Exception as error:
            if not is_full(error):
                raise
            raise TransientError(
                f"The disk is full: of the checkpoints, {which} could not be written. "
                "Those that were finished earlier are intact.",
                where=str(self._root),
                fix="Make room, and start the same command again: it goes on from the "
                "newest that is whole.",
            ) from error

    def restore(self, layout: TrainState) -> tuple[TrainState, Tracker] | None:
        """The newest saved state; None where nothing has been saved.

        Every leaf lies where that of ``layout`` does, which may be shapes with places,
        wherever it was when it was saved.
        A checkpoint that cannot be read gives way to the one before, with a warning.

        Raises:
          InputError: the settings were others, or no checkpoint can be read.
        """
        self.check()
        steps = sorted(self._latest.all_steps(), reverse=True)
        damaged: list[int] = []
        for step in steps:
            try:
                state, tracker = self._restore(step, layout)
            except Exception as error:
                damaged.append(step)
                why = first_line(error)
                log.warning("The checkpoint of step %d cannot be read: %s", step, why)
                continue
            self._set_aside(damaged, step)
            return state, tracker
        if steps:
            raise InputError(
                "None of the run's checkpoints can be read.",
                where=str(self._root / "latest"),
                fix="If the disk is sound again later, start the same command again; "
                "otherwise train anew in another --workdir.",
            )
        return None

    def _restore(self, step: int, layout: TrainState) -> tuple[TrainState, Tracker]:
        folder = self._root / "latest" / f"{step:08d}"
        if hosts.count() > 1:
            # A failure of one process in the middle of a common read would leave the
            # others waiting, so the first one reads it all beforehand.
            failure = hosts.told("sound", lambda: _failure(folder / "tensors"))
            if failure:
                raise OSError(failure)
        target = {"params": layout.params, "moments": layout.moments}
        tensors = self._latest.restore(
            step,
            args=ocp.args.Composite(
                tensors=ocp.args.StandardRestore(_abstract(target))
            ),
        )["tensors"]
        count = put_tree(np.asarray(step, np.int32), layout.step.sharding)
        state = TrainState(count, tensors["params"], tensors["moments"])
        return state, Tracker(**_read_meta(folder)["tracker"])

    def _set_aside(self, damaged: list[int], good: int) -> None:
        """Removes damaged checkpoints, whose steps will be saved again."""
        for step in damaged:
            log.warning("Going on from step %d; step %d is removed.", good, step)
            self._latest.delete(step)

    def check(self) -> None:
        """Refuses to go on with a run whose settings were others.

        Raises:
          InputError: names every setting that differs.
        """
        stored = _newest_identity(self._root / "latest")
        if stored is None:
            return
        then, now = (
            setting_leaves(stored),
            setting_leaves(json.loads(json.dumps(self._identity))),
        )
        changed = [
            f"{name}: {then.get(name)} then, {now.get(name)} now"
            for name in sorted(then | now)
            if then.get(name) != now.get(name)
        ]
        if changed:
            raise InputError(
                "This run cannot go on, because its settings changed: "
                + "; ".join(changed),
                where=str(self._root),
                fix="Use the same settings, or give --workdir a new folder.",
            )


def _copies_of(run: RunFolder) -> BucketCopies | None:
    """What keeps copies of a run's checkpoints; None where nothing has to."""
    return BucketCopies(root_of(run), run.elsewhere) if is_copied(run) else None


def _opened(run: RunFolder) -> epath.Path:
    """Where checkpoints lie, with those that so far lie in a bucket alone."""
    if is_copied(run) and hosts.is_first():
        BucketCopies(root_of(run), run.elsewhere).fetch()
    return root_of(run)


def _alone() -> ocp.options.MultiprocessingOptions:
    """For what a process reads without the others."""
    me = jax.process_index()
    return ocp.options.MultiprocessingOptions(primary_host=me, active_processes={me})


def _read_meta(folder: epath.Path) -> dict[str, Any]:
    """What a checkpoint keeps beside its tensors."""
    alone = _alone()
    handler = ocp.JsonCheckpointHandler(multiprocessing_options=alone)
    with ocp.Checkpointer(handler, multiprocessing_options=alone) as checkpointer:
        return checkpointer.restore(folder / "meta", args=ocp.args.JsonRestore())


def _failure(folder: epath.Path) -> str:
    """Why stored tensors cannot be read; '' where they can."""
    alone = _alone()
    handler = ocp.PyTreeCheckpointHandler(multiprocessing_options=alone)
    try:
        with ocp.Checkpointer(handler, multiprocessing_options=alone) as checkpointer:
            tree = checkpointer.metadata(folder).item_metadata
            as_numpy = ocp.RestoreArgs(restore_type=np.ndarray)
            args = jax.tree.map(lambda _: as_numpy, tree)
            checkpointer.restore(folder, args=ocp.args.PyTreeRestore(restore_args=args))
    except Exception as error:
        return first_line(error)
    return ""


def _newest_identity(folder: epath.Path) -> dict[str, Any] | None:
    """What the run began with, by its newest readable checkpoint; None without one."""
    for step in finished_steps(folder):
        try:
            return _read_meta(step)["identity"]
        except Exception as error:
            log.warning("%s cannot be read: %s", step, first_line(error))
    return None


def has_checkpoint(run: RunFolder) -> bool:
    """Whether a run can be resumed; a folder that was not finished does not count."""
    return bool(finished_steps(_opened(run) / "latest"))


def stored_identity(run: RunFolder) -> dict[str, Any] | None:
    """What the run began with, as its newest checkpoint keeps it; None without one."""
    return _newest_identity(_opened(run) / "latest")


def restore_best(run: RunFolder, params: Any) -> tuple[Any, int]:
    """Parameters that scored best, and their step.

    Args:
      run: the run's folder.
      params: a tree of the right structure, shapes and types (abstract is enough).

    Raises:
      InputError: the folder holds no finished checkpoint, one that cannot be read, or
        one of another model.
    """
    folder = _opened(run) / "best"
    missing = InputError(
        "This run holds no trained model yet.",
        where=str(run.root),
        fix="Train first: python -m launch.train --config=... --workdir=...",
    )
    if not folder.is_dir():
        raise missing
    options = ocp.CheckpointManagerOptions(read_only=True, step_format_fixed_length=8)
    with ocp.CheckpointManager(folder, options=options) as manager:
        step = manager.latest_step()
        if step is None:
            raise missing
        args = ocp.args.Composite(params=ocp.args.StandardRestore(_abstract(params)))
        try:
            return manager.restore(step, args=args).params, step
        except (ValueError, FileNotFoundError) as error:
            raise _unusable(folder / f"{step:08d}", error) from None


def _unusable(best: epath.Path, error: Exception) -> InputError:
    """Why a best checkpoint cannot be restored into a model."""
    damage = _failure(best / "params")
    if damage:
        return InputError(
            f"The best checkpoint of this run cannot be read: {damage}",
            where=str(best),
            fix="If the disk is sound again later, try again. Otherwise it is lost: "
            "train again in a new folder.",
        )
    return InputError(
        f"The weights of this run do not fit its model: {first_line(error)}",
        where=str(best),
        fix="They were trained by another version of this package, or the run's "
        "config.json was changed. Train again in a new folder.",
    )


def _abstract(tree: Any) -> Any:
    """Shapes and types, and where each leaf belongs: where it lies in ``tree``.

    A leaf that lies nowhere belongs on the first device. Where it lay when it was
    saved, and on how many devices, does not matter.
    """
    first = jax.sharding.SingleDeviceSharding(jax.local_devices()[0])

    def describe(leaf: Any) -> jax.ShapeDtypeStruct:
        place = getattr(leaf, "sharding", None) or first
        return jax.ShapeDtypeStruct(leaf.shape, leaf.dtype, sharding=place)

    return jax.tree.map(describe, tree)
