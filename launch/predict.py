"""Scores new reviews: ``python -m launch.predict --workdir=runs/mine --input=new.csv
--output=scored.parquet``.

Every input row comes out once, in order, with all its columns and the answers added:
``predicted``, ``probability_CLASS`` for each class, and ``problem`` where there is no
answer or the text was cut. ``-`` reads stdin or writes stdout (``--format=``). Where a
run learned the intention that single reviews state, ``intention`` and
``intention_probability_CLASS`` are added as well.

Where a run learned intention from histories, ``--subjects=FILE`` gets one row for each
subject (shopper, product): what it will do next, how probable that is, and the horizon
in days. It needs the columns of subject and time (``--subject=``, ``--time=`` if they
are called otherwise than in training), and no answers. ``--output`` may then be left
out.

A run that forecasts a numeric table writes one row for each series: its next value,
from the newest window of ``--input``, or of the table it was trained on. A run on
reviews over time writes where each group is heading, a row for each measure. A run on
declared sources writes one row for each case: ``--input`` is a newer table of events
(or of cases, where there are no events), by default those it was trained on. Where
there are events, ``--cases=FILE`` is another table of cases; who stands in it is
answered, and nobody else.
"""

from reviewintent_jax.allocator import collect_rarely, keep_freed_memory

if __name__ == "__main__":
    keep_freed_memory()  # before the imports below start threads
    collect_rarely()

import dataclasses
import sys
from pathlib import Path

from absl import flags

from launch import runtime
from launch.kits import KITS
from launch.own_data import refuse_flags
from launch.subjects import predict_subjects
from reviewintent_jax.build import (
    load_trained,
)
from reviewintent_jax.configuration import TaskKind
from reviewintent_jax.data.scored import open_writer
from reviewintent_jax.data.sources import SourceKind, SourceSpec, check_columns
from reviewintent_jax.data.tables import (
    TableFormat,
    expand_paths,
    read_stream,
    read_tables,
    table_layout,
)
from reviewintent_jax.evaluation.row_intention import covariate_columns
from reviewintent_jax.evaluation.score_table import Scored, score_table
from reviewintent_jax.run_folders import stored_task
from reviewintent_jax.schema import InputError, RunFolder
from reviewintent_jax.training.trained import Trained, make_scorer

_WORKDIR = flags.DEFINE_string("workdir", "", "Folder of a finished run.")
_INPUT = flags.DEFINE_string("input", "", "Table to score; a glob, or - for stdin.")
_OUTPUT = flags.DEFINE_string("output", "", "File to write, or - for stdout.")
_TEXT = flags.DEFINE_string("text", "", "Column of the text; default: as in training.")
_TITLE = flags.DEFINE_string(
    "title", "", "Column of the title; default: as in training, if there is one."
)
_SUBJECTS = flags.DEFINE_string(
    "subjects", "", "File to write, one row for each subject; or - for stdout."
)
_SUBJECT = flags.DEFINE_string(
    "subject", "", "Column of the subject; default: as in training."
)
_TIME = flags.DEFINE_string("time", "", "Column of the time; default: as in training.")
_CASES = flags.DEFINE_string(
    "cases", "", "Another table of cases, where a run on declared sources has events."
)
_FORMAT = flags.DEFINE_enum(
    "format", "jsonl", ["csv", "tsv", "jsonl"], "Format of stdin and of stdout."
)


def main(argv: list[str]) -> None:
    """Run folder and table in, scored table out."""
    del argv
    _require(_WORKDIR)
    if not _SUBJECTS.value:
        _require(_OUTPUT)
    run = RunFolder(Path(_WORKDIR.value))
    task = stored_task(run)
    if task is TaskKind.PRETRAIN:
        from launch.pretraining import no_answers

        raise no_answers(run)
    if task is not TaskKind.REVIEW:
        print(_of_own_data(run, task), file=sys.stderr)
        return
    refuse_flags("a run on reviews", _CASES)
    _require(_INPUT)
    trained = load_trained(run)
    if _INPUT.value == "-":
        paths: list[Path] = []
        stream = read_stream(sys.stdin.buffer, TableFormat(_FORMAT.value))
        layout, rows = stream.layout, stream.rows
    else:
        paths = expand_paths(_INPUT.value)
        layout, rows = table_layout(paths[0]), read_tables(paths)
    source = _columns(trained.data.source, layout.columns)
    if _SUBJECTS.value:
        _predict_subjects(trained, source, layout.columns, paths)
    if not _OUTPUT.value:
        return
    scorer = make_scorer(trained, _with_numbers(trained, source, layout.columns))
    with open_writer(
        _OUTPUT.value,
        layout,
        scorer.added_columns(),
        inputs=paths,
        stdout_format=TableFormat(_FORMAT.value),
    ) as writer:
        scored = score_table(scorer, rows, writer)
    print(_sentence(scored), file=sys.stderr)
    if trained.data.intention.over_time and not _SUBJECTS.value:
        print("What every subject does next: --subjects=FILE.", file=sys.stderr)


def _predict_subjects(
    trained: Trained, source: SourceSpec, columns: tuple[str, ...], paths: list[Path]
) -> None:
    if not paths:
        raise InputError(
            "--subjects reads its input twice, so it cannot be stdin.",
            fix="Give --input=FILE.",
        )
    if _SUBJECTS.value == _OUTPUT.value:
        raise InputError("--subjects and --output name the same file.")
    said = predict_subjects(
        trained,
        source,
        columns,
        _SUBJECTS.value,
        subject=_SUBJECT.value,
        time=_TIME.value,
        inputs=paths,
        stdout_format=TableFormat(_FORMAT.value),
    )
    print(said, file=sys.stderr)


def _require(*needed: flags.FlagHolder[str]) -> None:
    for flag in needed:
        if not flag.value:
            raise InputError(
                f"--{flag.name} is missing.",
                fix="Example: --workdir=runs/mine --input=new.csv --output=scored.csv",
            )


def _of_own_data(run: RunFolder, task: TaskKind) -> str:
    """What comes next, instead of answers to the rows of a table."""
    refuse_flags(KITS[task].called, _TEXT, _TITLE, _SUBJECTS, _SUBJECT, _TIME)
    output = _OUTPUT.value, TableFormat(_FORMAT.value)
    # Only what this task needs: the libraries of all of them take seconds to import.
    if task is TaskKind.MSDP:
        from launch import cases

        tables = cases.Tables(_INPUT.value, _CASES.value)
        return cases.predict_cases(run, tables, *output)
    refuse_flags(KITS[task].called, _CASES)
    if task is TaskKind.FORECAST:
        from launch.forecasts import predict_forecast as predict
    else:
        from launch.headings import predict_headings as predict
    return predict(run, _INPUT.value, *output)


def _columns(trained_on: SourceSpec, columns: tuple[str, ...]) -> SourceSpec:
    """Text and title columns of this table; the other columns of training go unread."""
    text = _TEXT.value or trained_on.text
    title = _TITLE.value or (trained_on.title if trained_on.title in columns else "")
    named = {"text": text} | ({"title": title} if title else {})
    try:
        check_columns(named, columns, _INPUT.value)
    except InputError as error:
        fix = error.fix.replace("--config.data.", "--")
        raise InputError(error.what, where=error.where, fix=fix) from None
    return dataclasses.replace(
        trained_on,
        kind=SourceKind.TABLE,
        path=_INPUT.value,
        text=text,
        title=title,
        label="",
        group="",
        time="",
        split="",
        slice="",
    )


def _with_numbers(
    trained: Trained, source: SourceSpec, columns: tuple[str, ...]
) -> SourceSpec:
    """The source with the time, if the intention of single rows asks for the season.

    Raises:
      InputError: a column of the numbers beside the text is not there.
    """
    asked = trained.data.intention
    if trained.intention is None or asked.over_time:
        return source
    needed = covariate_columns(asked, _TIME.value or trained.data.source.time)
    check_columns(needed, columns, _INPUT.value)
    time = needed.pop("data.time", "")
    return dataclasses.replace(source, time=time)


def _sentence(scored: Scored) -> str:
    """What was done, for people; on stderr, since stdout may carry the table."""
    parts = [f"{scored.rows:,} rows scored"]
    parts += [f"{n:,} {name}" for name, n in scored.predicted.most_common()]
    if scored.cut:
        parts.append(f"{scored.cut:,} too long, read in part")
    for reason, n in scored.unanswered.most_common():
        parts.append(f"{n:,} without an answer ({reason})")
    return "; ".join(parts)


if __name__ == "__main__":
    runtime.run(main)
