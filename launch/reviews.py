"""What train does for reviews: their sentiment, and what customers do next."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from launch import runtime
from reviewintent_jax.build import begin_run, build_experiment
from reviewintent_jax.configuration import read_config
from reviewintent_jax.kept_traces import traces_of_run
from reviewintent_jax.training import hosts
from reviewintent_jax.training.logs import say
from reviewintent_jax.training.loop import train


def train_reviews(values: Mapping[str, Any], workdir: str) -> None:
    """Config in, trained and evaluated run folder out."""
    config = read_config(values)
    folder = workdir or Path("runs") / config.name
    places = config.checkpoints.folder, config.prepared.folder
    run = runtime.run_folder(folder, *places)
    experiment = hosts.in_turn("build", lambda: build_experiment(values, run))
    begin_run(experiment, run)
    say(experiment.describe())
    result = train(experiment, run, traces_of_run(values, experiment.identity()))
    say("Scoring the best model and its baselines ...")
    # Here, for what draws and compares takes seconds to import: no first update should
    # wait for it.
    from reviewintent_jax.evaluation.reports import write_report
    from reviewintent_jax.evaluation.summary import summarise
    from reviewintent_jax.training.outcome import write_outcome

    metrics = write_outcome(experiment, result, run, runtime.environment())
    if hosts.is_first():
        say(summarise(metrics))
        say(f"Report: {write_report(run)}")
