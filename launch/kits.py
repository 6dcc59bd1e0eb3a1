"""The tasks that keep a copy of their own data, and how each is trained and scored."""

import importlib
from collections.abc import Iterator, Mapping

from launch.own_data import Kit
from reviewintent_jax.configuration import TaskKind

_MODULES = {
    TaskKind.FORECAST: "launch.forecasts",
    TaskKind.HEADING: "launch.headings",
    TaskKind.PRETRAIN: "launch.pretraining",
    TaskKind.MSDP: "launch.cases",
}


class _Kits(Mapping[TaskKind, Kit]):
    """Task -> its kit, imported when it is first asked for.

    A run needs the libraries of its own task alone: those of all of them take seconds,
    which the first update should not wait for.
    """

    def __getitem__(self, task: TaskKind) -> Kit:
        return importlib.import_module(_MODULES[task]).KIT

    def __iter__(self) -> Iterator[TaskKind]:
        return iter(_MODULES)

    def __len__(self) -> int:
        return len(_MODULES)


KITS: Mapping[TaskKind, Kit] = _Kits()
