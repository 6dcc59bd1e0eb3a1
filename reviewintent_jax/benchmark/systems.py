"""The systems that are measured: a config -> what learns, and what is asked of it.

In: the plain values of a config of any task, and a folder for prepared data. Out: a
:class:`System`. What a task is made of is built as ``launch.train`` builds it; to
measure another task, add how it is built to :data:`_BUILDERS`, and to measure another
system of a task that is there, add a line to ``configs/benchmark.py``.
"""

import dataclasses
import functools
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import jax
import numpy as np

from reviewintent_jax.benchmark.absent import AbsentError
from reviewintent_jax.benchmark.flops import (
    Flops,
    count_flops,
    count_window_flops,
    page_work,
    review_work,
)
from reviewintent_jax.benchmark.full_pages import full_pages
from reviewintent_jax.build import build_experiment
from reviewintent_jax.build_forecast import build_forecast
from reviewintent_jax.build_heading import build_heading
from reviewintent_jax.configuration import TaskKind, task_of
from reviewintent_jax.data.batches import Position
from reviewintent_jax.data.pages import PageSpec
from reviewintent_jax.data.prepared_pages import blank_page
from reviewintent_jax.models.lstnet_spec import LSTNetSpec
from reviewintent_jax.models.review_intent import (
    ReviewIntent,
    ReviewIntentSpec,
    init_params,
)
from reviewintent_jax.schema import InputError, RunFolder
from reviewintent_jax.training.experiment import Experiment
from reviewintent_jax.training.forecast import ForecastExperiment
from reviewintent_jax.training.heading import HeadingExperiment
from reviewintent_jax.training.state import count_parameters

Answer = Callable[[Any, Any], Any]


@dataclasses.dataclass(frozen=True)
class Question:
    """So many items of one length, and what answers them.

    Attributes:
      answer: (parameters, batch) -> arrays.
      batch: what it reads; no padding.
      flops: of the answer.
    """

    answer: Answer
    batch: Any
    flops: int


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
        the window has.
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

        def answer(params: Any, batch: Any) -> tuple:
            output = model.apply({"params": params}, batch, deterministic=True)
            return output.logits_bky, output.intent_bky  # type: ignore[union-attr]

        work = page_work(items, page_tokens, slots, chunk, self._history)
        return Question(jax.jit(answer), batch, count_flops(spec, work).answer)

    def useful(self, batch: Any) -> tuple[int, int, int]:
        """Tokens that are read, places for them, and operations of an update.

        The operations are those of the tokens alone.
        """
        spec, pages = self.task.model.spec, self.task.pages
        lengths = np.asarray(batch.slot_length_bk)
        flops = 0
        found = np.unique(lengths[lengths > 0], return_counts=True)
        for length, count in zip(*found, strict=True):
            whole, rest = divmod(int(length), pages.chunk_tokens)
            chunks = [pages.chunk_tokens] * whole + [rest] * (rest > 0)
            work = review_work(chunks, _highway(spec), self._history)
            flops += int(count) * count_flops(spec, work).update
        return int(lengths.sum()), int(np.asarray(batch.token_ids_bt).size), flops

    @property
    def _history(self) -> int:
        asked = self.task.model.spec.history
        return 0 if asked is None else self.task.data.intention.window

    @property
    def _window(self) -> int:
        return max(1, self._history)


class WindowSystem:
    """A model of windows of numbers. Items are windows.

    Attributes:
      task: what the loop trains.
      reads: what a length counts.
    """

    reads, items = "steps a window", "windows"

    def __init__(self, task: ForecastExperiment | HeadingExperiment) -> None:
        self.task = task

    def parameters(self) -> dict[str, int]:
        """Numbers of parameters by part; nothing is computed."""
        model, (value, length) = self.task.model, self._windows(1)

        def init() -> Any:
            made = model.init(jax.random.key(0), value, length, deterministic=True)
            return made["params"]

        return count_parameters(jax.eval_shape(init))

    def question(self, items: int, steps: int) -> Question:
        """``items`` windows of ``steps`` steps.

        Raises:
          InputError: the model reads windows of another length only.
        """
        batch = self._windows(items)
        if steps != self.window:
            raise InputError(f"Windows have {self.window} steps, not {steps}.")
        model = self.task.model

        def answer(params: Any, batch: Any) -> Any:
            return model.apply({"params": params}, *batch, deterministic=True)[:2]

        flops = self._flops(items).answer
        return Question(jax.jit(answer), batch, flops)

    @property
    def window(self) -> int:
        """Steps of a window."""
        return self._first.value_bts.shape[1]

    def useful(self, batch: Any) -> tuple[int, int, int]:
        """Windows that are read, places for them, and operations of an update."""
        row = np.asarray(batch.row_b)
        filled = int((row >= 0).sum())
        return filled, len(row), self._flops(filled).update

    @functools.cached_property
    def _first(self) -> Any:
        return next(self.task.train_batches().batches(Position(0, 0))).batch

    def _windows(self, items: int) -> tuple[np.ndarray, np.ndarray]:
        """So many whole windows of the training data, again where they are too few."""
        value = np.asarray(self._first.value_bts)
        steps, series = value.shape[1:]
        value = np.resize(value, (items, steps, series))
        return value, np.full(items, steps, np.int32)

    def _flops(self, windows: int) -> Flops:
        return count_window_flops(self.task.model.spec, windows, self.window)


System = ReviewSystem | WindowSystem


def _highway(spec: ReviewIntentSpec) -> int:
    """Steps that a highway looks at; 0 where the reader has none."""
    found = spec.reader if spec.encoder is not None else None
    return found.highway_window if isinstance(found, LSTNetSpec) else 0


_BUILDERS: dict[TaskKind, Callable[[Mapping[str, Any], RunFolder], System]] = {
    TaskKind.REVIEW: lambda *given: ReviewSystem(build_experiment(*given)),
    TaskKind.FORECAST: lambda *given: WindowSystem(build_forecast(*given)),
    TaskKind.HEADING: lambda *given: WindowSystem(build_heading(*given)),
}


def build_system(values: Mapping[str, Any], folder: str) -> System:
    """The system of a config.

    Args:
      values: of the config, plain.
      folder: for prepared data, used again while nothing changed.

    Raises:
      AbsentError: its data are not there.
      InputError: a mistake in the config or the data.
    """
    path = values["data"].get("path")
    if values["data"].get("kind", "table") == "table" and not Path(str(path)).exists():
        raise AbsentError(f"the data are not there: {Path(str(path)).name}")
    return _BUILDERS[task_of(values)](values, RunFolder(Path(folder)))
