"""Scoring of the same file by onnxruntime: the PyTorch twin, exported.

In: the sample that ``scoring.py`` wrote. Out: rounds of seconds from the file to the
file of answers. Reviews are tokenised by transformers, sorted by length within chunks
as large as ours, padded to the longest of a batch, and scored at the best batch size.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from reviewintent_jax.benchmark.absent import AbsentError
from reviewintent_jax.benchmark.scoring import SAMPLE
from reviewintent_jax.benchmark.timing import medians, timed
from reviewintent_jax.benchmark.torch_twin import import_torch, make_classifier
from reviewintent_jax.configuration import read_config
from reviewintent_jax.data.prepare import open_prepared
from reviewintent_jax.models.pretrained import resolve_folder
from reviewintent_jax.schema import RunFolder

_CHUNK = 2_048  # reviews sorted together, as many as ours reads at a time
_TRIED, _TRIES = 256, 3  # rows that batch sizes are compared on, and how often


def measure_onnx(
    *, values: Mapping[str, Any], folder: str, rows: int, batch_sizes: Sequence[int]
) -> Iterator[dict[str, Any]]:
    """Yields facts, then one record a round: ``seconds`` of scoring ``rows`` rows.

    Args:
      values: of the config.
      folder: where the sample and the prepared data lie.
      rows: of the sample.
      batch_sizes: that are tried first.
    """
    torch, transformers = import_torch()
    try:
        import onnxruntime  # pyright: ignore[reportMissingImports]
    except ImportError as error:
        raise AbsentError(
            f"{error.name} is not installed; .[bench] brings it"
        ) from None
    config = read_config(values)
    weights = str(resolve_folder(config.encoder.source))
    tokenizer = transformers.AutoTokenizer.from_pretrained(weights)
    classes = open_prepared(RunFolder(Path(folder)).prepared).labels.classes
    encoder = transformers.AutoModel.from_pretrained(
        weights, add_pooling_layer=False, attn_implementation="eager"
    )
    width, dropout = encoder.config.hidden_size, config.head.dropout
    model = make_classifier(
        torch, encoder, width, config.lstnet, len(classes), dropout
    ).eval()
    path, column = Path(folder) / SAMPLE, config.data.text
    exported = _exported(torch, model, path.with_name("twin.onnx"))
    session = onnxruntime.InferenceSession(exported, providers=["CPUExecutionProvider"])

    most = config.pages.max_tokens

    def score(size: int, rows: int | None = None) -> None:
        lines = path.read_text("utf-8").splitlines()[:rows]
        texts = [json.loads(line)[column] for line in lines]
        said = []
        for begin in range(0, len(texts), _CHUNK):
            read = tokenizer(
                texts[begin : begin + _CHUNK], truncation=True, max_length=most
            )
            said += _answers(session, read["input_ids"], size)
        logits = np.stack(said)
        answers = pd.DataFrame(logits, columns=list(classes)).assign(text=texts)
        answers.to_parquet(path.with_name("onnx.parquet"))

    score(batch_sizes[0], _TRIED)
    sizes = {size: partial(score, size, _TRIED) for size in batch_sizes}
    tried = medians(sizes, _TRIES)
    best = min(tried, key=lambda size: tried[size])
    yield {
        "items": "reviews",
        "rows": rows,
        "batch_size": best,
        "onnxruntime": onnxruntime.__version__,
    }
    while True:
        yield {**timed(lambda: score(best)), "items": rows}


def _answers(session: Any, read: list[list[int]], size: int) -> list[np.ndarray]:
    """Logits of tokenised reviews in their order, ``size`` alike in length at once."""
    order = sorted(range(len(read)), key=lambda i: len(read[i]))
    found: dict[int, np.ndarray] = {}
    for begin in range(0, len(order), size):
        own = order[begin : begin + size]
        ids = np.zeros((len(own), max(len(read[i]) for i in own)), np.int64)
        for row, i in enumerate(own):
            ids[row, : len(read[i])] = read[i]
        given = {"ids": ids, "mask": (ids > 0).astype(np.int64)}
        found |= zip(own, session.run(None, given)[0], strict=True)
    return [found[i] for i in range(len(read))]


def _exported(torch: Any, model: Any, path: Path) -> str:
    """Writes the network as ONNX, for any number of reviews of any length."""
    given = torch.ones((2, 24), dtype=torch.long), torch.ones((2, 24), dtype=torch.long)
    axes = {0: "reviews", 1: "tokens"}
    torch.onnx.export(
        model,
        given,
        str(path),
        input_names=["ids", "mask"],
        output_names=["logits"],
        dynamic_axes={"ids": axes, "mask": axes, "logits": {0: "reviews"}},
        opset_version=17,
        dynamo=False,
    )
    return str(path)
