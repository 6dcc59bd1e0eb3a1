"""Scoring of the same file by the pipeline of transformers, at its best batch size.

In: the sample that ``scoring.py`` wrote. Out: rounds of seconds from the file to the
file of answers; tokenising is part of the pipeline. The model is transformers' own
classifier on the same encoder: its head is smaller than ours.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd

from reviewintent_jax.benchmark.scoring import SAMPLE
from reviewintent_jax.benchmark.timing import medians, timed
from reviewintent_jax.benchmark.torch_twin import import_torch
from reviewintent_jax.configuration import read_config
from reviewintent_jax.models.pretrained import resolve_folder

_TRIED, _TRIES = 256, 3  # rows that batch sizes are compared on, and how often


def measure_pipeline(
    *, values: Mapping[str, Any], folder: str, rows: int, batch_sizes: Sequence[int]
) -> Iterator[dict[str, Any]]:
    """Yields facts, then one record a round: ``seconds`` of scoring ``rows`` rows.

    Args:
      values: of the config; its encoder, its longest review and its column are read.
      folder: where the sample lies.
      rows: of it.
      batch_sizes: that are tried first.
    """
    torch, transformers = import_torch()
    config = read_config(values)
    weights = str(resolve_folder(config.encoder.source))
    ask = transformers.pipeline(
        "text-classification",
        model=transformers.AutoModelForSequenceClassification.from_pretrained(weights),
        tokenizer=transformers.AutoTokenizer.from_pretrained(weights),
        device="cpu",
    )
    cut = {"truncation": True, "max_length": config.pages.max_tokens}
    path, column = Path(folder) / SAMPLE, config.data.text

    def score(size: int, most: int | None = None) -> None:
        lines = path.read_text("utf-8").splitlines()[:most]
        texts = [json.loads(line)[column] for line in lines]
        said = ask(texts, batch_size=size, **cut)
        answers = pd.DataFrame({"text": texts}).join(pd.DataFrame(said))
        answers.to_parquet(path.with_name("pipeline.parquet"))

    score(batch_sizes[0], _TRIED)
    sizes = {size: partial(score, size, _TRIED) for size in batch_sizes}
    tried = medians(sizes, _TRIES)
    best = min(tried, key=lambda size: tried[size])
    yield {
        "items": "reviews",
        "rows": rows,
        "batch_size": best,
        "tried": {str(size): _TRIED / took for size, took in tried.items()},
        "torch": torch.__version__,
        "transformers": transformers.__version__,
        "threads": torch.get_num_threads(),
    }
    while True:
        yield {**timed(lambda: score(best)), "items": rows}
