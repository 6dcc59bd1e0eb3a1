"""Serves stages 1 to 6: what prepared data depend on, and what of it changed.

Equal fingerprints mean equal data. They hold names, sizes and times of the source's
files, which cost nothing to look at; hashes of their contents, taken when they were
read, lie beside. A file that was copied, moved, or only touched is known by them.
"""

import dataclasses
import hashlib
import json
import logging
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from reviewintent_jax.data.intention import IntentionKind
from reviewintent_jax.data.prepared import DataSpec
from reviewintent_jax.data.sources import SourceKind, SourceSpec, source_fingerprint
from reviewintent_jax.data.tables import expand_paths, table_format
from reviewintent_jax.data.times import DateOrder
from reviewintent_jax.data.token_shards import file_sha256
from reviewintent_jax.data.tokens import TOKENIZER_FILES, ReviewTokenizer
from reviewintent_jax.schema import InputError

_log = logging.getLogger("reviewintent")

_VERSION = 2  # of what is made of the same rows with the same settings
_NAMES = re.compile(r"source\.path|files\.files\.\d+\.(path|mtime_ns)")
"""Leaves that may differ although the rows are the same."""
_NAMED = 6  # most leaves in a message
_LONGEST = 80  # characters of a value in a message
_ABSENT = "not set"


def fingerprint_of(
    spec: DataSpec,
    tokenizer: ReviewTokenizer | None,
    *,
    source: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """What the prepared data depend on, as JSON values.

    ``source`` stands in for what the source is, where it is not on this machine.
    """
    vocabulary = hashlib.sha256()
    if tokenizer is not None:
        for name in TOKENIZER_FILES:
            path = tokenizer.folder / name
            if path.is_file():
                vocabulary.update(path.read_bytes())
    settings = json.loads(json.dumps(dataclasses.asdict(spec)))
    # Settings younger than the first runs count where they are used: a run that was
    # begun without them goes on.
    if spec.intention.kind is IntentionKind.NONE:
        del settings["intention"]
    if spec.source.date_order is DateOrder.ISO:
        del settings["source"]["date_order"]
    if not spec.source.slice:
        del settings["source"]["slice"]
    if not spec.labels.aliases:
        del settings["labels"]["aliases"]
    try:
        found = json.loads(json.dumps(source_fingerprint(spec.source)))
    except InputError:
        if source is None:
            raise
        found = dict(source)
    return {
        "format": _VERSION,
        "tokenizer": vocabulary.hexdigest(),
        "files": found,
        **settings,
    }


def content_hashes(spec: SourceSpec) -> list[str] | None:
    """SHA-256 of every file of a table, in order; None of what is no plain file."""
    if spec.kind is not SourceKind.TABLE:
        return None
    paths = expand_paths(spec.path)
    if not all(path.is_file() for path in paths):  # a pipe is read once
        return None
    return [file_sha256(path) for path in paths]


def content_as_read(
    spec: SourceSpec, fingerprint: Mapping[str, Any]
) -> list[str] | None:
    """Hashes of the files that have just been read.

    Raises:
      InputError: a file changed since ``fingerprint`` was taken, before it was read.
    """
    hashes = content_hashes(spec)
    now = json.loads(json.dumps(source_fingerprint(spec)))
    if hashes is not None and now != fingerprint["files"]:
        raise InputError(
            "The source changed while it was read.",
            where=spec.path,
            fix="Give the same command once more when nothing writes to it.",
        )
    return hashes


def changes(
    before: Mapping[str, Any],
    now: Mapping[str, Any],
    spec: SourceSpec,
    hashes: Sequence[str] | None,
) -> list[str]:
    """What differs between two fingerprints, each as ``name: a then, b now``.

    Nothing where files only have other names or times than ``before``, and their
    contents are the same.

    Args:
      before, now: fingerprints; the second one of ``spec``.
      spec: the source.
      hashes: of the contents of the files of ``before``; None = not known.
    """
    then, here = _leaves(before), _leaves(now)
    names = [
        name
        for name in dict.fromkeys([*here, *then])
        if then.get(name, _ABSENT) != here.get(name, _ABSENT)
    ]
    said = [
        f"{name}: {_shown(then.get(name, _ABSENT))} then, "
        f"{_shown(here.get(name, _ABSENT))} now"
        for name in names
    ]
    if not names or hashes is None or not all(map(_NAMES.fullmatch, names)):
        return said
    found = _hashes_now(before, spec)
    if found is None:
        return said
    if found == list(hashes):
        _log.info(
            "Files of the source have other names or times than when they were "
            "prepared; their contents are the same, so the data are used again."
        )
        return []
    return said + [
        f"content (SHA-256) of {path}: {old[:12]} then, {new[:12]} now"
        for path, old, new in zip(expand_paths(spec.path), hashes, found, strict=True)
        if old != new
    ]


def refuse_changes(found: Sequence[str], what: str, *, where: Path, fix: str) -> None:
    """Raises InputError with the :func:`changes` that there are, if any."""
    if found:
        more = f"; and {len(found) - _NAMED} more" if len(found) > _NAMED else ""
        said = "; ".join(found[:_NAMED]) + more
        raise InputError(f"{what}: {said}", where=str(where), fix=fix)


def _hashes_now(before: Mapping[str, Any], spec: SourceSpec) -> list[str] | None:
    """Of the files that are there now; None where they would be read otherwise."""
    try:
        formats = [table_format(path) for path in expand_paths(spec.path)]
        if formats != [table_format(each["path"]) for each in before["files"]["files"]]:
            return None
        return content_hashes(spec)
    except (InputError, OSError):  # not on this machine
        return None


def _leaves(tree: Any, path: str = "") -> dict[str, Any]:
    """Nested values as one flat dict; members of lists of groups by their number.

    >>> _leaves({"files": [{"size": 3}], "tags": [1, 2]})
    {'files.0.size': 3, 'tags': [1, 2]}
    """
    if isinstance(tree, list) and tree and isinstance(tree[0], Mapping):
        tree = {str(number): each for number, each in enumerate(tree)}
    if not isinstance(tree, Mapping):
        return {path.removesuffix("."): tree}
    flat: dict[str, Any] = {}
    for name, value in tree.items():
        flat |= _leaves(value, f"{path}{name}.")
    return flat


def _shown(value: Any) -> str:
    said = str(value)
    if len(said) <= _LONGEST:
        return said
    # Paths differ at their ends.
    begin = _LONGEST // 4
    return f"{said[:begin]}...{said[begin + 3 - _LONGEST :]}"
