"""What every command does first and last: logging, compilation cache, clear errors."""

import logging
import os
import platform
import signal
import sys
import time
import traceback
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from types import FrameType
from typing import Any

import jax
from absl import app, flags
from absl import logging as absl_logging

import reviewintent_jax
from reviewintent_jax.build import plain_values
from reviewintent_jax.schema import InputError, RunFolder, TransientError
from reviewintent_jax.training.hosts import SaidElsewhereError

log = logging.getLogger("reviewintent")

_PACKAGES = ("jax", "flax", "optax", "orbax-checkpoint", "numpy", "scikit-learn")
_SETTINGS = (
    "All settings, with their meaning, are in configs/base.py; those of other tasks in "
    "configs/forecast.py, intention_series.py, msdp.py and pretrain.py, those of the "
    "benchmark in configs/benchmark.py."
)
INPUT_ERROR = 2
"""Exit code of a mistake in what the user gave us."""
INTERRUPTED = 130
"""Exit code after Ctrl-C."""
TERMINATED = 143
"""Exit code after SIGTERM, of commands that end in order."""
FAILED = 1
"""Exit code of everything else: the same command may succeed later."""


class Terminated(KeyboardInterrupt):
    """SIGTERM came, which ends a command as Ctrl-C does."""


def run(
    main: Callable[[list[str]], None],
    *,
    after_stop: str = "The same command begins again from the start.",
) -> None:
    """Runs a command: parses flags, sets up, and turns user errors into sentences.

    ``after_stop`` says, after Ctrl-C and SIGTERM, what the same command would do.
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
        if not isinstance(error, SaidElsewhereError):
            print(f"\n{_me()}Error: {error}", file=sys.stderr)
        _leave(FAILED if isinstance(error, TransientError) else INPUT_ERROR)
    except BrokenPipeError:
        # The reader of our stdout has gone (| head); nobody is left to tell.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)
    except KeyboardInterrupt as stopped:
        print(f"\nStopped. {after_stop}", file=sys.stderr)
        _leave(TERMINATED if isinstance(stopped, Terminated) else INTERRUPTED)
    except Exception as error:
        if not jax.distributed.is_initialized():
            raise
        traceback.print_exc()
        print(
            f"\n{_me()}This process cannot go on: {str(error).splitlines()[0]}\nWhere "
            "another process of the run ended before, that was the cause. Checkpoints "
            "are intact: start all processes again with the same command.",
            file=sys.stderr,
        )
        _leave(FAILED)


def end_in_order() -> None:
    """From here on SIGTERM raises :class:`Terminated`; a second one ends at once."""

    def told(number: int, frame: FrameType | None) -> None:
        del frame
        signal.signal(number, signal.SIG_DFL)
        log.info("Stopping.")
        raise Terminated

    signal.signal(signal.SIGTERM, told)


def _me() -> str:
    """Names this process where there are others."""
    if not jax.distributed.is_initialized():
        return ""
    return f"[process {jax.process_index()} of {jax.process_count()}] "


def _leave(code: int) -> None:
    """Ends this process, at once where others may be waiting for it.

    An orderly end waits for all processes, of which some wait for this one; they learn
    from its sudden end that they should end too.
    """
    if not jax.distributed.is_initialized():
        sys.exit(code)
    if jax.process_index() == 0:
        time.sleep(1)  # those who found the same mistake end by themselves
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def speak_as(process: int, processes: int) -> None:
    """Leaves the speaking to the first process; warnings of others name the process."""
    if process == 0:
        return
    mark = f"[process {process} of {processes}] "
    log.handlers[0].setFormatter(logging.Formatter(f"{mark}%(message)s"))
    log.setLevel(logging.WARNING)
    sys.stdout = Path(os.devnull).open("w")  # noqa: SIM115 - as long as the process


def _parse_flags(argv: list[str]) -> list[str]:
    """Parses flags; a misspelt setting or a missing config file becomes a sentence."""
    try:
        return flags.FLAGS(argv)
    except flags.Error as error:
        raise InputError(
            f"The command line could not be understood. {error}",
            fix=f"All flags of a command: --help. {_SETTINGS}",
        ) from None
    except (AttributeError, KeyError, TypeError, ValueError, OSError) as error:
        raise InputError(
            f"The command line could not be understood. {_plain(error)}",
            fix=_SETTINGS,
        ) from None


def _plain(error: Exception) -> str:
    """What an error says; the config library wraps its hint in reprs of reprs.

    Example: ``KeyError("'txt'\\nDid you mean ...?")`` -> ``There is no setting 'txt'.
    Did you mean ...?``
    """
    said = str(error).replace("\\n", " ").replace("\\'", "'").strip("'\"")
    key, quote, hint = said.partition("' ")
    if isinstance(error, KeyError | AttributeError) and quote and key.isidentifier():
        return f"There is no setting '{key}'. {hint}"
    return said


def config_values(read: Callable[[], Any]) -> dict[str, Any]:
    """The config that a flag names, as plain values.

    Args:
      read: returns the flag's value, for which its file is read.

    Raises:
      InputError: none was named, or there is no such file.
    """
    try:
        config = read()
        if config is not None:
            return plain_values(config)
    except OSError as error:
        raise InputError(
            "The config file cannot be read.",
            where=str(error).splitlines()[-1].strip(),
            fix="The files there are: configs/*.py; run from the repository's root.",
        ) from None
    raise InputError("No config was named.", fix="Example: --config=configs/demo.py")


def run_folder(
    workdir: str | Path, checkpoints: str = "", shared: str = ""
) -> RunFolder:
    """The folder of a run, made where it is absent.

    ``checkpoints`` says where those lie, if elsewhere; ``shared`` the same of data.

    Raises:
      InputError: it cannot be made.
    """
    path = Path(workdir)
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(
            f"The folder of the run cannot be made: {error.strerror}.",
            where=str(path),
            fix="Give --workdir a folder that can be written to.",
        ) from None
    return RunFolder(path, checkpoints, shared)


def cores() -> int:
    """Cores that this process may use, which may be fewer than the machine has."""
    allowed = getattr(os, "sched_getaffinity", None)  # not on macOS
    return len(allowed(0)) if allowed else os.cpu_count() or 1


def environment() -> dict[str, Any]:
    """Versions, device and cores, for the record."""
    device = jax.devices()[0]
    return {
        "python": platform.python_version(),
        **{name: version(name) for name in _PACKAGES},
        "reviewintent_jax": reviewintent_jax.__version__,
        "device": device.device_kind,
        "processor": _processor(),
        "devices": jax.device_count(),
        "processes": jax.process_count(),
        "cores": cores(),
        "system": platform.system(),
    }


def _processor() -> str:
    """The name of the processor, where the system tells it."""
    cpus = Path("/proc/cpuinfo")
    lines = cpus.read_text("utf-8").splitlines() if cpus.is_file() else []
    named = (line.split(":", 1)[1] for line in lines if line.startswith("model name"))
    return next(named, platform.processor()).strip()


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
