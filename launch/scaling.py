"""Plans training on devices that are not there: ``python -m launch.scaling``.

Writes ``docs/results/scaling.json`` and ``docs/scaling.md``. Needs the compilers of GPU
and TPU, not the devices: ``make scaling`` installs them in an environment of their own
and runs this. Programs compiled before with the same settings are taken from the JSON
file, so an interrupted run goes on; ``--again`` compiles all of them.
"""

import dataclasses
import json
from pathlib import Path
from typing import Any

from absl import flags

from configs import demo, yelp
from launch import runtime
from reviewintent_jax.benchmark.devices import DEVICES, H200, SLICES, V5E
from reviewintent_jax.benchmark.encoders import ENCODERS
from reviewintent_jax.benchmark.here import measure_here
from reviewintent_jax.benchmark.scaling import (
    Case,
    compiled,
    needs_from,
    needs_of_layers,
    plan_case,
)
from reviewintent_jax.benchmark.scaling_page import scaling_page
from reviewintent_jax.build import make_model, plain_values
from reviewintent_jax.configuration import Config, read_config
from reviewintent_jax.models.encoder_config import read_spec
from reviewintent_jax.models.pretrained import resolve_folder
from reviewintent_jax.schema import InputError
from reviewintent_jax.training.files import write_json
from reviewintent_jax.training.logs import say

_COUNTS = flags.DEFINE_list("devices", ["1", "8", "256"], "How many of each.")
_FOLDER = flags.DEFINE_string("folder", "docs", "Folder to write to.")
_AGAIN = flags.DEFINE_bool("again", False, "Whether to compile all programs anew.")
_ROUNDS = flags.DEFINE_integer("rounds", 5, "Updates measured on this machine; 0 = no.")

_PAGES = {  # of a device in an update: they fit, and leave room
    (H200.name, "BERT-base"): 64,
    (H200.name, "BERT-large"): 32,
    (H200.name, "XLM-R-large"): 32,
    (V5E.name, "BERT-base"): 8,
    (V5E.name, "BERT-large"): 2,
    (V5E.name, "XLM-R-large"): 2,
}
_CHECKED = (Case("BERT-base", H200, 8, _PAGES[H200.name, "BERT-base"]),)
"""Compiled at full depth too."""
_HERE_PAGES = 4
_MEASURED = "docs/results/yelp10k.json"  # whose reviews fill the pages


def main(argv: list[str]) -> None:
    """Compiles what was not compiled before, and writes the page."""
    del argv
    folder = Path(_FOLDER.value)
    (folder / "results").mkdir(parents=True, exist_ok=True)
    config = read_config(plain_values(yelp.get_config()))
    kept = Compiled(folder / "results" / "scaling.json", config)
    measured = json.loads(Path(_MEASURED).read_text("utf-8"))["data"]["tokens"]["mean"]
    share = config.pages.page_tokens / measured
    plans = [plan_case(case, config, kept.get, page_reviews=share) for case in _cases()]
    results = {
        "environment": runtime.environment(),
        "config": "configs/yelp.py",
        "settings": kept.settings,
        "page_reviews": share,
        "page_reviews_of": f"what fits at {measured:.0f} tokens a review, the mean of "
        f"`{_MEASURED}`",
        "plans": plans,
        "checked": [_check(case, kept) for case in _CHECKED],
        "here": _here() if _ROUNDS.value else None,
        "programs": kept.records,
    }
    write_json(kept.path, results)
    page = scaling_page(results)
    (folder / "scaling.md").write_text(page, "utf-8")
    say(page)


def _cases() -> list[Case]:
    """All that is planned.

    Raises:
      InputError: so many devices are no slice of a TPU.
    """
    for count in _COUNTS.value:
        if count not in map(str, SLICES):
            raise InputError(
                f"--devices: no slice of a TPU has {count} chips.",
                fix=f"Choose from {', '.join(map(str, SLICES))}.",
            )
    return [
        Case(encoder, device, int(count), _PAGES[device.name, encoder])
        for device in DEVICES
        for encoder in ENCODERS
        for count in _COUNTS.value
    ]


class Compiled:
    """Programs that were compiled, kept in the file of the results.

    Attributes:
      path: of the file.
      config: of pages and model.
      settings: what decides about a program, beside its case.
      records: of the programs, as plain JSON values.
    """

    def __init__(self, path: Path, config: Config) -> None:
        self.path, self.config = path, config
        self.settings = {
            "pages": dataclasses.asdict(config.pages),
            "lstnet": dataclasses.asdict(config.lstnet),
            "optimizer": dataclasses.asdict(config.optimizer),
            "jax": runtime.environment()["jax"],
        }
        self.settings = json.loads(json.dumps(self.settings))  # as they are read again
        self.records: list[dict[str, Any]] = []
        if path.exists() and not _AGAIN.value:
            before = json.loads(path.read_text("utf-8"))
            if before["settings"] == self.settings:
                self.records = before["programs"]

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
        record = compiled(case, self.config, layers)
        self.records.append(record)
        # Plans are written at the end; what was compiled is not to be lost until then.
        partly = {"settings": self.settings, "programs": self.records}
        write_json(self.path, partly)
        return record


def _check(case: Case, kept: Compiled) -> dict[str, Any]:
    """A program of full depth beside what was planned from shallower ones."""
    layers = ENCODERS[case.encoder].num_layers
    whole = needs_from(kept.get(case, layers))
    planned = needs_of_layers(case, kept.get)
    return {
        "encoder": case.encoder,
        "device": case.device.name,
        "devices": case.devices,
        "layers": layers,
        "peak_bytes": whole.peak_bytes,
        "planned_peak_bytes": planned.peak_bytes,
        "sent_bytes": sum(each.sent_bytes for each in whole.traffic),
        "planned_sent_bytes": sum(each.sent_bytes for each in planned.traffic),
    }


def _here() -> dict[str, Any]:
    """The update of the demo's model on the device at hand."""
    config = read_config(plain_values(demo.get_config()))
    encoder = read_spec(resolve_folder(config.encoder.source))
    model = make_model(config, encoder, 2, None)
    found = measure_here(model, config, pages=_HERE_PAGES, rounds=_ROUNDS.value)
    return found | {"cores": runtime.cores()}


if __name__ == "__main__":
    runtime.run(main)
