"""What train, evaluate, predict and export do where an encoder is pre-trained."""

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jax

from launch import runtime
from reviewintent_jax.build import no_run
from reviewintent_jax.build_pretrain import (
    begin_pretrain,
    build_pretrain,
    open_pretrain,
    read_pretrain_config,
    whole_pretrain,
)
from reviewintent_jax.evaluation.pretrain_report import write_pretrain_report
from reviewintent_jax.evaluation.pretrain_summary import summarise_pretrain
from reviewintent_jax.models.pretrained import WEIGHTS_FILE
from reviewintent_jax.schema import InputError, RunFolder
from reviewintent_jax.training import hosts
from reviewintent_jax.training.checkpoints import restore_best
from reviewintent_jax.training.logs import say
from reviewintent_jax.training.loop import train
from reviewintent_jax.training.pretrain_outcome import (
    evaluate_pretrain,
    write_pretrain_outcome,
)


def train_pretrain(values: Mapping[str, Any], workdir: str) -> None:
    """Config in, pre-trained and evaluated run folder out."""
    config = read_pretrain_config(values)
    folder = workdir or Path("runs") / config.name
    run = runtime.run_folder(folder, config.checkpoints.folder)
    experiment = hosts.in_turn("build", lambda: build_pretrain(values, run))
    begin_pretrain(experiment, run)
    say(experiment.describe())
    result = train(experiment, run)
    say("Scoring the best encoder ...")
    environment = runtime.environment()
    metrics = write_pretrain_outcome(experiment, result, run, environment)
    _say_results(run, metrics)


def evaluate_pretraining(run: RunFolder) -> None:
    """Scores a run again on its own held-out texts."""
    experiment = open_pretrain(run)
    context = json.loads(run.metrics.read_text("utf-8"))
    context["environment"] = runtime.environment()
    shapes = jax.eval_shape(experiment.init_params)
    params, _ = restore_best(whole_pretrain(run), shapes)
    _say_results(run, evaluate_pretrain(experiment, params, run, context))


def no_answers(run: RunFolder) -> InputError:
    """What to raise where such a run is asked about reviews."""
    return InputError(
        "This run pre-trained an encoder; it answers nothing about reviews yet.",
        where=str(run.root),
        fix="Fine-tune it first: python -m launch.train --config=... "
        f"--config.encoder.source={run.encoder}",
    )


def export_pretrained(run: RunFolder, output: Path) -> None:
    """Copies the encoder of a finished run to a folder of its own."""
    if not (run.encoder / WEIGHTS_FILE).is_file():
        raise no_run(run)
    shutil.copytree(run.encoder, output)
    say(f"The encoder is in {output}.")


def _say_results(run: RunFolder, metrics: Mapping[str, Any]) -> None:
    if hosts.is_first():
        say(summarise_pretrain(metrics, run.encoder))
        say(f"Report: {write_pretrain_report(run)}")
