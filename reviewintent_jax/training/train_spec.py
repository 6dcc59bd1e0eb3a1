"""How long and how to train on reviews, and what "best" means."""

import dataclasses
import enum

from reviewintent_jax.schema import InputError
from reviewintent_jax.training.task import LoopSpec

OF_INTENTION = "intention_"
"""Begins the names of the scores of intention."""


class ClassWeights(enum.StrEnum):
    """How reviews weigh in the loss."""

    NONE = "none"  # all alike
    BALANCED = "balanced"  # every class weighs the same in total


class StopMetric(enum.StrEnum):
    """What "best" means on the validation split."""

    MACRO_F1 = "macro_f1"
    ACCURACY = "accuracy"
    AUC = "auc"
    LOSS = "loss"  # smaller is better
    INTENTION_MACRO_F1 = "intention_macro_f1"
    INTENTION_ACCURACY = "intention_accuracy"
    INTENTION_AUC = "intention_auc"
    INTENTION_LOSS = "intention_loss"

    @property
    def of_intention(self) -> bool:
        """Whether it is a score of intention; otherwise it is one of sentiment."""
        return self.value.startswith(OF_INTENTION)


@dataclasses.dataclass(frozen=True)
class TrainSpec(LoopSpec):
    """How long and how to train on reviews; see also :class:`~reviewintent_jax.
    training.task.LoopSpec`.

    Attributes:
      batch_reviews: reviews in an update, on average; decides the pages in a batch.
      class_weights: how reviews weigh in the loss.
      label_smoothing: share of the target that is spread over all classes, [0, 1).
      stop_metric: what early stopping and "best" look at.
    """

    batch_reviews: int
    class_weights: ClassWeights
    label_smoothing: float
    stop_metric: StopMetric

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.batch_reviews < 1:
            raise InputError("train.batch_reviews must be 1 or more.")
        if not 0 <= self.label_smoothing < 1:
            raise InputError("train.label_smoothing must lie in [0, 1).")

    def check_metric(self, *, sentiment: bool, intention: bool) -> None:
        """Refuses to stop by a score of what is not learned.

        Raises:
          InputError: names a metric that there is.
        """
        metric = self.stop_metric
        if intention if metric.of_intention else sentiment:
            return
        plain = metric.value.removeprefix(OF_INTENTION)
        other = plain if metric.of_intention else OF_INTENTION + plain
        what = "intention" if metric.of_intention else "sentiment"
        raise InputError(
            f"train.stop_metric is {metric.value}, but {what} is not learned.",
            where="field train.stop_metric",
            fix=f"Set --config.train.stop_metric={other}.",
        )
