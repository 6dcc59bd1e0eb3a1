"""Stages 1 to 6 in one pass: raw rows -> a folder of prepared reviews.

In: a source of rows. Out: :class:`Prepared`: texts on disk (Parquet), token ids on disk
(flat, memory-mapped), and a few numbers per review in memory. One pass over the rows,
memory bounded by those few numbers, so a million rows prepare like ten thousand. The
folder carries a fingerprint of its source and settings and is used again while both
are unchanged.
"""

import dataclasses
import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.parquet as pq

from reviewintent_jax.data.checks import CheckSpec, RejectionLog
from reviewintent_jax.data.clean import Cleaner, CleanSpec
from reviewintent_jax.data.duplicates import DuplicateIndex, Duplicates, DuplicateSpec
from reviewintent_jax.data.ingest import Taken, ingest
from reviewintent_jax.data.labels import LabelMap, LabelSpec, fit_labels
from reviewintent_jax.data.prepared_folder import (
    MANIFEST,
    read_manifest,
    refuse_sources_inside,
    replacing,
)
from reviewintent_jax.data.sources import (
    SourceSpec,
    source_fingerprint,
    source_places,
)
from reviewintent_jax.data.splits import (
    SET_ASIDE,
    SPLIT_NAMES,
    TEST,
    Reason,
    SplitKind,
    SplitSpec,
    assign_splits,
    given_split_codes,
)
from reviewintent_jax.data.tokens import TOKENIZER_FILES, ReviewTokenizer, TokenStore
from reviewintent_jax.schema import NO_LABEL, InputError, RunFolder

_VERSION = 1  # of the prepared folder's format


@dataclasses.dataclass(frozen=True)
class DataSpec:
    """Everything that decides what the prepared data are.

    Attributes:
      source: where rows come from and which columns matter.
      check: what makes a row unusable.
      clean: how texts are repaired.
      duplicates: what counts as the same text.
      labels: how raw labels become classes.
      split: who is trained on and who is tested on.
    """

    source: SourceSpec
    check: CheckSpec
    clean: CleanSpec
    duplicates: DuplicateSpec
    labels: LabelSpec
    split: SplitSpec


@dataclasses.dataclass(frozen=True)
class Prepared:
    """Prepared reviews; index i means the same review in every part.

    Attributes:
      folder: where it lies.
      store: token ids, memory-mapped.
      label_n: int32 class, ``NO_LABEL`` where there is none.
      split_n: int8 TRAIN, VALIDATION, TEST or SET_ASIDE.
      row_n: int64 position among the rows of the source.
      truth_n: float32 best possible probability of the positive class where the source
        is the built-in shop, which knows it; else NaN.
      labels: how raw labels became classes.
      summary: counts for the report (JSON-able).
      fingerprint: what the data depend on, as JSON values; equal fingerprints mean
        equal data.
    """

    folder: Path
    store: TokenStore
    label_n: np.ndarray
    split_n: np.ndarray
    row_n: np.ndarray
    truth_n: np.ndarray
    labels: LabelMap
    summary: dict[str, Any]
    fingerprint: dict[str, Any]

    def reviews(self, split: int) -> np.ndarray:
        """Indices of the reviews of a split, ascending."""
        return np.flatnonzero(self.split_n == split)

    def texts(self, reviews: np.ndarray) -> list[str]:
        """Cleaned texts of some reviews, read from disk a group at a time."""
        file = pq.ParquetFile(self.folder / "reviews.parquet")
        reviews = np.asarray(reviews, np.int64)
        texts = np.empty(len(reviews), object)
        begin = 0
        for group in range(file.num_row_groups):
            end = begin + file.metadata.row_group(group).num_rows
            here = np.flatnonzero((reviews >= begin) & (reviews < end))
            if len(here):
                column = file.read_row_group(group, ["text"]).column("text")
                texts[here] = column.take(reviews[here] - begin).to_pylist()
            begin = end
        return texts.tolist()


def prepare(
    spec: DataSpec,
    tokenizer: ReviewTokenizer,
    run: RunFolder,
    *,
    began_with: Mapping[str, Any] | None,
) -> Prepared:
    """Prepares the data of a run, or opens them where they are ready and unchanged.

    Args:
      spec: what to prepare.
      tokenizer: its files are part of the fingerprint.
      run: the run's folder; data go to ``run.prepared``, refusals to ``run.rejected``.
      began_with: fingerprint of the data that the run's checkpoints were trained on,
        which must not change any more; None while there is no checkpoint.

    Raises:
      InputError: nothing usable in the source; the data are not those that the run
        began with; or ``run.prepared`` holds files of others, or the source itself.
    """
    _refuse_sources_of_ours(spec, run)
    fingerprint = _fingerprint(spec, tokenizer)
    if began_with is not None and dict(began_with) != fingerprint:
        changed = [k for k in fingerprint if began_with.get(k) != fingerprint[k]]
        raise InputError(
            "The data or their settings changed since this run began: "
            + ", ".join(changed),
            where=str(run.prepared),
            fix="Give --workdir a new folder, or put the data back as they were.",
        )
    stored = read_manifest(run.prepared)
    if stored is not None and stored["fingerprint"] == fingerprint:
        return open_prepared(run.prepared)
    with replacing(run.prepared) as folder, RejectionLog(run.rejected) as log:
        index = DuplicateIndex(spec.duplicates)
        taken = _ingest(spec, tokenizer, folder, log, index)
        counts, first = taken.label_counts(), taken.first_place
        labels = fit_labels(counts, spec.labels, first=first)
        label_n = _encode(taken, labels, spec.source.label, log)
        duplicates = index.finish()
        label_n, dropped = _drop_copies(taken, label_n, duplicates, spec, log)
        split_n = _split(taken, label_n, duplicates, labels, spec, log)
        summary = _summary(taken, label_n, split_n, labels, log)
        summary["duplicates"] = dropped
        _save(folder, taken, label_n, split_n)
        _write_manifest(folder, fingerprint, labels, summary)
    return open_prepared(run.prepared)


def prepare_for_scoring(
    spec: DataSpec, tokenizer: ReviewTokenizer, labels: LabelMap, run: RunFolder
) -> Prepared:
    """Prepares other data for evaluation: no new labels, no split, nothing removed.

    Every labelled row becomes a TEST row. Rows whose label the model does not know are
    set aside and counted.

    Raises:
      InputError: no row carries a label that the model knows; or ``run.prepared``
        holds files of others, or the source itself.
    """
    _refuse_sources_of_ours(spec, run)
    with replacing(run.prepared) as folder, RejectionLog(run.rejected) as log:
        taken = _ingest(spec, tokenizer, folder, log, None)
        label_n = _encode(taken, labels, spec.source.label, log)
        if not (label_n != NO_LABEL).any():
            raise InputError(
                "No row carries a label that the model knows.",
                where=spec.source.path or spec.source.tfds_name,
                fix=f"It knows: {labels.describe()}",
            )
        split_n = np.where(label_n == NO_LABEL, SET_ASIDE, TEST).astype(np.int8)
        summary = _summary(taken, label_n, split_n, labels, log)
        _save(folder, taken, label_n, split_n)
        _write_manifest(folder, {}, labels, summary)
    return open_prepared(run.prepared)


def open_prepared(folder: Path) -> Prepared:
    """Opens what :func:`prepare` wrote."""
    manifest = json.loads((folder / MANIFEST).read_text("utf-8"))
    with np.load(folder / "index.npz") as index:
        arrays = {name: index[name] for name in index.files}
    return Prepared(
        folder=folder,
        store=TokenStore(folder),
        labels=LabelMap.from_dict(manifest["labels"]),
        summary=manifest["summary"],
        fingerprint=manifest["fingerprint"],
        **arrays,
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
    tokenizer: ReviewTokenizer,
    folder: Path,
    log: RejectionLog,
    index: DuplicateIndex | None,
) -> Taken:
    cleaner = Cleaner(spec.clean)
    return ingest(spec.source, spec.check, cleaner, tokenizer, folder, log, index)


def _encode(
    taken: Taken, labels: LabelMap, column: str, log: RejectionLog
) -> np.ndarray:
    """Class of every review; those without one are recorded with the reason."""
    class_of = np.array([labels.encode(raw) for raw in taken.raw_labels], np.int32)
    label_n = class_of[taken.raw_label_n]
    reasons = [labels.reason(raw) for raw in taken.raw_labels]
    for i in np.flatnonzero(label_n == NO_LABEL).tolist():
        code = taken.raw_label_n[i]
        raw = taken.raw_labels[code]
        taken.refuse(i, log, field=column, reason=reasons[code], value=raw)
    return label_n


def _drop_copies(
    taken: Taken,
    label_n: np.ndarray,
    duplicates: Duplicates,
    spec: DataSpec,
    log: RejectionLog,
) -> tuple[np.ndarray, dict[str, int]]:
    """Takes the label from copies of a text, and from texts labelled in two ways.

    Of equal texts with one label the first stays; equal texts with different labels all
    go, since no answer to them could be right. A test split that the source itself
    gives is left as it is. Returns the labels and how many copies there were.
    """
    labelled = label_n != NO_LABEL
    exempt = np.zeros(len(label_n), bool)
    if spec.split.kind == SplitKind.GIVEN:
        exempt = _given_codes(taken) == TEST
    judged = np.flatnonzero(labelled & ~exempt)
    text = pd.Series(duplicates.exact_first_n[judged])
    ways = pd.Series(label_n[judged]).groupby(text).transform("nunique").to_numpy()
    torn = judged[ways > 1]
    copies = judged[(ways == 1) & text.duplicated().to_numpy()]
    label_n = label_n.copy()
    for chosen, reason in (
        (torn, "same text with different labels"),
        (copies, "same text as an earlier row"),
    ):
        for i in chosen.tolist():
            taken.refuse(i, log, field=spec.source.text, reason=reason)
        label_n[chosen] = NO_LABEL
    cluster_n = duplicates.cluster_n[label_n != NO_LABEL]
    near = int((np.bincount(cluster_n) > 1)[cluster_n].sum()) if len(cluster_n) else 0
    return label_n, {"exact": len(copies), "torn": len(torn), "near": near}


def _given_codes(taken: Taken) -> np.ndarray:
    return given_split_codes(taken.given_splits)[taken.given_split_n]


def _split(
    taken: Taken,
    label_n: np.ndarray,
    duplicates: Duplicates,
    labels: LabelMap,
    spec: DataSpec,
    log: RejectionLog,
) -> np.ndarray:
    """Split of every review; those that no split can take are recorded."""
    kind = spec.split.kind
    splits = assign_splits(
        spec.split,
        label_n=label_n,
        cluster_n=duplicates.cluster_n,
        group_n=taken.group_n if kind == SplitKind.GROUPED else None,
        time_n=taken.time_n if kind == SplitKind.DATE else None,
        given_n=_given_codes(taken) if kind == SplitKind.GIVEN else None,
        class_names=labels.classes,
    )
    refused = (splits.split_n == SET_ASIDE) & (label_n != NO_LABEL)
    for i in np.flatnonzero(refused).tolist():
        taken.refuse(i, log, field="", reason=Reason(splits.reason_n[i]).sentence)
    return splits.split_n


def _summary(
    taken: Taken,
    label_n: np.ndarray,
    split_n: np.ndarray,
    labels: LabelMap,
    log: RejectionLog,
) -> dict[str, Any]:
    """Counts for the report."""
    splits = {}
    for code, name in enumerate(SPLIT_NAMES):
        inside = label_n[split_n == code]
        counts = np.bincount(inside, minlength=len(labels.classes)).tolist()
        classes = dict(zip(labels.classes, counts, strict=True))
        splits[name] = {"rows": len(inside), "classes": classes}
    return {
        "rows": taken.rows,
        "accepted": int((split_n != SET_ASIDE).sum()),
        "rejected": dict(log.counts.most_common()),
        "splits": splits,
    }


def _save(folder: Path, taken: Taken, label_n: np.ndarray, split_n: np.ndarray) -> None:
    np.savez(
        folder / "index.npz",
        label_n=label_n,
        split_n=split_n,
        row_n=taken.row_n,
        truth_n=taken.truth_n,
    )


def _write_manifest(
    folder: Path, fingerprint: dict[str, Any], labels: LabelMap, summary: dict[str, Any]
) -> None:
    """Written last and renamed into place: a folder that has it is complete."""
    path = folder / MANIFEST
    stored = {
        "fingerprint": fingerprint,
        "labels": labels.to_dict(),
        "summary": summary,
    }
    part = path.with_suffix(".part")
    part.write_text(json.dumps(stored, indent=1, ensure_ascii=False), "utf-8")
    part.replace(path)


def _fingerprint(spec: DataSpec, tokenizer: ReviewTokenizer) -> dict[str, Any]:
    """What the prepared data depend on, as JSON values."""
    vocabulary = hashlib.sha256()
    for name in TOKENIZER_FILES:
        path = tokenizer.folder / name
        if path.is_file():
            vocabulary.update(path.read_bytes())
    settings = json.loads(json.dumps(dataclasses.asdict(spec)))
    source = json.loads(json.dumps(source_fingerprint(spec.source)))
    return {
        "format": _VERSION,
        "tokenizer": vocabulary.hexdigest(),
        "files": source,
        **settings,
    }
