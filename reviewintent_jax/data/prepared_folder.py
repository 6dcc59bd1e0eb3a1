"""Serves stages 1 to 6: the folder of prepared data, and whose it is.

A run's folder may be any folder, a project's root included, and a project's ``data/``
often holds what cannot be fetched again. So nothing is removed here but files of our
own, by their names; a folder that holds anything else is refused before it is touched.
New data are written beside the old ones and renamed into place when they are whole::

    data.part/   being written; left by a killed run, and cleaned by the next
    data/        whole
"""

import contextlib
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from reviewintent_jax.schema import InputError

MANIFEST = "manifest.json"
_FIRST = "tokens.bin"  # made before any other file, so a half-finished folder has it
_OURS = frozenset(
    {
        *(_FIRST, "reviews.parquet", "token_offsets.npy", "tokens.dtype"),
        *("index.npz", "manifest.part", MANIFEST),
    }
)
_FIX = "Give --workdir a folder of its own, such as --workdir=runs/mine."


def read_manifest(folder: Path) -> dict[str, Any] | None:
    """The manifest that :func:`~reviewintent_jax.data.prepare.prepare` wrote last.

    None where there is none, or one that somebody else wrote.
    """
    try:
        stored = json.loads((folder / MANIFEST).read_text("utf-8"))
    except (OSError, ValueError):
        return None
    ours = isinstance(stored, dict) and {"fingerprint", "labels"} <= stored.keys()
    return stored if ours else None


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
def replacing(folder: Path) -> Iterator[Path]:
    """An empty folder to write to, which takes the place of ``folder`` at the end.

    Left by an exception, it removes what was written and leaves ``folder`` as it was.

    Raises:
      InputError: the folder holds files that are not ours; nothing has been touched.
    """
    folder = folder.resolve()  # a link to a larger disk stays a link
    part = _part(folder)
    for each in (folder, part):
        _refuse_foreign(each)
    _remove(part)
    part.mkdir(parents=True)
    try:
        yield part
        _refuse_foreign(folder)  # reading took a while
        _remove(folder)
        part.rename(folder)
    except BaseException:
        with contextlib.suppress(OSError):
            _remove(part)
        raise


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
    foreign = [n for n in names if n not in _OURS or not (folder / n).is_file()]
    if not foreign and names and _FIRST not in names and read_manifest(folder) is None:
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
        for name in _OURS:
            (folder / name).unlink(missing_ok=True)
        folder.rmdir()
