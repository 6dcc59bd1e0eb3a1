"""Writes a run's trained encoder as a Hugging Face folder: ``python -m launch.export
--workdir=runs/mine --output=my-encoder``.

PyTorch's ``transformers`` loads it (``AutoModel.from_pretrained("my-encoder")``), and
so does another run (``--config.encoder.source=my-encoder``). LSTNet and the heads are
no part of it.
"""

from pathlib import Path

from absl import flags

from launch import pretraining, runtime
from reviewintent_jax.build import (
    load_trained,
)
from reviewintent_jax.configuration import TaskKind
from reviewintent_jax.models.pretrained import save_encoder
from reviewintent_jax.run_folders import stored_task
from reviewintent_jax.schema import InputError, RunFolder
from reviewintent_jax.training.logs import say

_WORKDIR = flags.DEFINE_string("workdir", "", "Folder of a finished run.")
_OUTPUT = flags.DEFINE_string("output", "", "Folder to write; must not exist yet.")


def main(argv: list[str]) -> None:
    """Run folder in, encoder folder out."""
    del argv
    if not _WORKDIR.value or not _OUTPUT.value:
        raise InputError(
            "--workdir and --output must both be given.",
            fix="Example: --workdir=runs/mine --output=my-encoder",
        )
    output = Path(_OUTPUT.value)
    if output.exists():
        raise InputError(
            "The folder to write exists already.",
            where=str(output),
            fix="Name another one.",
        )
    run = RunFolder(Path(_WORKDIR.value))
    if stored_task(run) is TaskKind.PRETRAIN:
        pretraining.export_pretrained(run, output)
        return
    trained = load_trained(run)
    spec = trained.model.spec.encoder
    if spec is None:
        raise InputError(
            "This run has no encoder: it reads words.", where=str(run.root)
        )
    params = trained.params["encoder"]
    save_encoder(output, spec, params, tokenizer_from=run.encoder)
    say(f"Encoder of step {trained.step:,}: {output}")


if __name__ == "__main__":
    runtime.run(main)
