"""Measures the recurrent layers: ``python -m launch.measure_recurrent``.

Writes ``docs/results/recurrent.json`` and ``recurrent.md``: the time of one GRU layer
at the three uses that LSTNet has (tokens of reviews, histories, numeric tables), with
gate fusion and unroll in every setting, beside linen's and, where it is installed,
PyTorch's (``PYTHONPATH=.torch``). Two minutes on two idle cores; run nothing beside it.
"""

from pathlib import Path
from typing import Any

from absl import flags

from configs import base, forecast
from launch import runtime
from reviewintent_jax.benchmark.recurrent import (
    Use,
    fastest,
    measure_recurrent,
    recurrent_page,
)
from reviewintent_jax.training.files import write_json
from reviewintent_jax.training.logs import say

_ROUNDS = flags.DEFINE_integer("rounds", 11, "Turns that each system takes.")
_OUTPUT = flags.DEFINE_string("folder", "docs/results", "Folder to write to.")

_PAGES = 4  # of 512 tokens: 32 reviews of usual length
_WINDOWS = 192  # the slots of two pages, a window each


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


def uses() -> list[Use]:
    """The three uses of LSTNet, in the sizes of their configs."""
    review: Any = base.get_config()  # a ConfigDict has no types to check
    table: Any = forecast.get_config()
    history, batch = review.history.lstnet, table.train.batch_windows
    sizes = (
        ("tokens of reviews", review.lstnet, _PAGES, review.pages.page_tokens),
        ("histories of subjects", history, _WINDOWS, review.intention.window),
        ("numeric tables", table.lstnet, batch, table.windows.window),
    )
    return [
        Use(
            name,
            rows,
            steps,
            lstnet.channels * len(lstnet.kernel_sizes),
            lstnet.recurrent_features,
            (lstnet.gate_fusion, lstnet.unroll),
        )
        for name, lstnet, rows, steps in sizes
    ]


if __name__ == "__main__":
    runtime.run(main)
