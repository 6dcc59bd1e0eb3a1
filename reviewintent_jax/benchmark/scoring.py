"""Scoring of a file of reviews as ``launch.predict`` does it, rounds of it.

In: a config whose data are a table. Out: seconds from the file to the file of answers:
reading, checking, cleaning, tokenising, the model, writing. The weights of the head are
drawn, for what they are changes nothing.
"""

import itertools
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from reviewintent_jax.benchmark.systems import build_system
from reviewintent_jax.benchmark.timing import timed
from reviewintent_jax.data.scored import open_writer
from reviewintent_jax.data.tables import read_table, table_layout
from reviewintent_jax.evaluation.score_table import TableScorer, score_table
from reviewintent_jax.schema import RawRow
from reviewintent_jax.training.trained import Trained, make_scorer

SAMPLE = "sample.jsonl"
"""The rows that all systems score, in the folder of the run."""


def measure_scoring(
    *, values: Mapping[str, Any], folder: str, rows: int
) -> Iterator[dict[str, Any]]:
    """Yields facts, then one record a round: ``seconds`` of scoring ``rows`` rows.

    Args:
      values: of the config.
      folder: for prepared data, and for the sample of rows.
      rows: the first ones of the table.
    """
    system = build_system(values, folder)
    task: Any = system.task
    state = task.first_state(task.make_optimizer()).draw()
    trained = Trained(
        model=task.model,
        params=state.params,
        step=0,
        tokenizer=task.tokenizer,
        pages=task.pages,
        words=task.words,
        labels=task.prepared.labels,
        temperature=1.0,
        threshold=None,
        intention=None,
        data=task.data,
        evaluation=task.evaluation,
    )
    scorer = make_scorer(trained, task.data.source)
    path = Path(folder) / SAMPLE
    write_sample(Path(task.data.source.path), scorer.source.text, path, rows)
    first = timed(lambda: _score(scorer, path))
    yield {"items": "reviews", "rows": rows, "first_seconds": first["seconds"]}
    while True:
        yield {**timed(lambda: _score(scorer, path)), "items": rows}


def _score(scorer: TableScorer, path: Path) -> None:
    target = str(path.with_name("scored.parquet"))
    with open_writer(target, table_layout(path), scorer.added_columns()) as writer:
        score_table(scorer, read_table(path), writer)


def write_sample(table: Path, text: str, path: Path, rows: int) -> None:
    """Writes the texts of the first rows of a table as JSON lines."""

    def has_text(row: RawRow) -> bool:
        return bool(row.fields.get(text))

    found = itertools.islice(filter(has_text, read_table(table)), rows)
    lines = [json.dumps({text: str(row.fields[text])}) for row in found]
    path.write_text("\n".join(lines) + "\n", "utf-8")
