"""Where checkpoints lie, on a disk or behind a URL, and what is found there."""

import dataclasses
import errno
import logging

from etils import epath

from reviewintent_jax.schema import InputError, RunFolder

log = logging.getLogger("reviewintent")

_UNFINISHED = "*.orbax-checkpoint-tmp*"


@dataclasses.dataclass(frozen=True)
class CheckpointSpec:
    """Where checkpoints go.

    Attributes:
      folder: a folder, or a URL, of this run alone; '' = in the run's folder. Orbax
        writes to ``gs://bucket/run`` itself. It cannot write to ``s3://bucket/run``: of
        what it writes to the run's folder copies are kept there.
    """

    folder: str

    def __post_init__(self) -> None:
        scheme, mark, _ = self.folder.partition("://")
        if mark and scheme not in _SCHEMES:
            raise InputError(
                f"checkpoints.folder cannot be a {scheme}:// address.",
                where="field checkpoints.folder",
                fix=f"Give a folder, or one of {', '.join(_SCHEMES)} with ://.",
            )


_COPIED = ("s3",)
_SCHEMES = ("gs", *_COPIED)


_FULL = {errno.ENOSPC: "No space left", errno.EDQUOT: "quota", errno.EFBIG: "too large"}


def root_of(run: RunFolder) -> epath.Path:
    """Where the checkpoints of a run lie.

    Raises:
      InputError: it is a URL whose file system is not installed.
    """
    if "://" not in run.elsewhere or is_copied(run):
        local = run.checkpoints if is_copied(run) else run.elsewhere or run.checkpoints
        place = epath.Path(local)
        return place.absolute()  # type: ignore[attr-defined]
    place = epath.Path(run.elsewhere)
    try:
        place.exists()
    except (ImportError, OSError) as error:
        raise InputError(
            f"The folder of the checkpoints cannot be reached: {first_line(error)}",
            where=run.elsewhere,
            fix="Install what reads it with pip install '.[remote]', and set the "
            "credentials of its owner.",
        ) from None
    return place


def is_copied(run: RunFolder) -> bool:
    """Whether checkpoints lie in the run's folder, and copies of them in a bucket."""
    return run.elsewhere.partition("://")[0] in _COPIED


def first_line(error: BaseException) -> str:
    """The first line of what an error says."""
    return (str(error).strip() or type(error).__name__).splitlines()[0][:200]


def is_full(error: BaseException | None) -> bool:
    """Whether a full disk, or a quota, is behind an error."""
    while error is not None:
        if getattr(error, "errno", None) in _FULL:
            return True
        if any(words in str(error) for words in _FULL.values()):
            return True
        error = error.__cause__ or error.__context__
    return False


def finished_steps(folder: epath.Path) -> list[epath.Path]:
    """Finished checkpoints, the newest first."""
    if not folder.exists():
        return []
    found = [each for each in folder.iterdir() if each.name.isdigit()]
    return sorted(found, key=lambda each: int(each.name), reverse=True)


def remove_unfinished(folder: epath.Path) -> None:
    """Removes what a run that was killed while saving left in ``folder``.

    Done here and not by Orbax, whose managers do it in threads that trip over each
    other and over folders that have just gone.
    """
    if not folder.exists():
        return
    for path in folder.glob(_UNFINISHED):
        log.warning("%s was not finished and is removed; those before stay.", path)
        path.rmtree()
