"""Everything a run needs, put together: specs, prepared data, model, first weights."""

import dataclasses
import enum
from typing import Any, NamedTuple

import numpy as np
import optax

from reviewintent_jax.data.augment import AugmentSpec
from reviewintent_jax.data.batches import PageSource, TrainBatches, pages_per_batch
from reviewintent_jax.data.clean import Cleaner
from reviewintent_jax.data.labels import LabelMap
from reviewintent_jax.data.pages import (
    PageSpec,
    ReviewFields,
    empty_pages,
    slot_lengths,
)
from reviewintent_jax.data.prepare import DataSpec, Prepared
from reviewintent_jax.data.sources import SourceSpec
from reviewintent_jax.data.splits import TRAIN
from reviewintent_jax.data.tokens import ReviewTokenizer
from reviewintent_jax.evaluation.evaluate import EvaluationSpec, make_score_step
from reviewintent_jax.evaluation.score_table import TableScorer
from reviewintent_jax.models.review_intent import ReviewIntent, init_params
from reviewintent_jax.schema import InputError
from reviewintent_jax.training.optimizer import OptimizerSpec, make_optimizer
from reviewintent_jax.training.state import TrainState, make_state


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


@dataclasses.dataclass(frozen=True)
class TrainSpec:
    """How long and how to train.

    Attributes:
      epochs: passes over the training reviews, 1 or more.
      max_steps: stop after so many updates; 0 = no limit.
      batch_reviews: reviews in an update, on average; decides the pages in a batch.
      accumulate: micro-batches whose gradients are summed for an update, 1 or more.
      class_weights: how reviews weigh in the loss.
      label_smoothing: share of the target that is spread over all classes, [0, 1).
      validate_every_steps: updates between validations; 0 = once an epoch.
      checkpoint_every_steps: updates between saves beside those at validations; 0 =
        at validations only.
      log_every_steps: updates between log lines, 1 or more.
      stop_metric: what early stopping and "best" look at.
      patience: validations without a better score after which training stops; 0 =
        never.
      prefetch: batches prepared ahead, 1 or more.
    """

    epochs: int
    max_steps: int
    batch_reviews: int
    accumulate: int
    class_weights: ClassWeights
    label_smoothing: float
    validate_every_steps: int
    checkpoint_every_steps: int
    log_every_steps: int
    stop_metric: StopMetric
    patience: int
    prefetch: int

    def __post_init__(self) -> None:
        at_least_one = ("epochs", "batch_reviews", "accumulate", "log_every_steps")
        for name in (*at_least_one, "prefetch"):
            if getattr(self, name) < 1:
                raise InputError(f"train.{name} must be 1 or more.")
        for name in ("max_steps", "validate_every_steps", "checkpoint_every_steps"):
            if getattr(self, name) < 0:
                raise InputError(f"train.{name} must not be negative.")
        if not 0 <= self.label_smoothing < 1:
            raise InputError("train.label_smoothing must lie in [0, 1).")


@dataclasses.dataclass(frozen=True)
class Experiment:
    """A run, ready to start.

    Attributes:
      name: of the experiment, for people.
      seed: decides order, augmentation, dropout and first random weights.
      config: the whole config as plain values, for the record.
      data: what the data are made of.
      prepared: the data.
      tokenizer: of the encoder.
      pages: sizes of a page.
      augment: what is done to training texts.
      model: the network.
      encoder_params: pre-trained weights of the encoder, or None for random ones.
      optimizer: of all parameters.
      train: how long and how to train.
      evaluation: what is measured at the end.
    """

    name: str
    seed: int
    config: dict[str, Any]
    data: DataSpec
    prepared: Prepared
    tokenizer: ReviewTokenizer
    pages: PageSpec
    augment: AugmentSpec
    model: ReviewIntent
    encoder_params: Any | None
    optimizer: OptimizerSpec
    train: TrainSpec
    evaluation: EvaluationSpec

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the classes, in the order of the logits."""
        return self.prepared.labels.classes

    def page_source(self) -> PageSource:
        """What pages are made from, with the weights that the loss uses."""
        prepared = self.prepared
        weight_n = review_weights(
            prepared.label_n,
            prepared.reviews(TRAIN),
            len(self.classes),
            self.train.class_weights,
        )
        fields = ReviewFields(prepared.label_n, weight_n)
        return PageSource(prepared.store, fields, self.tokenizer.special, self.pages)

    def batch_pages(self) -> int:
        """Pages in a batch: about ``batch_reviews`` reviews, whole micro-batches."""
        reviews = self.prepared.reviews(TRAIN)
        ids = self.prepared.store.lengths()[reviews]
        mean = float(slot_lengths(ids, self.pages).slot_n.mean())
        pages = pages_per_batch(mean, self.train.batch_reviews, self.pages)
        pieces = self.train.accumulate
        return -(-pages // pieces) * pieces

    def train_batches(self) -> TrainBatches:
        """Batches of the training reviews in their repeatable order."""
        return TrainBatches(
            self.page_source(),
            self.prepared.reviews(TRAIN),
            batch_pages=self.batch_pages(),
            augment=self.augment,
            replacement_ids=self.tokenizer.replacement_ids(),
            seed=self.seed,
        )

    def describe(self) -> str:
        """What is about to happen, in a few lines for people."""
        summary, model = self.prepared.summary, self.model.spec
        splits = ", ".join(f"{v['rows']:,} {k}" for k, v in summary["splits"].items())
        refused = sum(summary["rejected"].values())
        return "\n".join(
            [
                f"Data: {summary['rows']:,} rows; {splits}; {refused:,} set aside"
                + (" (see rejected.jsonl)" if refused else ""),
                f"Labels: {self.prepared.labels.describe()}",
                f"Model: {model.encoder.family} of {model.encoder.num_layers} x "
                f"{model.encoder.hidden_size}, LSTNet, {model.classes} classes",
                f"Updates: about {self.train.batch_reviews} reviews, packed in "
                f"{self.batch_pages()} pages of {self.pages.page_tokens} tokens",
            ]
        )

    def make_optimizer(self) -> optax.GradientTransformation:
        """The optimizer."""
        return make_optimizer(self.optimizer)

    def init_state(self, optimizer: optax.GradientTransformation) -> TrainState:
        """State before the first update."""
        page = empty_pages(1, self.tokenizer.special, self.pages)
        params = init_params(
            self.model, page, seed=self.seed, encoder=self.encoder_params
        )
        return make_state(params, optimizer)

    def identity(self) -> dict[str, Any]:
        """What must stay the same for a run to be resumed."""
        return {
            "seed": self.seed,
            "model": dataclasses.asdict(self.model.spec),
            "encoder_weights": "given" if self.encoder_params else "random",
            "pages": dataclasses.asdict(self.pages),
            "batch_pages": self.batch_pages(),
            "augment": dataclasses.asdict(self.augment),
            "optimizer": dataclasses.asdict(self.optimizer),
            "accumulate": self.train.accumulate,
            "class_weights": self.train.class_weights,
            "label_smoothing": self.train.label_smoothing,
            "stop_metric": self.train.stop_metric,
            "classes": list(self.classes),
            "data": self.prepared.fingerprint,
        }


class Trained(NamedTuple):
    """A trained model, ready to score.

    Attributes:
      model, params: the network and its best weights.
      step: of those weights.
      tokenizer: of its encoder.
      pages: sizes of a page.
      labels: how raw labels became classes.
      temperature: what its logits are divided by for calibrated probabilities.
      threshold: the probability from which class 1 of two is answered; None = the most
        probable class.
      data: what its training data were.
      evaluation: what is measured.
    """

    model: ReviewIntent
    params: Any
    step: int
    tokenizer: ReviewTokenizer
    pages: PageSpec
    labels: LabelMap
    temperature: float
    threshold: float | None
    data: DataSpec
    evaluation: EvaluationSpec


def make_scorer(trained: Trained, source: SourceSpec) -> TableScorer:
    """What scoring needs, from a trained model and the columns to read."""
    return TableScorer(
        score=make_score_step(trained.model),
        params=trained.params,
        tokenizer=trained.tokenizer,
        cleaner=Cleaner(trained.data.clean),
        pages=trained.pages,
        batch_pages=trained.evaluation.batch_pages,
        classes=trained.labels.classes,
        temperature=trained.temperature,
        threshold=trained.threshold,
        source=source,
        check=trained.data.check,
    )


def review_weights(
    label_n: np.ndarray, train: np.ndarray, classes: int, kind: ClassWeights
) -> np.ndarray:
    """Weight of every review in the loss, float32.

    Balanced weights are ``rows / (classes x rows of the class)``, counted on the
    training reviews alone, so that the mean weight is 1.
    """
    if kind == ClassWeights.NONE:
        return np.ones(len(label_n), np.float32)
    counts = np.bincount(label_n[train], minlength=classes)
    weight_y = len(train) / (classes * np.maximum(counts, 1))
    return np.where(label_n >= 0, weight_y[label_n], 0).astype(np.float32)
