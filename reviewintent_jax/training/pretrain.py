"""Pre-training of an encoder, as a task of the one loop: guess hidden tokens."""

import dataclasses
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax.sharding import Mesh

from reviewintent_jax.data.augment import AugmentSpec
from reviewintent_jax.data.batches import PageSource, TrainBatches, prefetch
from reviewintent_jax.data.corpus import Corpus
from reviewintent_jax.data.masking import (
    MaskedBatches,
    Masker,
    MaskingSpec,
    held_out_batches,
)
from reviewintent_jax.data.pages import PageSpec, ReviewFields
from reviewintent_jax.data.splits import TRAIN, VALIDATION
from reviewintent_jax.data.tokens import ReviewTokenizer, TokenList
from reviewintent_jax.evaluation.pretrain_metrics import Guesses, masked_scores
from reviewintent_jax.models.first_weights import FirstParameters
from reviewintent_jax.models.masked_language import MaskedLanguage
from reviewintent_jax.schema import NO_LABEL, InputError, MaskedBatch
from reviewintent_jax.training.losses import LossSums, Tally
from reviewintent_jax.training.optimizer import OptimizerSpec, make_optimizer, rate_at
from reviewintent_jax.training.placement import Placement
from reviewintent_jax.training.sharding import answers_on, describe_mesh
from reviewintent_jax.training.state import FirstState
from reviewintent_jax.training.task import LoopSpec, Scores

_FORMAT = 1  # of what a checkpoint keeps beside the tensors
_AS_THEY_ARE = AugmentSpec(delete=0.0, replace=0.0, shuffle=0.0)


@dataclasses.dataclass(frozen=True)
class PretrainTrainSpec(LoopSpec):
    """How long to pre-train; "best" is the smallest cross-entropy on validation. See
    also :class:`~reviewintent_jax.training.task.LoopSpec`.

    Attributes:
      batch_pages: pages in an update, 1 or more.
    """

    batch_pages: int

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.batch_pages < 1:
            raise InputError("train.batch_pages must be 1 or more.")


@dataclasses.dataclass(frozen=True)
class PretrainEvaluationSpec:
    """What is measured when pre-training is over.

    Attributes:
      batch_pages: pages scored at a time, 1 or more.
      bootstrap_samples: resamples behind every interval; 0 = no intervals.
      seed: of the resamples.
    """

    batch_pages: int
    bootstrap_samples: int
    seed: int

    def __post_init__(self) -> None:
        if self.batch_pages < 1:
            raise InputError("evaluation.batch_pages must be 1 or more.")
        if self.bootstrap_samples < 0:
            raise InputError("evaluation.bootstrap_samples must not be negative.")


@dataclasses.dataclass(frozen=True, eq=False)
class PretrainExperiment:
    """A pre-training, ready to start; a :class:`~reviewintent_jax.training.task.Task`.

    Attributes:
      name: of the experiment, for people.
      seed: decides order, masks, dropout and first random weights.
      config: the whole config as plain values, for the record.
      corpus: the texts and their splits.
      store: their token ids, in the same order.
      tokenizer: that made them.
      data_summary: what became of the rows of the labelled source.
      pages: sizes of a page.
      masking: which tokens are hidden.
      model: the network.
      optimizer: of all parameters.
      train: how long to train.
      evaluation: what is measured at the end.
      mesh: the devices it runs on, which may be others when it goes on.
    """

    name: str
    seed: int
    config: dict[str, Any]
    corpus: Corpus
    store: TokenList
    tokenizer: ReviewTokenizer
    data_summary: dict[str, Any]
    pages: PageSpec
    masking: MaskingSpec
    model: MaskedLanguage
    optimizer: OptimizerSpec
    train: PretrainTrainSpec
    evaluation: PretrainEvaluationSpec
    mesh: Mesh

    @property
    def units(self) -> str:
        """What is counted."""
        return "texts"

    @property
    def masker(self) -> Masker:
        """Hides tokens."""
        return Masker.of(self.tokenizer, self.masking, self.seed)

    def texts(self, split: int) -> np.ndarray:
        """Indices of the texts of a split, ascending."""
        return np.flatnonzero(self.corpus.split_n == split)

    def page_source(self) -> PageSource:
        """What pages are made from; texts have no labels."""
        texts = len(self.corpus.texts)
        fields = ReviewFields(
            np.full(texts, NO_LABEL, np.int32), np.ones(texts, np.float32)
        )
        return PageSource(self.store, fields, self.tokenizer.special, self.pages)

    def batch_pages(self) -> int:
        """Pages in a batch: whole micro-batches."""
        pieces = self.train.accumulate
        return -(-self.train.batch_pages // pieces) * pieces

    def train_batches(self) -> MaskedBatches:
        """Batches of the training texts in their repeatable order, newly masked."""
        pages = TrainBatches(
            self.page_source(),
            self.texts(TRAIN),
            batch_pages=self.batch_pages(),
            augment=_AS_THEY_ARE,
            replacement_ids=self.tokenizer.replacement_ids(),
            seed=self.seed,
        )
        return MaskedBatches(pages, self.masker)

    def describe(self) -> str:
        """What is about to happen, in a few lines for people."""
        facts, encoder = self.corpus.summary(), self.model.spec.encoder
        splits = ", ".join(f"{v['texts']:,} {k}" for k, v in facts["splits"].items())
        left = "; ".join(f"{n:,} {reason}" for reason, n in facts["left_out"].items())
        ids = self.store.lengths()[self.texts(TRAIN)]
        lines = [
            f"Texts: {facts['texts']:,}, {facts['of_labelled_source']:,} of them from "
            f"the training split of the labelled source; {splits}",
            *([f"Left out: {left}"] if left else []),
            f"Tokenizer: {self.tokenizer.vocab_size:,} pieces; {ids.sum():,} tokens to "
            f"learn from, {ids.mean():.0f} a text",
            f"Model: {encoder.family} of {encoder.num_layers} x {encoder.hidden_size}; "
            f"{self.masking.share:.0%} of the tokens are hidden",
            f"Updates: {self.batch_pages()} pages of {self.pages.page_tokens} tokens",
            *describe_mesh(self.mesh),
        ]
        return "\n".join(lines)

    def make_optimizer(self) -> optax.GradientTransformation:
        """The optimizer."""
        return make_optimizer(self.optimizer)

    def rates(self, step: int) -> dict[str, float]:
        """Learning rates of update ``step`` (from 0)."""
        peaks = self.optimizer.peaks()
        return {
            part: rate_at(peaks[part], self.optimizer, step)
            for part in ("encoder", "head")
        }

    def first_params(self) -> FirstParameters:
        """First parameters, drawn from the seed."""
        one = self.texts(VALIDATION)[:1]
        source = self.page_source()
        batch = next(held_out_batches(source, one, self.masker, batch_pages=1))

        def draw(key: jax.Array) -> Any:
            return self.model.init(key, batch, deterministic=True)["params"]

        return FirstParameters(draw, self.seed)

    def first_state(self, optimizer: optax.GradientTransformation) -> FirstState:
        """State before the first update."""
        return FirstState(self.first_params(), optimizer, self.mesh)

    def totals(self, batch: MaskedBatch) -> jax.Array:
        """Hidden tokens of a whole batch, 1 or more."""
        return jnp.maximum((jnp.asarray(batch.target_bu) != NO_LABEL).sum(), 1)

    def loss(
        self, params: Any, batch: MaskedBatch, totals: jax.Array, key: jax.Array
    ) -> LossSums:
        """Cross-entropy of the hidden tokens, in nats."""
        output: Any = self.model.apply(
            {"params": params}, batch, deterministic=False, rngs={"dropout": key}
        )
        nats_bu, hit_bu = guess(output.logits_buv, jnp.asarray(batch.target_bu))
        known = (jnp.asarray(batch.target_bu) != NO_LABEL).sum().astype(jnp.float32)
        hits = hit_bu.sum().astype(jnp.float32)
        return LossSums(nats_bu.sum() / totals, {"accuracy": Tally(hits, known)})

    def describe_batch(self, batch: MaskedBatch) -> str:
        """The texts of a batch."""
        review_bk = np.asarray(batch.review_bk)
        texts = review_bk[review_bk >= 0]
        listed = ", ".join(map(str, texts[:40])) + (" ..." * (len(texts) > 40))
        return f"texts {listed} of the corpus (counted from 0)"

    def scorer(self) -> Callable[[Any, int], Guesses]:
        """Returns (params, split) -> guesses of its hidden tokens, on all processes."""
        return _Scorer(self)

    def validation(self) -> Callable[[Any], Scores]:
        """Returns params -> scores on the validation split, masked always alike."""
        score = self.scorer()

        def validate(params: Any) -> Scores:
            said = score(params, VALIDATION)
            found = masked_scores(said, samples=0, seed=self.evaluation.seed)
            names = {"loss": "cross_entropy", "accuracy": "accuracy"}
            names["perplexity"] = "perplexity"
            return {ours: found[name]["value"] for ours, name in names.items()}

        return validate

    def stop_score(self, scores: Scores) -> float:
        """What "best" means: larger is better."""
        loss = scores["loss"]
        assert loss is not None
        return -loss

    def identity(self) -> dict[str, Any]:
        """What must stay the same for a run to be resumed."""
        model = dataclasses.asdict(self.model.spec)
        del model["encoder"]["epilogues"]  # the same numbers, and younger than runs
        return {
            "task": "pretrain",
            "format": _FORMAT,
            "seed": self.seed,
            "model": model,
            "pages": dataclasses.asdict(self.pages),
            "batch_pages": self.batch_pages(),
            "masking": dataclasses.asdict(self.masking),
            "optimizer": dataclasses.asdict(self.optimizer),
            "accumulate": self.train.accumulate,
            "texts": self.corpus.fingerprint(),
            "tokenizer": self.tokenizer.fingerprint(),
        }


def guess(logits_buv: jax.Array, target_bu: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Nats and hits of every place; 0 and False where nothing is asked for."""
    known_bu = target_bu != NO_LABEL
    nats_bu = optax.softmax_cross_entropy_with_integer_labels(
        logits_buv, jnp.maximum(target_bu, 0)
    )
    hit_bu = (logits_buv.argmax(-1) == target_bu) & known_bu
    return jnp.where(known_bu, nats_bu, 0.0), hit_bu


class _Scorer:
    """Guesses held-out splits; compiled once for all of them."""

    def __init__(self, experiment: PretrainExperiment) -> None:
        self._experiment = experiment
        self._placement = Placement(experiment.mesh)
        self._pages = experiment.evaluation.batch_pages
        self._rows = self._placement.rows(self._pages)

        def answer(params: Any, batch: MaskedBatch) -> Guesses:
            output: Any = experiment.model.apply(
                {"params": params}, batch, deterministic=True
            )
            target_bu = jnp.asarray(batch.target_bu)
            return Guesses(*guess(output.logits_buv, target_bu), target_bu)  # type: ignore[arg-type]

        self._answer = answers_on(experiment.mesh, answer)

    def __call__(self, params: Any, split: int) -> Guesses:
        experiment, rows = self._experiment, self._rows
        batches = held_out_batches(
            experiment.page_source(),
            experiment.texts(split),
            experiment.masker,
            batch_pages=self._pages,
            rows=rows,
        )
        said = [
            jax.tree.map(
                np.asarray, self._answer(params, self._placement.put(batch, rows))
            )
            for batch in prefetch(batches, experiment.train.prefetch)
        ]
        return Guesses(*(np.concatenate(part) for part in zip(*said, strict=True)))
