"""Everything a run needs, put together: specs, prepared data, model, first weights."""

import dataclasses
import functools
from collections.abc import Callable, Mapping
from typing import Any

import jax
import numpy as np
import optax
from jax.sharding import Mesh

from reviewintent_jax.data.augment import AugmentSpec
from reviewintent_jax.data.batches import PageSource, TrainBatches, pages_per_batch
from reviewintent_jax.data.histories import CovariateScale, time_sentences
from reviewintent_jax.data.pages import PageSpec, slot_lengths
from reviewintent_jax.data.prepare import DataSpec, Prepared
from reviewintent_jax.data.prepared_pages import blank_page, page_source
from reviewintent_jax.data.splits import TRAIN, VALIDATION
from reviewintent_jax.data.times import ORDER_UNKNOWN, SET_ORDER
from reviewintent_jax.data.tokens import ReviewTokenizer
from reviewintent_jax.data.word_vectors import WordVectors
from reviewintent_jax.data.words import WordLookup
from reviewintent_jax.evaluation.calibration import probabilities
from reviewintent_jax.evaluation.evaluate import EvaluationSpec
from reviewintent_jax.evaluation.metrics import classification_metrics
from reviewintent_jax.evaluation.scoring import split_logits
from reviewintent_jax.models.lstnet_spec import LSTNetSpec
from reviewintent_jax.models.review_intent import (
    ReviewIntent,
    ReviewIntentSpec,
    first_params,
)
from reviewintent_jax.schema import InputError, PageBatch
from reviewintent_jax.training.describe import model_line, word_lines
from reviewintent_jax.training.losses import (
    IntentionLossSpec,
    LossSums,
    LossTotals,
    task_parameters,
)
from reviewintent_jax.training.objective import ReviewObjective
from reviewintent_jax.training.optimizer import OptimizerSpec, make_optimizer, rate_at
from reviewintent_jax.training.scoring import SplitScorer
from reviewintent_jax.training.sharding import describe_mesh
from reviewintent_jax.training.state import FirstState
from reviewintent_jax.training.task import Scores
from reviewintent_jax.training.train_spec import (
    OF_INTENTION,
    ClassWeights,
    StopMetric,
    TrainSpec,
)

_FORMAT = 2  # of what a checkpoint keeps beside the tensors
_REASONS = 6  # of rows set aside, that are listed


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
      words: makes words of tokens; None where the model reads none.
      word_vectors: what a file says of them; None = all are drawn.
      loss_spec: how sentiment and intention become one loss; None where intention is
        not asked about.
      optimizer: of all parameters.
      train: how long and how to train.
      evaluation: what is measured at the end.
      mesh: the devices it runs on, which may be others when it goes on.
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
    words: WordLookup | None
    word_vectors: WordVectors | None
    loss_spec: IntentionLossSpec | None
    optimizer: OptimizerSpec
    train: TrainSpec
    evaluation: EvaluationSpec
    mesh: Mesh

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the classes, in the order of the logits."""
        return self.prepared.labels.classes

    @property
    def intents(self) -> tuple[str, ...]:
        """Names of the classes of intention, in the order of their logits."""
        asked = self.prepared.intention
        return () if asked is None else asked.classes

    @functools.cached_property
    def scale(self) -> CovariateScale | None:
        """Standardises the covariates of histories; None where there are none."""
        return None if self.loss_spec is None else self.prepared.covariate_scale()

    def page_source(self) -> PageSource:
        """What pages are made from, with the weights that the loss uses."""
        prepared, kind = self.prepared, self.train.class_weights
        labelled = prepared.labelled(TRAIN)
        weight_n = review_weights(prepared.label_n, labelled, len(self.classes), kind)
        intent_weight_n = None
        if prepared.intention is not None:
            answers = prepared.intention.label_n, prepared.anchors(TRAIN)
            intent_weight_n = review_weights(*answers, len(self.intents), kind)
        return page_source(
            prepared,
            self.tokenizer.special,
            self.pages,
            self.scale,
            weight_n=weight_n,
            intent_weight_n=intent_weight_n,
            words=self.words,
        )

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
        summary = self.prepared.summary
        splits = ", ".join(f"{v['rows']:,} {k}" for k, v in summary["splits"].items())
        refused = sum(summary["rejected"].values())
        lines = [
            f"Data: {summary['rows']:,} rows; {splits}; {refused:,} set aside"
            + (f" (see rejected.jsonl): {_reasons(summary)}" if refused else ""),
            f"Labels: {self.prepared.labels.describe()}",
            *_order_lines(summary["rejected"]),
            *_intention_lines(summary.get("intention")),
            model_line(self.model.spec),
            *word_lines(self.words, self.word_vectors),
            f"Updates: about {self.train.batch_reviews} reviews, packed in "
            f"{self.batch_pages()} pages of {self.pages.page_tokens} tokens",
            *describe_mesh(self.mesh),
        ]
        if not self.classes:
            lines[1] = "Labels: none of sentiment; intention alone"
        return "\n".join(lines)

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
            part: rate_at(peak, spec, step)
            for part, peak in spec.peaks().items()
            if part not in self._absent_parts
        }

    @property
    def _absent_parts(self) -> set[str]:
        """Parts with a rate of their own that the model lacks."""
        spec = self.model.spec
        parts = {"encoder": spec.encoder, "history": spec.history}
        return {name for name, part in parts.items() if part is None}

    def first_state(self, optimizer: optax.GradientTransformation) -> FirstState:
        """State before the first update."""
        history = self.model.spec.history
        page = blank_page(
            self.tokenizer.special,
            self.pages,
            None if history is None else history.covariates,
            words=self.words is not None,
        )
        params = first_params(
            self.model,
            page,
            seed=self.seed,
            encoder=self.encoder_params,
            vectors=None if self.word_vectors is None else self.word_vectors.vector_vd,
            more=task_parameters(self.loss_spec),
        )
        return FirstState(params, optimizer, self.mesh)

    @property
    def objective(self) -> ReviewObjective:
        """What an update makes smaller."""
        smoothing = self.train.label_smoothing
        return ReviewObjective(self.model, self.loss_spec, smoothing, self.seed)

    def totals(self, batch: PageBatch) -> jax.Array | LossTotals:
        """Summed weights of what is labelled in a whole batch."""
        return self.objective.totals(batch)

    def loss(
        self, params: Any, batch: PageBatch, totals: Any, key: jax.Array
    ) -> LossSums:
        """Cross-entropy of the sentiment of every review, and of intention."""
        return self.objective.loss(params, batch, totals, key)

    def describe_batch(self, batch: PageBatch) -> str:
        """Rows of the source."""
        review_bk = np.asarray(batch.review_bk)
        rows = self.prepared.row_n[review_bk[review_bk >= 0]]
        listed = ", ".join(str(row) for row in rows[:40]) + (" ..." * (len(rows) > 40))
        return f"rows {listed} of the source (counted from 0)"

    def validation(self) -> Callable[[Any], Scores]:
        """Returns params -> scores on the validation split."""
        source, prepared = self.page_source(), self.prepared
        reviews, most = prepared.reviews(VALIDATION), self.evaluation.batch_pages
        score = SplitScorer(self.model, self.mesh, most, self.pages.page_tokens)
        sizes = len(self.classes), len(self.intents)

        def validate(params: Any) -> Scores:
            logits_nz = score(params, source, reviews)
            said, scores = split_logits(logits_nz, *sizes), {}
            if self.classes:
                label_n = prepared.label_n[reviews]
                scores |= _scores(said.sentiment_ny, label_n, self.classes, "")
            if prepared.intention is not None:
                label_n = prepared.intention.label_n[reviews]
                given = said.intent_ny, label_n, self.intents
                scores |= _scores(*given, OF_INTENTION)
            return scores

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
        smaller = (StopMetric.LOSS, StopMetric.INTENTION_LOSS)
        return -score if metric in smaller else score

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
            **self._of_intention(),
            **({} if self.words is None else {"words": self.words.vocabulary.sha256()}),
        }

    def _of_intention(self) -> dict[str, Any]:
        """The part of the identity that runs without intention do not have."""
        if self.loss_spec is None:
            return {}
        loss = dataclasses.asdict(self.loss_spec)
        return {"history_loss": loss, "intention_classes": list(self.intents)}


def _settings(spec: ReviewIntentSpec) -> dict[str, Any]:
    """The model's settings; where a part is not used, those of runs before it came."""
    settings = dataclasses.asdict(spec)
    del settings["whole"]  # the same numbers, and pages say it
    if spec.encoder is not None:
        del settings["encoder"]["epilogues"]  # the same numbers, and younger than runs
    if isinstance(spec.reader, LSTNetSpec):
        settings["lstnet"] = settings.pop("reader")
    unused = ("history", None), ("words", None), ("head_features", 0)
    return {k: v for k, v in settings.items() if (k, v) not in unused}


def _scores(
    logits_ny: np.ndarray, label_n: np.ndarray, classes: tuple[str, ...], prefix: str
) -> Scores:
    """Scores of the rows that have a label, under names that begin with ``prefix``."""
    prob_ny = probabilities(logits_ny.astype(np.float64), 1.0)
    metrics = classification_metrics(
        prob_ny, label_n, classes, bootstrap_samples=0, seed=0
    )
    names = {"loss": "log_loss"} | {n: n for n in ("accuracy", "macro_f1", "auc")}
    return {prefix + name: metrics[key]["value"] for name, key in names.items()}


def _reasons(summary: Mapping[str, Any]) -> str:
    """The commonest reasons for which rows were set aside, counted."""
    reasons = list(summary["rejected"].items())
    said = [f"{reason} ({n:,})" for reason, n in reasons[:_REASONS]]
    return "; ".join(said + ["..."] * (len(reasons) > _REASONS))


def _order_lines(rejected: Mapping[str, int]) -> list[str]:
    """How many rows are missing for want of a setting that says how to read them."""
    if ORDER_UNKNOWN not in rejected:
        return []
    return [
        f"Times: {rejected[ORDER_UNKNOWN]:,} rows are set aside, since their day or "
        f"their month may come first. {SET_ORDER}"
    ]


def _intention_lines(facts: Mapping[str, Any] | None) -> list[str]:
    """What intention is here, and how many answers there are."""
    if facts is None:
        return []
    sides = facts["splits"].items()
    counts = ", ".join(f"{side['anchors']:,} {name}" for name, side in sides)
    cut = f"; cut date {facts['cut'][:10]}" if facts["cut"] else ""
    lines = [f"Intention: {facts['definition']}; answers: {counts}{cut}"]
    odd = "; ".join(time_sentences(facts["times"]))
    return [*lines, f"Times: {odd}"] if odd else lines


def review_weights(
    label_n: np.ndarray, train: np.ndarray, classes: int, kind: ClassWeights
) -> np.ndarray:
    """Weight of every review in the loss, float32.

    Balanced weights are ``rows / (classes x rows of the class)``, counted on the
    training reviews alone, so that the mean weight is 1.
    """
    if kind == ClassWeights.NONE or not classes:
        return np.ones(len(label_n), np.float32)
    counts = np.bincount(label_n[train], minlength=classes)
    weight_y = len(train) / (classes * np.maximum(counts, 1))
    return np.where(label_n >= 0, weight_y[label_n], 0).astype(np.float32)
