"""Stages 1 to 6 in one pass: raw rows -> a folder of prepared reviews.

In: a source of rows. Out: :class:`Prepared`: texts on disk (Parquet), token ids on disk
(array_record), and a few numbers per review in memory. One pass over the rows, by any
number of workers, memory bounded by those few numbers, so a million rows prepare like
ten thousand. The folder carries a fingerprint of its source and settings and is used
again while both are unchanged; stopped in between, it is gone on with.
"""

import dataclasses
import hashlib
import json
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
from reviewintent_jax.data.ingest import Engine, Taken, ingest, on_this_machine
from reviewintent_jax.data.intention import IntentionKind
from reviewintent_jax.data.labels import LabelMap
from reviewintent_jax.data.prepared import (
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
from reviewintent_jax.data.sources import source_fingerprint, source_places
from reviewintent_jax.data.splits import SET_ASIDE, SPLIT_NAMES, TEST
from reviewintent_jax.data.times import DateOrder
from reviewintent_jax.data.tokens import TOKENIZER_FILES, ReviewTokenizer
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

_VERSION = 2  # of the prepared folder's format


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
    """
    _refuse_sources_of_ours(spec, run)
    fingerprint = _fingerprint(spec, tokenizer)
    if began_with is not None:
        _refuse_changes(
            began_with,
            fingerprint,
            "The data or their settings changed since this run began",
            run.prepared,
            "Give --workdir a new folder, or put the data back as they were.",
        )
    stored = read_manifest(run.prepared)
    if stored is not None and stored["fingerprint"] == fingerprint:
        return open_prepared(run.prepared)
    blocks = {"rows": BLOCK_ROWS, "characters": BLOCK_CHARACTERS}
    plan = {**fingerprint, "blocks": blocks}
    with replacing(run.prepared, plan) as begun, RejectionLog(run.rejected) as log:
        index = DuplicateIndex(spec.duplicates, begun.folder)
        taken = _ingest(spec, tokenizer, begun, log, index, engine)
        asked = spec.intention.kind is not IntentionKind.NONE
        decide = decide_intention if asked else decide_sentiment
        decided = decide(taken, index.finish(), spec, log)
        _save(begun.folder, taken, decided, log, fingerprint)
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
    found = stored["fingerprint"]
    wanted = _fingerprint(spec, tokenizer, source=found.get("files"))
    _refuse_changes(
        found,
        wanted,
        "The prepared data are stale: since then these changed",
        run.prepared,
        f"Prepare them again: {command}.",
    )
    if began_with is not None:
        _refuse_changes(
            began_with,
            found,
            "The data or their settings changed since this run began",
            run.prepared,
            "Give --workdir a new folder, or put the data back as they were.",
        )
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
    with replacing(run.prepared, {}) as begun, RejectionLog(run.rejected) as log:
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
    with replacing(run.prepared, {}) as begun, RejectionLog(run.rejected) as log:
        taken = _ingest(spec, tokenizer, begun, log)
        decided = decide_for_scoring(taken, spec, LabelMap.empty(), None, log)
        _save(begun.folder, taken, decided, log, {})
    return open_prepared(run.prepared)


def _refuse_changes(
    before: Mapping[str, Any], now: Mapping[str, Any], what: str, where: Path, fix: str
) -> None:
    """Names the parts of a fingerprint that are not what they were."""
    keys = dict.fromkeys([*now, *before])
    changed = [key for key in keys if before.get(key) != now.get(key)]
    if changed:
        raise InputError(f"{what}: {', '.join(changed)}", where=str(where), fix=fix)


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
) -> None:
    summary = _summary(taken, decided, log) | decided.summary
    save_prepared(folder, decided, taken, summary, fingerprint)
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


def _fingerprint(
    spec: DataSpec,
    tokenizer: ReviewTokenizer | None,
    *,
    source: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """What the prepared data depend on, as JSON values.

    ``source`` stands in for what the source is, where it is not on this machine.
    """
    vocabulary = hashlib.sha256()
    if tokenizer is not None:
        for name in TOKENIZER_FILES:
            path = tokenizer.folder / name
            if path.is_file():
                vocabulary.update(path.read_bytes())
    settings = json.loads(json.dumps(dataclasses.asdict(spec)))
    # Settings younger than the first runs count where they are used: a run that was
    # begun without them goes on.
    if spec.intention.kind is IntentionKind.NONE:
        del settings["intention"]
    if spec.source.date_order is DateOrder.ISO:
        del settings["source"]["date_order"]
    if not spec.source.slice:
        del settings["source"]["slice"]
    if not spec.labels.aliases:
        del settings["labels"]["aliases"]
    try:
        found = json.loads(json.dumps(source_fingerprint(spec.source)))
    except InputError:
        if source is None:
            raise
        found = dict(source)
    return {
        "format": _VERSION,
        "tokenizer": vocabulary.hexdigest(),
        "files": found,
        **settings,
    }
