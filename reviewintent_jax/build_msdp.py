"""Config -> MsdpExperiment, and a run's folder -> a trained MSDP-Net.

What :mod:`reviewintent_jax.build` is to reviews. A run keeps its own copy of its cases
and of the vectors of their texts, so that it can be scored again wherever its folder is
carried. Where no column is declared to be a text, no encoder is looked for.
"""

import dataclasses
import hashlib
import json
from collections.abc import Mapping
from typing import Any

import jax
import numpy as np
from jax.sharding import Mesh

from reviewintent_jax.build_own_data import begin_own_data, rejected_part
from reviewintent_jax.configuration import EncoderChoice, TaskKind, Weights
from reviewintent_jax.data.checks import RejectionLog
from reviewintent_jax.data.clean import Cleaner, CleanSpec
from reviewintent_jax.data.msdp_build import build_cases
from reviewintent_jax.data.msdp_cases import Cases, load_cases
from reviewintent_jax.data.msdp_features import (
    MsdpData,
    MsdpFit,
    blank_batch,
    fit_features,
)
from reviewintent_jax.data.msdp_schema import MsdpSchema
from reviewintent_jax.data.msdp_specs import (
    CaseSpec,
    CaseSplitSpec,
    CutSpec,
    EventSpec,
    TargetSpec,
)
from reviewintent_jax.data.pages import PageSpec
from reviewintent_jax.data.tokens import ReviewTokenizer
from reviewintent_jax.evaluation.msdp_baselines import MsdpEvaluationSpec
from reviewintent_jax.models.kernel_sizes import unused_kernels
from reviewintent_jax.models.lstnet_spec import LSTNetSpec
from reviewintent_jax.models.msdp_net import MsdpNet, MsdpSpec
from reviewintent_jax.models.pretrained import load_encoder, read_spec, resolve_folder
from reviewintent_jax.run_folders import no_run, refuse_foreign_folder, stored_task
from reviewintent_jax.schema import InputError, RunFolder, check_seed
from reviewintent_jax.settings import read_settings, with_later
from reviewintent_jax.training import hosts
from reviewintent_jax.training.checkpoint_folder import CheckpointSpec
from reviewintent_jax.training.checkpoints import restore_best
from reviewintent_jax.training.logs import say
from reviewintent_jax.training.msdp import MsdpExperiment, MsdpTrainSpec
from reviewintent_jax.training.msdp_answers import TrainedMsdp
from reviewintent_jax.training.msdp_losses import MsdpLossSpec, msdp_parameters
from reviewintent_jax.training.optimizer import OptimizerSpec
from reviewintent_jax.training.sharding import MeshSpec, check_kernels, make_mesh
from reviewintent_jax.training.text_vectors import encode_texts

VECTORS = "texts.npz"
"""The run's copy of the vectors of its texts, in the folder of prepared data."""
ENCODE_PAGES = 16
"""Pages encoded at once."""
_LATER = {"encoder": {"attention": "xla", "epilogues": "xla"}}
"""Settings younger than the first runs, and what runs did before there were any."""


@dataclasses.dataclass(frozen=True)
class NetworkChoice:
    """What of the network is not its LSTNet, nor set by the data.

    Attributes:
      sources: which of text, behaviour and structured are read, of those that there
        are; empty = all of them.
      features: size of the vectors of the sources, of their fusion and of the trunk.
      item_features: size of an item's embedding.
      category_features: size of a category's embedding.
      dropout: in [0, 1).
      source_dropout: probability of hiding a source of a case in training, in [0, 1).
    """

    sources: tuple[str, ...]
    features: int
    item_features: int
    category_features: int
    dropout: float
    source_dropout: float


@dataclasses.dataclass(frozen=True)
class MsdpConfig:
    """The whole config; ``configs/msdp.py`` fills exactly this tree.

    Attributes:
      name: of the experiment; names the run's folder when --workdir is not given.
      task: ``msdp``.
      seed: decides order, dropout, first random weights and resamples; 0 to 2**32 - 1.
      data, events, cuts, targets, split: the declaration; see
        :class:`~reviewintent_jax.data.msdp_schema.MsdpSchema`.
      clean: what is done to texts.
      pages: sizes of a page of texts.
      encoder: reads the texts; not looked for where there are none.
      lstnet: reads the events; its ``summary_features`` become ``network.features``.
      network: the rest of the model.
      loss: how the losses become one.
      optimizer, train: how it learns.
      evaluation: what is measured.
      mesh: how the devices share the work.
      checkpoints: where they go.
    """

    name: str
    task: TaskKind
    seed: int
    data: CaseSpec
    events: EventSpec
    cuts: CutSpec
    targets: TargetSpec
    split: CaseSplitSpec
    clean: CleanSpec
    pages: PageSpec
    encoder: EncoderChoice
    lstnet: LSTNetSpec
    network: NetworkChoice
    loss: MsdpLossSpec
    optimizer: OptimizerSpec
    train: MsdpTrainSpec
    evaluation: MsdpEvaluationSpec
    mesh: MeshSpec
    checkpoints: CheckpointSpec

    def __post_init__(self) -> None:
        check_seed(self.seed, "seed")

    def schema(self) -> MsdpSchema:
        """The declaration, checked as a whole."""
        parts = self.data, self.events, self.cuts, self.targets, self.split
        return MsdpSchema(*parts)

    def use(self, schema: MsdpSchema) -> tuple[bool, bool, bool]:
        """Which sources are read: those there are, or of them those that are named.

        Raises:
          InputError: a named source is not declared by the data.
        """
        names = "text", "behaviour", "structured"
        there: dict[str, bool] = dict(zip(names, schema.sources, strict=True))
        for name in self.network.sources:
            if not there.get(name):
                raise InputError(
                    f"network.sources names {name!r}, which the data do not have.",
                    where="field network.sources",
                    fix=f"There are: {', '.join(n for n in names if there[n])}.",
                )
        wanted = self.network.sources or names
        text, behaviour, structured = (there[n] and n in wanted for n in names)
        return text, behaviour, structured

    def model(self, fit: MsdpFit, text_features: int) -> MsdpNet:
        """The network for the sizes that the data give."""
        schema, choice = self.schema(), self.network
        targets = schema.targets
        lstnet = dataclasses.replace(self.lstnet, summary_features=choice.features)
        spec = MsdpSpec(
            use=self.use(schema),
            features=choice.features,
            lstnet=lstnet,
            kinds=len(fit.kinds) + 2,
            items=len(fit.items) + 2,
            item_features=choice.item_features,
            categories=tuple(len(names) + 2 for names in fit.categories.values()),
            category_features=choice.category_features,
            numbers=2 * len(fit.numbers),
            text_features=text_features,
            intents=2 if targets.intent else 0,
            value=bool(targets.value),
            intervals=len(targets.interval_days) if targets.time else 0,
            dropout=choice.dropout,
            source_dropout=choice.source_dropout,
        )
        return MsdpNet(spec)


def read_msdp_config(values: Mapping[str, Any]) -> MsdpConfig:
    """Checks plain values against :class:`MsdpConfig`, and the declaration as a whole.

    Raises:
      InputError: a key is missing, unknown or of the wrong type, a value is out of its
        range, or the parts of the declaration do not fit together.
    """
    config = read_settings(MsdpConfig, values, "config")
    config.use(config.schema())
    return config


def build_msdp(values: Mapping[str, Any], run: RunFolder) -> MsdpExperiment:
    """Reads the tables, encodes the texts and puts the experiment together.

    Of the run's folder only the data are touched, and the log of rejected rows under
    another name; :func:`begin_msdp` puts it in its place.

    Raises:
      InputError: a mistake in the config or the tables, or a folder that is in use for
        something else.
    """
    config = read_msdp_config(values)
    refuse_foreign_folder(run, TaskKind.MSDP)
    schema, mesh = config.schema(), make_mesh(config.mesh)
    check_kernels(mesh, config.lstnet.gate_fusion)
    for line in unused_kernels(None, {"lstnet": config.lstnet}, "float32"):
        say(line)
    rejected = rejected_part(run)
    try:
        with RejectionLog(rejected) as log:
            cases = clean_texts(build_cases(schema, log), config.clean)
    except InputError:
        rejected.unlink(missing_ok=True)
        raise
    fit = fit_features(cases, schema)
    vectors = _stored_vectors(cases, config, run, mesh)
    return MsdpExperiment(
        name=config.name,
        seed=config.seed,
        config=dict(values),
        windows=MsdpData(cases, fit, schema, vectors),
        model=config.model(fit, vectors.shape[1]),
        loss_spec=config.loss,
        optimizer=config.optimizer,
        train=config.train,
        evaluation=config.evaluation,
        mesh=mesh,
    )


def clean_texts(cases: Cases, spec: CleanSpec) -> Cases:
    """The same cases, their texts cleaned."""
    cleaner = Cleaner(spec)
    return cases._replace(texts=tuple(cleaner(text) for text in cases.texts))


def _stored_vectors(
    cases: Cases, config: MsdpConfig, run: RunFolder, mesh: Mesh
) -> np.ndarray:
    """Vectors of the texts, from the run's copy where it is of these texts."""
    if not config.use(config.schema())[0]:
        return np.zeros((len(cases.texts), 0), np.float32)
    path = run.prepared / VECTORS
    digest = hashlib.sha256("\0".join(cases.texts).encode())
    chosen = dataclasses.asdict(config.encoder)
    del chosen["epilogues"]  # the same vectors, and older than that setting
    digest.update(json.dumps(chosen).encode())
    digest.update(json.dumps(dataclasses.asdict(config.pages)).encode())
    key = digest.hexdigest()
    if path.is_file():
        with np.load(path) as stored:
            if str(stored["key"]) == key:
                return stored["vector_vd"]
    vector_vd = text_vectors(cases.texts, config, mesh)
    if hosts.is_first():
        run.prepared.mkdir(parents=True, exist_ok=True)
        np.savez(path, key=np.array(key), vector_vd=vector_vd)
    return vector_vd


def text_vectors(texts: tuple[str, ...], config: MsdpConfig, mesh: Mesh) -> np.ndarray:
    """Vectors of some cleaned texts by the encoder of a config, float32 [v, d].

    They are made once, and by XLA whatever the config says of kernels.

    Raises:
      InputError: the encoder is not there, or random weights are asked for, which no
        training would ever change.
    """
    choice = config.encoder
    if choice.weights is not Weights.PRETRAINED:
        raise InputError(
            "The encoder of MSDP-Net is not trained, so its weights cannot be random.",
            where="field encoder.weights",
            fix="Set --config.encoder.weights=pretrained.",
        )
    pretrained = load_encoder(choice.source, sha256=choice.sha256)
    folder = resolve_folder(choice.source)
    spec = dataclasses.replace(read_spec(folder), dtype=choice.dtype, has_pooler=False)
    params = {k: v for k, v in pretrained.params.items() if k != "pooler"}
    return encode_texts(
        texts,
        ReviewTokenizer(folder),
        (spec, params),
        config.pages,
        mesh,
        batch_pages=ENCODE_PAGES,
    )


def begin_msdp(experiment: MsdpExperiment, run: RunFolder) -> None:
    """Writes what the run needs to score on its own.

    Raises:
      InputError: the folder holds a run with other settings or other cases; nothing is
        written then.
    """
    save = experiment.windows.cases.save
    begin_own_data(experiment, run, TaskKind.MSDP, save)


def open_msdp_data(run: RunFolder, trained: TrainedMsdp) -> MsdpData:
    """The cases that a run was trained on, from the run's own copy.

    Raises:
      InputError: the copy is not there.
    """
    cases = load_cases(run.prepared)
    path = run.prepared / VECTORS
    vectors = np.zeros((len(cases.texts), 0), np.float32)
    if trained.model.spec.text_features:
        with np.load(path) as stored:
            vectors = stored["vector_vd"]
    return MsdpData(cases, trained.fit, trained.schema, vectors)


def load_msdp(run: RunFolder) -> tuple[TrainedMsdp, MsdpConfig]:
    """Opens the best model of a run, with its config.

    Raises:
      InputError: the folder is not a run, or has no trained model yet.
    """
    if stored_task(run) is not TaskKind.MSDP or not run.model.is_file():
        raise no_run(run)
    stored = json.loads(run.config.read_text("utf-8"))
    config = read_msdp_config(with_later(stored, _LATER))
    facts = json.loads(run.model.read_text("utf-8"))
    fit, schema = MsdpFit.from_dict(facts["fit"]), config.schema()
    model = config.model(fit, facts["text_features"])

    def init() -> Any:
        batch = blank_batch(schema, fit, facts["text_features"])
        made = model.init(jax.random.key(0), batch, deterministic=True)
        params = dict(made["params"])
        return params | msdp_parameters(config.loss, schema.targets.tasks)

    run = dataclasses.replace(run, elsewhere=config.checkpoints.folder)
    params, step = restore_best(run, jax.eval_shape(init))
    trained = TrainedMsdp(
        model=model,
        params=params,
        step=step,
        fit=fit,
        schema=schema,
        temperature=facts["temperature"],
        evaluation=config.evaluation,
        seed=config.seed,
    )
    return trained, config
