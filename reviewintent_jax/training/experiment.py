"""Everything a run needs, put together: specs, prepared data, model, first weights."""

import dataclasses
import enum
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
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
from reviewintent_jax.data.splits import TRAIN, VALIDATION
from reviewintent_jax.data.tokens import ReviewTokenizer
from reviewintent_jax.evaluation.calibration import probabilities
from reviewintent_jax.evaluation.evaluate import (
    EvaluationSpec,
    logits_of,
    make_score_step,
    predict_split,
)
from reviewintent_jax.evaluation.metrics import classification_metrics
from reviewintent_jax.evaluation.score_table import TableScorer
from reviewintent_jax.models.review_intent import (
    ReviewIntent,
    ReviewIntentSpec,
    init_params,
)
from reviewintent_jax.schema import NO_LABEL, InputError, PageBatch
from reviewintent_jax.training.losses import LossSums, sentiment_loss, sentiment_weight
from reviewintent_jax.training.optimizer import OptimizerSpec, make_optimizer, rate_at
from reviewintent_jax.training.state import TrainState, make_state
from reviewintent_jax.training.task import LoopSpec, Scores

_FORMAT = 2  # of what a checkpoint keeps beside the tensors


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


@dataclasses.dataclass(frozen=True)
class Experiment:
    """A run on reviews, ready to start; a :class:`~reviewintent_jax.training.task.
    Task`.

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

    @property
    def units(self) -> str:
        """What is counted."""
        return "reviews"

    def make_optimizer(self) -> optax.GradientTransformation:
        """The optimizer."""
        return make_optimizer(self.optimizer)

    def rates(self, step: int) -> dict[str, float]:
        """Learning rates of update ``step`` (from 0)."""
        spec = self.optimizer
        return {
            "encoder": rate_at(spec.encoder_rate, spec, step),
            "head": rate_at(spec.head_rate, spec, step),
        }

    def init_state(self, optimizer: optax.GradientTransformation) -> TrainState:
        """State before the first update."""
        page = empty_pages(1, self.tokenizer.special, self.pages)
        params = init_params(
            self.model, page, seed=self.seed, encoder=self.encoder_params
        )
        return make_state(params, optimizer)

    def totals(self, batch: PageBatch) -> jax.Array:
        """Summed weight of the labelled reviews of a whole batch."""
        return sentiment_weight(batch)

    def loss(
        self, params: Any, batch: PageBatch, totals: jax.Array, key: jax.Array
    ) -> LossSums:
        """Cross-entropy of the sentiment of every review."""
        output = self.model.apply(
            {"params": params}, batch, deterministic=False, rngs={"dropout": key}
        )
        smoothing = self.train.label_smoothing
        return sentiment_loss(output, batch, totals, label_smoothing=smoothing)  # type: ignore[arg-type]

    def count(self, batch: PageBatch) -> int:
        """Labelled reviews in a batch."""
        return int(np.sum(batch.label_bk != NO_LABEL))

    def describe_batch(self, batch: PageBatch) -> str:
        """Rows of the source."""
        review_bk = np.asarray(batch.review_bk)
        rows = self.prepared.row_n[review_bk[review_bk >= 0]]
        listed = ", ".join(str(row) for row in rows[:40]) + (" ..." * (len(rows) > 40))
        return f"rows {listed} of the source (counted from 0)"

    def validation(self) -> Callable[[Any], Scores]:
        """Returns params -> scores on the validation split."""
        source, reviews = self.page_source(), self.prepared.reviews(VALIDATION)
        score = make_score_step(self.model)

        def validate(params: Any) -> Scores:
            table = predict_split(
                score,
                params,
                self.prepared,
                source,
                reviews,
                batch_pages=self.evaluation.batch_pages,
            )
            metrics = classification_metrics(
                probabilities(logits_of(table), 1.0),
                table["label"].to_numpy(),
                self.classes,
                bootstrap_samples=0,
                seed=0,
            )
            names = {"loss": "log_loss"} | {
                n: n for n in ("accuracy", "macro_f1", "auc")
            }
            return {name: metrics[key]["value"] for name, key in names.items()}

        return validate

    def stop_score(self, scores: Scores) -> float:
        """What "best" means: larger is better.

        Raises:
          InputError: the validation split holds one class only.
        """
        metric = self.train.stop_metric
        score = scores[metric.value]
        if score is None:
            raise InputError(
                f"The score {metric.value!r} cannot be computed on the validation "
                "split, which holds one class only.",
                fix="Choose another train.stop_metric or a larger validation split.",
            )
        return -score if metric == StopMetric.LOSS else score

    def identity(self) -> dict[str, Any]:
        """What must stay the same for a run to be resumed."""
        return {
            "format": _FORMAT,
            "seed": self.seed,
            "model": _settings(self.model.spec),
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


def _settings(spec: ReviewIntentSpec) -> dict[str, Any]:
    """The model's settings; without intention those that runs had before it came."""
    settings = dataclasses.asdict(spec)
    return {k: v for k, v in settings.items() if (k, v) != ("history", None)}


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
