"""What stages 1 to 6 leave: the settings that decide it, and the folder opened.

In: the folder that :func:`~reviewintent_jax.data.prepare.prepare` wrote. Out:
:class:`Prepared`. In memory are a few numbers per review; texts and token ids stay on
disk, in shards (:mod:`~reviewintent_jax.data.blocks`).
"""

import dataclasses
import json
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow.parquet as pq

from reviewintent_jax.data.blocks import UNREADABLE, texts_name
from reviewintent_jax.data.checks import CheckSpec
from reviewintent_jax.data.clean import CleanSpec
from reviewintent_jax.data.duplicates import DuplicateSpec
from reviewintent_jax.data.histories import CovariateScale, Histories, fit_scale
from reviewintent_jax.data.ingest import Taken
from reviewintent_jax.data.intention import (
    Covariate,
    Intention,
    IntentionKind,
    IntentionSpec,
)
from reviewintent_jax.data.labels import LabelMap, LabelSpec
from reviewintent_jax.data.prepared_folder import MANIFEST
from reviewintent_jax.data.sources import SourceSpec
from reviewintent_jax.data.splits import TRAIN, SplitKind, SplitSpec
from reviewintent_jax.data.token_shards import (
    Shard,
    TokenStore,
    block_of,
    check_sizes,
    damaged,
    file_sha256,
)
from reviewintent_jax.schema import NO_LABEL, InputError

FORMAT = 3
"""Of the folder. Older ones are prepared again; 3 came with sizes and hashes of texts
and hashes of the source's files."""

_INDEX = "index.npz"
_HISTORY, _INTENTION = "history_", "intention_"  # prefixes of stored arrays


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
      intention: what customers do next, and what their histories consist of.
    """

    source: SourceSpec
    check: CheckSpec
    clean: CleanSpec
    duplicates: DuplicateSpec
    labels: LabelSpec
    split: SplitSpec
    intention: IntentionSpec

    def __post_init__(self) -> None:
        intention = self.intention
        season = Covariate.SEASON in intention.covariates
        asked = intention.kind is not IntentionKind.NONE
        if not self.source.time and (intention.over_time or (asked and season)):
            raise InputError(
                "Histories and seasons need the time of every review.",
                where="field data.time",
                fix="Set --config.data.time=COLUMN.",
            )
        by_itself = (SplitKind.GIVEN, SplitKind.DATE)
        if intention.over_time and (self.split.folds or self.split.kind in by_itself):
            raise InputError(
                "Histories are split by subjects and one cut date: a split by date, "
                "one that the source gives, and folds do not go with them.",
                where="fields split.kind, split.folds",
                fix="Set split.kind=stratified and split.folds=0; the date follows "
                "from intention.cut_fraction.",
            )


@dataclasses.dataclass(frozen=True)
class Prepared:
    """Prepared reviews; index i means the same review in every part.

    Attributes:
      folder: where it lies.
      store: token ids, on disk.
      label_n: int32 class, ``NO_LABEL`` where there is none; a review without one is
        in a split all the same where it is part of a history.
      split_n: int8 TRAIN, VALIDATION, TEST or SET_ASIDE.
      row_n: int64 position among the rows of the source.
      truth_n: float32 best possible probability of the positive class where the source
        is the built-in shop, which knows it; else NaN.
      truth_intent_n: float32 best possible probability of ``repurchase`` where the
        source is the built-in shop and the definition is the shop's own (the shopper
        buys again within 30 days); else NaN.
      labels: how raw labels became classes; no classes where no label column is named.
      histories: windows over the reviews; None where no intention is asked for.
      intention: what comes after each review; None where none is asked for.
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
    truth_intent_n: np.ndarray
    labels: LabelMap
    histories: Histories | None
    intention: Intention | None
    summary: dict[str, Any]
    fingerprint: dict[str, Any]

    def reviews(self, split: int) -> np.ndarray:
        """Indices of the reviews of a split, ascending."""
        return np.flatnonzero(self.split_n == split)

    def labelled(self, split: int) -> np.ndarray:
        """Indices of the reviews of a split that have a sentiment label, ascending."""
        return np.flatnonzero((self.split_n == split) & (self.label_n != NO_LABEL))

    def anchors(self, split: int) -> np.ndarray:
        """Indices of the reviews of a split that have an intention label, ascending."""
        if self.intention is None:
            return np.zeros(0, np.int64)
        answered = self.intention.label_n != NO_LABEL
        return np.flatnonzero((self.split_n == split) & answered)

    @property
    def intention_labels(self) -> LabelMap | None:
        """How stated intentions became classes; None for other definitions."""
        manifest = json.loads((self.folder / MANIFEST).read_text("utf-8"))
        stored = manifest.get("intention_labels")
        return None if stored is None else LabelMap.from_dict(stored)

    def covariate_scale(self) -> CovariateScale:
        """Mean and spread of the covariates, of training anchors' windows alone."""
        if self.histories is None:
            return CovariateScale((), (), ())
        names = tuple(self.summary["intention"]["covariates"])
        return fit_scale(self.histories, self.anchors(TRAIN), names)

    def texts(self, reviews: np.ndarray) -> list[str]:
        """Cleaned texts of some reviews, read from disk a group at a time."""
        return self._column("text", reviews)

    def subjects(self, reviews: np.ndarray) -> list[str]:
        """Whose history some reviews belong to, as written; '' without intention."""
        if self.intention is None:
            return [""] * len(reviews)
        return self._column("subject", reviews)

    def stars(self, reviews: np.ndarray) -> np.ndarray:
        """float32 stars of some reviews; NaN where none, or without intention."""
        if self.intention is None:
            return np.full(len(reviews), np.nan, np.float32)
        return np.array(self._column("stars", reviews), np.float32)

    def slices(self, reviews: np.ndarray) -> list[str]:
        """What some reviews are scored apart by; the source must have named it."""
        return self._column("slice", reviews)

    def _column(self, name: str, reviews: np.ndarray) -> list[Any]:
        reviews = np.asarray(reviews, np.int64)
        values = np.empty(len(reviews), object)
        begin = 0
        for shard in self.store.shards:
            path = self.folder / texts_name(block_of(shard.name))
            if not ((reviews >= begin) & (reviews < begin + shard.reviews)).any():
                begin += shard.reviews
                continue
            with pq.ParquetFile(path) as file:
                for group in range(file.num_row_groups):
                    end = begin + file.metadata.row_group(group).num_rows
                    here = np.flatnonzero((reviews >= begin) & (reviews < end))
                    if len(here):
                        column = file.read_row_group(group, [name]).column(name)
                        values[here] = column.take(reviews[here] - begin).to_pylist()
                    begin = end
        return values.tolist()


class Decided(NamedTuple):
    """What the later stages decided of the reviews; see :class:`Prepared`.

    Attributes:
      label_n, split_n, truth_intent_n, labels, histories, intention: as there.
      intention_labels: as there.
      summary: counts that are this decision's own.
    """

    label_n: np.ndarray
    split_n: np.ndarray
    truth_intent_n: np.ndarray
    labels: LabelMap
    histories: Histories | None
    intention: Intention | None
    intention_labels: LabelMap | None
    summary: dict[str, Any]


def save_prepared(
    folder: Path,
    decided: Decided,
    taken: Taken,
    summary: dict[str, Any],
    fingerprint: dict[str, Any],
    sources: list[str] | None,
) -> None:
    """Writes the numbers, and then the manifest: a folder that has it is complete.

    ``sources`` are hashes of the source's files; None where they are not known.
    """
    arrays = {"label_n": decided.label_n, "split_n": decided.split_n}
    arrays |= {"row_n": taken.row_n, "truth_n": taken.truth_n}
    arrays |= {"length_n": taken.length_n}
    manifest: dict[str, Any] = {
        "format": FORMAT,
        "fingerprint": fingerprint,
        "sources": sources,
        "labels": decided.labels.to_dict(),
        "summary": summary,
        "reviews": len(taken.row_n),
        "tokens": int(taken.length_n.sum()),
        "token_dtype": taken.dtype.str,
        "shards": [shard._asdict() for shard in taken.shards],
        "texts": [shard._asdict() for shard in taken.texts],
    }
    if decided.histories is not None and decided.intention is not None:
        arrays["truth_intent_n"] = decided.truth_intent_n
        answers = decided.intention._asdict()
        manifest["intention_classes"] = list(answers.pop("classes"))
        arrays |= {f"{_HISTORY}{k}": v for k, v in decided.histories._asdict().items()}
        arrays |= {f"{_INTENTION}{name}": each for name, each in answers.items()}
    if decided.intention_labels is not None:
        manifest["intention_labels"] = decided.intention_labels.to_dict()
    np.savez(folder / _INDEX, allow_pickle=False, **arrays)
    manifest["index_sha256"] = file_sha256(folder / _INDEX)
    path = folder / MANIFEST
    part = path.with_suffix(".part")
    part.write_text(json.dumps(manifest, indent=1, ensure_ascii=False), "utf-8")
    part.replace(path)


def open_prepared(folder: Path) -> Prepared:
    """Opens what :func:`~reviewintent_jax.data.prepare.prepare` wrote.

    Raises:
      InputError: a file is lost or was cut, or an earlier version wrote the folder.
    """
    manifest = _manifest(folder)
    if "shards" not in manifest:
        raise InputError(
            "An earlier version prepared these data.",
            where=str(folder),
            fix="Remove the folder, and give the command once more.",
        )
    check_sizes(folder, _files_of(manifest))
    arrays = _index(folder)
    history = _taken_out(arrays, _HISTORY)
    answers = _taken_out(arrays, _INTENTION)
    classes = tuple(manifest.get("intention_classes", ()))
    unknown = np.full(len(arrays["label_n"]), np.nan, np.float32)
    store = TokenStore(
        folder,
        [Shard(**shard) for shard in manifest["shards"]],
        arrays.pop("length_n"),
        np.dtype(manifest["token_dtype"]),
    )
    return Prepared(
        folder=folder,
        store=store,
        labels=LabelMap.from_dict(manifest["labels"]),
        histories=Histories(**history) if history else None,
        intention=Intention(**answers, classes=classes) if answers else None,
        summary=manifest["summary"],
        fingerprint=manifest["fingerprint"],
        **{"truth_intent_n": unknown, **arrays},
    )


def check_hashes(folder: Path) -> None:
    """Reads every file and compares its hash with the manifest's.

    Raises:
      InputError: names the first file that is not what was written.
    """
    manifest = _manifest(folder)
    expected = {file.name: file.sha256 for file in _files_of(manifest)}
    expected[_INDEX] = manifest["index_sha256"]
    check_sizes(folder, _files_of(manifest))
    for name, sha256 in expected.items():
        path = folder / name
        if not path.is_file():
            raise damaged(path, "is not there")
        if file_sha256(path) != sha256:
            raise damaged(path, "is not what was written")


def _manifest(folder: Path) -> dict[str, Any]:
    path = folder / MANIFEST
    if not path.is_file():
        raise damaged(path, "is not there")
    try:
        return json.loads(path.read_text("utf-8"))
    except ValueError as error:
        raise damaged(path, f"cannot be read ({error})") from error


def _files_of(manifest: dict[str, Any]) -> list[Shard]:
    """Files of ids and of texts; of the latter, folders before format 3 say nothing."""
    return [Shard(**each) for each in manifest["shards"] + manifest.get("texts", [])]


def _index(folder: Path) -> dict[str, np.ndarray]:
    path = folder / _INDEX
    if not path.is_file():
        raise damaged(path, "is not there")
    try:
        with path.open("rb") as stream, np.load(stream) as index:
            return {name: index[name] for name in index.files}
    except UNREADABLE as error:
        raise damaged(path, f"cannot be read ({error})") from error


def _taken_out(arrays: dict[str, np.ndarray], prefix: str) -> dict[str, np.ndarray]:
    """Removes the arrays whose name has a prefix, and returns them without it."""
    names = [name for name in arrays if name.startswith(prefix)]
    return {name.removeprefix(prefix): arrays.pop(name) for name in names}
