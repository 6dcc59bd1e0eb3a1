"""Programs of :mod:`~reviewintent_jax.benchmark.scaling` that were compiled before.

In: the file of the results. Out: a program as plain JSON values: one that is there,
made with the same settings and from the same code, or a new one.
"""

import dataclasses
import hashlib
import json
from pathlib import Path
from typing import Any

import reviewintent_jax
from reviewintent_jax.benchmark.scaling import Case, compiled
from reviewintent_jax.configuration import Config
from reviewintent_jax.training.files import write_json
from reviewintent_jax.training.logs import say

_SOURCES = (
    "schema.py",
    "data/pages.py",
    "models/*.py",
    *(
        f"training/{name}.py"
        for name in ("losses", "objective", "optimizer", "placement", "sharding")
    ),
    *(f"training/{name}.py" for name in ("state", "step")),
    *(f"benchmark/{name}.py" for name in ("collectives", "encoders", "programs")),
)
"""What decides a program, and what is read of it, beside settings and devices."""


def sources_sha256(root: Path = Path(reviewintent_jax.__file__).parent) -> str:
    """Hash of the code that decides about programs; comments count."""
    found = hashlib.sha256()
    for pattern in _SOURCES:
        for path in sorted(root.glob(pattern)):
            found.update(path.name.encode("utf-8") + b"\0" + path.read_bytes())
    return found.hexdigest()


class Compiled:
    """Programs that were compiled, kept in the file of the results.

    Args:
      jax: its version.
      again: whether none of those that are there is taken.

    Attributes:
      path: of the file.
      config: of pages and model.
      settings: what decides about a program, beside its case and the code.
      sources: hash of the code.
      records: of the programs, as plain JSON values.
    """

    def __init__(self, path: Path, config: Config, *, jax: str, again: bool) -> None:
        self.path, self.config = path, config
        self.sources = sources_sha256()
        self.settings = {
            "pages": dataclasses.asdict(config.pages),
            "lstnet": dataclasses.asdict(config.lstnet),
            "optimizer": dataclasses.asdict(config.optimizer),
            "jax": jax,
        }
        self.settings = json.loads(json.dumps(self.settings))  # as they are read again
        self.records: list[dict[str, Any]] = []
        if path.exists() and not again:
            before = json.loads(path.read_text("utf-8"))
            if before["settings"] == self.settings:
                self.records = [
                    record
                    for record in before["programs"]
                    if record.get("sources", self.sources) == self.sources
                ]

    def get(self, case: Case, layers: int) -> dict[str, Any]:
        """The program of a case with so many layers, compiled where it has to be."""
        wanted = case.encoder, case.device.name, case.devices, case.pages, layers
        names = "encoder", "device", "devices", "pages", "layers"
        for record in self.records:
            if tuple(record[name] for name in names) == wanted:
                return record
        say(
            f"Compiling {layers} layers of {case.encoder} for {case.devices} x "
            f"{case.device.name}"
        )
        record = compiled(case, self.config, layers) | {"sources": self.sources}
        self.records.append(record)
        # Plans are written at the end; what was compiled is not to be lost until then.
        partly = {"settings": self.settings, "programs": self.records}
        write_json(self.path, partly)
        return record
