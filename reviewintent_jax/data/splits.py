"""Stage 5, split: labels, clusters, users and dates -> train, validation or test.

What is true of every kind of split: a cluster of near-duplicate texts lies on one side
only, a row that cannot be used is set aside with its reason, and the same rows with the
same seed are split the same way.
"""

import dataclasses
import enum
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import scipy  # whose parts are imported where they are first used

from reviewintent_jax.data.stratify import cut_units
from reviewintent_jax.schema import NO_LABEL, InputError, check_seed

TRAIN, VALIDATION, TEST, SET_ASIDE = 0, 1, 2, -1
SPLIT_NAMES = ("train", "validation", "test")
"""Names of the splits, by number."""

NO_TIME = np.iinfo(np.int64).min
"""Time of a row that has none."""
NO_GROUP = np.iinfo(np.int64).min
"""Group of a row that has none; such a row is alone."""

_GIVEN_NAMES = {
    **dict.fromkeys(("train", "training"), TRAIN),
    **dict.fromkeys(("validation", "valid", "val", "dev", "development"), VALIDATION),
    **dict.fromkeys(("test", "testing"), TEST),
}
_CHAINED = 0.1  # of all rows: users tied together by common texts beyond use


class SplitKind(enum.StrEnum):
    """How rows come to train, validation and test.

    ``GIVEN``: the source names them; what it does not name is cut from train.
    ``STRATIFIED``: at random, with the same share of every class in each.
    ``GROUPED``: as stratified, but no user (or product, ...) is on both sides.
    ``DATE``: at global cut dates, validation after train and test after validation.
    """

    GIVEN = "given"
    STRATIFIED = "stratified"
    GROUPED = "grouped"
    DATE = "date"


class Reason(enum.IntEnum):
    """Why a row was set aside."""

    NONE = 0
    NO_LABEL = 1
    NO_SPLIT = 2
    NO_TIME = 3
    NEAR_LATER = 4
    NEAR_EARLIER = 5
    AFTER_CUT = 6
    AUTHOR = 7
    UNUSED = 8

    @property
    def sentence(self) -> str:
        """The reason as ``rejected.jsonl`` and the report print it."""
        return _SENTENCES[self]


_SENTENCES = {
    Reason.NONE: "",
    Reason.NO_LABEL: "no label",
    Reason.NO_SPLIT: "its split is not named train, validation or test",
    Reason.NO_TIME: "no time, which a split by date needs",
    Reason.NEAR_LATER: "near duplicate of a review in validation or test",
    Reason.NEAR_EARLIER: "near duplicate of an earlier review in another split",
    Reason.AFTER_CUT: "after the cut date, of a subject that is not tested",
    Reason.AUTHOR: "its author also wrote in validation or test",
    Reason.UNUSED: "in no window that is used, and without a label of its own",
}


@dataclasses.dataclass(frozen=True)
class SplitSpec:
    """How the data are split.

    Attributes:
      kind: what decides.
      test_fraction: share of the rows for test, above 0 and below 1; unused where the
        source gives a test split, or with folds.
      validation_fraction: share for validation of what is not test, above 0, below 1.
      seed: seed of all random choices, from 0.
      folds: 0 for one split; else the number of folds of a cross-validation, from 2
        (STRATIFIED and GROUPED only). Every usable row is in the test of one fold.
      fold: which fold is the test split, 0 to ``folds - 1``; 0 without folds.
    """

    kind: SplitKind
    test_fraction: float
    validation_fraction: float
    seed: int
    folds: int
    fold: int

    def __post_init__(self):
        for name in ("test_fraction", "validation_fraction"):
            if not 0.0 < getattr(self, name) < 1.0:
                raise InputError(
                    f"{name} is {getattr(self, name)}.",
                    where=f"field split.{name}",
                    fix="Give a share above 0 and below 1.",
                )
        check_seed(self.seed, "split.seed")
        if self.folds < 0 or self.folds == 1 or not 0 <= self.fold < (self.folds or 1):
            raise InputError(
                f"folds is {self.folds} and fold is {self.fold}.",
                where="fields split.folds, split.fold",
                fix="Give 0 and 0 for one split, or two folds or more, and a fold from "
                "0 to folds - 1.",
            )
        if self.folds and self.kind in (SplitKind.GIVEN, SplitKind.DATE):
            raise InputError(
                f"A {self.kind} split has no folds.",
                where="field split.folds",
                fix="Set split.folds=0, or split.kind=stratified or grouped.",
            )


class Splits(NamedTuple):
    """The split of every row, and why rows are in none.

    Attributes:
      split_n: int8 TRAIN, VALIDATION, TEST or SET_ASIDE.
      reason_n: int8 ``Reason``; NONE where the row is in a split.
    """

    split_n: np.ndarray
    reason_n: np.ndarray

    def set_aside(self) -> dict[str, int]:
        """How many rows were set aside for each reason that occurs."""
        counts = np.bincount(self.reason_n, minlength=len(Reason))
        return {r.sentence: int(counts[r]) for r in Reason if r and counts[r]}


def given_split_codes(names: Sequence[str]) -> np.ndarray:
    """int8 codes of the split names a source uses; SET_ASIDE for names that are none.

    Example: ``["train", "dev", "Test", "unsupervised"]`` -> ``[0, 1, 2, -1]``.
    """
    codes = [_GIVEN_NAMES.get(name.strip().casefold(), SET_ASIDE) for name in names]
    return np.array(codes, np.int8)


def assign_splits(
    spec: SplitSpec,
    *,
    label_n: np.ndarray,
    cluster_n: np.ndarray,
    group_n: np.ndarray | None,
    time_n: np.ndarray | None,
    given_n: np.ndarray | None,
    class_names: Sequence[str] = (),
) -> Splits:
    """Splits the rows.

    Example (DATE, a third for test, half of the rest for validation)::

        time     10 20 30 40 50 60
        cluster   0  1  2  3  1  4       the fifth text says what the second said
        split     0  0  1  1 -1  2       so it is set aside: NEAR_EARLIER

    Args:
      spec: how.
      label_n: int class of every row, or ``NO_LABEL``.
      cluster_n: int cluster of near duplicates of every row.
      group_n: int64 key of the user of every row, or ``NO_GROUP``; for GROUPED.
      time_n: int64 time of every row, or ``NO_TIME``; for DATE.
      given_n: int8 split that the source names (``given_split_codes``); for GIVEN.
      class_names: names of the classes, for messages.

    Raises:
      InputError: what ``spec.kind`` needs is not there, a split would be empty, or
        train would lack a class.
    """
    usable = np.flatnonzero(label_n != NO_LABEL)
    reason_n = np.full(len(label_n), Reason.NO_LABEL, np.int8)
    split_n = np.full(len(label_n), SET_ASIDE, np.int8)
    label_u = label_n[usable]
    _, cluster_u = np.unique(cluster_n[usable], return_inverse=True)
    if spec.kind is SplitKind.GIVEN:
        given_u = _needed(given_n, SET_ASIDE, usable, "a column that names the split")
        parts = _given(spec, label_u, cluster_u, given_u)
    elif spec.kind is SplitKind.DATE:
        time_u = _needed(time_n, NO_TIME, usable, "a time")
        parts = _by_date(spec, cluster_u, time_u)
    elif spec.kind is SplitKind.GROUPED:
        group_u = _needed(group_n, NO_GROUP, usable, "a user or other group")
        parts = _grouped(spec, label_u, cluster_u, group_u)
    else:
        split_u = _cut_all(spec, label_u, cluster_u)
        parts = Splits(split_u, np.zeros(len(usable), np.int8))
    split_n[usable], reason_n[usable] = parts
    splits = Splits(split_n, reason_n)
    _check(splits, label_n, class_names)
    return splits


def _needed(
    values_n: np.ndarray | None, missing: int, usable: np.ndarray, what: str
) -> np.ndarray:
    """The values of the usable rows, or an InputError where there are none at all."""
    if values_n is None or not (values_n[usable] != missing).any():
        raise InputError(
            f"This kind of split needs {what}, and no labelled row has one.",
            where="field split.kind",
            fix="Name the column, or choose split.kind=stratified.",
        )
    return values_n[usable]


def _given(
    spec: SplitSpec, label_u: np.ndarray, cluster_u: np.ndarray, given_u: np.ndarray
) -> Splits:
    """The source's own splits; the given test split is never touched."""
    split_u = given_u.astype(np.int8)
    reason_u = np.where(split_u == SET_ASIDE, Reason.NO_SPLIT, Reason.NONE)
    split_u, reason_u = _keep_latest(split_u, reason_u.astype(np.int8), cluster_u)
    wanted = ((TEST, spec.test_fraction), (VALIDATION, spec.validation_fraction))
    for split, fraction in wanted:
        if not (given_u == split).any():
            train = np.flatnonzero(split_u == TRAIN)
            shares = np.array([1.0 - fraction, fraction])
            random = np.random.default_rng((spec.seed, split))
            part = cut_units(cluster_u[train], label_u[train], shares, random)
            split_u[train[part == 1]] = split
    return Splits(split_u, reason_u)


def _by_date(spec: SplitSpec, cluster_u: np.ndarray, time_u: np.ndarray) -> Splits:
    """Train, then validation, then test; equal times are never parted."""
    timed = time_u != NO_TIME
    split_u = np.where(timed, TRAIN, SET_ASIDE).astype(np.int8)
    reason_u = np.where(timed, Reason.NONE, Reason.NO_TIME).astype(np.int8)
    wanted = ((TEST, spec.test_fraction), (VALIDATION, spec.validation_fraction))
    for split, fraction in wanted:
        rest = np.flatnonzero(split_u == TRAIN)
        if len(rest):
            late = time_u[rest] >= _cut_time(time_u[rest], fraction)
            split_u[rest[late]] = split
    first_c = np.full(cluster_u.max(initial=0) + 1, TEST, np.int8)
    np.minimum.at(first_c, cluster_u[timed], split_u[timed])
    again = timed & (split_u > first_c[cluster_u])
    split_u[again], reason_u[again] = SET_ASIDE, Reason.NEAR_EARLIER
    return Splits(split_u, reason_u)


def _cut_time(times: np.ndarray, fraction: float) -> np.integer:
    """The time from which on nearest to ``fraction`` of the rows lie."""
    values, counts = np.unique(times, return_counts=True)
    if len(values) == 1:
        return values[0]
    later = np.cumsum(counts[::-1])[::-1][1:] / len(times)
    return values[1:][np.argmin(np.abs(later - fraction))]


def _grouped(
    spec: SplitSpec, label_u: np.ndarray, cluster_u: np.ndarray, group_u: np.ndarray
) -> Splits:
    """Users stay whole, and so do clusters.

    Users who wrote the same text are kept together. Where common texts ("good product")
    would so tie a tenth of all rows into one lump, users alone are kept whole instead,
    and of a cluster on two sides the train rows (then validation rows) are set aside.
    """
    alone = group_u == NO_GROUP
    _, key_u = np.unique(group_u, return_inverse=True)
    key_u[alone] = key_u.max() + 1 + cluster_u[alone]
    reason_u = np.zeros(len(label_u), np.int8)
    joined_u = _joined(key_u, cluster_u)
    if np.bincount(joined_u).max() <= max(_CHAINED * len(joined_u), 2):
        return Splits(_cut_all(spec, label_u, joined_u), reason_u)
    return Splits(*_keep_latest(_cut_all(spec, label_u, key_u), reason_u, cluster_u))


def _joined(a_u: np.ndarray, b_u: np.ndarray) -> np.ndarray:
    """Numbers of the components that hold together rows with equal a or equal b."""
    size_a, size_b = a_u.max() + 1, b_u.max() + 1
    edges = (np.ones(len(a_u), bool), (a_u, size_a + b_u))
    graph = scipy.sparse.coo_array(edges, shape=(size_a + size_b, size_a + size_b))
    return scipy.sparse.csgraph.connected_components(graph, directed=False)[1][a_u]


def _keep_latest(
    split_u: np.ndarray, reason_u: np.ndarray, cluster_u: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Of a cluster on several sides, only the rows of the latest split stay."""
    latest_c = np.full(cluster_u.max(initial=0) + 1, SET_ASIDE, np.int8)
    np.maximum.at(latest_c, cluster_u, split_u)
    doubled = (split_u != SET_ASIDE) & (split_u < latest_c[cluster_u])
    split_u = np.where(doubled, SET_ASIDE, split_u).astype(np.int8)
    return split_u, np.where(doubled, Reason.NEAR_LATER, reason_u).astype(np.int8)


def _cut_all(spec: SplitSpec, label_u: np.ndarray, unit_u: np.ndarray) -> np.ndarray:
    """int8 split of every row, test first, then validation from the rest."""
    random = np.random.default_rng((spec.seed, TEST))
    if spec.folds:
        shares = np.full(spec.folds, 1.0 / spec.folds)
        test_u = cut_units(unit_u, label_u, shares, random) == spec.fold
    else:
        shares = np.array([1.0 - spec.test_fraction, spec.test_fraction])
        test_u = cut_units(unit_u, label_u, shares, random) == 1
    rest = np.flatnonzero(~test_u)
    shares = np.array([1.0 - spec.validation_fraction, spec.validation_fraction])
    random = np.random.default_rng((spec.seed, VALIDATION))
    part = cut_units(unit_u[rest], label_u[rest], shares, random)
    split_u = np.full(len(label_u), TEST, np.int8)
    split_u[rest] = np.where(part == 1, VALIDATION, TRAIN)
    return split_u


def _check(splits: Splits, label_n: np.ndarray, class_names: Sequence[str]) -> None:
    """No split is empty, and train has every class."""
    split_n = splits.split_n
    counts = np.bincount(split_n[split_n != SET_ASIDE], minlength=3)
    shown = ", ".join(
        f"{name} {n:,}" for name, n in zip(SPLIT_NAMES, counts, strict=True)
    )
    why = "; ".join(f"{n:,} {reason}" for reason, n in splits.set_aside().items())
    where = f"rows: {shown}" + (f"; set aside: {why}" if why else "")
    for name, count in zip(SPLIT_NAMES, counts, strict=True):
        if not count:
            raise InputError(
                f"The {name} split would be empty.",
                where=where,
                fix="Bring more rows, change the fractions, or choose another "
                "split.kind.",
            )
    present = np.unique(label_n[label_n != NO_LABEL])
    for label in np.setdiff1d(present, label_n[split_n == TRAIN]):
        named = class_names[label] if label < len(class_names) else f"number {label}"
        raise InputError(
            f"Train would have no row of class {named}.",
            where=where,
            fix="Bring more rows of it, leave the class out, or choose another seed, "
            "fold or split.kind.",
        )
