"""Programs as an earlier start of the same command traced them.

In: a function, what it is called with, and what decides what it computes. Out: the
same function under ``jax.jit``. JAX keeps what XLA compiled between starts but not what
Python traced, which takes a CPU as long as reading what was compiled; here that is kept
too, as StableHLO beside the compiled programs (``jax.export``).
"""

import contextlib
import functools
import hashlib
import importlib.metadata
import json
import logging
import os
import platform
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import jax
from jax import export

_LIBRARIES = ("jax", "jaxlib", "flax", "optax", "numpy")
_FOLDER = "traced"  # in that of compiled programs
_MONTH = 30 * 24 * 3600  # seconds
_DIGEST = hashlib.sha256().digest_size
_log = logging.getLogger(__name__)


class KeptTraces(NamedTuple):
    """Where programs are looked for before they are traced.

    A program is read only where nothing differs that it could depend on: the source of
    this package, the versions of the libraries, JAX's settings, shapes, types and
    places of the arguments, and ``about``. Anything else makes it be traced anew.

    Attributes:
      about: all that decides, beside the arguments, what the functions compute: plain
        values. None = nothing is kept or read. Functions that are not made of these
        values by this package's own code must not be kept.
    """

    about: Mapping[str, Any] | None = None

    def jit(
        self,
        name: str,
        function: Callable[..., Any],
        arguments: tuple[Any, ...],
        **options: Any,
    ) -> jax.stages.Wrapped:
        """``jax.jit(function, **options)``, as an earlier start traced it if one did.

        Nothing is kept, and ``function`` is traced as usual, where JAX keeps no
        compiled programs in a folder of this machine, on other devices than a CPU (what
        an exported program may call there is not promised to stay), and where several
        processes would have to read the same.

        Args:
          name: of the function, among those of a run.
          function: pure, of trees of lists, tuples and dicts, and so are its results.
          arguments: arrays or their shapes; those of every call are like them.
          options: of ``jax.jit``, such as where arguments and results lie.
        """
        folder = None if self.about is None else _folder()
        if folder is None:
            return jax.jit(function, **options)
        path = folder / f"{name}-{self._key(name, arguments)}"
        exported = _read(path)
        if exported is None:
            exported = export.export(jax.jit(function, **options))(*arguments)
            _write(path, exported)
        return jax.jit(exported.call, **options)

    def _key(self, name: str, arguments: tuple[Any, ...]) -> str:
        """Hash of all that the program may depend on."""
        leaves, outline = jax.tree.flatten(arguments)
        parts = {
            "name": name,
            "about": self.about,
            "arguments": [str(outline), *map(_describe, leaves)],
            "code": _code(),
            "libraries": _versions(),
            "settings": _settings(),
            "devices": [str(device) for device in jax.devices()],
        }
        text = json.dumps(parts, sort_keys=True, default=repr)
        return hashlib.sha256(text.encode()).hexdigest()


TRACED_ANEW = KeptTraces()
"""Nothing is kept or read."""


def traces_of_run(values: Mapping[str, Any], identity: Mapping[str, Any]) -> KeptTraces:
    """Where the programs of a run that this package builds are looked for.

    Runs that differ in their seeds share them: the seed is an argument of a program.

    Args:
      values: the run's whole config.
      identity: what must stay the same for it to be resumed; it says which data it
        learns from.
    """
    config, run = (
        {name: value for name, value in each.items() if name != "seed"}
        for each in (values, identity)
    )
    return KeptTraces({"config": config, "run": run})


def _folder() -> Path | None:
    """The folder of traces; None where nothing should be kept."""
    compiled = jax.config.jax_compilation_cache_dir  # type: ignore[attr-defined]
    wanted = jax.config.jax_enable_compilation_cache  # type: ignore[attr-defined]
    alone = jax.process_count() == 1 and jax.default_backend() == "cpu"
    if not (compiled and wanted and alone) or "://" in compiled:
        return None
    return Path(compiled) / _FOLDER


def _describe(leaf: Any) -> str:
    """Shape, type and place of an argument."""
    return f"{leaf.shape} {leaf.dtype} {getattr(leaf, 'sharding', None)}"


@functools.cache
def _code() -> str:
    """Hash of this package's source."""
    digest = hashlib.sha256()
    root = Path(__file__).parent
    for file in sorted(root.rglob("*.py")):
        content = file.read_bytes()
        digest.update(f"{file.relative_to(root)} {len(content)}\n".encode() + content)
    return digest.hexdigest()


@functools.cache
def _versions() -> dict[str, str]:
    """Of what turns functions into programs."""
    found = {name: importlib.metadata.version(name) for name in _LIBRARIES}
    return found | {"python": platform.python_version()}


def _settings() -> dict[str, str]:
    """JAX's settings, but for those that say where and when programs are kept."""
    return {
        name: repr(value)
        for name, value in jax.config.values.items()  # type: ignore[attr-defined]
        if "cache" not in name
    }


def _read(path: Path) -> export.Exported | None:
    """What was kept; None where there is nothing, or it is damaged."""
    try:
        content = path.read_bytes()
    except OSError:
        return None
    digest, program = content[:_DIGEST], content[_DIGEST:]
    if hashlib.sha256(program).digest() != digest:
        return None
    with contextlib.suppress(OSError):
        os.utime(path)  # the last time that somebody wanted it
    return export.deserialize(bytearray(program))


def _write(path: Path, exported: export.Exported) -> None:
    """Keeps it, whole or not at all; where that fails, the next start traces again."""
    program = bytes(exported.serialize())
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, draft = tempfile.mkstemp(dir=path.parent)
        with os.fdopen(handle, "wb") as file:
            file.write(hashlib.sha256(program).digest() + program)
        Path(draft).replace(path)
        _forget_old(path.parent)
    except OSError as error:
        _log.warning("The traced program was not kept: %s.", error)


def _forget_old(folder: Path) -> None:
    """Deletes what nobody has wanted for a month."""
    for file in folder.iterdir():
        with contextlib.suppress(FileNotFoundError):  # another start was faster
            if time.time() - file.stat().st_mtime > _MONTH:
                file.unlink()
