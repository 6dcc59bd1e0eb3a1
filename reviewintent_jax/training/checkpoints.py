"""Checkpoints: all that is needed to go on exactly, and the best model so far.

Two folders, because they have two purposes. ``latest`` keeps the last two full states
(parameters, moments, step, position in the data, trackers): a run that is killed goes
on from there. ``best`` keeps the parameters that scored best on validation: scoring
reads those. Orbax writes each into a temporary folder and renames it when it is
complete, so a run killed while saving leaves the one before intact. Orbax appears in no
other file.
"""

import json
import shutil
from pathlib import Path
from typing import Any, NamedTuple

import jax
import orbax.checkpoint as ocp

from reviewintent_jax.data.batches import Position
from reviewintent_jax.schema import InputError, RunFolder, setting_leaves
from reviewintent_jax.training.placement import put_tree
from reviewintent_jax.training.state import TrainState


class Tracker(NamedTuple):
    """What the loop remembers beside the state; JSON in the checkpoint.

    Attributes:
      epoch, page: position in the data (:class:`~reviewintent_jax.data.batches.
        Position`).
      seen: items (labelled reviews, windows) seen so far.
      best_score: best validation score so far; None before the first validation.
      best_step: step of that score.
      stale: validations since then.
      seconds: time spent training so far, over all runs.
    """

    epoch: int
    page: int
    seen: int
    best_score: float | None
    best_step: int
    stale: int
    seconds: float

    @property
    def position(self) -> Position:
        """Where the data stands."""
        return Position(self.epoch, self.page)


FRESH = Tracker(0, 0, 0, None, 0, 0, 0.0)
"""Tracker of a run that has not begun."""


_OPTIONS = {"step_format_fixed_length": 8, "cleanup_tmp_directories": False}
_UNFINISHED = "*.orbax-checkpoint-tmp*"


class Checkpoints:
    """Saves and restores one run; a context manager that waits for pending writes.

    Args:
      run: the run's folder.
      identity: what must not change between sessions of a run (seed, page and batch
        sizes); a restart with another identity is refused, because it would not
        continue the same run.
    """

    def __init__(self, run: RunFolder, identity: dict[str, Any]) -> None:
        root = run.checkpoints.absolute()
        self._identity = identity
        self._where = str(run.checkpoints)
        for folder in ("latest", "best"):
            _remove_unfinished(root / folder)
        self._latest = ocp.CheckpointManager(
            root / "latest",
            options=ocp.CheckpointManagerOptions(max_to_keep=2, **_OPTIONS),
        )
        self._best = ocp.CheckpointManager(
            root / "best",
            options=ocp.CheckpointManagerOptions(max_to_keep=1, **_OPTIONS),
        )

    def __enter__(self) -> "Checkpoints":
        return self

    def __exit__(self, *error: object) -> None:
        self._latest.close()
        self._best.close()

    def save(self, state: TrainState, tracker: Tracker) -> None:
        """Saves the full state in the background; the caller may go on at once."""
        step = int(state.step)
        if self._latest.latest_step() == step:
            return
        tensors = {"params": state.params, "moments": state.moments}
        meta = {"tracker": tracker._asdict(), "identity": self._identity}
        saved = self._latest.save(
            step,
            args=ocp.args.Composite(
                tensors=ocp.args.StandardSave(tensors), meta=ocp.args.JsonSave(meta)
            ),
        )
        if not saved:
            raise RuntimeError(f"Orbax did not save step {step} in {self._where}.")

    def save_best(self, state: TrainState) -> None:
        """Saves the parameters as the best so far, and waits until they are safe.

        The best is written before the state that remembers it: a run killed in between
        validates again and writes the same.
        """
        step = int(state.step)
        if step in self._best.all_steps():
            return
        self._best.save(
            step,
            args=ocp.args.Composite(params=ocp.args.StandardSave(state.params)),
            force=True,
        )
        self._best.wait_until_finished()

    def restore(self, fresh: TrainState) -> tuple[TrainState, Tracker]:
        """The newest saved state, or ``fresh`` where nothing has been saved."""
        step = self._latest.latest_step()
        if step is None:
            return fresh, FRESH
        self.check()
        target = {"params": fresh.params, "moments": fresh.moments}
        restored = self._latest.restore(
            step,
            args=ocp.args.Composite(
                tensors=ocp.args.StandardRestore(_abstract(target)),
                meta=ocp.args.JsonRestore(),
            ),
        )
        tensors = restored["tensors"]
        count = jax.numpy.asarray(step, jax.numpy.int32)
        state = TrainState(
            put_tree(count, fresh.step.sharding), tensors["params"], tensors["moments"]
        )
        return state, Tracker(**restored["meta"]["tracker"])

    def check(self) -> None:
        """Refuses to go on with a run whose settings were others.

        Raises:
          InputError: names every setting that differs.
        """
        step = self._latest.latest_step()
        if step is None:
            return
        meta = ocp.args.Composite(meta=ocp.args.JsonRestore())
        stored = self._latest.restore(step, args=meta)["meta"]["identity"]
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
                where=self._where,
                fix="Use the same settings, or give --workdir a new folder.",
            )


def _remove_unfinished(folder: Path) -> None:
    """Removes what a run that was killed while saving left in ``folder``.

    Done here and not by Orbax, whose managers do it in threads that trip over each
    other and over folders that have just gone.
    """
    for path in folder.glob(_UNFINISHED):
        shutil.rmtree(path)


def has_checkpoint(run: RunFolder) -> bool:
    """Whether a run can be resumed; a folder that was not finished does not count."""
    return any(each.name.isdigit() for each in (run.checkpoints / "latest").glob("*"))


def stored_identity(run: RunFolder) -> dict[str, Any] | None:
    """What the run began with, as its newest checkpoint keeps it; None without one."""
    if not has_checkpoint(run):
        return None
    folder = (run.checkpoints / "latest").absolute()
    options = ocp.CheckpointManagerOptions(read_only=True, step_format_fixed_length=8)
    with ocp.CheckpointManager(folder, options=options) as manager:
        step = manager.latest_step()
        if step is None:
            return None
        args = ocp.args.Composite(meta=ocp.args.JsonRestore())
        return manager.restore(step, args=args)["meta"]["identity"]


def restore_best(run: RunFolder, params: Any) -> tuple[Any, int]:
    """Parameters that scored best, and their step.

    Args:
      run: the run's folder.
      params: a tree of the right structure, shapes and types (abstract is enough).

    Raises:
      InputError: the folder holds no finished checkpoint, or one of another model.
    """
    folder = Path(run.checkpoints) / "best"
    missing = InputError(
        "This run holds no trained model yet.",
        where=str(run.root),
        fix="Train first: python -m launch.train --config=... --workdir=...",
    )
    if not folder.is_dir():
        raise missing
    options = ocp.CheckpointManagerOptions(read_only=True, step_format_fixed_length=8)
    with ocp.CheckpointManager(folder.absolute(), options=options) as manager:
        step = manager.latest_step()
        if step is None:
            raise missing
        args = ocp.args.Composite(params=ocp.args.StandardRestore(_abstract(params)))
        try:
            return manager.restore(step, args=args).params, step
        except ValueError as error:
            raise InputError(
                "The weights of this run do not fit its model: "
                f"{str(error).splitlines()[0]}",
                where=str(folder),
                fix="They were trained by another version of this package, or the "
                "run's config.json was changed. Train again in a new folder.",
            ) from None


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
