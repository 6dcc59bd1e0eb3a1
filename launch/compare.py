"""Fine-tunes the run's own weights with plain PyTorch on the run's own split.

``python -m launch.compare --workdir=runs/yelp10k`` needs PyTorch, as the
benchmarks do and nothing of the product does. It sees as many training reviews as the
run did. Its answers are added to the run's table of test predictions, its scores to
``metrics.json`` and the report.
"""

import json
from pathlib import Path
from typing import Any

from absl import flags

from launch import runtime
from reviewintent_jax.benchmark.peers import PeerSpec, finetune_with_torch
from reviewintent_jax.configuration import read_stored_config
from reviewintent_jax.data.prepare import open_prepared
from reviewintent_jax.data.splits import TEST
from reviewintent_jax.evaluation.reports import write_report
from reviewintent_jax.evaluation.summary import summarise
from reviewintent_jax.models.pretrained import resolve_folder
from reviewintent_jax.run_folders import whole_run
from reviewintent_jax.schema import InputError, RunFolder
from reviewintent_jax.training.logs import say
from reviewintent_jax.training.outcome import add_peer

_WORKDIR = flags.DEFINE_string("workdir", "", "Folder of a finished run.")


def main(argv: list[str]) -> None:
    """Run folder in, the same folder with one more system beside the model out."""
    del argv
    run = RunFolder(Path(_WORKDIR.value))
    if not _WORKDIR.value or not run.metrics.is_file():
        raise InputError(
            "No finished run was named.", fix="Example: --workdir=runs/demo"
        )
    run = whole_run(run)
    spec = peer_spec(json.loads(run.metrics.read_text("utf-8")))
    prepared = open_prepared(run.prepared)
    peer = finetune_with_torch(prepared, spec)
    metrics = add_peer(run, prepared.labelled(TEST), peer, spec.evaluation)
    say(summarise(metrics))
    say(f"Report: {write_report(run)}")


def peer_spec(metrics: dict[str, Any]) -> PeerSpec:
    """What the peer shares with the run of which these are the metrics."""
    config = read_stored_config(metrics["config"])
    return PeerSpec(
        folder=str(resolve_folder(config.encoder.source)),
        max_tokens=config.pages.max_tokens,
        # Fewer than epochs x reviews where max_steps or patience ended the run.
        reviews=metrics["training"]["reviews"],
        batch_reviews=config.train.batch_reviews,
        optimizer=config.optimizer,
        evaluation=config.evaluation,
        seed=config.seed,
    )


if __name__ == "__main__":
    runtime.run(main)
