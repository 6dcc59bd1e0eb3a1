"""Config -> Experiment: the border at which configs stop.

In: a config, as a ``ConfigDict`` or as the plain values of a run's ``config.json``.
Out: frozen dataclasses and the :class:`~reviewintent_jax.training.experiment.
Experiment` made of them. The config's tree mirrors the dataclasses; a key that is
missing, misspelt or of the wrong type fails here, before anything is read or computed.
"""

import dataclasses
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jax
import ml_collections
from jax.sharding import Mesh

from reviewintent_jax.configuration import (
    Config,
    TaskKind,
    Vectors,
    Weights,
    read_config,
    read_stored_config,
)
from reviewintent_jax.data.ingest import Engine
from reviewintent_jax.data.intention import IntentionKind
from reviewintent_jax.data.labels import LabelMap
from reviewintent_jax.data.prepare import Prepared, open_shared, prepare
from reviewintent_jax.data.prepared_pages import blank_page
from reviewintent_jax.data.sources import require_source
from reviewintent_jax.data.splits import TEST, TRAIN
from reviewintent_jax.data.subject_pages import check_window_fits
from reviewintent_jax.data.tokens import ReviewTokenizer
from reviewintent_jax.data.words import Vocabulary, WordLookup
from reviewintent_jax.evaluation.slices import check_slices
from reviewintent_jax.models.encoder import EncoderSpec
from reviewintent_jax.models.history import HistorySpec
from reviewintent_jax.models.kernel_sizes import unused_kernels
from reviewintent_jax.models.lstnet_spec import LSTNetSpec
from reviewintent_jax.models.pretrained import load_encoder, read_spec, resolve_folder
from reviewintent_jax.models.review_intent import ReviewIntent, ReviewIntentSpec
from reviewintent_jax.run_folders import (
    no_run,
    refuse_foreign_folder,
    stored_task,
    whole_run,
)
from reviewintent_jax.schema import InputError, RunFolder
from reviewintent_jax.training import hosts
from reviewintent_jax.training.checkpoints import (
    Checkpoints,
    restore_best,
    stored_identity,
)
from reviewintent_jax.training.experiment import Experiment
from reviewintent_jax.training.files import write_json
from reviewintent_jax.training.logs import say
from reviewintent_jax.training.losses import task_parameters
from reviewintent_jax.training.sharding import check_kernels, make_mesh
from reviewintent_jax.training.trained import Trained, TrainedIntention


def plain_values(config: ml_collections.ConfigDict) -> dict[str, Any]:
    """The config as plain values that JSON can hold."""
    return json.loads(config.to_json_best_effort())


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
    began_with = _data_begun_with(run)
    _check_settings(config)
    mesh = _mesh(config)
    read = open_shared if run.shared else prepare
    prepared = read(config.data_spec(), tokenizer, run, began_with=began_with)
    if config.data.slice:
        check_slices(prepared.slices(prepared.labelled(TEST)))
    history = None
    for answers in (prepared.labels, prepared.intention):
        if answers is not None and answers.classes:
            config.evaluation.check_classes(answers.classes)
    if prepared.intention is not None:
        covariates = len(config.intention.covariate_names)
        history = config.history.spec(covariates, len(prepared.intention.classes))
    params = _encoder_params(config)
    words = config.words.fit(prepared.store, prepared.reviews(TRAIN), tokenizer)
    vectors = None  # a run that goes on has its own
    if words is not None and began_with is None:
        vectors = config.words.first_vectors(words)
    classes = len(prepared.labels.classes)
    model = make_model(config, encoder, classes, history, words)
    _say_unused_kernels(model.spec)
    return Experiment(
        name=config.name,
        seed=config.seed,
        config=dict(values),
        data=config.data_spec(),
        prepared=prepared,
        tokenizer=tokenizer,
        pages=config.pages,
        augment=config.augment,
        model=model,
        encoder_params=params,
        words=words,
        word_vectors=vectors,
        loss_spec=None if history is None else config.history.loss,
        optimizer=config.optimizer,
        train=config.train,
        evaluation=config.evaluation,
        mesh=mesh,
    )


def _mesh(config: Config) -> Mesh:
    """The devices of a run, if what is asked for runs on them."""
    mesh = make_mesh(config.mesh)
    check_kernels(
        mesh,
        config.encoder.attention,
        config.encoder.epilogues,
        config.lstnet.gate_fusion,
        config.history.lstnet.gate_fusion,
    )
    return mesh


def _say_unused_kernels(spec: ReviewIntentSpec) -> None:
    """A line for each kernel that was asked for and is not used, and why."""
    scans = {}
    if isinstance(spec.reader, LSTNetSpec) and spec.encoder is not None:
        scans["lstnet"] = spec.reader
    if spec.history is not None:
        scans["history.lstnet"] = spec.history.lstnet
    for line in unused_kernels(spec.encoder, scans, spec.dtype, spec.block_tokens):
        say(line)


def _data_begun_with(run: RunFolder) -> dict[str, Any] | None:
    """Fingerprint of the data of a run's checkpoints; None where it has none."""
    identity = stored_identity(run)
    if identity is not None and "data" not in identity:
        raise InputError(
            "This run was begun by an earlier version, which did not keep what data it "
            "was trained on, so it cannot go on.",
            where=str(run.root),
            fix="Give --workdir a new folder; the old one can still be scored with.",
        )
    return None if identity is None else identity["data"]


def _encoder_params(config: Config) -> dict[str, Any] | None:
    """Pretrained weights without what nobody reads; None where none are wanted."""
    if config.encoder.weights != Weights.PRETRAINED:
        return None
    pretrained = load_encoder(config.encoder.source, sha256=config.encoder.sha256)
    return {k: v for k, v in pretrained.params.items() if k != "pooler"}


def prepare_data(config: Config, run: RunFolder, engine: Engine) -> Prepared:
    """Prepares the data of a config before any run needs them.

    Args:
      config: what to prepare.
      run: where the data go.
      engine: does the work.

    Raises:
      InputError: a mistake in the config, the encoder or the data; or the data of a run
        that has a checkpoint changed.
    """
    tokenizer = ReviewTokenizer(_encoder_folder(config))
    identity = None if run.shared else stored_identity(run)
    began_with = None if identity is None else identity.get("data")
    return prepare(
        config.data_spec(), tokenizer, run, began_with=began_with, engine=engine
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
    if hosts.is_first():
        write_json(run.config, experiment.config)
        experiment.tokenizer.save(run.encoder)
        if experiment.words is not None:
            experiment.words.vocabulary.save(run.words)
        encoder = experiment.tokenizer.folder / "config.json"
        (run.encoder / "config.json").write_bytes(encoder.read_bytes())


def load_trained(run: RunFolder) -> Trained:
    """Opens the best model of a run.

    Raises:
      InputError: the folder is not a run, or has no trained model yet.
    """
    if not run.config.is_file() or not run.model.is_file():
        raise no_run(run)
    if stored_task(run) is not TaskKind.REVIEW:
        raise InputError(
            f"This run does not answer reviews: its task is {stored_task(run)}.",
            where=str(run.root),
        )
    config = read_stored_config(json.loads(run.config.read_text("utf-8")))
    facts = json.loads(run.model.read_text("utf-8"))
    labels = LabelMap.from_dict(facts["labels"])
    tokenizer = ReviewTokenizer(run.encoder)
    encoder = read_spec(run.encoder)
    _check_vocabulary(tokenizer, encoder)
    intention, history = None, None
    if "intention" in facts:
        intention = TrainedIntention.from_dict(facts["intention"])
        sizes = len(intention.scale.names), len(intention.classes)
        history = config.history.spec(*sizes)
    words = None
    if config.words.vectors is not Vectors.NONE:
        words = WordLookup(tokenizer, Vocabulary.load(run.words))
    model = make_model(config, encoder, len(labels.classes), history, words)
    page = blank_page(
        tokenizer.special,
        config.pages,
        None if history is None else history.covariates,
        words=words is not None,
    )

    def init() -> Any:
        params = dict(model.init(jax.random.key(0), page, deterministic=True)["params"])
        learned = None if history is None else config.history.loss
        return params | task_parameters(learned)

    run = whole_run(run)
    params, step = restore_best(run, jax.eval_shape(init))
    return Trained(
        model=model,
        params=params,
        step=step,
        tokenizer=tokenizer,
        pages=config.pages,
        labels=labels,
        temperature=facts.get("temperature", 1.0),  # none without sentiment
        threshold=facts.get("threshold"),  # absent from runs of earlier versions
        intention=intention,
        words=words,
        data=config.data_spec(),
        evaluation=config.evaluation,
    )


def _check_settings(config: Config) -> None:
    """Refuses, before data are read, what could only fail later.

    Raises:
      InputError: a window that no page holds, or a score of what is not learned.
    """
    asked = config.intention.kind is not IntentionKind.NONE
    if config.intention.over_time:
        check_window_fits(config.intention.window, config.pages)
    sentiment = bool(config.data.label) or not asked
    config.train.check_metric(sentiment=sentiment, intention=asked)


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


def make_model(
    config: Config,
    encoder: EncoderSpec,
    classes: int,
    history: HistorySpec | None,
    words: WordLookup | None = None,
) -> ReviewIntent:
    """The network of a config around an encoder of such sizes.

    Args:
      config: what is wanted.
      encoder: what its folder says; left out where the config wants no encoder.
      classes: of sentiment.
      history: what reads histories.
      words: those that have a vector; None where none are read.

    Raises:
      InputError: the encoder cannot read chunks as long as the config wants them.
    """
    choice = config.encoder
    changes: dict[str, Any] = {"dtype": choice.dtype, "has_pooler": False}
    changes["attention"] = choice.attention
    changes["epilogues"] = choice.epilogues
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
    read = choice.weights is not Weights.NONE
    spec = ReviewIntentSpec(
        encoder=encoder if read else None,
        reader=config.reader.spec(config.lstnet),
        classes=classes,
        head_dropout=config.head.dropout,
        block_tokens=config.pages.chunk_tokens,
        history=history,
        words=None if words is None else config.words.spec(words, choice.dtype),
        head_features=config.head.hidden_features,
        whole=config.pages.max_tokens <= config.pages.chunk_tokens,
    )
    return ReviewIntent(spec)
