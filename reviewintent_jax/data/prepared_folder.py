"""Serves stages 1 to 6: the folder of prepared data, and whose it is.

A run's folder may be any folder, a project's root included, and a project's ``data/``
often holds what cannot be fetched again. So nothing is removed here but files of our
own, by their names; a folder that holds anything else is refused before it is touched.
New data are written beside the old ones and renamed into place when they are whole::

    data.part/       being written; left by a killed run, and gone on with by the next
                     where it was begun for the same data, else cleaned
    data.part.lock   says who writes, while somebody does
    data/            whole
"""

import contextlib
import json
import re
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from reviewintent_jax.schema import InputError, TransientError

MANIFEST = "manifest.json"
_PLAN = "plan.json"  # made before any other file, so a half-finished folder has it
_PARTS = re.compile(r".*\.[0-9a-f]{12}\.part")
_OURS = re.compile(
    r"((tokens-\d{5,}-\d{5,}\.array_record|reviews-\d{5,}-\d{5,}\.parquet"
    r"|block-\d{5,}-\d{5,}\.npz)(\.[0-9a-f]{12}\.part)?"
    r"|block-\d{5,}-\d{5,}\.part|plan\.json|index\.npz|manifest\.(json|part))"
)
_FIX = "Give --workdir a folder of its own, such as --workdir=runs/mine."


class UnfinishedError(TransientError):
    """Something ended a preparation that the same command can go on with."""


class Begun(NamedTuple):
    """A folder that is being written.

    Attributes:
      folder: empty, or with the blocks that an earlier try finished.
      now: seconds since 1970 UTC at which the first try began.
    """

    folder: Path
    now: int


def read_manifest(folder: Path) -> dict[str, Any] | None:
    """The manifest that :func:`~reviewintent_jax.data.prepare.prepare` wrote last.

    None where there is none, or one that somebody else wrote.
    """
    stored = _read_json(folder / MANIFEST)
    return stored if {"fingerprint", "labels"} <= stored.keys() else None


@contextlib.contextmanager
def written_whole(path: Path) -> Iterator[Path]:
    """A name of its own to write to, which becomes ``path`` when it is whole.

    Several may write the same file at once, as engines do that try work again or twice;
    each leaves the same bytes, and nobody ever sees less than all of them.

    Raises:
      UnfinishedError: the disk is full, or the folder is gone.
    """
    part = path.with_name(f"{path.name}.{uuid.uuid4().hex[:12]}.part")
    try:
        yield part
        part.replace(path)
    except (OSError, RuntimeError) as error:
        raise UnfinishedError(
            f"A file of the prepared data cannot be written: {error}",
            where=str(path),
            fix="Make room for it; the same command goes on with what is done.",
        ) from error
    finally:
        with contextlib.suppress(OSError):
            part.unlink(missing_ok=True)


def refuse_sources_inside(folder: Path, sources: Sequence[Path]) -> None:
    """Refuses to read from the folder that is about to be replaced.

    Args:
      folder: where prepared data would go.
      sources: files and folders that are read.

    Raises:
      InputError: names the first source that lies in ``folder``.
    """
    places = [each.resolve() for each in (folder, _part(folder))]
    for source in sources:
        if any(source.resolve().is_relative_to(place) for place in places):
            raise InputError(
                "The source lies in the folder that the prepared data would replace.",
                where=str(source),
                fix=_FIX,
            )


@contextlib.contextmanager
def replacing(folder: Path, plan: Mapping[str, Any]) -> Iterator[Begun]:
    """A folder to write to, which takes the place of ``folder`` at the end.

    To be entered :func:`~reviewintent_jax.data.prepared_lock.alone_in` the folder.

    Stopped (Ctrl-C, a lost machine, a full disk), what was written stays, and the next
    call with the same plan goes on with it. Left by a mistake of the user's, what was
    written is removed. ``folder`` is as it was.

    Args:
      folder: that is replaced.
      plan: what decides the files, as JSON values; empty = nothing is gone on with.

    Raises:
      InputError: the folder holds files that are not ours; nothing has been touched.
    """
    folder = folder.resolve()  # a link to a larger disk stays a link
    part = _part(folder)
    for each in (folder, part):
        _refuse_foreign(each)
    now = _go_on_or_clean(part, dict(plan))
    try:
        yield Begun(part, now)
        _refuse_foreign(folder)  # reading took a while
        _remove_parts(part)
        (part / _PLAN).unlink()
        _remove(folder)
        part.rename(folder)
    except BaseException as error:
        mistake = isinstance(error, InputError)
        if not plan or (mistake and not isinstance(error, UnfinishedError)):
            with contextlib.suppress(OSError):
                _remove(part)
        raise


def _go_on_or_clean(part: Path, plan: dict[str, Any]) -> int:
    """Makes the folder ready; returns when its writing began."""
    begun = _read_json(part / _PLAN)
    if plan and begun.get("plan") == plan:
        _remove_parts(part)
        return int(begun["now"])
    _remove(part)
    part.mkdir(parents=True)
    now = int(time.time())
    unfinished = part / "manifest.part"  # any name of ours
    unfinished.write_text(json.dumps({"plan": plan, "now": now}), "utf-8")
    unfinished.replace(part / _PLAN)
    return now


def _remove_parts(folder: Path) -> None:
    """Removes what killed processes had not finished."""
    for each in folder.iterdir():
        if _PARTS.fullmatch(each.name) and _OURS.fullmatch(each.name):
            each.unlink(missing_ok=True)


def _read_json(path: Path) -> dict[str, Any]:
    """The object in a file; empty where there is none."""
    try:
        stored = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return stored if isinstance(stored, dict) else {}


def _part(folder: Path) -> Path:
    return folder.with_name(f"{folder.name}.part")


def _refuse_foreign(folder: Path) -> None:
    if not folder.exists():
        return
    if not folder.is_dir():
        raise InputError(
            "A file stands where the folder of the prepared data belongs.",
            where=str(folder),
            fix=_FIX,
        )
    names = sorted(each.name for each in folder.iterdir())
    foreign = [n for n in names if not _OURS.fullmatch(n) or not (folder / n).is_file()]
    begun = _PLAN in names or "manifest.part" in names
    if not foreign and names and not begun and read_manifest(folder) is None:
        foreign = names  # our names, but nothing that a preparation leaves behind
    if foreign:
        more = f" and {len(foreign) - 3} more" if len(foreign) > 3 else ""
        raise InputError(
            "Prepared data belong in a folder that holds other files: "
            + ", ".join(foreign[:3])
            + more
            + ". Nothing was touched.",
            where=str(folder),
            fix=_FIX,
        )


def _remove(folder: Path) -> None:
    """Removes our files, one by one, and then the folder, if nothing else is in it."""
    if folder.is_dir():
        ours = [each for each in folder.iterdir() if _OURS.fullmatch(each.name)]
        # The plan goes last: a folder that was half removed is still known as ours.
        for each in sorted(ours, key=lambda path: path.name == _PLAN):
            each.unlink(missing_ok=True)
        folder.rmdir()
