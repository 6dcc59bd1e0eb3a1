"""Stages 1 to 6 in one pass: raw rows -> a folder of prepared reviews.

In: a source of rows. Out: :class:`Prepared`: texts on disk (Parquet), token ids on disk
(array_record), and a few numbers per review in memory. One pass over the rows, by any
number of workers, memory bounded by those few numbers, so a million rows prepare like
ten thousand. The folder carries a fingerprint of its source and settings and is used
again while both are unchanged; stopped in between, it is gone on with.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from reviewintent_jax.data.blocks import (
    BLOCK_CHARACTERS,
    BLOCK_ROWS,
    BlockSettings,
    block_names,
    block_path,
)
from reviewintent_jax.data.checks import RejectionLog
from reviewintent_jax.data.decide_intention import decide_for_scoring, decide_intention
from reviewintent_jax.data.decide_sentiment import (
    decide_sentiment,
    decided_without,
    encode_labels,
    refuse_unlabelled,
)
from reviewintent_jax.data.duplicates import DuplicateIndex
from reviewintent_jax.data.fingerprints import (
    changes,
    content_as_read,
    fingerprint_of,
    refuse_changes,
)
from reviewintent_jax.data.ingest import Engine, Taken, ingest, on_this_machine
from reviewintent_jax.data.intention import IntentionKind
from reviewintent_jax.data.labels import LabelMap
from reviewintent_jax.data.prepared import (
    FORMAT,
    DataSpec,
    Decided,
    Prepared,
    open_prepared,
    save_prepared,
)
from reviewintent_jax.data.prepared_folder import (
    Begun,
    read_manifest,
    refuse_sources_inside,
    replacing,
)
from reviewintent_jax.data.prepared_lock import alone_in
from reviewintent_jax.data.sources import source_places
from reviewintent_jax.data.splits import SET_ASIDE, SPLIT_NAMES, TEST
from reviewintent_jax.data.tokens import ReviewTokenizer
from reviewintent_jax.schema import NO_LABEL, InputError, RunFolder

__all__ = [
    "DataSpec",
    "Prepared",
    "open_prepared",
    "open_shared",
    "prepare",
    "prepare_for_scoring",
    "prepare_histories",
]


def prepare(
    spec: DataSpec,
    tokenizer: ReviewTokenizer | None,
    run: RunFolder,
    *,
    began_with: Mapping[str, Any] | None,
    engine: Engine | None = None,
) -> Prepared:
    """Prepares the data of a run, or opens them where they are ready and unchanged.

    Args:
      spec: what to prepare.
      tokenizer: its files are part of the fingerprint; None = texts and splits alone
        are wanted, and every review has 0 ids.
      run: the run's folder; data go to ``run.prepared``, refusals to ``run.rejected``.
      began_with: fingerprint of the data that the run's checkpoints were trained on,
        which must not change any more; None while there is no checkpoint.
      engine: reads the rows and leaves the files of all blocks; None = this process.

    Raises:
      InputError: nothing usable in the source; the data are not those that the run
        began with; or ``run.prepared`` holds files of others, or the source itself.
      TransientError: another process prepares them.
    """
    _refuse_sources_of_ours(spec, run)
    fingerprint = fingerprint_of(spec, tokenizer)
    if began_with is not None:
        _refuse_other_data(spec, run, began_with, fingerprint)
    wanted = fingerprint if began_with is None else began_with
    if _ready(spec, run, wanted):
        return open_prepared(run.prepared)
    blocks = {"rows": BLOCK_ROWS, "characters": BLOCK_CHARACTERS}
    plan = {**fingerprint, "blocks": blocks, "folder": FORMAT}
    with alone_in(run.prepared):
        if _ready(spec, run, wanted):  # somebody has just finished
            return open_prepared(run.prepared)
        with replacing(run.prepared, plan) as begun, RejectionLog(run.rejected) as log:
            index = DuplicateIndex(spec.duplicates, begun.folder)
            taken = _ingest(spec, tokenizer, begun, log, index, engine)
            asked = spec.intention.kind is not IntentionKind.NONE
            decide = decide_intention if asked else decide_sentiment
            decided = decide(taken, index.finish(), spec, log)
            sources = content_as_read(spec.source, fingerprint)
            _save(begun.folder, taken, decided, log, fingerprint, sources)
    return open_prepared(run.prepared)


def open_shared(
    spec: DataSpec,
    tokenizer: ReviewTokenizer,
    run: RunFolder,
    *,
    began_with: Mapping[str, Any] | None,
) -> Prepared:
    """Opens what ``launch.prepare`` left for several runs; never writes to it.

    Where the source is not on this machine, the data are taken as they are.

    Args:
      spec, tokenizer, run, began_with: see :func:`prepare`.

    Raises:
      InputError: nothing has been prepared there, or it was for another source or
        other settings, or it is not what the run began with.
    """
    stored = read_manifest(run.prepared)
    command = "python -m launch.prepare, with the same --config and its changes"
    if stored is None:
        raise InputError(
            "No prepared data lie there.",
            where=f"{run.prepared} (field prepared.folder)",
            fix=f"Prepare them: {command}.",
        )
    if stored.get("format") != FORMAT:
        raise InputError(
            "An earlier version prepared these data.",
            where=f"{run.prepared} (field prepared.folder)",
            fix=f"Prepare them again: {command}.",
        )
    found = stored["fingerprint"]
    wanted = fingerprint_of(spec, tokenizer, source=found.get("files"))
    refuse_changes(
        changes(found, wanted, spec.source, stored.get("sources")),
        "The prepared data are stale: since then these changed",
        where=run.prepared,
        fix=f"Prepare them again: {command}.",
    )
    if began_with is not None:
        _refuse_other_data(spec, run, began_with, found)
    return open_prepared(run.prepared)


def prepare_for_scoring(
    spec: DataSpec,
    tokenizer: ReviewTokenizer,
    labels: LabelMap,
    run: RunFolder,
    *,
    intention_labels: LabelMap | None = None,
) -> Prepared:
    """Prepares other data for evaluation: no new labels, no split, nothing removed.

    Every labelled row becomes a TEST row, and so does every row of a history. Rows
    whose label the model does not know are set aside and counted.

    Args:
      spec: what to prepare.
      tokenizer: of the model.
      labels: of the model.
      run: the folder; see :func:`prepare`.
      intention_labels: of the model, where its intention is a stated one.

    Raises:
      InputError: no row carries a label that the model knows; or ``run.prepared``
        holds files of others, or the source itself.
    """
    _refuse_sources_of_ours(spec, run)
    with (
        alone_in(run.prepared),
        replacing(run.prepared, {}) as begun,
        RejectionLog(run.rejected) as log,
    ):
        taken = _ingest(spec, tokenizer, begun, log)
        if spec.intention.kind is IntentionKind.NONE:
            label_n = encode_labels(taken, labels)
            refuse_unlabelled(taken, label_n, labels, spec.source.label, log)
            split_n = np.where(label_n == NO_LABEL, SET_ASIDE, TEST).astype(np.int8)
            decided = decided_without(label_n, split_n, labels)
        else:
            decided = decide_for_scoring(taken, spec, labels, intention_labels, log)
        answers = decided.intention
        if not (decided.label_n != NO_LABEL).any() and (
            answers is None or not (answers.label_n != NO_LABEL).any()
        ):
            raise InputError(
                "No row carries a label that the model knows.",
                where=spec.source.path or spec.source.tfds_name,
                fix=f"It knows: {labels.describe()}",
            )
        _save(begun.folder, taken, decided, log, {})
    return open_prepared(run.prepared)


def prepare_histories(
    spec: DataSpec, tokenizer: ReviewTokenizer, run: RunFolder
) -> Prepared:
    """Prepares reviews whose future is to be told: no labels are needed.

    Every row that has a text, a subject and a time becomes a TEST row; the others are
    set aside and counted.

    Args:
      spec: what to prepare; its intention must have a subject, and its answers, known
        or not, are of no use here.
      tokenizer: of the model.
      run: the folder; see :func:`prepare`.

    Raises:
      InputError: no row can be used; or ``run.prepared`` holds files of others, or the
        source itself.
    """
    _refuse_sources_of_ours(spec, run)
    with (
        alone_in(run.prepared),
        replacing(run.prepared, {}) as begun,
        RejectionLog(run.rejected) as log,
    ):
        taken = _ingest(spec, tokenizer, begun, log)
        decided = decide_for_scoring(taken, spec, LabelMap.empty(), None, log)
        _save(begun.folder, taken, decided, log, {})
    return open_prepared(run.prepared)


def _ready(spec: DataSpec, run: RunFolder, fingerprint: Mapping[str, Any]) -> bool:
    """Whether the data of a fingerprint lie there already."""
    stored = read_manifest(run.prepared)
    if stored is None or stored.get("format") != FORMAT:
        return False
    hashes = stored.get("sources")
    return not changes(stored["fingerprint"], fingerprint, spec.source, hashes)


def _refuse_other_data(
    spec: DataSpec,
    run: RunFolder,
    began_with: Mapping[str, Any],
    fingerprint: dict[str, Any],
) -> None:
    """Refuses data that are not those that a run began with."""
    stored = read_manifest(run.prepared)
    known = stored is not None and stored["fingerprint"] == began_with
    hashes = stored.get("sources") if stored is not None and known else None
    refuse_changes(
        changes(began_with, fingerprint, spec.source, hashes),
        "The data or their settings changed since this run began",
        where=run.prepared,
        fix="Give --workdir a new folder, or put the data back as they were.",
    )


def _refuse_sources_of_ours(spec: DataSpec, run: RunFolder) -> None:
    """Refuses, before anything is touched, to write over what is to be read."""
    sources = source_places(spec.source)
    refuse_sources_inside(run.prepared, sources)
    if any(source.resolve() == run.rejected.resolve() for source in sources):
        raise InputError(
            "The source lies where this run would write the rows it sets aside.",
            where=str(run.rejected),
            fix="Give --workdir a new folder.",
        )


def _ingest(
    spec: DataSpec,
    tokenizer: ReviewTokenizer | None,
    begun: Begun,
    log: RejectionLog,
    index: DuplicateIndex | None = None,
    engine: Engine | None = None,
) -> Taken:
    settings = BlockSettings(
        source=spec.source,
        check=spec.check,
        clean=spec.clean,
        intention=spec.intention,
        duplicates=None if index is None else spec.duplicates,
        tokenizer=None if tokenizer is None else tokenizer.folder,
        now=begun.now,
    )
    return ingest(settings, begun.folder, log, index, engine or on_this_machine(1))


def _save(
    folder: Path,
    taken: Taken,
    decided: Decided,
    log: RejectionLog,
    fingerprint: dict[str, Any],
    sources: list[str] | None = None,
) -> None:
    summary = _summary(taken, decided, log) | decided.summary
    save_prepared(folder, decided, taken, summary, fingerprint, sources)
    # Not before: whatever ends the stages after the blocks, they are made once.
    for name in block_names(folder):
        block_path(folder, name).unlink()


def _summary(taken: Taken, decided: Decided, log: RejectionLog) -> dict[str, Any]:
    """Counts for the report; the classes of a split are those of sentiment."""
    splits, names = {}, decided.labels.classes
    for code, name in enumerate(SPLIT_NAMES):
        inside = decided.label_n[decided.split_n == code]
        held = inside[inside != NO_LABEL]
        counts = np.bincount(held, minlength=len(names)).tolist()
        classes = dict(zip(names, counts, strict=True))
        splits[name] = {"rows": len(inside), "classes": classes}
    return {
        "rows": taken.rows,
        "accepted": int((decided.split_n != SET_ASIDE).sum()),
        "rejected": dict(log.counts.most_common()),
        "splits": splits,
    }
