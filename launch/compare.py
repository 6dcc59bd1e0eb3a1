"""Fine-tunes the run's own weights with plain PyTorch on the run's own split.

``python -m launch.compare --workdir=runs/yelp10k`` needs PyTorch, which nothing else
here does. Its scores are added to the run's ``metrics.json`` and report.
"""

import json
from pathlib import Path

from absl import flags

from launch import runtime
from reviewintent_jax.benchmark.peers import PeerSpec, finetune_with_torch
from reviewintent_jax.build import read_config
from reviewintent_jax.data.prepare import open_prepared
from reviewintent_jax.evaluation.reports import write_report
from reviewintent_jax.evaluation.summary import summarise
from reviewintent_jax.models.pretrained import resolve_folder
from reviewintent_jax.schema import InputError, RunFolder
from reviewintent_jax.training.logs import say
from reviewintent_jax.training.outcome import write_json

_WORKDIR = flags.DEFINE_string("workdir", "", "Folder of a finished run.")


def main(argv: list[str]) -> None:
    """Run folder in, the same folder with one more system beside the model out."""
    del argv
    run = RunFolder(Path(_WORKDIR.value))
    if not _WORKDIR.value or not run.metrics.is_file():
        raise InputError(
            "No finished run was named.", fix="Example: --workdir=runs/demo"
        )
    metrics = json.loads(run.metrics.read_text("utf-8"))
    config = read_config(metrics["config"])
    spec = PeerSpec(
        folder=str(resolve_folder(config.encoder.source)),
        max_tokens=config.pages.max_tokens,
        epochs=config.train.epochs,
        batch_reviews=config.train.batch_reviews,
        optimizer=config.optimizer,
        evaluation=config.evaluation,
        seed=config.seed,
    )
    peer = finetune_with_torch(open_prepared(run.prepared), spec)
    metrics["systems"]["pytorch_fine_tune"] = peer
    write_json(run.metrics, metrics)
    say(summarise(metrics))
    say(f"Report: {write_report(run)}")


if __name__ == "__main__":
    runtime.run(main)
