"""A model of reviews as a system that is measured."""

import dataclasses
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import jax
import numpy as np

from reviewintent_jax.benchmark.flops import count_flops, page_work, review_work
from reviewintent_jax.benchmark.full_pages import full_pages
from reviewintent_jax.benchmark.system import Question
from reviewintent_jax.build import build_experiment
from reviewintent_jax.data.pages import PageSpec
from reviewintent_jax.data.prepared_pages import blank_page
from reviewintent_jax.evaluation.scoring import pages_at_once
from reviewintent_jax.models.lstnet_spec import LSTNetSpec
from reviewintent_jax.models.review_intent import (
    ReviewIntent,
    ReviewIntentSpec,
    init_params,
)
from reviewintent_jax.schema import InputError, RunFolder
from reviewintent_jax.training.experiment import Experiment
from reviewintent_jax.training.state import count_parameters


class ReviewSystem:
    """A model of reviews. Items are reviews, or subjects where it reads histories.

    Attributes:
      task: what the loop trains.
      reads: what a length counts.
    """

    reads = "tokens a review"

    def __init__(self, task: Experiment) -> None:
        self.task = task
        self.items = "reviews" if task.model.spec.history is None else "histories"

    def lengths(self, wanted: Sequence[int]) -> list[int]:
        """Those that are no longer than what is read of a review."""
        return [each for each in wanted if each <= self.task.pages.max_tokens]

    def parameters(self) -> dict[str, int]:
        """Numbers of parameters by part; nothing is computed."""
        model, page = self.task.model, self._page()
        return count_parameters(
            jax.eval_shape(lambda: init_params(model, page, seed=0, encoder=None))
        )

    def _page(self) -> Any:
        history = self.task.model.spec.history
        covariates = None if history is None else history.covariates
        given = self.task.tokenizer.special, self.task.pages, covariates
        return blank_page(*given, words=self.task.model.spec.words is not None)

    def question(self, items: int, tokens: int) -> Question:
        """``items`` reviews of ``tokens`` tokens, a page each.

        Where histories are read, an item is the last reviews of one subject, as many as
        the window has. They are answered as many at once as in ``launch.predict``.
        """
        pages, window = self.task.pages, self._window
        chunk = min(tokens, pages.chunk_tokens)
        if tokens % chunk:
            raise InputError(f"{tokens} tokens are no whole chunks of {chunk}.")
        page_tokens, slots = tokens * window, window
        spec = dataclasses.replace(self.task.model.spec, block_tokens=chunk)
        layout = PageSpec(page_tokens, chunk, tokens, slots)
        batch = full_pages(spec, layout, items, tokens, window=self._history)
        model = ReviewIntent(spec)

        @jax.jit
        def answer_some(params: Any, batch: Any) -> tuple:
            output = model.apply({"params": params}, batch, deterministic=True)
            return output.logits_bky, output.intent_bky  # type: ignore[union-attr]

        size = pages_at_once(items, page_tokens)

        def answer(params: Any, batch: Any) -> list[tuple]:
            cuts = [slice(begin, begin + size) for begin in range(0, items, size)]
            pieces = [jax.tree.map(lambda x, cut=cut: x[cut], batch) for cut in cuts]
            return [answer_some(params, piece) for piece in pieces]

        work = page_work(items, page_tokens, slots, chunk, self._history)
        return Question(answer, batch, count_flops(spec, work).answer)

    def useful(self, batch: Any) -> tuple[int, int, int]:
        """Tokens that are read, places for them, and operations of an update.

        The operations are those of the tokens alone.
        """
        spec, pages = self.task.model.spec, self.task.pages
        lengths = np.asarray(batch.slot_length_bk)
        flops: Counter[str] = Counter()
        found = np.unique(lengths[lengths > 0], return_counts=True)
        for length, count in zip(*found, strict=True):
            whole, rest = divmod(int(length), pages.chunk_tokens)
            chunks = [pages.chunk_tokens] * whole + [rest] * (rest > 0)
            work = review_work(chunks, _highway(spec), self._history)
            counted = count_flops(spec, work)
            for part, forward in counted.forward.items():
                flops[part] += int(count) * (forward + counted.backward[part])
        tokens = int(lengths.sum())
        # In proportion, where not every token is a word, nor every history full.
        if batch.words is not None:
            words = int(np.asarray(batch.words.word_length_bk).sum())
            flops["words"] = flops["words"] * words // tokens
        if batch.history is not None:
            steps = np.asarray(batch.history.window_slots_bkw)[lengths > 0]
            flops["history"] = flops["history"] * int((steps >= 0).sum()) // steps.size
        places = int(np.asarray(batch.token_ids_bt).size)
        return tokens, places, sum(flops.values())

    @property
    def _history(self) -> int:
        asked = self.task.model.spec.history
        return 0 if asked is None else self.task.data.intention.window

    @property
    def _window(self) -> int:
        return max(1, self._history)


def _highway(spec: ReviewIntentSpec) -> int:
    """Steps that a highway looks at; 0 where the reader has none."""
    found = spec.reader if spec.encoder is not None else None
    return found.highway_window if isinstance(found, LSTNetSpec) else 0


def build_reviews(values: Mapping[str, Any], run: RunFolder) -> ReviewSystem:
    """The system of a config on reviews."""
    return ReviewSystem(build_experiment(values, run))
