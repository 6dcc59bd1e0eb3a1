"""Config -> PretrainExperiment: texts, a tokenizer learned from them, an encoder.

What :mod:`reviewintent_jax.build` is to reviews. The tokenizer is learned once; the run
keeps it, with the hash of the texts it was learned from.
"""

import dataclasses
import json
from collections.abc import Mapping
from typing import Any

from reviewintent_jax.configuration import TaskKind
from reviewintent_jax.data.checks import CheckSpec
from reviewintent_jax.data.clean import CleanSpec
from reviewintent_jax.data.corpus import Corpus, CorpusSpec, gather_corpus
from reviewintent_jax.data.duplicates import DuplicateSpec
from reviewintent_jax.data.intention import NO_INTENTION, IntentionSpec
from reviewintent_jax.data.labels import LabelSpec
from reviewintent_jax.data.masking import Masker, MaskingSpec
from reviewintent_jax.data.pages import PageSpec
from reviewintent_jax.data.prepare import DataSpec, prepare
from reviewintent_jax.data.sources import SourceSpec
from reviewintent_jax.data.splits import TRAIN, SplitSpec
from reviewintent_jax.data.tokens import ReviewTokenizer, TokenList
from reviewintent_jax.data.unigram import UnigramSpec, train_unigram
from reviewintent_jax.models.activations import Activation
from reviewintent_jax.models.encoder import ComputeDtype, EncoderFamily, EncoderSpec
from reviewintent_jax.models.encoder_config import write_config
from reviewintent_jax.models.masked_language import MaskedLanguage, MaskedLanguageSpec
from reviewintent_jax.run_folders import no_run, refuse_foreign_folder, stored_task
from reviewintent_jax.schema import InputError, RunFolder, check_seed
from reviewintent_jax.settings import read_settings, with_later
from reviewintent_jax.training import hosts
from reviewintent_jax.training.checkpoint_folder import CheckpointSpec
from reviewintent_jax.training.checkpoints import Checkpoints
from reviewintent_jax.training.files import write_json
from reviewintent_jax.training.logs import say
from reviewintent_jax.training.optimizer import OptimizerSpec
from reviewintent_jax.training.pretrain import (
    PretrainEvaluationSpec,
    PretrainExperiment,
    PretrainTrainSpec,
)
from reviewintent_jax.training.sharding import MeshSpec, make_mesh

_LATER: dict[str, Any] = {}
"""Settings younger than the first runs, and what runs did before there were any."""

_FACTS = "tokenizer.facts.json"


@dataclasses.dataclass(frozen=True)
class NewEncoder:
    """Sizes of the encoder that is pre-trained; it has XLM-R's shape.

    Attributes:
      hidden_size: features of a token, a multiple of ``num_heads``.
      num_layers, num_heads, intermediate_size: 1 or more.
      max_tokens: longest segment; its position table has two rows more (XLM-R's
        positions begin after the padding id, which is 1).
      dropout: on features and on attention, in [0, 1).
      dtype: of activations; parameters stay float32.
    """

    hidden_size: int
    num_layers: int
    num_heads: int
    intermediate_size: int
    max_tokens: int
    dropout: float
    dtype: ComputeDtype

    def spec(self, vocab_size: int, pad_id: int) -> EncoderSpec:
        """The encoder for a vocabulary."""
        offset = pad_id + 1
        return EncoderSpec(
            family=EncoderFamily.XLM_ROBERTA,
            vocab_size=vocab_size,
            hidden_size=self.hidden_size,
            num_layers=self.num_layers,
            num_heads=self.num_heads,
            intermediate_size=self.intermediate_size,
            max_positions=self.max_tokens + offset,
            position_offset=offset,
            type_vocab_size=1,
            norm_eps=1e-5,
            activation=Activation.GELU,
            hidden_dropout=self.dropout,
            attention_dropout=self.dropout,
            pad_id=pad_id,
            has_pooler=False,
            dtype=self.dtype,
        )


@dataclasses.dataclass(frozen=True)
class PretrainConfig:
    """The whole config; ``configs/pretrain.py`` fills exactly this tree.

    Attributes:
      name: of the experiment; names the run's folder when --workdir is not given.
      task: ``pretrain``.
      seed: decides order, masks, dropout and first random weights; 0 to 2**32 - 1.
      data, check, clean, duplicates, labels, split: the labelled source, with the
        settings of the fine-tuning: of it the training split alone is read.
      corpus: more texts, and how many are held out.
      tokenizer: how it is learned.
      pages: sizes of a page.
      encoder: sizes of the encoder.
      masking: which tokens are hidden.
      optimizer, train: how it learns.
      evaluation: what is measured.
      mesh: how the devices share the work.
      checkpoints: where they go.
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
    corpus: CorpusSpec
    tokenizer: UnigramSpec
    pages: PageSpec
    encoder: NewEncoder
    masking: MaskingSpec
    optimizer: OptimizerSpec
    train: PretrainTrainSpec
    evaluation: PretrainEvaluationSpec
    mesh: MeshSpec
    checkpoints: CheckpointSpec

    def __post_init__(self) -> None:
        check_seed(self.seed, "seed")
        if self.pages.chunk_tokens > self.encoder.max_tokens:
            raise InputError(
                f"pages.chunk_tokens ({self.pages.chunk_tokens}) is more than the "
                f"encoder reads at once ({self.encoder.max_tokens}).",
                where="field encoder.max_tokens",
            )

    def data_spec(self) -> DataSpec:
        """What the labelled source is prepared with."""
        none = read_settings(IntentionSpec, NO_INTENTION, "config.intention")
        rest = self.check, self.clean, self.duplicates, self.labels, self.split
        return DataSpec(self.data, *rest, none)


def read_pretrain_config(values: Mapping[str, Any]) -> PretrainConfig:
    """Checks plain values against :class:`PretrainConfig`.

    Raises:
      InputError: a key is missing, unknown or of the wrong type, or a value is out of
        its range.
    """
    return read_settings(PretrainConfig, values, "config")


def build_pretrain(values: Mapping[str, Any], run: RunFolder) -> PretrainExperiment:
    """Gathers the texts, learns the tokenizer and puts the experiment together.

    Of the run's folder the data and the tokenizer are touched, both of which are made
    again only where what they are made from has changed; see :func:`begin_pretrain`.

    Raises:
      InputError: a mistake in the config or the data, or a folder that is in use for
        something else.
    """
    config = read_pretrain_config(values)
    refuse_foreign_folder(run, TaskKind.PRETRAIN)
    _refuse_foreign_tokenizer(run)
    config.encoder.spec(config.tokenizer.vocab_size, 1)  # sizes that make no encoder
    mesh = make_mesh(config.mesh)
    prepared = prepare(config.data_spec(), None, run, began_with=None)
    others = run.rejected.with_name("rejected_others.jsonl")
    corpus = gather_corpus(prepared, config.data_spec(), config.corpus, others)
    tokenizer = _tokenizer(corpus, config.tokenizer, run)
    encoder = config.encoder.spec(tokenizer.vocab_size, tokenizer.special.pad)
    block = config.pages.chunk_tokens
    experiment = PretrainExperiment(
        name=config.name,
        seed=config.seed,
        config=dict(values),
        corpus=corpus,
        store=TokenList(tokenizer.encode(corpus.texts)),
        tokenizer=tokenizer,
        data_summary=prepared.summary,
        pages=config.pages,
        masking=config.masking,
        model=MaskedLanguage(MaskedLanguageSpec(encoder, block)),
        optimizer=config.optimizer,
        train=config.train,
        evaluation=config.evaluation,
        mesh=mesh,
    )
    Masker.of(tokenizer, config.masking, config.seed)  # refuses what has no mask
    return experiment


def begin_pretrain(experiment: PretrainExperiment, run: RunFolder) -> None:
    """Writes what the run needs to go on and to be used: config and tokenizer.

    Raises:
      InputError: the folder holds a run with other settings or other texts; nothing is
        written then.
    """
    refuse_foreign_folder(run, TaskKind.PRETRAIN)
    with Checkpoints(run, experiment.identity()) as checkpoints:
        checkpoints.check()
    if hosts.is_first():
        write_json(run.config, experiment.config)
        experiment.tokenizer.save(run.encoder)
        write_config(run.encoder, experiment.model.spec.encoder)


def open_pretrain(run: RunFolder) -> PretrainExperiment:
    """The experiment of a finished run, from the config that it kept.

    Raises:
      InputError: the folder is not a run, or its data are no longer there.
    """
    if stored_task(run) is not TaskKind.PRETRAIN or not run.model.is_file():
        raise no_run(run)
    stored = json.loads(run.config.read_text("utf-8"))
    return build_pretrain(with_later(stored, _LATER), run)


def whole_pretrain(run: RunFolder) -> RunFolder:
    """The folder of a run, with the checkpoints that its config keeps elsewhere."""
    stored = with_later(json.loads(run.config.read_text("utf-8")), _LATER)
    elsewhere = read_pretrain_config(stored).checkpoints.folder
    return dataclasses.replace(run, elsewhere=elsewhere)


def _refuse_foreign_tokenizer(run: RunFolder) -> None:
    """Refuses to write into a folder of that name which is not ours."""
    if run.tokenizer.exists() and not (run.tokenizer / _FACTS).is_file():
        raise InputError(
            "The folder holds a tokenizer that is not this run's.",
            where=str(run.tokenizer),
            fix="Give --workdir a folder of its own, such as --workdir=runs/mine.",
        )


def _tokenizer(corpus: Corpus, spec: UnigramSpec, run: RunFolder) -> ReviewTokenizer:
    """The run's tokenizer, learned from the training texts unless it has been."""
    facts = {"texts": corpus.fingerprint(), "settings": dataclasses.asdict(spec)}
    path = run.tokenizer / _FACTS
    if path.is_file() and json.loads(path.read_text("utf-8")) == facts:
        return ReviewTokenizer(run.tokenizer)
    texts = corpus.of(TRAIN)
    say(f"Learning a tokenizer of {spec.vocab_size:,} pieces from {len(texts):,} texts")
    learned = train_unigram(texts, spec)
    run.tokenizer.mkdir(parents=True, exist_ok=True)
    write_json(path, {})  # first, so that the folder is known as ours
    learned.save(str(run.tokenizer / "tokenizer.json"))
    write_json(path, facts)  # last: a tokenizer that has it is whole
    return ReviewTokenizer(run.tokenizer)
