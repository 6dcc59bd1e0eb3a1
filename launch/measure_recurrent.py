"""Measures the recurrent layers: ``python -m launch.measure_recurrent``.

Writes ``docs/results/recurrent.json`` and ``recurrent.md``: the time of one GRU layer
at the three uses that LSTNet has (tokens of reviews, histories, numeric tables), with
gate fusion and unroll in every setting, beside linen's and, where it is installed,
PyTorch's (``PYTHONPATH=.torch``). Two minutes on two idle cores; run nothing beside it.
"""

from reviewintent_jax.allocator import collect_rarely, keep_freed_memory

if __name__ == "__main__":
    keep_freed_memory()  # before the imports below start threads
    collect_rarely()

from pathlib import Path

from absl import flags

from launch import runtime
from launch.layer_uses import uses
from reviewintent_jax.benchmark.recurrent import (
    fastest,
    measure_recurrent,
    recurrent_page,
)
from reviewintent_jax.training.files import write_json
from reviewintent_jax.training.logs import say

_ROUNDS = flags.DEFINE_integer("rounds", 11, "Turns that each system takes.")
_OUTPUT = flags.DEFINE_string("folder", "docs/results", "Folder to write to.")


def main(argv: list[str]) -> None:
    """Sizes of the configs in, records out."""
    del argv
    records = measure_recurrent(uses(), rounds=_ROUNDS.value)
    results = {
        "environment": runtime.environment(),
        "records": records,
        "fastest": fastest(records),
    }
    output = Path(_OUTPUT.value)
    output.mkdir(parents=True, exist_ok=True)
    write_json(output / "recurrent.json", results)
    page = recurrent_page(results)
    (output / "recurrent.md").write_text(page, "utf-8")
    say(page)


if __name__ == "__main__":
    runtime.run(main)
