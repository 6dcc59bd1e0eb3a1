"""PyTorch's training of the same network on the same reviews, as its users do it.

In: the prepared data of a run of ours, and what decides about the training. Out: rounds
of updates, as those of ``training.py``. Ids are made before (as ``datasets.map`` does);
a batch is padded to its longest review, and either shuffled (``grouped=False``) or made
of reviews alike in length, as ``group_by_length`` of transformers' trainer does it.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from reviewintent_jax.benchmark.peer_batches import length_batches
from reviewintent_jax.benchmark.timing import timed, watched
from reviewintent_jax.benchmark.torch_optimizer import make_torch_optimizer
from reviewintent_jax.benchmark.torch_twin import import_torch, make_classifier
from reviewintent_jax.configuration import Config, read_config
from reviewintent_jax.data.prepare import open_prepared
from reviewintent_jax.data.prepared import Prepared
from reviewintent_jax.data.splits import TRAIN
from reviewintent_jax.data.tokens import ReviewTokenizer
from reviewintent_jax.models.pretrained import resolve_folder
from reviewintent_jax.schema import RunFolder


def measure_torch_training(
    *,
    values: Mapping[str, Any],
    folder: str,
    updates: int,
    grouped: bool,
    compiled: bool,
) -> Iterator[dict[str, Any]]:
    """Yields facts, then one record a round, as ``training.measure_training``.

    Args:
      values: of the config whose run prepared the data.
      folder: of that run.
      updates: of a round.
      grouped: whether the reviews of a batch are alike in length.
      compiled: whether the encoder goes through ``torch.compile``.
    """
    torch, transformers = import_torch()
    config = read_config(values)
    torch.manual_seed(config.seed)
    prepared = open_prepared(RunFolder(Path(folder)).prepared)
    weights = resolve_folder(config.encoder.source)
    encoder = transformers.AutoModel.from_pretrained(
        str(weights), add_pooling_layer=False, attn_implementation="sdpa"
    )
    model = make_classifier(
        torch,
        encoder,
        encoder.config.hidden_size,
        config.lstnet,
        len(prepared.labels.classes),
        config.head.dropout,
    )
    if compiled:
        model.encoder = torch.compile(model.encoder, dynamic=True)
    trainer = _Trainer(torch, model, config, prepared, ReviewTokenizer(weights))
    stream = trainer.batches(grouped=grouped)

    def run(count: int) -> list[tuple[int, int, int]]:
        return [trainer.update(next(stream)) for _ in range(count)]

    first = timed(lambda: run(1))
    run(1)
    yield {
        "items": "reviews",
        "first_update_seconds": first["seconds"],
        "torch": torch.__version__,
        "transformers": transformers.__version__,
        "threads": torch.get_num_threads(),
    }
    while True:
        counted, took = watched(lambda: run(updates))
        items, useful, places = (sum(column) for column in zip(*counted, strict=True))
        yield {
            **took,
            "updates": updates,
            "items": items,
            "useful": useful,
            "places": places,
        }


class _Trainer:
    """The model, its optimizer and its reviews."""

    def __init__(
        self,
        torch: Any,
        model: Any,
        config: Config,
        prepared: Prepared,
        tokenizer: ReviewTokenizer,
    ) -> None:
        self._torch, self._model, self._config = torch, model, config
        self._optimizer, self._schedule = make_torch_optimizer(
            torch, model, config.optimizer, fused=True
        )
        reviews, special = prepared.labelled(TRAIN), tokenizer.special
        most = config.pages.max_tokens - 2
        self._ids = [
            np.concatenate([[special.first], ids[:most], [special.last]])
            for ids in prepared.store.read(reviews)
        ]
        self._labels = prepared.label_n[reviews].astype(np.int64)
        self._pad = special.pad
        model.train()

    def batches(self, *, grouped: bool) -> Iterator[np.ndarray]:
        """Endless batches of numbers of reviews."""
        lengths = np.array([len(ids) for ids in self._ids])
        size, seed = self._config.train.batch_reviews, self._config.seed
        return length_batches(lengths, size, grouped=grouped, seed=seed)

    def update(self, batch: np.ndarray) -> tuple[int, int, int]:
        """Makes an update; returns its reviews, their tokens and places for those."""
        torch, own = self._torch, [self._ids[place] for place in batch.tolist()]
        longest = max(map(len, own))
        ids = np.full((len(own), longest), self._pad, np.int64)
        mask = np.zeros(ids.shape, np.int64)
        for row, each in enumerate(own):
            ids[row, : len(each)], mask[row, : len(each)] = each, 1
        logits = self._model(torch.from_numpy(ids), torch.from_numpy(mask))
        labels = torch.from_numpy(self._labels[batch])
        loss = torch.nn.functional.cross_entropy(logits, labels)
        self._optimizer.zero_grad()
        loss.backward()
        most = self._config.optimizer.clip_norm or float("inf")
        torch.nn.utils.clip_grad_norm_(self._model.parameters(), most)
        self._optimizer.step()
        self._schedule.step()
        return len(own), int(mask.sum()), ids.size
