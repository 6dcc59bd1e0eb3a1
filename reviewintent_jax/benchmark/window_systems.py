"""Models of windows of numbers as systems that are measured."""

import functools
from collections.abc import Mapping, Sequence
from typing import Any

import jax
import numpy as np

from reviewintent_jax.benchmark.flops import Flops, count_window_flops
from reviewintent_jax.benchmark.system import Question
from reviewintent_jax.build_forecast import build_forecast
from reviewintent_jax.build_heading import build_heading
from reviewintent_jax.data.batches import Position
from reviewintent_jax.schema import InputError, RunFolder
from reviewintent_jax.training.forecast import ForecastExperiment
from reviewintent_jax.training.heading import HeadingExperiment
from reviewintent_jax.training.state import count_parameters


class WindowSystem:
    """A model of windows of numbers. Items are windows.

    Attributes:
      task: what the loop trains.
      reads: what a length counts.
    """

    reads, items = "steps a window", "windows"

    def __init__(self, task: ForecastExperiment | HeadingExperiment) -> None:
        self.task = task

    def lengths(self, wanted: Sequence[int]) -> list[int]:
        """The only one: windows have one length."""
        del wanted
        return [self.window]

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


def build_forecasts(values: Mapping[str, Any], run: RunFolder) -> WindowSystem:
    """The system of a config that forecasts."""
    return WindowSystem(build_forecast(values, run))


def build_headings(values: Mapping[str, Any], run: RunFolder) -> WindowSystem:
    """The system of a config that asks where reviews are heading."""
    return WindowSystem(build_heading(values, run))
