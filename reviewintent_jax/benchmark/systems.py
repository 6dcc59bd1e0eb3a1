"""The systems that are measured: a config -> what learns, and what is asked of it.

In: the plain values of a config of any task, and a folder for prepared data. Out: a
:class:`~reviewintent_jax.benchmark.system.System`. What a task is made of is built as
``launch.train`` builds it; to measure another task, add how it is built to
:data:`_BUILDERS`, and to measure another system of a task that is there, add a line to
``configs/benchmark.py``.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from reviewintent_jax.benchmark.absent import AbsentError
from reviewintent_jax.benchmark.masked_system import MaskedSystem
from reviewintent_jax.benchmark.review_system import ReviewSystem
from reviewintent_jax.benchmark.system import System
from reviewintent_jax.benchmark.window_systems import CaseSystem, WindowSystem
from reviewintent_jax.build import build_experiment
from reviewintent_jax.build_forecast import build_forecast
from reviewintent_jax.build_heading import build_heading
from reviewintent_jax.build_msdp import build_msdp
from reviewintent_jax.build_pretrain import build_pretrain
from reviewintent_jax.configuration import TaskKind, task_of
from reviewintent_jax.schema import RunFolder

_BUILDERS: dict[TaskKind, Callable[[Mapping[str, Any], RunFolder], System]] = {
    TaskKind.REVIEW: lambda *given: ReviewSystem(build_experiment(*given)),
    TaskKind.FORECAST: lambda *given: WindowSystem(build_forecast(*given)),
    TaskKind.HEADING: lambda *given: WindowSystem(build_heading(*given)),
    TaskKind.MSDP: lambda *given: CaseSystem(build_msdp(*given)),
    TaskKind.PRETRAIN: lambda *given: MaskedSystem(build_pretrain(*given)),
}


def build_system(values: Mapping[str, Any], folder: str) -> System:
    """The system of a config.

    Args:
      values: of the config, plain.
      folder: for prepared data, used again while nothing changed.

    Raises:
      AbsentError: its data are not there.
      InputError: a mistake in the config or the data.
    """
    path = values["data"].get("path")
    if values["data"].get("kind", "table") == "table" and not Path(str(path)).exists():
        raise AbsentError(f"the data are not there: {Path(str(path)).name}")
    return _BUILDERS[task_of(values)](values, RunFolder(Path(folder)))
