"""What predict does for ``--subjects``: one row for every shopper, product or business.

A file is in any order, so it is first prepared as training data are, in a temporary
folder: rows without subject, time or text are set aside and counted, histories are put
in order, and memory does not grow with the texts.
"""

import dataclasses
import json
import tempfile
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from reviewintent_jax.data.checks import plain_value
from reviewintent_jax.data.histories import time_sentences
from reviewintent_jax.data.intention import Covariate, IntentionKind, IntentionSpec
from reviewintent_jax.data.prepare import DataSpec, Prepared, prepare_histories
from reviewintent_jax.data.progress import Progress
from reviewintent_jax.data.scored import open_writer
from reviewintent_jax.data.sources import SourceSpec, check_columns, read_rows
from reviewintent_jax.data.splits import TEST
from reviewintent_jax.data.tables import TableFormat, TableLayout
from reviewintent_jax.data.times import ORDER_UNKNOWN, WRITE_YEAR_FIRST
from reviewintent_jax.evaluation.score_subjects import plan_subjects, subject_table
from reviewintent_jax.schema import InputError, RawRow, RunFolder
from reviewintent_jax.training.trained import Trained

_FLAGS = {"--config.data.time": "--time", "--config.intention.subject": "--subject"}
"""How the settings of training are called on the command line of predict."""
_TYPES = {"reviews": int, "reviews_read": int, "horizon_days": int}


def predict_subjects(
    trained: Trained,
    source: SourceSpec,
    columns: tuple[str, ...],
    output: str,
    *,
    subject: str,
    time: str,
    inputs: list[Path],
    stdout_format: TableFormat,
) -> str:
    """Writes the next-step intention of every subject; returns what was done, in words.

    Args:
      trained: a model that reads histories.
      source: the table, without label or time.
      columns: of the table.
      output: file to write, or - for stdout.
      subject, time: columns of the table; '' = called as in training.
      inputs: files that are read meanwhile.
      stdout_format: of stdout.

    Raises:
      InputError: the model reads no histories of subjects, or a column is missing.
    """
    asked = trained.data.intention
    if trained.intention is None or not asked.over_time:
        raise InputError(
            "This run knows no subjects: it was not trained on histories.",
            fix="Leave --subjects out.",
        )
    source = dataclasses.replace(source, time=time or trained.data.source.time)
    read = dataclasses.replace(_features_alone(asked), subject=subject or asked.subject)
    spec = dataclasses.replace(trained.data, source=source, intention=read)
    try:
        check_columns(
            {"data.time": source.time} | read.named_columns, columns, source.path
        )
    except InputError as error:
        fix = error.fix
        for setting, flag in _FLAGS.items():
            fix = fix.replace(setting, flag)
        raise InputError(error.what, where=error.where, fix=fix) from None
    with tempfile.TemporaryDirectory() as folder:
        run = RunFolder(Path(folder))
        prepared = _prepare(spec, trained, run)
        known = set(prepared.subjects(prepared.reviews(TEST)))
        unanswered = unanswered_subjects(source, read.subject, run.rejected, known)
        table = _table(trained, prepared, unanswered)
        refused = prepared.summary["rejected"]
        times = prepared.summary["intention"]["times"]
    _write(table, output, inputs, stdout_format)
    said = [f"{len(table):,} subjects; intention: {asked.describe()}"]
    if unanswered:
        said.append(f"{len(unanswered):,} of them without an answer (see problem)")
    said += [f"{n:,} rows of no history ({reason})" for reason, n in refused.items()]
    said += [WRITE_YEAR_FIRST.rstrip(".")] * (ORDER_UNKNOWN in refused)
    return "; ".join([*said, *time_sentences(times)])


def _prepare(spec: DataSpec, trained: Trained, run: RunFolder) -> Prepared:
    """Histories of the table; a mistake is told in the words of this command."""
    try:
        return prepare_histories(spec, trained.tokenizer, run)
    except InputError as error:
        fix = WRITE_YEAR_FIRST if ORDER_UNKNOWN in error.what else error.fix
        raise InputError(error.what, where=error.where, fix=fix) from None


def _features_alone(asked: IntentionSpec) -> IntentionSpec:
    """What the model reads of a history, without what its answers are made of.

    Repurchase asks for subject and time alone, so a file needs no column of answers.
    """
    covariates = set(asked.covariates)
    return dataclasses.replace(
        asked,
        kind=IntentionKind.REPURCHASE,
        label="",
        stars=asked.stars if Covariate.STARS in covariates else "",
        helpful=asked.helpful if Covariate.HELPFUL in covariates else "",
    )


def unanswered_subjects(
    source: SourceSpec, subject: str, rejected: Path, known: set[str]
) -> dict[str, str]:
    """Subjects that have rows and not one that could be used -> why.

    Args:
      source: the table, which is read once more.
      subject: its column.
      rejected: the rows that were set aside, with their reasons.
      known: subjects that are answered.

    Example: ``{"ann": "no text (2), no time (1)"}``.
    """
    with rejected.open(encoding="utf-8") as lines:
        refused = [json.loads(line) for line in lines]
    reasons = {each["row"]: each["reason"] for each in refused}
    if not reasons:
        return {}
    found: dict[str, Counter[str]] = {}
    for row, raw in enumerate(read_rows(source)):
        name = plain_value(raw.fields.get(subject)) if row in reasons else ""
        if name and name not in known:
            found.setdefault(name, Counter())[reasons[row]] += 1
    return {
        name: ", ".join(f"{reason} ({n})" for reason, n in counts.most_common())
        for name, counts in found.items()
    }


def _table(
    trained: Trained, prepared: Prepared, unanswered: Mapping[str, str]
) -> pd.DataFrame:
    """One row a subject, from the prediction at its last review."""
    intention, histories = trained.intention, prepared.histories
    if intention is None or histories is None:
        raise ValueError("the model or the data know no histories")
    reviews = prepared.reviews(TEST)
    with Progress("Scoring histories", "reviews", total=len(reviews)) as bar:
        said = trained.logits(prepared, reviews, bar)
    subjects = prepared.subjects(reviews)
    plan = plan_subjects(zip(subjects, histories.time_n[reviews].tolist(), strict=True))
    asked = trained.data.intention
    within = asked.kind is IntentionKind.REPURCHASE
    return subject_table(
        plan,
        said.intent_ny.astype(np.float64)[plan.row_n],
        intention.classes,
        temperature=intention.temperature,
        threshold=intention.threshold,
        horizon_days=asked.horizon_days if within else None,
        window=asked.window,
        unanswered=unanswered,
    )


def _write(
    table: pd.DataFrame, output: str, inputs: list[Path], stdout_format: TableFormat
) -> None:
    """Writes the table; its ending names the format."""
    types: dict[str, type] = {
        str(name): float if str(name).startswith("probability_") else str
        for name in table.columns
    }
    types |= _TYPES
    layout = TableLayout(TableFormat.CSV, (), None)
    columns = {
        str(name): [None if pd.isna(each) else each for each in column.tolist()]
        for name, column in table.items()
    }
    with open_writer(
        output, layout, types, inputs=inputs, stdout_format=stdout_format
    ) as writer:
        rows = [RawRow("", line, {}) for line in range(1, len(table) + 1)]
        writer.write(rows, columns)
