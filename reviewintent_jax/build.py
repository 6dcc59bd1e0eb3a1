"""Config -> Experiment: the border at which configs stop.

In: a config, as a ``ConfigDict`` or as the plain values of a run's ``config.json``.
Out: frozen dataclasses and the :class:`~reviewintent_jax.training.experiment.
Experiment` made of them. The config's tree mirrors the dataclasses; a key that is
missing, misspelt or of the wrong type fails here, before anything is read or computed.
"""

import dataclasses
import enum
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jax
import ml_collections

from reviewintent_jax.data.augment import AugmentSpec
from reviewintent_jax.data.checks import CheckSpec
from reviewintent_jax.data.clean import CleanSpec
from reviewintent_jax.data.duplicates import DuplicateSpec
from reviewintent_jax.data.intention import NO_INTENTION, IntentionSpec
from reviewintent_jax.data.labels import LabelMap, LabelSpec
from reviewintent_jax.data.pages import PageSpec, empty_pages
from reviewintent_jax.data.prepare import DataSpec, prepare
from reviewintent_jax.data.sources import SourceSpec, require_source
from reviewintent_jax.data.splits import SplitSpec
from reviewintent_jax.data.tokens import ReviewTokenizer
from reviewintent_jax.evaluation.evaluate import EvaluationSpec
from reviewintent_jax.models.encoder import ComputeDtype, EncoderSpec
from reviewintent_jax.models.lstnet_spec import LSTNetSpec
from reviewintent_jax.models.pretrained import load_encoder, read_spec, resolve_folder
from reviewintent_jax.models.review_intent import ReviewIntent, ReviewIntentSpec
from reviewintent_jax.schema import InputError, RunFolder, check_seed
from reviewintent_jax.settings import read_settings
from reviewintent_jax.training.checkpoints import (
    Checkpoints,
    has_checkpoint,
    restore_best,
    stored_identity,
)
from reviewintent_jax.training.experiment import Experiment, Trained, TrainSpec
from reviewintent_jax.training.optimizer import OptimizerSpec
from reviewintent_jax.training.outcome import write_json

_RUN_GROUPS = {"name", "data", "lstnet", "train"}
"""Settings that the config of every run has had; no other config.json has them all."""

_LATER = {"evaluation": {"threshold": "argmax"}, "labels": {"aliases": ()}}
_LATER["intention"] = NO_INTENTION
"""Settings younger than the first runs, and what runs did before there were any."""


class TaskKind(enum.StrEnum):
    """What a run learns."""

    REVIEW = "review"  # the sentiment of reviews
    FORECAST = "forecast"  # the next values of a numeric table


class Weights(enum.StrEnum):
    """Where the encoder's first weights come from."""

    PRETRAINED = "pretrained"
    RANDOM = "random"  # the folder gives sizes and tokenizer only


@dataclasses.dataclass(frozen=True)
class EncoderChoice:
    """Which encoder, and what of its own config is overridden.

    Attributes:
      source: a Hugging Face folder, ``package:NAME`` for a model inside an installed
        Python package, or a hub id.
      weights: pre-trained or random.
      sha256: of the weights file, checked when given; '' = not checked.
      dtype: of activations; parameters stay float32.
      hidden_dropout: in [0, 1); -1 = as the encoder's config.json says.
      attention_dropout: in [0, 1); -1 = as the encoder's config.json says.
    """

    source: str
    weights: Weights
    sha256: str
    dtype: ComputeDtype
    hidden_dropout: float
    attention_dropout: float


@dataclasses.dataclass(frozen=True)
class HeadSpec:
    """The softmax head: ``dropout`` in [0, 1) before its dense layer."""

    dropout: float


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
      encoder, lstnet, head: the model.
      optimizer, train: how it learns.
      evaluation: what is measured.
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
    lstnet: LSTNetSpec
    head: HeadSpec
    optimizer: OptimizerSpec
    train: TrainSpec
    evaluation: EvaluationSpec

    def __post_init__(self) -> None:
        check_seed(self.seed, "seed")

    def data_spec(self) -> DataSpec:
        """The part that decides what the prepared data are."""
        names = [part.name for part in dataclasses.fields(DataSpec)][1:]
        return DataSpec(self.data, *(getattr(self, name) for name in names))


def plain_values(config: ml_collections.ConfigDict) -> dict[str, Any]:
    """The config as plain values that JSON can hold."""
    return json.loads(config.to_json_best_effort())


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
    filled: dict[str, Any] = {"task": TaskKind.REVIEW.value, **values}
    for group, settings in _LATER.items():
        filled[group] = settings | filled.get(group, {})
    return read_config(filled)


def build_experiment(values: Mapping[str, Any], run: RunFolder) -> Experiment:
    """Prepares data and weights and puts the experiment together.

    Of the run's folder only the data are touched; once the run has a checkpoint they
    may be made again if they are lost, but not changed; see :func:`begin_run`.

    Raises:
      InputError: a mistake in the config, the encoder or the data, or a folder that is
        in use for something else; nothing in it has been touched then.
    """
    config = read_config(values)
    refuse_foreign_folder(run)
    folder = _encoder_folder(config)
    encoder = read_spec(folder)  # one that is unsupported fails before data are read
    tokenizer = ReviewTokenizer(folder)
    _check_vocabulary(tokenizer, encoder)
    identity = stored_identity(run)
    if identity is not None and "data" not in identity:
        raise InputError(
            "This run was begun by an earlier version, which did not keep what data it "
            "was trained on, so it cannot go on.",
            where=str(run.root),
            fix="Give --workdir a new folder; the old one can still be scored with.",
        )
    began_with = None if identity is None else identity["data"]
    prepared = prepare(config.data_spec(), tokenizer, run, began_with=began_with)
    config.evaluation.check_classes(prepared.labels.classes)
    if config.encoder.weights == Weights.PRETRAINED:
        pretrained = load_encoder(config.encoder.source, sha256=config.encoder.sha256)
        params = {k: v for k, v in pretrained.params.items() if k != "pooler"}
    else:
        params = None
    return Experiment(
        name=config.name,
        seed=config.seed,
        config=dict(values),
        data=config.data_spec(),
        prepared=prepared,
        tokenizer=tokenizer,
        pages=config.pages,
        augment=config.augment,
        model=_model(config, encoder, len(prepared.labels.classes)),
        encoder_params=params,
        optimizer=config.optimizer,
        train=config.train,
        evaluation=config.evaluation,
    )


def begin_run(experiment: Experiment, run: RunFolder) -> None:
    """Writes what the run needs to score on its own: config, encoder config, tokenizer.

    Raises:
      InputError: the folder holds a run with other settings, or files of others in
        the places of ours; nothing is written then.
    """
    refuse_foreign_folder(run)
    with Checkpoints(run, experiment.identity()) as checkpoints:
        checkpoints.check()
    write_json(run.config, experiment.config)
    experiment.tokenizer.save(run.encoder)
    encoder = experiment.tokenizer.folder / "config.json"
    (run.encoder / "config.json").write_bytes(encoder.read_bytes())


def refuse_foreign_folder(run: RunFolder, task: TaskKind = TaskKind.REVIEW) -> None:
    """Refuses a folder in which a run would write over files that are not its own.

    Raises:
      InputError: names them, or the other task; nothing has been touched.
    """
    if run.config.exists():
        if _is_config(run.config) and stored_task(run) is not task:
            raise InputError(
                f"The folder holds a run of another task ({stored_task(run)}).",
                where=str(run.root),
                fix="Give --workdir a folder of its own, such as --workdir=runs/mine.",
            )
        foreign = [] if _is_config(run.config) else [run.config]
    elif has_checkpoint(run):
        foreign = []
    else:
        places = (run.encoder, run.model, run.metrics, run.report)
        foreign = [place for place in places if place.exists()]
    if foreign:
        names = ", ".join(place.name for place in foreign)
        raise InputError(
            f"The folder is no run's, but holds {names}, which a run would write over.",
            where=str(run.root),
            fix="Give --workdir a folder of its own, such as --workdir=runs/mine.",
        )


def stored_task(run: RunFolder) -> TaskKind:
    """What a run learned, by the config that it kept.

    Raises:
      InputError: the folder is not a run.
    """
    if not run.config.is_file() or not _is_config(run.config):
        raise no_run(run)
    return task_of(json.loads(run.config.read_text("utf-8")))


def no_run(run: RunFolder) -> InputError:
    """What to raise where a folder holds no finished run."""
    return InputError(
        "This folder holds no finished run.",
        where=str(run.root),
        fix="Train one: python -m launch.train --config=... --workdir=...",
    )


def _is_config(path: Path) -> bool:
    """Whether a file is the config that a run wrote, of this version or an older one.

    Encoders have a ``config.json`` too, and so has many a project.
    """
    try:
        values = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError):
        return False
    return isinstance(values, dict) and values.keys() >= _RUN_GROUPS


def load_trained(run: RunFolder) -> Trained:
    """Opens the best model of a run.

    Raises:
      InputError: the folder is not a run, or has no trained model yet.
    """
    if not run.config.is_file() or not run.model.is_file():
        raise no_run(run)
    if stored_task(run) is not TaskKind.REVIEW:
        raise InputError(
            "This run forecasts numbers, not reviews.", where=str(run.root)
        )
    config = read_stored_config(json.loads(run.config.read_text("utf-8")))
    facts = json.loads(run.model.read_text("utf-8"))
    labels = LabelMap.from_dict(facts["labels"])
    tokenizer = ReviewTokenizer(run.encoder)
    encoder = read_spec(run.encoder)
    _check_vocabulary(tokenizer, encoder)
    model = _model(config, encoder, len(labels.classes))
    page = empty_pages(1, tokenizer.special, config.pages)

    def init() -> Any:
        return model.init(jax.random.key(0), page, deterministic=True)["params"]

    params, step = restore_best(run, jax.eval_shape(init))
    return Trained(
        model=model,
        params=params,
        step=step,
        tokenizer=tokenizer,
        pages=config.pages,
        labels=labels,
        temperature=facts["temperature"],
        threshold=facts.get("threshold"),  # absent from runs of earlier versions
        data=config.data_spec(),
        evaluation=config.evaluation,
    )


def _encoder_folder(config: Config) -> Path:
    """Where the encoder lies; if the data are missing too, one message says both."""
    try:
        return resolve_folder(config.encoder.source)
    except InputError as encoder:
        try:
            require_source(config.data)
        except InputError as data:
            raise InputError(
                f"Neither the data nor the encoder are there. {data.what} "
                f"And {encoder.what}",
                where=data.where,
                fix=f"Data: {data.fix}\nEncoder: {encoder.fix}",
            ) from encoder
        raise


def _check_vocabulary(tokenizer: ReviewTokenizer, encoder: EncoderSpec) -> None:
    """Refuses ids without an embedding, which would be read as NaN."""
    if tokenizer.vocab_size > encoder.vocab_size:
        raise InputError(
            f"The tokenizer has {tokenizer.vocab_size:,} entries, but the encoder "
            f"embeds only {encoder.vocab_size:,}.",
            where=str(tokenizer.folder),
            fix="Use the tokenizer that belongs to this encoder.",
        )


def _model(config: Config, encoder: EncoderSpec, classes: int) -> ReviewIntent:
    choice = config.encoder
    changes: dict[str, Any] = {"dtype": choice.dtype, "has_pooler": False}
    for name in ("hidden_dropout", "attention_dropout"):
        if getattr(choice, name) >= 0:
            changes[name] = getattr(choice, name)
    encoder = dataclasses.replace(encoder, **changes)
    if config.pages.chunk_tokens > encoder.max_tokens:
        raise InputError(
            f"pages.chunk_tokens ({config.pages.chunk_tokens}) is more than the encoder"
            f" reads at once ({encoder.max_tokens}).",
            where=config.encoder.source,
        )
    spec = ReviewIntentSpec(
        encoder=encoder,
        lstnet=config.lstnet,
        classes=classes,
        head_dropout=config.head.dropout,
        block_tokens=config.pages.chunk_tokens,
        history=None,
    )
    return ReviewIntent(spec)
