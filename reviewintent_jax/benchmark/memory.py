"""Time and peak memory of preparing, and of scoring, so many reviews.

In: numbers of rows of the built-in shop. Out: one record a measurement. Each runs in a
process of its own, so that its peak is its own; the peak holds the imports too, which
the record of the smallest size shows.
"""

import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from reviewintent_jax.allocator import keep_freed_memory
from reviewintent_jax.build import load_trained
from reviewintent_jax.configuration import read_config
from reviewintent_jax.data.bazaar import BazaarSpec, write_shop
from reviewintent_jax.data.prepare import prepare
from reviewintent_jax.data.scored import open_writer
from reviewintent_jax.data.tables import read_table, table_layout
from reviewintent_jax.data.tokens import ReviewTokenizer
from reviewintent_jax.evaluation.score_table import score_table
from reviewintent_jax.models.pretrained import resolve_folder
from reviewintent_jax.schema import RunFolder
from reviewintent_jax.training.trained import make_scorer

_KIB = 1024  # Linux counts the peak in KiB


def measure(job: str, rows: int, argument: str) -> dict[str, Any]:
    """Runs ``prepare`` or ``score`` in a process of its own and returns its record.

    Args:
      job: ``prepare`` or ``score``.
      rows: rows of the shop.
      argument: to prepare, the config as JSON; to score, the folder of a finished run.
    """
    done = subprocess.run(
        [sys.executable, "-m", __name__, job, str(rows), argument],
        stdout=subprocess.PIPE,
        check=True,
    )
    return json.loads(done.stdout.splitlines()[-1])


def _prepare(rows: int, config: str, folder: Path) -> tuple[float, str]:
    """Seconds to prepare a CSV of ``rows`` rows, as ``launch.train`` begins."""
    table = folder / "shop.csv"
    write_shop(BazaarSpec(rows=rows, seed=7), table)
    values = json.loads(config)
    columns = {"text": "text", "title": "title", "label": "stars"}
    values["data"] |= columns | {"kind": "table", "path": str(table)}
    read = read_config(values)
    tokenizer = ReviewTokenizer(resolve_folder(read.encoder.source))
    began = time.monotonic()
    prepare(read.data_spec(), tokenizer, RunFolder(folder / "run"), began_with=None)
    return time.monotonic() - began, read.encoder.source


def _score(rows: int, run: str, folder: Path) -> tuple[float, str]:
    """Seconds to score a CSV of ``rows`` rows into Parquet."""
    table = folder / "shop.csv"
    write_shop(BazaarSpec(rows=rows, seed=3), table)
    trained = load_trained(RunFolder(Path(run)))
    scorer = make_scorer(trained, trained.data.source)
    began = time.monotonic()
    target = str(folder / "scored.parquet")
    with open_writer(target, table_layout(table), scorer.added_columns()) as writer:
        score_table(scorer, read_table(table), writer)
    spec = trained.model.spec.encoder
    encoder = f"{spec.family} of {spec.num_layers} x {spec.hidden_size}" if spec else ""
    return time.monotonic() - began, encoder


def _main(job: str, rows: str, argument: str) -> None:
    keep_freed_memory()  # as the commands do
    with tempfile.TemporaryDirectory() as folder:
        work = {"prepare": _prepare, "score": _score}[job]
        seconds, encoder = work(int(rows), argument, Path(folder))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * _KIB
    record = {
        "job": job,
        "rows": int(rows),
        "encoder": encoder,
        "seconds": round(seconds, 2),
        "rows_per_second": round(int(rows) / seconds, 1),
        "peak_bytes": peak,
    }
    print(json.dumps(record))


if __name__ == "__main__":
    _main(*sys.argv[1:])
