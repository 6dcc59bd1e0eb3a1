"""What the loop must know of a task; everything else about it is the task's own.

One loop trains them all: the sentiment of reviews, the intention of shoppers, the next
values of a table. A task says what a batch is, what its loss is, and how well a set of
parameters does on validation.
"""

import dataclasses
from collections.abc import Callable, Iterator
from typing import Any, Protocol

import jax
import optax
from jax.sharding import Mesh

from reviewintent_jax.data.batches import Portion, Position, Rows
from reviewintent_jax.schema import InputError
from reviewintent_jax.training.losses import LossSums
from reviewintent_jax.training.state import FirstState

Scores = dict[str, float | None]
"""Scores on validation by name; None where one cannot be computed."""


@dataclasses.dataclass(frozen=True)
class LoopSpec:
    """How long to train, and what happens every so many updates.

    Attributes:
      epochs: passes over the training data, 1 or more.
      max_steps: stop after so many updates; 0 = no limit.
      accumulate: micro-batches whose gradients are summed for an update, 1 or more.
      validate_every_steps: updates between validations; 0 = once an epoch.
      checkpoint_every_steps: updates between saves beside those at validations; 0 =
        at validations only.
      log_every_steps: updates between log lines, 1 or more.
      patience: validations without a better score after which training stops; 0 =
        never.
      prefetch: batches prepared ahead, 1 or more.
    """

    epochs: int
    max_steps: int
    accumulate: int
    validate_every_steps: int
    checkpoint_every_steps: int
    log_every_steps: int
    patience: int
    prefetch: int

    def __post_init__(self) -> None:
        for name in ("epochs", "accumulate", "log_every_steps", "prefetch"):
            if getattr(self, name) < 1:
                raise InputError(f"train.{name} must be 1 or more.")
        every = ("max_steps", "validate_every_steps", "checkpoint_every_steps")
        for name in (*every, "patience"):
            if getattr(self, name) < 0:
                raise InputError(f"train.{name} must not be negative.")


class Stream(Protocol):
    """Endless training batches in a repeatable order."""

    @property
    def size(self) -> int:
        """Rows (pages, windows) in a batch."""
        ...

    @property
    def items(self) -> int:
        """What is counted (reviews, windows), in one epoch."""
        ...

    def items_within(self, epochs: int, max_steps: int) -> int:
        """Items that ``epochs`` epochs read, or ``max_steps`` batches (0 = all)."""
        ...

    def blank(self, rows: Rows) -> Any:
        """``rows`` of a batch that holds nothing, shaped as all others are."""
        ...

    def batches(
        self, position: Position, rows: Rows | None = None
    ) -> Iterator[Portion]:
        """Yields batches for ever, from ``position`` on; ``rows`` of each, or all.

        Positions count pages; a window of numbers is a page with one slot. Order and
        positions do not depend on ``rows``, so neither on devices nor on processes.
        """
        ...


class Objective(Protocol):
    """What an update makes smaller.

    A batch is a pytree of arrays whose leading axis is cut into micro-batches; two
    batches of a task have equal shapes.
    """

    @property
    def seed(self) -> int:
        """Decides order, augmentation, dropout and first random weights."""
        ...

    def totals(self, batch: Any) -> Any:
        """Pure: what :meth:`loss` divides by, from the whole batch of an update."""
        ...

    def loss(self, params: Any, batch: Any, totals: Any, key: jax.Array) -> LossSums:
        """Pure: loss of a batch, or of a piece of the one that ``totals`` are of."""
        ...


class Task(Objective, Protocol):
    """Something to learn."""

    @property
    def train(self) -> LoopSpec:
        """How long to train."""
        ...

    @property
    def mesh(self) -> Mesh:
        """The devices it runs on."""
        ...

    @property
    def units(self) -> str:
        """What is counted, for people, such as ``reviews``."""
        ...

    def train_batches(self) -> Stream:
        """The training data."""
        ...

    def make_optimizer(self) -> optax.GradientTransformation:
        """The optimizer."""
        ...

    def rates(self, step: int) -> dict[str, float]:
        """Learning rates of update ``step`` (from 0), by the name of what they move."""
        ...

    def first_state(self, optimizer: optax.GradientTransformation) -> FirstState:
        """State before the first update."""
        ...

    def validation(self) -> Callable[[Any], Scores]:
        """Returns params -> scores on the validation split."""
        ...

    def stop_score(self, scores: Scores) -> float:
        """What "best" means: larger is better.

        Raises:
          InputError: it cannot be computed on this validation split.
        """
        ...

    def describe_batch(self, batch: Any) -> str:
        """Which rows of the source a batch holds, for an error message."""
        ...

    def identity(self) -> dict[str, Any]:
        """What must stay the same for a run to be resumed."""
        ...
