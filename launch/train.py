"""Trains and evaluates: ``python -m launch.train --config=configs/yelp.py``.

The config says what: the sentiment of reviews, the next values of a numeric table,
where the reviews of products are heading, or an encoder from text without answers.

Started again with the same command, a stopped run goes on where it was.
"""

from reviewintent_jax.allocator import keep_freed_memory

if __name__ == "__main__":
    keep_freed_memory()  # before the imports below start threads

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from absl import flags
from ml_collections import config_flags

from launch import distributed, forecasts, headings, pretraining, runtime
from reviewintent_jax.build import begin_run, build_experiment, plain_values
from reviewintent_jax.configuration import TaskKind, read_config, task_of
from reviewintent_jax.evaluation.reports import write_report
from reviewintent_jax.evaluation.summary import summarise
from reviewintent_jax.schema import InputError
from reviewintent_jax.training import hosts
from reviewintent_jax.training.logs import say
from reviewintent_jax.training.loop import train
from reviewintent_jax.training.outcome import write_outcome

_CONFIG = config_flags.DEFINE_config_file(
    "config",
    None,
    "A file of configs/. Change its settings with --config.GROUP.NAME=value; all of "
    "them, with their meaning, are in configs/base.py.",
)
_WORKDIR = flags.DEFINE_string(
    "workdir", "", "Folder of the run; default: runs/ and the config's name."
)


def main(argv: list[str]) -> None:
    """Config in, trained and evaluated run folder out."""
    del argv
    if _CONFIG.value is None:
        raise InputError(
            "No config was named.", fix="Example: --config=configs/demo.py"
        )
    try:
        values = plain_values(_CONFIG.value)
    except OSError as error:
        raise InputError(
            "The config file cannot be read.",
            where=str(error).splitlines()[-1].strip(),
            fix="The files there are: configs/*.py; run from the repository's root.",
        ) from None
    seat = distributed.join()
    if seat is not None:
        runtime.speak_as(seat.process, seat.processes)
    with distributed.leaving_when_told():
        task = task_of(values)
        if task is TaskKind.FORECAST:
            forecasts.train_forecast(values, _WORKDIR.value)
        elif task is TaskKind.HEADING:
            headings.train_heading(values, _WORKDIR.value)
        elif task is TaskKind.PRETRAIN:
            pretraining.train_pretrain(values, _WORKDIR.value)
        else:
            train_reviews(values, _WORKDIR.value)
        hosts.wait("end")


def train_reviews(values: Mapping[str, Any], workdir: str) -> None:
    """Config in, trained and evaluated run folder out."""
    config = read_config(values)
    folder = workdir or Path("runs") / config.name
    places = config.checkpoints.folder, config.prepared.folder
    run = runtime.run_folder(folder, *places)
    experiment = hosts.in_turn("build", lambda: build_experiment(values, run))
    begin_run(experiment, run)
    say(experiment.describe())
    result = train(experiment, run)
    say("Scoring the best model and its baselines ...")
    metrics = write_outcome(experiment, result, run, runtime.environment())
    if hosts.is_first():
        say(summarise(metrics))
        say(f"Report: {write_report(run)}")


if __name__ == "__main__":
    runtime.run(
        main,
        after_stop="The same command goes on from what was saved, if anything.",
    )
