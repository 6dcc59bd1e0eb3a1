"""The systems that are measured: a config -> what learns, and what is asked of it.

In: the plain values of a config of any task, and a folder for prepared data. Out: a
:class:`~reviewintent_jax.benchmark.system.System`. What a task is made of is built as
``launch.train`` builds it; to measure another task, add how it is built to
:data:`_BUILDERS`, and to measure another system of a task that is there, add a line to
``configs/benchmark.py``.
"""

import importlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from reviewintent_jax.benchmark.absent import AbsentError
from reviewintent_jax.benchmark.system import System
from reviewintent_jax.configuration import TaskKind, task_of
from reviewintent_jax.schema import RunFolder

_BUILDERS = {
    TaskKind.REVIEW: "review_system:build_reviews",
    TaskKind.FORECAST: "window_systems:build_forecasts",
    TaskKind.HEADING: "window_systems:build_headings",
    TaskKind.MSDP: "case_system:build_cases",
    TaskKind.PRETRAIN: "masked_system:build_masked",
}
"""Task -> module of this room and function; imported as ``launch.train`` does it, where
it is needed, so that starts take as long as there."""


def build_system(values: Mapping[str, Any], folder: str) -> System:
    """The system of a config.

    Args:
      values: of the config, plain.
      folder: for prepared data, used again while nothing changed.

    Raises:
      AbsentError: its data are not there.
      InputError: a mistake in the config or the data.
    """
    path = Path(str(values["data"].get("path")))
    if values["data"].get("kind", "table") == "table" and not path.exists():
        raise AbsentError(f"the data are not there: {path.name}")
    texts = Path(values.get("corpus", {}).get("path") or ".")
    if not texts.exists():
        raise AbsentError(f"the texts are not there: {texts.name}")
    encoder = Path(values.get("encoder", {}).get("source", "."))
    if encoder.parts[:1] == ("runs",) and not encoder.exists():
        raise AbsentError(f"no run has left {encoder}")
    module, function = _BUILDERS[task_of(values)].split(":")
    room = importlib.import_module(f"reviewintent_jax.benchmark.{module}")
    return getattr(room, function)(values, RunFolder(Path(folder)))
