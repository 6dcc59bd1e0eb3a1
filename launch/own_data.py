"""What train and evaluate do for every task that keeps a copy of its own data.

Forecasts, headings, cases, pre-training: what tells them apart is a :class:`Kit`.
"""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from absl import flags

from launch import runtime
from reviewintent_jax.kept_traces import traces_of_run
from reviewintent_jax.schema import InputError, RunFolder
from reviewintent_jax.training import hosts
from reviewintent_jax.training.files import Facts
from reviewintent_jax.training.logs import say
from reviewintent_jax.training.loop import train


class Kit(NamedTuple):
    """The functions of one task.

    Attributes:
      called: what such a run is, in messages: "This is a forecast; ...".
      read: plain values -> config.
      build: (plain values, run) -> experiment; reads the data.
      begin: (experiment, run); writes config and data.
      finish: (experiment, result, run, environment) -> metrics; scores and writes.
      again: (run, context) -> metrics; scores a finished run on its own data.
      summarise: (metrics, run) -> lines for people.
      report: run -> the report's path.
    """

    called: str
    read: Callable[[Mapping[str, Any]], Any]
    build: Callable[[Mapping[str, Any], RunFolder], Any]
    begin: Callable[[Any, RunFolder], None]
    finish: Callable[..., Facts]
    again: Callable[[RunFolder, Facts], Facts]
    summarise: Callable[[Facts, RunFolder], str]
    report: Callable[[RunFolder], Path]


def train_with(kit: Kit, values: Mapping[str, Any], workdir: str) -> None:
    """Config in, trained and evaluated run folder out."""
    config = kit.read(values)
    folder = workdir or Path("runs") / config.name
    run = runtime.run_folder(folder, config.checkpoints.folder)
    experiment = hosts.in_turn("build", lambda: kit.build(values, run))
    kit.begin(experiment, run)
    say(experiment.describe())
    result = train(experiment, run, traces_of_run(values, experiment.identity()))
    say("Scoring the best model, and what it is compared with ...")
    metrics = kit.finish(experiment, result, run, runtime.environment())
    if hosts.is_first():
        say(kit.summarise(metrics, run))
        say(f"Report: {kit.report(run)}")


def refuse_flags(
    called: str, *senseless: flags.FlagHolder[str], fix: str = "Leave it out."
) -> None:
    """Refuses flags that say nothing to a run.

    Args:
      called: what the run is, such as "a forecast".
      senseless: flags of other runs; empty ones are not given.
      fix: what to do.

    Raises:
      InputError: one of them is given all the same.
    """
    for flag in senseless:
        if flag.value:
            raise InputError(
                f"This is {called}; --{flag.name} does not apply.", fix=fix
            )


def evaluate_with(kit: Kit, run: RunFolder) -> None:
    """Scores a run again on its own data."""
    context = json.loads(run.metrics.read_text("utf-8"))
    context["environment"] = runtime.environment()
    metrics = kit.again(run, context)
    say(kit.summarise(metrics, run))
    say(f"Report: {kit.report(run)}")
