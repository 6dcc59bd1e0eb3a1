"""What train, evaluate, predict and export do where an encoder is pre-trained."""

import shutil
from pathlib import Path

from launch.own_data import Kit
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
from reviewintent_jax.run_folders import no_run
from reviewintent_jax.schema import InputError, RunFolder
from reviewintent_jax.training.checkpoints import restore_best
from reviewintent_jax.training.files import Facts
from reviewintent_jax.training.logs import say
from reviewintent_jax.training.pretrain_outcome import (
    evaluate_pretrain,
    write_pretrain_outcome,
)


def _again(run: RunFolder, context: Facts) -> Facts:
    """Scores a run again on its own held-out texts."""
    experiment = open_pretrain(run)
    shapes = experiment.first_params().shapes
    params, _ = restore_best(whole_pretrain(run), shapes)
    return evaluate_pretrain(experiment, params, run, context)


KIT = Kit(
    called="a pre-training",
    read=read_pretrain_config,
    build=build_pretrain,
    begin=begin_pretrain,
    finish=write_pretrain_outcome,
    again=_again,
    summarise=lambda metrics, run: summarise_pretrain(metrics, run.encoder),
    report=write_pretrain_report,
)
"""How an encoder is pre-trained and scored again."""


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
