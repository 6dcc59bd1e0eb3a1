"""The settings of a run on reviews: plain values -> frozen dataclasses.

In: the plain values of a config, or of a run's ``config.json``. Out: :class:`Config`,
whose tree mirrors ``configs/base.py``. A key that is missing, misspelt or of the wrong
type fails here, before anything is read or computed.
"""

import dataclasses
import enum
from collections.abc import Mapping
from typing import Any

import numpy as np

from reviewintent_jax.data.augment import AugmentSpec
from reviewintent_jax.data.checks import CheckSpec
from reviewintent_jax.data.clean import CleanSpec
from reviewintent_jax.data.duplicates import DuplicateSpec
from reviewintent_jax.data.intention import NO_INTENTION, IntentionSpec
from reviewintent_jax.data.labels import LabelSpec
from reviewintent_jax.data.pages import PageSpec
from reviewintent_jax.data.prepare import DataSpec
from reviewintent_jax.data.sources import SourceSpec
from reviewintent_jax.data.splits import SplitSpec
from reviewintent_jax.data.token_shards import TokenStore
from reviewintent_jax.data.tokens import ReviewTokenizer, TokenList
from reviewintent_jax.data.word_vectors import WordVectors, read_vectors
from reviewintent_jax.data.words import WordLookup, fit_vocabulary
from reviewintent_jax.evaluation.evaluate import EvaluationSpec
from reviewintent_jax.models.encoder_spec import (
    AttentionPath,
    ComputeDtype,
    EpiloguePath,
)
from reviewintent_jax.models.history import HistorySpec
from reviewintent_jax.models.lstnet_spec import LSTNetSpec
from reviewintent_jax.models.reader_spec import ReaderKind, ReaderSpec, Reads
from reviewintent_jax.models.word_reader import WordsSpec
from reviewintent_jax.schema import InputError, check_seed
from reviewintent_jax.settings import read_settings, with_later
from reviewintent_jax.training.checkpoint_folder import CheckpointSpec
from reviewintent_jax.training.losses import IntentionLossSpec
from reviewintent_jax.training.optimizer import OptimizerSpec
from reviewintent_jax.training.sharding import MeshSpec
from reviewintent_jax.training.train_spec import TrainSpec

_LATER = {"evaluation": {"threshold": "argmax"}, "labels": {"aliases": ()}}
# Runs read dates in other orders too, and some of them wrongly.
_LATER["data"] = {"date_order": "iso", "slice": ""}
_LATER["intention"] = NO_INTENTION
_LATER["checkpoints"] = {"folder": ""}
_LATER["optimizer"] = {"history_rate": 0.0}
_LATER["encoder"] = {"attention": "xla", "epilogues": "xla"}
_LATER["prepared"] = {"folder": ""}
_LATER["mesh"] = {"data": 1, "fsdp": 1, "tensor": 1}
_LATER["history"] = {
    "step_features": -1,
    "lstnet": {
        **{"kernel_sizes": (1, 2, 3), "channels": 32, "padding": "causal"},
        **{"recurrent_features": 32, "recurrent_layers": 1, "candidate": "tanh"},
        **{"skip_period": 0, "skip_features": 0, "fusion": "skip"},
        **{"highway_window": 7, "summary_features": 64, "dropout": 0.1},
        **{"gate_fusion": "separate", "unroll": 1},
    },
    "dropout": 0.1,
    "loss": {"weighting": "fixed", "sentiment_weight": 1.0, "intention_weight": 1.0},
}
"""Settings younger than the first runs, and what runs did before there were any."""


_READER = {
    **{"kind": "lstnet", "reads": "tokens", "features": 128, "layers": 1},
    **{"bidirectional": True, "kernel_sizes": (3, 4, 5), "dropout": 0.0},
}
_LATER["reader"] = _READER
_LATER["words"] = {
    **{"vectors": "none", "path": "", "features": 300, "most": 20_000, "min_count": 2},
    "reader": _READER | {"kind": "lstm", "features": 100, "bidirectional": False},
}
_LATER["head"] = {"hidden_features": 0}


class TaskKind(enum.StrEnum):
    """What a run learns."""

    REVIEW = "review"  # the sentiment of reviews
    FORECAST = "forecast"  # the next values of a numeric table
    HEADING = "heading"  # where the reviews of groups are heading, period by period
    PRETRAIN = "pretrain"  # an encoder, from text without answers
    MSDP = "msdp"  # whether, for how much and when, from declared sources


class Weights(enum.StrEnum):
    """Where the encoder's first weights come from."""

    PRETRAINED = "pretrained"
    RANDOM = "random"  # the folder gives sizes and tokenizer only
    NONE = "none"  # no encoder: the folder gives the tokenizer, words are read


@dataclasses.dataclass(frozen=True)
class EncoderChoice:
    """Which encoder, and what of its own config is overridden.

    Attributes:
      source: a Hugging Face folder, ``package:NAME`` for a model inside an installed
        Python package, or a hub id.
      weights: pre-trained or random; or none, where words alone are read.
      sha256: of the weights file, checked when given; '' = not checked.
      dtype: of activations; parameters stay float32.
      hidden_dropout: in [0, 1); -1 = as the encoder's config.json says.
      attention_dropout: in [0, 1); -1 = as the encoder's config.json says.
      attention: what computes attention; the numbers are the same, up to rounding.
      epilogues: what computes the end of a sub-layer, after its last product; likewise.
    """

    source: str
    weights: Weights
    sha256: str
    dtype: ComputeDtype
    hidden_dropout: float
    attention_dropout: float
    attention: AttentionPath
    epilogues: EpiloguePath

    def __post_init__(self) -> None:
        if self.attention is AttentionPath.CUDNN_LENGTHS:
            raise InputError(
                "encoder.attention cannot be cudnn_lengths: it would mix the reviews "
                "of a page.",
                fix="Choose of: xla, cudnn, pallas, kernel.",
            )


@dataclasses.dataclass(frozen=True)
class PreparedSpec:
    """Where prepared data lie.

    Attributes:
      folder: made by ``launch.prepare``, for several runs to share; '' = every run
        prepares its own, in its folder.
    """

    folder: str


class EncoderReader(enum.StrEnum):
    """What reads the encoder's states."""

    LSTNET = "lstnet"  # as config.lstnet says
    LSTM = "lstm"
    GRU = "gru"
    CNN = "cnn"
    TCN = "tcn"
    MEAN = "mean"


@dataclasses.dataclass(frozen=True)
class ReaderChoice:
    """What reads the encoder's states.

    Attributes:
      kind: an LSTNet, or one of :class:`~reviewintent_jax.models.reader_spec.
        ReaderKind`, for which the rest of this is meant.
      reads, features, layers, bidirectional, kernel_sizes, dropout: see
        :class:`~reviewintent_jax.models.reader_spec.ReaderSpec`.
    """

    kind: EncoderReader
    reads: Reads
    features: int
    layers: int
    bidirectional: bool
    kernel_sizes: tuple[int, ...]
    dropout: float

    def spec(self, lstnet: LSTNetSpec) -> LSTNetSpec | ReaderSpec:
        """The reader; ``lstnet`` where that is chosen."""
        if self.kind is EncoderReader.LSTNET:
            return lstnet
        return ReaderSpec(
            kind=ReaderKind(self.kind.value),
            reads=self.reads,
            features=self.features,
            layers=self.layers,
            bidirectional=self.bidirectional,
            kernel_sizes=self.kernel_sizes,
            dropout=self.dropout,
        )


class Vectors(enum.StrEnum):
    """Where the first vectors of words come from; training goes on with them."""

    NONE = "none"  # no words are read
    TRAINED = "trained"  # drawn at random
    FILE = "file"  # a text file in GloVe's layout; words that it lacks are drawn


@dataclasses.dataclass(frozen=True)
class WordsChoice:
    """Word vectors, beside the encoder or in its place, and what reads them.

    Attributes:
      vectors: where they come from.
      path: of the file of vectors; unused otherwise.
      features: numbers of a vector, 1 or more.
      most: the most frequent words of the training reviews are kept, 1 or more.
      min_count: words that stand there less often are unknown, 1 or more.
      reader: what reads the vectors of a review.
    """

    vectors: Vectors
    path: str
    features: int
    most: int
    min_count: int
    reader: ReaderSpec

    def __post_init__(self) -> None:
        if min(self.features, self.most, self.min_count) < 1:
            raise InputError(
                "words.features, words.most and words.min_count must be 1 or more."
            )
        if self.vectors is Vectors.FILE and not self.path.strip():
            raise InputError(
                "The file of word vectors is not named.",
                fix="Set --config.words.path=FILE, or --config.words.vectors=trained.",
            )

    def fit(
        self,
        store: TokenStore | TokenList,
        reviews: np.ndarray,
        tokenizer: ReviewTokenizer,
    ) -> WordLookup | None:
        """The words of some reviews, those of training; None where none are read."""
        if self.vectors is Vectors.NONE:
            return None
        limits = {"most": self.most, "min_count": self.min_count}
        return WordLookup(
            tokenizer, fit_vocabulary(store, reviews, tokenizer, **limits)
        )

    def first_vectors(self, words: WordLookup) -> WordVectors | None:
        """What the file of vectors says of them; None where none is named."""
        if self.vectors is not Vectors.FILE:
            return None
        return read_vectors(self.path, words.vocabulary, self.features)

    def spec(self, words: WordLookup, dtype: ComputeDtype) -> WordsSpec:
        """The part of the model for these words."""
        return WordsSpec(len(words.vocabulary), self.features, self.reader, dtype)


@dataclasses.dataclass(frozen=True)
class HeadSpec:
    """The softmax head: ``dropout`` in [0, 1) before its dense layer."""

    dropout: float


@dataclasses.dataclass(frozen=True)
class ReviewHeadSpec(HeadSpec):
    """The softmax head of sentiment; see also :class:`HeadSpec`.

    Attributes:
      hidden_features: of a dense layer with ReLU before all that; 0 = none.
    """

    hidden_features: int

    def __post_init__(self) -> None:
        if self.hidden_features < 0:
            raise InputError("head.hidden_features must be 0 or more.")


@dataclasses.dataclass(frozen=True)
class HistoryChoice:
    """What reads the reviews of a subject over time, where intention is asked about.

    Attributes:
      step_features: numbers kept of each review's summary, 1 or more; 0 = none,
        -1 = all of it.
      lstnet: the history LSTNet; its steps are reviews.
      dropout: in [0, 1), before the dense layers of intention.
      loss: how sentiment and intention become one loss.
    """

    step_features: int
    lstnet: LSTNetSpec
    dropout: float
    loss: IntentionLossSpec

    def spec(self, covariates: int, classes: int) -> HistorySpec:
        """The network for so many covariates and classes of intention."""
        sizes = self.step_features, covariates, classes
        return HistorySpec(self.lstnet, *sizes, self.dropout)


@dataclasses.dataclass(frozen=True)
class Config:
    """The whole config; every file in ``configs/`` fills exactly this tree.

    Attributes:
      name: of the experiment; names the run's folder when --workdir is not given.
      task: ``review``; forecasting has a config of its own
        (:class:`~reviewintent_jax.build_forecast.ForecastConfig`).
      seed: decides splits' order, augmentation, dropout and first random weights;
        0 to 2**32 - 1.
      data, check, clean, duplicates, labels, split: what the data are (see
        :class:`~reviewintent_jax.data.prepare.DataSpec`).
      intention: what customers do next; part of what the data are.
      augment: what is done to training texts.
      pages: sizes of a page.
      encoder, reader, lstnet, words, head: the model.
      history: the part of it that reads histories; unused where intention is none.
      optimizer, train: how it learns.
      evaluation: what is measured.
      mesh: how the devices share the work.
      checkpoints: where they go.
      prepared: where prepared data lie.
    """

    name: str
    task: TaskKind
    seed: int
    data: SourceSpec
    check: CheckSpec
    clean: CleanSpec
    duplicates: DuplicateSpec
    labels: LabelSpec
    split: SplitSpec
    intention: IntentionSpec
    augment: AugmentSpec
    pages: PageSpec
    encoder: EncoderChoice
    reader: ReaderChoice
    lstnet: LSTNetSpec
    words: WordsChoice
    head: ReviewHeadSpec
    history: HistoryChoice
    optimizer: OptimizerSpec
    train: TrainSpec
    evaluation: EvaluationSpec
    mesh: MeshSpec
    checkpoints: CheckpointSpec
    prepared: PreparedSpec

    def __post_init__(self) -> None:
        check_seed(self.seed, "seed")

    def data_spec(self) -> DataSpec:
        """The part that decides what the prepared data are."""
        names = [part.name for part in dataclasses.fields(DataSpec)][1:]
        return DataSpec(self.data, *(getattr(self, name) for name in names))


def task_of(values: Mapping[str, Any]) -> TaskKind:
    """What the run of a config learns; runs of earlier versions learned reviews.

    Raises:
      InputError: there is no such task.
    """
    task = {"task": TaskKind.REVIEW.value, **values}["task"]
    if task not in [kind.value for kind in TaskKind]:
        choices = ", ".join(kind.value for kind in TaskKind)
        raise InputError(
            f"config.task cannot be {task!r}.", fix=f"Choose of: {choices}."
        )
    return TaskKind(task)


def read_config(values: Mapping[str, Any]) -> Config:
    """Checks plain values against :class:`Config`.

    Raises:
      InputError: a key is missing, unknown or of the wrong type, or a value is out of
        its range.
    """
    return read_settings(Config, values, "config")


def read_stored_config(values: Mapping[str, Any]) -> Config:
    """Reads the config that a run kept; settings younger than the run are filled in.

    Raises:
      InputError: see :func:`read_config`.
    """
    task = {"task": TaskKind.REVIEW.value}
    return read_config(task | with_later(values, _LATER))
