"""What train, evaluate and predict do where sources are declared (MSDP-Net)."""

import dataclasses
import tempfile
from pathlib import Path

import numpy as np

from launch.own_data import Kit
from reviewintent_jax.build_msdp import (
    MsdpConfig,
    begin_msdp,
    build_msdp,
    clean_texts,
    load_msdp,
    open_msdp_data,
    read_msdp_config,
    text_vectors,
)
from reviewintent_jax.data.checks import RejectionLog
from reviewintent_jax.data.msdp_build import newest_cases
from reviewintent_jax.data.msdp_features import MsdpData
from reviewintent_jax.data.msdp_schema import MsdpSchema
from reviewintent_jax.data.scored import write_frame
from reviewintent_jax.data.tables import TableFormat, expand_paths
from reviewintent_jax.evaluation.msdp_report import write_msdp_report
from reviewintent_jax.evaluation.msdp_summary import summarise_msdp
from reviewintent_jax.schema import InputError, RunFolder
from reviewintent_jax.training.files import Facts
from reviewintent_jax.training.msdp_answers import TrainedMsdp
from reviewintent_jax.training.msdp_outcome import (
    evaluate_msdp,
    new_answers,
    read_alone,
    write_msdp_outcome,
)
from reviewintent_jax.training.sharding import one_device


def _again(run: RunFolder, context: Facts) -> Facts:
    """Scores a run again on its own cases."""
    trained, _ = load_msdp(run)
    data = open_msdp_data(run, trained)
    return evaluate_msdp(trained, data, run, context, read_alone(run))


KIT = Kit(
    read=read_msdp_config,
    build=build_msdp,
    begin=begin_msdp,
    finish=write_msdp_outcome,
    again=_again,
    summarise=lambda metrics, run: summarise_msdp(metrics),
    report=write_msdp_report,
)
"""How a run on declared sources is trained and scored again."""


def predict_cases(
    run: RunFolder, path: str, output: str, stdout_format: TableFormat
) -> str:
    """Says whether, for how much and when; returns what was done, in words.

    Args:
      run: a finished run.
      path: a newer table of events, or of cases where there are no events, with the
        columns of the one it was trained on; '' = those tables.
      output: file to write, or - for stdout.
      stdout_format: of stdout.
    """
    trained, config = load_msdp(run)
    if path == "-":
        raise InputError("Cases are read from a file.", fix="Give --input=FILE.")
    schema = with_input(trained.schema, path)
    with (
        tempfile.TemporaryDirectory() as folder,
        RejectionLog(Path(folder) / "rejected.jsonl") as log,
    ):
        cases = clean_texts(newest_cases(schema, log), config.clean)
        set_aside = dict(log.counts)
    data = MsdpData(cases, trained.fit, schema, _vectors(cases.texts, trained, config))
    rows = new_answers(trained, data)
    inputs = expand_paths(path) if path else []
    write_frame(rows, output, inputs, stdout_format)
    said = [f"{len(rows):,} cases answered"]
    said += [f"Set aside: {n:,} ({reason})" for reason, n in set_aside.items()]
    return "\n".join(said)


def with_input(schema: MsdpSchema, path: str) -> MsdpSchema:
    """The declaration with another table in the place of its main one."""
    if not path:
        return schema
    if schema.has_events:
        events = dataclasses.replace(schema.events, path=path)
        cuts = dataclasses.replace(schema.cuts, known_until="")
        return dataclasses.replace(schema, events=events, cuts=cuts)
    data = dataclasses.replace(schema.data, path=path)
    return dataclasses.replace(schema, data=data)


def _vectors(
    texts: tuple[str, ...], trained: TrainedMsdp, config: MsdpConfig
) -> np.ndarray:
    """Vectors of texts, where the network reads any."""
    if not trained.model.spec.text_features:
        return np.zeros((len(texts), 0), np.float32)
    return text_vectors(texts, config, one_device())
