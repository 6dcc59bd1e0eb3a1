"""Time and peak memory of what is done to so many reviews of the built-in shop.

In: a job and a number of reviews. Out: one record a measurement. Each runs in a process
of its own, so that its peak is its own; the peak holds the imports too, which the
record of the smallest size shows. Jobs:

=========== ================================================================
``prepare`` all stages of ``launch.prepare``, from a CSV file
``compare`` the search for copies alone, over drawn signatures
``plan``    which review lies on which page in an epoch, over drawn lengths
``score``   a CSV file into a Parquet file, by a trained model
=========== ================================================================
"""

import json
import resource
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from reviewintent_jax.allocator import keep_freed_memory
from reviewintent_jax.build import load_trained
from reviewintent_jax.configuration import Config, read_config
from reviewintent_jax.data.bazaar import BazaarSpec, write_shop
from reviewintent_jax.data.duplicates import (
    DuplicateIndex,
    DuplicateSpec,
    Signatures,
    band_shape,
)
from reviewintent_jax.data.ingest import on_this_machine
from reviewintent_jax.data.pages import plan_pages, slot_lengths
from reviewintent_jax.data.prepare import prepare
from reviewintent_jax.data.scored import open_writer
from reviewintent_jax.data.tables import read_table, table_layout
from reviewintent_jax.data.tokens import ReviewTokenizer
from reviewintent_jax.evaluation.score_table import score_table
from reviewintent_jax.models.pretrained import resolve_folder
from reviewintent_jax.schema import RunFolder
from reviewintent_jax.training.trained import make_scorer

_KIB = 1024  # Linux counts in KiB
_EVERY_SECONDS = 0.02
_CHUNK = 1 << 18
_COPIES = 0.05  # share of the drawn texts that are near copies of another
_SIMILAR = 0.95  # of a copy's signature: agrees with the other text's
_MEAN_IDS, _SHAPE = 45.0, 2.0  # of the drawn lengths: about those of the shop


def measure(job: str, rows: int, argument: str, *, workers: int = 1) -> dict[str, Any]:
    """Runs a job in a process of its own and returns its record.

    Args:
      job: see above.
      rows: number of reviews.
      argument: to score, the folder of a finished run; otherwise the config as JSON.
      workers: processes that prepare; 1 = the one that is measured.

    Returns:
      ``seconds``, ``rows_per_second``, ``peak_bytes`` (resident, pages of files that
      the system may drop at any time included), ``peak_own_bytes`` (without those) and
      ``peak_worker_bytes`` (resident, of the largest worker; 0 = there was none).
    """
    done = subprocess.run(
        [sys.executable, "-m", __name__, job, str(rows), argument, str(workers)],
        stdout=subprocess.PIPE,
        check=True,
    )
    return json.loads(done.stdout.splitlines()[-1])


@contextmanager
def watched() -> Iterator[Callable[[], int]]:
    """Yields what tells the largest anonymous resident memory seen since, in bytes."""
    peak, stopped = [_own_bytes()], threading.Event()

    def watch() -> None:
        while not stopped.wait(_EVERY_SECONDS):
            peak[0] = max(peak[0], _own_bytes())

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield lambda: peak[0]
    finally:
        stopped.set()
        thread.join()


def _own_bytes() -> int:
    for line in Path("/proc/self/status").read_text("ascii").splitlines():
        if line.startswith("RssAnon:"):
            return int(line.split()[1]) * _KIB
    return 0


def _prepare(rows: int, config: str, workers: int, folder: Path) -> float:
    """Seconds to prepare a CSV of ``rows`` rows, as ``launch.prepare`` does."""
    table = folder / "shop.csv"
    shop = "reviewintent_jax.data.bazaar"  # writing is not what is measured
    options = [f"--rows={rows}", f"--output={table}", "--seed=7"]
    subprocess.run([sys.executable, "-m", shop, *options], check=True)
    values = json.loads(config)
    columns = {"text": "text", "title": "title", "label": "stars"}
    values["data"] |= columns | {"kind": "table", "path": str(table)}
    read = read_config(values)
    tokenizer = ReviewTokenizer(resolve_folder(read.encoder.source))
    began = time.monotonic()
    prepare(
        read.data_spec(),
        tokenizer,
        RunFolder(folder / "run"),
        began_with=None,
        engine=on_this_machine(workers),
    )
    return time.monotonic() - began


def _compare(rows: int, config: str, workers: int, folder: Path) -> float:
    """Seconds to say which of ``rows`` texts are the same."""
    del workers
    spec = _read(config).data_spec().duplicates
    index = DuplicateIndex(spec, folder)
    random = np.random.default_rng(7)
    began = time.monotonic()
    for begin in range(0, rows, _CHUNK):
        index.add(drawn_signatures(min(_CHUNK, rows - begin), spec, random))
    index.finish()
    return time.monotonic() - began


def drawn_signatures(
    count: int, spec: DuplicateSpec, random: np.random.Generator
) -> Signatures:
    """Signatures of texts that have nothing in common, but for near copies: one in
    twenty is one of another text.
    """
    permutations = spec.permutations
    bands, rows = band_shape(spec.near_threshold, permutations)
    digest_np = random.integers(0, 1 << 32, (count, permutations), np.uint32)
    copies = random.choice(count, int(_COPIES * count), replace=False)
    same = random.random((len(copies), permutations)) < _SIMILAR
    digest_np[copies] = np.where(same, digest_np[copies - 1], digest_np[copies])
    key_nb = np.zeros((count, bands), np.uint32)
    for row in range(rows):  # any mix of a band's rows will do
        band = digest_np[:, row : bands * rows : rows]
        key_nb = (key_nb ^ band) * np.uint32(0x9E3779B1)
    return Signatures(
        random.integers(0, 1 << 63, count, np.uint64),
        digest_np.astype(np.uint8),
        key_nb,
        np.zeros(count, bool),
    )


def _plan(rows: int, config: str, workers: int, folder: Path) -> float:
    """Seconds to plan the pages of an epoch of ``rows`` reviews."""
    del workers, folder
    spec = _read(config).pages
    random = np.random.default_rng(7)
    ids_n = random.gamma(_SHAPE, _MEAN_IDS / _SHAPE, rows).astype(np.int64) + 1
    lengths = slot_lengths(ids_n, spec)
    began = time.monotonic()
    plan_pages(np.arange(rows), lengths.slot_n, spec, shuffle=random)
    return time.monotonic() - began


def _score(rows: int, run: str, workers: int, folder: Path) -> float:
    """Seconds to score a CSV of ``rows`` rows into Parquet."""
    del workers
    table = folder / "shop.csv"
    write_shop(BazaarSpec(rows=rows, seed=3), table)
    trained = load_trained(RunFolder(Path(run)))
    scorer = make_scorer(trained, trained.data.source)
    began = time.monotonic()
    target = str(folder / "scored.parquet")
    with open_writer(target, table_layout(table), scorer.added_columns()) as writer:
        score_table(scorer, read_table(table), writer)
    return time.monotonic() - began


def _read(config: str) -> Config:
    return read_config(json.loads(config))


def _encoder(job: str, argument: str) -> str:
    if job != "score":
        return _read(argument).encoder.source
    spec = load_trained(RunFolder(Path(argument))).model.spec.encoder
    if spec is None:
        return "none"
    return f"{spec.family} of {spec.num_layers} x {spec.hidden_size}"


_JOBS = {"prepare": _prepare, "compare": _compare, "plan": _plan, "score": _score}
JOBS = tuple(_JOBS)
"""Names of the jobs."""


def _main(job: str, rows: str, argument: str, workers: str) -> None:
    keep_freed_memory()  # as the commands do
    with tempfile.TemporaryDirectory() as folder, watched() as own:
        seconds = _JOBS[job](int(rows), argument, int(workers), Path(folder))
        peak_own = own()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * _KIB
    largest = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * _KIB
    record = {
        "job": job,
        "rows": int(rows),
        "workers": int(workers),
        "encoder": _encoder(job, argument),
        "seconds": round(seconds, 2),
        "rows_per_second": round(int(rows) / seconds, 1),
        "peak_bytes": peak,
        "peak_own_bytes": peak_own,
        "peak_worker_bytes": largest if int(workers) > 1 else 0,
    }
    print(json.dumps(record))


if __name__ == "__main__":
    _main(*sys.argv[1:])
