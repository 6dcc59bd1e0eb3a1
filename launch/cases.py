"""What train, evaluate and predict do where sources are declared (MSDP-Net)."""

import dataclasses
import tempfile
from collections.abc import Collection
from pathlib import Path
from typing import NamedTuple

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
from reviewintent_jax.data.msdp_cases import NO_TEXT, Cases, Targets
from reviewintent_jax.data.msdp_features import MsdpData
from reviewintent_jax.data.msdp_schema import MsdpSchema
from reviewintent_jax.data.msdp_specs import CaseKind
from reviewintent_jax.data.msdp_tables import read_cases
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
    called="a run on declared sources",
    read=read_msdp_config,
    build=build_msdp,
    begin=begin_msdp,
    finish=write_msdp_outcome,
    again=_again,
    summarise=lambda metrics, run: summarise_msdp(metrics),
    report=write_msdp_report,
)
"""How a run on declared sources is trained and scored again."""


class Tables(NamedTuple):
    """The tables that new cases are read from; '' = that of the training.

    Attributes:
      main: of events, or of cases where there are no events.
      cases: of cases, where there are events; its rows alone are answered.
    """

    main: str = ""
    cases: str = ""


def predict_cases(
    run: RunFolder, tables: Tables, output: str, stdout_format: TableFormat
) -> str:
    """Says whether, for how much and when; returns what was done, in words.

    Args:
      run: a finished run.
      tables: those to read, with the columns of the ones it was trained on.
      output: file to write, or - for stdout.
      stdout_format: of stdout.

    Raises:
      InputError: a table makes no sense for this run, or cannot be read.
    """
    trained, config = load_msdp(run)
    if "-" in tables:
        raise InputError(
            "Cases and events are read from files.",
            fix="Give --input=FILE, --cases=FILE.",
        )
    schema = with_tables(trained.schema, tables)
    with (
        tempfile.TemporaryDirectory() as folder,
        RejectionLog(Path(folder) / "rejected.jsonl") as log,
    ):
        cases = _read(schema, log)
        set_aside = dict(log.counts)
    if tables.cases and schema.cuts.dates:
        cases = only(cases, _subjects_of(schema))
    cases = clean_texts(cases, config.clean)
    data = MsdpData(cases, trained.fit, schema, _vectors(cases.texts, trained, config))
    rows = new_answers(trained, data)
    inputs = [path for table in tables if table for path in expand_paths(table)]
    write_frame(rows, output, inputs, stdout_format)
    said = [f"{len(rows):,} cases answered"]
    said += [f"Set aside: {n:,} ({reason})" for reason, n in set_aside.items()]
    return "\n".join(said)


def with_tables(schema: MsdpSchema, tables: Tables) -> MsdpSchema:
    """The declaration with other tables in the place of its own.

    Raises:
      InputError: the run has no such table, or its own are built in and only one of
        them is given.
    """
    if not any(tables):
        return schema
    if tables.cases and not schema.has_events:
        raise InputError(
            "This run reads no events, so its one table is that of its cases; "
            "--cases does not apply.",
            fix=f"Give --input={tables.cases}.",
        )
    if tables.cases and not schema.data.there:
        raise InputError(
            "This run has no table of cases, since the subjects of its events are "
            "the cases; --cases does not apply.",
            fix="Leave it out; --input=FILE names the events.",
        )
    data, events, cuts = schema.data, schema.events, schema.cuts
    if data.kind is CaseKind.MEMBERS and not all(tables):
        raise InputError(
            "This run was trained on the built-in members, of whom there are no files "
            "to put another one beside.",
            fix="Give both --input=EVENTS and --cases=CASES, or neither.",
        )
    if not schema.has_events:
        data = dataclasses.replace(data, path=tables.main)
    elif tables.main:
        events = dataclasses.replace(events, path=tables.main)
        cuts = dataclasses.replace(cuts, known_until="")
    if tables.cases:
        data = dataclasses.replace(data, kind=CaseKind.TABLE, path=tables.cases)
    return dataclasses.replace(schema, data=data, events=events, cuts=cuts)


def only(cases: Cases, subjects: Collection[str]) -> Cases:
    """Those of the cases whose subject is named, with their own texts alone."""
    keep_n = np.isin(np.array(cases.names, object), list(subjects))
    text_nk = cases.text_nk[keep_n]
    used, code = np.unique(text_nk, return_inverse=True)
    first = int(np.searchsorted(used, 0))  # before it stands what is no text
    arrays = {
        name: value[keep_n]
        for name, value in cases._asdict().items()
        if isinstance(value, np.ndarray)
    }
    arrays["text_nk"] = np.maximum(code.reshape(text_nk.shape) - first, NO_TEXT)
    return cases._replace(
        **arrays,
        names=tuple(
            name for name, keep in zip(cases.names, keep_n, strict=True) if keep
        ),
        texts=tuple(cases.texts[k] for k in used[first:]),
        targets=Targets(*(target[keep_n] for target in cases.targets)),
    )


def _read(schema: MsdpSchema, log: RejectionLog) -> Cases:
    """New cases; a column that is missing must come with the table, not be set."""
    try:
        return newest_cases(schema, log)
    except InputError as error:
        hint, setting, _ = error.fix.partition("Set --config.")
        fix = f"{hint}The run reads it." if setting else error.fix
        raise InputError(error.what, where=error.where, fix=fix) from None


def _subjects_of(schema: MsdpSchema) -> set[str]:
    """Subjects of the table of cases."""
    with (
        tempfile.TemporaryDirectory() as folder,
        RejectionLog(Path(folder) / "rejected.jsonl") as log,
    ):
        return set(read_cases(schema, log, targets=False).subject_n)


def _vectors(
    texts: tuple[str, ...], trained: TrainedMsdp, config: MsdpConfig
) -> np.ndarray:
    """Vectors of texts, where the network reads any."""
    if not trained.model.spec.text_features:
        return np.zeros((len(texts), 0), np.float32)
    return text_vectors(texts, config, one_device())
