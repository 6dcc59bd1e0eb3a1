"""What all systems that are measured have in common."""

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any, Protocol

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


class System(Protocol):
    """A model that learns and answers.

    Attributes:
      task: what the loop trains.
      items: what is counted, such as ``reviews``.
      reads: what a length counts, such as ``tokens a review``.
    """

    task: Any
    items: str
    reads: str

    def lengths(self, wanted: Sequence[int]) -> list[int]:
        """Of the lengths that are wanted, those that it reads, or its only one."""
        ...

    def parameters(self) -> dict[str, int]:
        """Numbers of parameters by part; nothing is computed."""
        ...

    def question(self, items: int, length: int) -> Question:
        """``items`` items of ``length``."""
        ...

    def useful(self, batch: Any) -> tuple[int, int, int]:
        """What is read of a batch, places for it, and operations of an update of it."""
        ...
