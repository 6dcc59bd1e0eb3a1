"""An encoder in pre-training as a system that is measured."""

from collections.abc import Mapping, Sequence
from typing import Any

import jax
import numpy as np

from reviewintent_jax.benchmark.flops import (
    count_masked_flops,
    page_work,
    review_work,
)
from reviewintent_jax.benchmark.system import Question
from reviewintent_jax.build_pretrain import build_pretrain
from reviewintent_jax.models.masked_language import MaskedLanguage, MaskedLanguageSpec
from reviewintent_jax.schema import NO_LABEL, InputError, MaskedBatch, RunFolder
from reviewintent_jax.training.pretrain import PretrainExperiment
from reviewintent_jax.training.state import count_parameters


class MaskedSystem:
    """An encoder that guesses hidden tokens. Items are texts.

    Attributes:
      task: what the loop trains.
      reads: what a length counts.
    """

    reads, items = "tokens a text", "texts"

    def __init__(self, task: PretrainExperiment) -> None:
        self.task = task

    def lengths(self, wanted: Sequence[int]) -> list[int]:
        """Those that are no longer than its texts."""
        return [each for each in wanted if each <= self.task.pages.max_tokens]

    def parameters(self) -> dict[str, int]:
        """Numbers of parameters by part; nothing is computed."""
        return count_parameters(self.task.first_params().shapes)

    def question(self, items: int, length: int) -> Question:
        """``items`` texts of ``length`` tokens, a page each, of which some are hidden.

        Raises:
          InputError: the length is no whole number of chunks.
        """
        given, chunk = self.task.model.spec, min(length, self.task.pages.chunk_tokens)
        if length % chunk:
            raise InputError(f"{length} tokens are no whole chunks of {chunk}.")
        spec = MaskedLanguageSpec(given.encoder, chunk)
        model, asked = MaskedLanguage(spec), self.task.masking.places(length)
        shape, rng = (items, length), np.random.default_rng(0)
        step = np.broadcast_to(np.arange(length, dtype=np.int32), shape)
        places = np.sort(rng.permuted(step, axis=1)[:, :asked], axis=1)
        ids = rng.integers(5, given.encoder.vocab_size, shape, np.int32)
        target = np.take_along_axis(ids, places, axis=1)
        batch = MaskedBatch(
            token_ids_bt=ids,
            segment_ids_bt=step // chunk + 1,
            position_ids_bt=step % chunk,
            place_bu=places,
            target_bu=target,
            review_bk=np.arange(items, dtype=np.int32)[:, None],
        )

        def answer(params: Any, batch: MaskedBatch) -> jax.Array:
            said: Any = model.apply({"params": params}, batch, deterministic=True)
            return said.logits_buv.argmax(axis=-1)

        work = page_work(items, length, 1, chunk)
        flops = count_masked_flops(spec, work, items * asked).answer
        return Question(jax.jit(answer), batch, flops)

    def useful(self, batch: MaskedBatch) -> tuple[int, int, int]:
        """Tokens that are read, places for them, and operations of an update.

        The operations are those of the tokens alone, and of what is asked for.
        """
        segments = np.asarray(batch.segment_ids_bt)
        chunks: list[int] = []
        for page in segments:
            chunks += np.unique(page[page > 0], return_counts=True)[1].tolist()
        asked = int((np.asarray(batch.target_bu) != NO_LABEL).sum())
        work = review_work(chunks, 0)
        flops = count_masked_flops(self.task.model.spec, work, asked).update
        return sum(chunks), segments.size, flops


def build_masked(values: Mapping[str, Any], run: RunFolder) -> MaskedSystem:
    """The system of a config that pre-trains."""
    return MaskedSystem(build_pretrain(values, run))
