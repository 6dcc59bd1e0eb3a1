"""Keeps the results of runs: ``python -m launch.results --runs=runs/a,runs/b``.

Writes JSON files and the pages ``sentiment.md``, ``marketing.md``, ``ukrainian.md``,
``intention.md``, ``forecasting.md``, ``series.md``, ``pretraining.md`` and ``msdp.md``
into ``docs/results/``, every score beside its baselines and the command that made it.
Forecasting runs that differ in their seed alone are one result.
Runs of one config that ask another question of intention, or have another seed, have
results of their own: ``amazon_musical_horizon_days_30``, ``ukrainian_seed_43``.

What the folder keeps already stays, unless a run replaces it; without ``--runs`` the
pages are written again from what is kept.
"""

import importlib
import re
import shlex
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from absl import flags

from launch import runtime
from reviewintent_jax.build import plain_values
from reviewintent_jax.evaluation.forecast_results import (
    by_task,
    write_forecast_results,
)
from reviewintent_jax.evaluation.heading_results import write_heading_results
from reviewintent_jax.evaluation.intention_results import write_intention_results
from reviewintent_jax.evaluation.marketing_results import (
    is_marketing,
    write_marketing_results,
)
from reviewintent_jax.evaluation.msdp_results import write_msdp_results
from reviewintent_jax.evaluation.pretrain_summary import write_pretrain_results
from reviewintent_jax.evaluation.results import (
    read_kept,
    read_results,
    without_paths,
    write_review_results,
)
from reviewintent_jax.evaluation.seeds import write_seeds_page
from reviewintent_jax.schema import InputError, RunFolder
from reviewintent_jax.settings import setting_leaves
from reviewintent_jax.training.logs import say

_RUNS = flags.DEFINE_list("runs", [], "Folders of finished runs, joined by commas.")
_OUTPUT = flags.DEFINE_string("output", "docs/results", "Folder to write to.")


APART = re.compile(r"intention\.|seed$")
"""Settings that make a run on reviews another result of the same config."""


SEEDS = {
    "ukrainian.md": {"pre-trained": "ukrainian", "random weights": "ukrainian_random"}
}
"""Pages on which the seeds of some configs stand side by side."""


def main(argv: list[str]) -> None:
    """Run folders in, result files out."""
    del argv
    new = read_results([RunFolder(Path(run)) for run in _RUNS.value])
    output = Path(_OUTPUT.value)
    output.mkdir(parents=True, exist_ok=True)
    _name_apart([metrics for metrics in new if by_task(metrics) == "review"])
    replaced = {_identity(metrics) for metrics in new}
    kept = [each for each in read_kept(output) if _identity(each) not in replaced]
    found = sorted(kept + new, key=_identity)
    of_task = {
        task: [metrics for metrics in found if by_task(metrics) == task]
        for task in ("review", "forecast", "heading", "pretrain", "msdp")
    }
    asked = [metrics for metrics in of_task["review"] if "intention" in metrics]
    compared = [metrics for metrics in of_task["review"] if is_marketing(metrics)]
    others = [metrics for metrics in of_task["review"] if not is_marketing(metrics)]
    for metrics, write, page in (
        (others, write_review_results, "sentiment.md"),
        (compared, write_marketing_results, "marketing.md"),
        (asked, write_intention_results, "intention.md"),
        (of_task["forecast"], write_forecast_results, "forecasting.md"),
        (of_task["heading"], write_heading_results, "series.md"),
        (of_task["pretrain"], write_pretrain_results, "pretraining.md"),
        (of_task["msdp"], write_msdp_results, "msdp.md"),
    ):
        if metrics:
            say(f"Results: {write(metrics, output, page, training_command)}")
    for page, names in SEEDS.items():
        runs = [m for m in of_task["review"] if m["config"]["name"] in names.values()]
        if runs:
            say(f"Results: {write_seeds_page(runs, output / page, names)}")


def _identity(metrics: Mapping[str, Any]) -> tuple[str, str, int, int]:
    """What makes a result the one it is: task, name, horizon and seed.

    Names of runs on reviews tell their seed (:func:`result_name`); runs on panels
    and on cases are one result whatever it is.
    """
    task = by_task(metrics)
    seed = metrics["config"]["seed"] if task == "forecast" else 0
    return task, metrics["name"], metrics.get("horizon") or 0, seed


def result_name(config: Mapping[str, Any]) -> str:
    """The config's name, and what sets the run apart from its file: what it asks of
    intention, and its seed.

    Example: ``demo`` with ``intention.window=1`` -> ``demo_window_1``.
    """
    changed = overrides(config, _file_of(config))
    asked = {k: v for k, v in changed.items() if APART.match(k)}
    words = [f"{key.split('.')[-1]}_{value}" for key, value in sorted(asked.items())]
    return re.sub(r"\W+", "_", "_".join([config["name"], *words])).strip("_")


def _name_apart(reviews: Sequence[dict[str, Any]]) -> None:
    """Names the runs by :func:`result_name`.

    Raises:
      InputError: two runs would have one name.
    """
    seen: set[str] = set()
    for metrics in reviews:
        name = metrics["name"] = result_name(metrics["config"])
        if name in seen:
            raise InputError(
                f"Two runs are called {name}, and one would replace the other.",
                fix="Leave one out, or train it with another --config.name.",
            )
        seen.add(name)


def training_command(config: Mapping[str, Any]) -> str:
    """The command that trains with ``config`` today, whatever the files say by now.

    Args:
      config: plain values of a run's config, paths shortened to file names.
    """
    name = _file_of(config)
    words = ["python -m launch.train", f"--config=configs/{name}.py"]
    words += [
        f"--config.{setting}={_quoted(str(value))}"
        for setting, value in overrides(config, name).items()
    ]
    return " ".join(words)


def overrides(config: Mapping[str, Any], name: str) -> dict[str, Any]:
    """Settings in which a run's config differs from the file ``configs/NAME.py``.

    Paths are compared by their last part, since the rest of them belongs to a machine.
    A setting that the run does not know is younger than the run and no difference: its
    default is what runs did before.

    Returns:
      Dotted setting -> the run's value, as it is written on a command line.
    """
    file = plain_values(importlib.import_module(f"configs.{name}").get_config())
    now = setting_leaves(without_paths({"config": file})["config"])
    return {
        setting: tuple(value) if isinstance(value, list) else value
        for setting, value in setting_leaves(config).items()
        if setting not in now or now[setting] != value
    }


def _quoted(text: str) -> str:
    """The text as one word of a shell; ``"('no', 'yes')"`` stays readable."""
    plain = "'" in text and not set(text) & set('"$`\\!')
    return f'"{text}"' if plain else shlex.quote(text)


def _file_of(config: Mapping[str, Any]) -> str:
    """The config file that a run's name speaks of; the base where there is none."""
    name = config["name"]
    known = name.isidentifier() and find_spec(f"configs.{name}") is not None
    return name if known else "base"


if __name__ == "__main__":
    runtime.run(main)
