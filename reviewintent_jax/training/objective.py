"""What an update on reviews makes smaller: pages -> loss, pure."""

import dataclasses
from typing import Any

import jax

from reviewintent_jax.models.review_intent import ReviewIntent
from reviewintent_jax.schema import PageBatch
from reviewintent_jax.training.losses import (
    IntentionLossSpec,
    LossSums,
    LossTotals,
    joint_loss,
    loss_totals,
    sentiment_loss,
    sentiment_weight,
)


@dataclasses.dataclass(frozen=True)
class ReviewObjective:
    """Cross-entropy of the sentiment of every review, and of intention; an
    :class:`~reviewintent_jax.training.task.Objective`.

    Attributes:
      model: the network.
      loss_spec: how sentiment and intention become one loss; None where intention is
        not asked about.
      label_smoothing: share of a label that goes to all classes alike, in [0, 1).
      seed: of dropout.
    """

    model: ReviewIntent
    loss_spec: IntentionLossSpec | None
    label_smoothing: float
    seed: int

    def totals(self, batch: PageBatch) -> jax.Array | LossTotals:
        """Summed weights of what is labelled in a whole batch."""
        if self.loss_spec is None:
            return sentiment_weight(batch)
        return loss_totals(batch)

    def loss(
        self, params: Any, batch: PageBatch, totals: Any, key: jax.Array
    ) -> LossSums:
        """Loss of a batch or of a piece of it, with dropout."""
        output = self.model.apply(
            {"params": params}, batch, deterministic=False, rngs={"dropout": key}
        )
        smoothing: dict[str, Any] = {"label_smoothing": self.label_smoothing}
        if self.loss_spec is None:
            return sentiment_loss(output, batch, totals, **smoothing)  # type: ignore[arg-type]
        return joint_loss(params, output, batch, totals, self.loss_spec, **smoothing)  # type: ignore[arg-type]
