"""What the loop remembers beside the state."""

from typing import NamedTuple

from reviewintent_jax.data.batches import Position


class Tracker(NamedTuple):
    """What the loop remembers beside the state; JSON in the checkpoint.

    Attributes:
      epoch, page: position in the data (:class:`~reviewintent_jax.data.batches.
        Position`).
      seen: items (labelled reviews, windows) seen so far.
      best_score: best validation score so far; None before the first validation.
      best_step: step of that score.
      stale: validations since then.
      seconds: time spent training so far, over all runs.
    """

    epoch: int
    page: int
    seen: int
    best_score: float | None
    best_step: int
    stale: int
    seconds: float

    @property
    def position(self) -> Position:
        """Where the data stands."""
        return Position(self.epoch, self.page)


FRESH = Tracker(0, 0, 0, None, 0, 0, 0.0)
"""Tracker of a run that has not begun."""
