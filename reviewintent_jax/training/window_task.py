"""What every task on windows of numbers has in common: batches, optimizer, an error's
cost.
"""

import dataclasses
import enum
from collections.abc import Callable
from typing import Any

import jax
import numpy as np
import optax
from jax.sharding import Mesh

from reviewintent_jax.data.series_windows import CutWindows, WindowBatches
from reviewintent_jax.schema import InputError
from reviewintent_jax.training.optimizer import OptimizerSpec, make_optimizer, rate_at
from reviewintent_jax.training.placement import Placement
from reviewintent_jax.training.sharding import answers_on, one_device
from reviewintent_jax.training.task import LoopSpec


class ForecastLoss(enum.StrEnum):
    """What an error costs."""

    L1 = "l1"  # its size (the LSTNet authors' choice for their best results)
    L2 = "l2"  # its square

    def cost(self, error: Any) -> Any:
        """The cost of every error, for arrays of NumPy and of JAX."""
        return abs(error) if self is ForecastLoss.L1 else error * error


@dataclasses.dataclass(frozen=True)
class BatchTrainSpec(LoopSpec):
    """How long to train, and on how much at once; see also :class:`~reviewintent_jax.
    training.task.LoopSpec`.

    Attributes:
      batch_windows: windows (or cases) in an update, 1 or more.
    """

    batch_windows: int

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.batch_windows < 1:
            raise InputError("train.batch_windows must be 1 or more.")


@dataclasses.dataclass(frozen=True)
class WindowTrainSpec(BatchTrainSpec):
    """How long and how to train on windows of numbers.

    Attributes:
      loss: what an error costs.
    """

    loss: ForecastLoss


class WindowTask:
    """The part of a task that does not depend on what is forecast.

    Attributes:
      seed: decides order, dropout and first random weights.
      windows: the data, cut and scaled.
      optimizer: of all parameters; ``head_rate`` is the one that counts.
      train: how long and how to train.
    """

    seed: int
    windows: CutWindows
    optimizer: OptimizerSpec
    train: BatchTrainSpec

    @property
    def units(self) -> str:
        """What is counted."""
        return "windows"

    @property
    def batch_windows(self) -> int:
        """Windows in a batch: whole micro-batches."""
        pieces = self.train.accumulate
        return -(-self.train.batch_windows // pieces) * pieces

    def train_batches(self) -> WindowBatches:
        """Batches of the training windows in their repeatable order."""
        return WindowBatches(
            self.windows, batch_windows=self.batch_windows, seed=self.seed
        )

    def make_optimizer(self) -> optax.GradientTransformation:
        """The optimizer."""
        return make_optimizer(self.optimizer)

    def rates(self, step: int) -> dict[str, float]:
        """Learning rate of update ``step`` (from 0)."""
        return {"head": rate_at(self.optimizer.head_rate, self.optimizer, step)}


def forward_on(mesh: Mesh | None, forward: Callable[..., Any]) -> Callable[..., Any]:
    """A forward pass spread over a mesh, or on the first device.

    Args:
      mesh: where the parameters lie; None = on the first device.
      forward: (params, arrays of windows) -> tree of arrays, one row a window.

    Returns:
      The same function of NumPy arrays; every process gives all windows and gets all
      answers.
    """
    mesh = mesh or one_device()
    placement = Placement(mesh)
    jitted = answers_on(mesh, forward)

    def step(params: Any, *inputs: Any) -> Any:
        windows = len(inputs[0])
        rows = placement.rows(windows)
        # A window for an empty place is any window: nobody reads what is said of it.
        mine = tuple(np.asarray(x)[np.maximum(rows.source_n, 0)] for x in inputs)
        said = jitted(params, *placement.put(mine, rows))
        return jax.tree.map(lambda answer: np.asarray(answer)[:windows], said)

    return step
