"""Plans training on devices that are not there: ``python -m launch.scaling``.

Writes ``docs/results/scaling.json`` and ``docs/scaling.md``. Needs the compilers of GPU
and TPU, not the devices: ``make scaling`` installs them in an environment of their own
and runs this. Programs compiled before with the same settings and from the same code
are taken from the JSON file, so an interrupted run goes on; ``--again`` compiles all of
them. Of those that are older than the hash of the code the page says so.
"""

import json
from pathlib import Path
from typing import Any

from absl import flags

from configs import demo, yelp
from launch import runtime
from reviewintent_jax.benchmark.compiled_programs import Compiled
from reviewintent_jax.benchmark.devices import DEVICES, H200, SLICES, V5E
from reviewintent_jax.benchmark.encoders import ENCODERS
from reviewintent_jax.benchmark.here import measure_here
from reviewintent_jax.benchmark.scaling import (
    Case,
    needs_from,
    needs_of_layers,
    plan_case,
)
from reviewintent_jax.benchmark.scaling_page import scaling_page
from reviewintent_jax.build import make_model, plain_values
from reviewintent_jax.configuration import read_config
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
    kept = Compiled(
        folder / "results" / "scaling.json",
        config,
        jax=runtime.environment()["jax"],
        again=_AGAIN.value,
    )
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
