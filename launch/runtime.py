"""What every command does first and last: logging, compilation cache, clear errors."""

import logging
import os
import platform
import sys
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import jax
from absl import app
from absl import logging as absl_logging

import reviewintent_jax
from reviewintent_jax.schema import InputError

log = logging.getLogger("reviewintent")

_PACKAGES = ("jax", "flax", "optax", "orbax-checkpoint", "numpy", "scikit-learn")
INPUT_ERROR = 2
"""Exit code of a mistake in what the user gave us."""
INTERRUPTED = 130
"""Exit code after Ctrl-C."""


def run(
    main: Callable[[list[str]], None],
    *,
    after_stop: str = "The same command begins again from the start.",
) -> None:
    """Runs a command: parses flags, sets up, and turns user errors into sentences.

    ``after_stop`` says, after Ctrl-C, what the same command would do.
    """

    def guarded(argv: list[str]) -> None:
        _set_up_logging()
        _use_compilation_cache()
        if len(argv) > 1:
            raise InputError(
                f"Unknown words on the command line: {' '.join(argv[1:])}",
                fix="Flags are written --name=value.",
            )
        main(argv)

    try:
        app.run(guarded, flags_parser=_parse_flags)
    except InputError as error:
        print(f"\nError: {error}", file=sys.stderr)
        sys.exit(INPUT_ERROR)
    except BrokenPipeError:
        # The reader of our stdout has gone (| head); nobody is left to tell.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)
    except KeyboardInterrupt:
        print(f"\nStopped. {after_stop}", file=sys.stderr)
        sys.exit(INTERRUPTED)


def _parse_flags(argv: list[str]) -> list[str]:
    """Parses flags; a misspelt setting or a missing config file becomes a sentence."""
    try:
        return app.parse_flags_with_usage(argv)
    except (AttributeError, KeyError, TypeError, ValueError, OSError) as error:
        # The config library wraps its hint in the repr of a KeyError.
        said = str(error).replace("\\n", " ").replace("\\'", "'").strip("'\"")
        raise InputError(
            f"The command line could not be understood. {said}",
            fix="All settings, with their meaning, are in configs/base.py.",
        ) from None


def environment() -> dict[str, Any]:
    """Versions, device and cores, for the record."""
    device = jax.devices()[0]
    return {
        "python": platform.python_version(),
        **{name: version(name) for name in _PACKAGES},
        "reviewintent_jax": reviewintent_jax.__version__,
        "device": device.device_kind,
        "devices": jax.device_count(),
        "cores": os.cpu_count(),
        "system": platform.system(),
    }


def _set_up_logging() -> None:
    # jax and orbax report every backend they try and every file they touch.
    absl_logging.set_verbosity(absl_logging.ERROR)
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("%(message)s"))
    log.handlers[:] = [handler]
    log.setLevel(logging.INFO)
    log.propagate = False


def _use_compilation_cache() -> None:
    """Compiled programs are kept in the user's cache folder, unless one is set."""
    if jax.config.jax_compilation_cache_dir:  # type: ignore[attr-defined]
        return
    home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    folder = Path(home) / "reviewintent_jax" / "compiled"
    jax.config.update("jax_compilation_cache_dir", str(folder))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.5)
