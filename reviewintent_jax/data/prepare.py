"""Stages 1 to 6 in one pass: raw rows -> a folder of prepared reviews.

In: a source of rows. Out: :class:`Prepared`: texts on disk (Parquet), token ids on disk
(flat, memory-mapped), and a few numbers per review in memory. One pass over the rows,
memory bounded by those few numbers, so a million rows prepare like ten thousand. The
folder carries a fingerprint of its source and settings and is used again while both
are unchanged.
"""

import dataclasses
import json
import shutil
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from tqdm import tqdm

from reviewintent_jax.data.checks import CheckSpec, RejectionLog, check_row
from reviewintent_jax.data.clean import Cleaner, CleanSpec
from reviewintent_jax.data.duplicates import DuplicateIndex, Duplicates, DuplicateSpec
from reviewintent_jax.data.labels import LabelMap, LabelSpec, fit_labels
from reviewintent_jax.data.sources import SourceSpec, read_rows, source_fingerprint
from reviewintent_jax.data.splits import (
    SET_ASIDE,
    SPLIT_NAMES,
    SplitSpec,
    assign_splits,
    given_split_codes,
)
from reviewintent_jax.data.tokens import ReviewTokenizer, TokenStore, TokenWriter
from reviewintent_jax.schema import NO_LABEL, InputError, Rejected, Review, RunFolder

_CHUNK = 4096  # reviews handled together; bounds memory, not results
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
        knows it (column ``truth_positive`` of the built-in shop), else NaN.
      labels: how raw labels became classes.
      summary: counts for the report (JSON-able).
    """

    folder: Path
    store: TokenStore
    label_n: np.ndarray
    split_n: np.ndarray
    row_n: np.ndarray
    truth_n: np.ndarray
    labels: LabelMap
    summary: dict[str, Any]

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
    spec: DataSpec, tokenizer: ReviewTokenizer, run: RunFolder, *, frozen: bool
) -> Prepared:
    """Prepares the data of a run, or opens them where they are ready and unchanged.

    Args:
      spec: what to prepare.
      tokenizer: its files are part of the fingerprint.
      run: the run's folder; data go to ``run.prepared``, refusals to ``run.rejected``.
      frozen: the run already has checkpoints, so its data must not change any more.

    Raises:
      InputError: nothing usable in the source, or ``frozen`` and the data changed.
    """
    fingerprint = _fingerprint(spec, tokenizer)
    manifest = run.prepared / "manifest.json"
    if manifest.is_file():
        stored = json.loads(manifest.read_text("utf-8"))
        if stored["fingerprint"] == fingerprint:
            return open_prepared(run.prepared)
        if frozen:
            raise InputError(
                "The data or the data settings changed since this run began: "
                + _first_difference(stored["fingerprint"], fingerprint),
                where=str(run.prepared),
                fix="Give --workdir a new folder, or put the data back as they were.",
            )
    shutil.rmtree(run.prepared, ignore_errors=True)
    run.prepared.mkdir(parents=True)
    with RejectionLog(run.rejected) as rejections:
        index = DuplicateIndex(spec.duplicates)
        taken = _ingest(spec, tokenizer, run.prepared, rejections, index)
        labels = fit_labels(taken.label_counts(), spec.labels)
        summary = _finish(spec, taken, labels, index.finish(), rejections, run.prepared)
    _write_manifest(manifest, fingerprint, labels, summary)
    return open_prepared(run.prepared)


def prepare_for_scoring(
    spec: DataSpec, tokenizer: ReviewTokenizer, labels: LabelMap, run: RunFolder
) -> Prepared:
    """Prepares other data for evaluation: no new labels, no split, nothing removed.

    Every labelled row becomes a TEST row. Rows whose label the model does not know are
    set aside and counted.
    """
    shutil.rmtree(run.prepared, ignore_errors=True)
    run.prepared.mkdir(parents=True)
    with RejectionLog(run.rejected) as rejections:
        taken = _ingest(spec, tokenizer, run.prepared, rejections, None)
        label_n = taken.encode(labels, rejections)
        if not (label_n != NO_LABEL).any():
            raise InputError(
                "No row carries a label that the model knows.",
                where=spec.source.path or spec.source.tfds_name,
                fix=f"Known: {labels.describe()}",
            )
        split_n = np.where(label_n == NO_LABEL, SET_ASIDE, 2).astype(np.int8)
        summary = taken.save(run.prepared, label_n, split_n, labels, rejections)
    _write_manifest(run.prepared / "manifest.json", {}, labels, summary)
    return open_prepared(run.prepared)


def open_prepared(folder: Path) -> Prepared:
    """Opens what :func:`prepare` wrote."""
    manifest = json.loads((folder / "manifest.json").read_text("utf-8"))
    with np.load(folder / "index.npz") as index:
        arrays = {name: index[name] for name in index.files}
    return Prepared(
        folder=folder,
        store=TokenStore(folder),
        labels=LabelMap.from_dict(manifest["labels"]),
        summary=manifest["summary"],
        **arrays,
    )
