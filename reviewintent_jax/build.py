"""Config -> Experiment: the border at which configs stop.

In: a config, as a ``ConfigDict`` or as the plain values of a run's ``config.json``.
Out: frozen dataclasses and the :class:`~reviewintent_jax.training.experiment.
Experiment` made of them. The config's tree mirrors the dataclasses; a key that is
missing, misspelt or of the wrong type fails here, before anything is read or computed.
"""

import dataclasses
import difflib
import enum
import json
import typing
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

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
from reviewintent_jax.training.checkpoints import (
    Checkpoints,
    has_checkpoint,
    restore_best,
    stored_identity,
)
from reviewintent_jax.training.experiment import Experiment, Trained, TrainSpec
from reviewintent_jax.training.optimizer import OptimizerSpec
from reviewintent_jax.training.outcome import write_json

S = TypeVar("S")

_RUN_GROUPS = {"name", "data", "encoder", "lstnet", "train"}
"""Settings that the config of every run has had; no other config.json has them all."""

_LATER = {"evaluation": {"threshold": "argmax"}, "labels": {"aliases": ()}}
_LATER["intention"] = NO_INTENTION
"""Settings younger than the first runs, and what runs did before there were any."""


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


def read_config(values: Mapping[str, Any]) -> Config:
    """Checks plain values against :class:`Config`.

    Raises:
      InputError: a key is missing, unknown or of the wrong type, or a value is out of
        its range.
    """
    return _build(Config, values, "config")


def read_stored_config(values: Mapping[str, Any]) -> Config:
    """Reads the config that a run kept; settings younger than the run are filled in.

    Raises:
      InputError: see :func:`read_config`.
    """
    filled = dict(values)
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


def refuse_foreign_folder(run: RunFolder) -> None:
    """Refuses a folder in which a run would write over files that are not a run's.

    Raises:
      InputError: names them; nothing has been touched.
    """
    if run.config.exists():
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
        raise InputError(
            "This folder holds no finished run.",
            where=str(run.root),
            fix="Train one: python -m launch.train --config=... --workdir=...",
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


def _build(kind: type[S], values: Any, path: str) -> S:
    """Builds dataclass ``kind`` from plain values, recursively and strictly."""
    if not isinstance(values, Mapping):
        raise InputError(f"{path} must be a group of settings, not {values!r}.")
    hints = typing.get_type_hints(kind)
    names = [field.name for field in dataclasses.fields(kind)]  # type: ignore[arg-type]
    for key in values:
        if key not in names:
            near = difflib.get_close_matches(str(key), names, 1)
            raise InputError(
                f"There is no setting {path}.{key}.",
                fix=f"Did you mean {path}.{near[0]}?"
                if near
                else f"There are: {', '.join(names)}.",
            )
    missing = [name for name in names if name not in values]
    if missing:
        raise InputError(
            f"Missing settings: {', '.join(f'{path}.{m}' for m in missing)}."
        )
    made = {n: _convert(hints[n], values[n], f"{path}.{n}") for n in names}
    return kind(**made)


def _convert(kind: Any, value: Any, path: str) -> Any:
    """Converts one plain value to the type that its dataclass declares."""
    if dataclasses.is_dataclass(kind):
        return _build(typing.cast(type, kind), value, path)
    if typing.get_origin(kind) is tuple:
        if isinstance(value, str) or not hasattr(value, "__iter__"):
            raise InputError(f"{path} must be a list, not {value!r}.")
        item = typing.get_args(kind)[0]
        return tuple(_convert(item, each, path) for each in value)
    if isinstance(kind, type) and issubclass(kind, enum.StrEnum):
        if value not in [choice.value for choice in kind]:
            choices = ", ".join(choice.value for choice in kind)
            raise InputError(
                f"{path} cannot be {value!r}.", fix=f"Choose of: {choices}."
            )
        return kind(value)
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
        raise InputError(f"{path} must be of type {kind.__name__}, not {value!r}.")
    return value
