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
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import flax
import jax
from jax import export

_LIBRARIES = ("jax", "jaxlib", "flax", "optax", "numpy")
_FOLDER = "traced"  # in that of compiled programs
_MONTH = 30 * 24 * 3600  # seconds
_DIGEST = hashlib.sha256().digest_size
_log = logging.getLogger("reviewintent")

# Of what cannot be exported or written, such as a tree of a type that nobody declared.
# What is wrong with the function itself is raised again when it is traced as usual.
_CANNOT_KEEP = (ImportError, NotImplementedError, TypeError, ValueError)


class KeptTraces(NamedTuple):
    """Where programs are looked for before they are traced.

    A program is read only where nothing differs that it could depend on: the source of
    this package as it was imported, the versions of the libraries, the settings of JAX
    and Flax, shapes, types and places of the arguments, and ``about``. Anything else
    makes it be traced anew.

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
        processes would have to read the same. A line says so where the program cannot
        be kept for another reason.

        Args:
          name: of the function, among those of a run.
          function: pure, of trees of lists, tuples and dicts, and so are its results.
          arguments: arrays or their shapes (anything with ``shape`` and ``dtype``);
            those of every call are like them.
          options: of ``jax.jit``, such as where arguments and results lie.

        Raises:
          TypeError: ``about`` holds something else than plain values.
        """
        program = jax.jit(function, **options)
        folder = None if self.about is None else _folder()
        if folder is None:
            return program
        path = folder / f"{name}-{self._key(name, arguments)}"
        exported = _read(path) or _exported(program, arguments, path)
        return program if exported is None else jax.jit(exported.call, **options)

    def _key(self, name: str, arguments: tuple[Any, ...]) -> str:
        """Hash of all that the program may depend on."""
        leaves, outline = jax.tree.flatten(arguments)
        parts = {
            "name": name,
            "about": self.about,
            "arguments": [str(outline), *map(_describe, leaves)],
            "code": _CODE,
            "libraries": _versions(),
            "settings": _settings(),
            "devices": [str(device) for device in jax.devices()],
        }
        text = json.dumps(parts, sort_keys=True)
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
    if not (compiled and wanted and alone and _CODE) or "://" in compiled:
        return None
    return Path(compiled) / _FOLDER


def _describe(leaf: Any) -> str:
    """Shape, type and place of an argument."""
    return f"{leaf.shape} {leaf.dtype} {getattr(leaf, 'sharding', None)}"


def _code() -> str:
    """Hash of this package's source; empty where there are no files of it."""
    digest = hashlib.sha256()
    root = Path(__file__).parent
    files = sorted(root.rglob("*.py"))
    for file in files:
        content = file.read_bytes()
        digest.update(f"{file.relative_to(root)} {len(content)}\n".encode() + content)
    return digest.hexdigest() if files else ""


_CODE = _code()
"""Of the source as it is imported: what is written to a file later does not run."""


@functools.cache
def _versions() -> dict[str, str]:
    """Of what turns functions into programs."""
    found = {name: importlib.metadata.version(name) for name in _LIBRARIES}
    return found | {"python": platform.python_version()}


def _settings() -> dict[str, str]:
    """Of JAX, but for those that say where and when programs are kept, and of Flax."""
    of_jax = {
        name: repr(value)
        for name, value in jax.config.values.items()  # type: ignore[attr-defined]
        if "cache" not in name
    }
    names = (name for name in dir(flax.config) if name.startswith(("flax_", "nnx_")))
    return of_jax | {name: repr(getattr(flax.config, name)) for name in names}


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
    try:
        return export.deserialize(bytearray(program))
    except _CANNOT_KEEP:
        return None


def _exported(
    program: jax.stages.Wrapped, arguments: tuple[Any, ...], path: Path
) -> export.Exported | None:
    """The program, traced and kept; None where its kind cannot be."""
    try:
        exported = export.export(program)(*arguments)
        _write(path, bytes(exported.serialize()))
    except _CANNOT_KEEP as error:
        _log.warning("The traced program cannot be kept: %s", error)
        return None
    return exported


def _write(path: Path, program: bytes) -> None:
    """Keeps it, whole or not at all; where that fails, the next start traces again.

    Nothing is kept where the source has changed since it was imported: modules that
    were imported after that may be newer than the hash in the file's name.
    """
    if _code() != _CODE:
        return
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            draft.write_bytes(hashlib.sha256(program).digest() + program)
            draft.replace(path)
        finally:
            draft.unlink(missing_ok=True)
    except OSError as error:
        _log.warning("The traced program was not kept: %s.", error)
        return
    _forget_old(path.parent)


def _forget_old(folder: Path) -> None:
    """Deletes files that nobody has wanted for a month, where that is allowed."""
    long_ago = time.time() - _MONTH
    for file in folder.iterdir():
        with contextlib.suppress(OSError):
            if file.is_file() and file.stat().st_mtime < long_ago:
                file.unlink()
