"""Stages 4 and 5 without histories: labels and duplicates -> classes and splits.

In: :class:`~reviewintent_jax.data.ingest.Taken` and which texts are the same. Out:
:class:`~reviewintent_jax.data.prepared.Decided`. Every row that falls out is recorded.
"""

from typing import NamedTuple

import numpy as np
import pandas as pd

from reviewintent_jax.data.checks import RejectionLog
from reviewintent_jax.data.duplicates import Duplicates
from reviewintent_jax.data.ingest import Taken
from reviewintent_jax.data.labels import LabelMap, fit_labels
from reviewintent_jax.data.prepared import DataSpec, Decided
from reviewintent_jax.data.splits import (
    SET_ASIDE,
    TEST,
    Reason,
    SplitKind,
    assign_splits,
    given_split_codes,
)
from reviewintent_jax.schema import NO_LABEL

TORN, COPY = "same text with different labels", "same text as an earlier row"


def decide_sentiment(
    taken: Taken, duplicates: Duplicates, spec: DataSpec, log: RejectionLog
) -> Decided:
    """Classes and splits of a run that asks for sentiment alone."""
    labels = fit_labels(taken.label_counts(), spec.labels, first=taken.first_place)
    label_n = encode_labels(taken, labels)
    refuse_unlabelled(taken, label_n, labels, spec.source.label, log)
    label_n, dropped = _drop_copies(taken, label_n, duplicates, spec, log)
    split_n = split_reviews(taken, label_n, duplicates, labels.classes, spec, log)
    return decided_without(label_n, split_n, labels)._replace(
        summary={"duplicates": dropped}
    )


def decided_without(
    label_n: np.ndarray, split_n: np.ndarray, labels: LabelMap
) -> Decided:
    """A decision on reviews without histories."""
    unknown = np.full(len(label_n), np.nan, np.float32)
    return Decided(label_n, split_n, unknown, labels, None, None, None, {})


def encode_labels(taken: Taken, labels: LabelMap) -> np.ndarray:
    """int32 class of every review, or ``NO_LABEL``."""
    class_of = np.array([labels.encode(raw) for raw in taken.raw_labels], np.int32)
    return class_of[taken.raw_label_n]


def refuse_unlabelled(
    taken: Taken, label_n: np.ndarray, labels: LabelMap, column: str, log: RejectionLog
) -> None:
    """Records the reviews without a class, with the reason."""
    reasons = [labels.reason(raw) for raw in taken.raw_labels]
    for i in np.flatnonzero(label_n == NO_LABEL).tolist():
        code = taken.raw_label_n[i]
        raw = taken.raw_labels[code]
        taken.refuse(i, log, field=column, reason=reasons[code], value=raw)


class Copies(NamedTuple):
    """Reviews that lose their label to another one of the same text; bool [n].

    ``torn_n``: equal texts with different labels, of which no answer could be right.
    ``again_n``: equal texts with one label, but for the first.
    """

    torn_n: np.ndarray
    again_n: np.ndarray


def find_copies(
    label_n: np.ndarray, exact_first_n: np.ndarray, exempt_n: np.ndarray
) -> Copies:
    """Judges the labelled reviews that are not exempt.

    Example: texts ``a a b b c``, labels ``1 1 0 1 0`` -> again ``- x - - -``, torn
    ``- - x x -``.
    """
    judged = np.flatnonzero((label_n != NO_LABEL) & ~exempt_n)
    text = pd.Series(exact_first_n[judged])
    ways = pd.Series(label_n[judged]).groupby(text).transform("nunique").to_numpy()
    copies = Copies(np.zeros(len(label_n), bool), np.zeros(len(label_n), bool))
    copies.torn_n[judged[ways > 1]] = True
    copies.again_n[judged[(ways == 1) & text.duplicated().to_numpy()]] = True
    return copies


def exempt_reviews(taken: Taken, spec: DataSpec) -> np.ndarray:
    """bool [n], the test split that the source itself gives: it is left as it is."""
    if spec.split.kind is not SplitKind.GIVEN:
        return np.zeros(len(taken.row_n), bool)
    return _given_codes(taken) == TEST


def count_near(cluster_n: np.ndarray) -> int:
    """How many of some reviews have a near duplicate among them."""
    if not len(cluster_n):
        return 0
    return int((np.bincount(cluster_n) > 1)[cluster_n].sum())


def _drop_copies(
    taken: Taken,
    label_n: np.ndarray,
    duplicates: Duplicates,
    spec: DataSpec,
    log: RejectionLog,
) -> tuple[np.ndarray, dict[str, int]]:
    """Takes the label from copies, and from texts labelled in two ways.

    Returns the labels and how many copies there were.
    """
    exempt_n = exempt_reviews(taken, spec)
    copies = find_copies(label_n, duplicates.exact_first_n, exempt_n)
    label_n = label_n.copy()
    for chosen_n, reason in ((copies.torn_n, TORN), (copies.again_n, COPY)):
        for i in np.flatnonzero(chosen_n).tolist():
            taken.refuse(i, log, field=spec.source.text, reason=reason)
        label_n[chosen_n] = NO_LABEL
    near = count_near(duplicates.cluster_n[label_n != NO_LABEL])
    exact, torn = int(copies.again_n.sum()), int(copies.torn_n.sum())
    return label_n, {"exact": exact, "torn": torn, "near": near}


def _given_codes(taken: Taken) -> np.ndarray:
    return given_split_codes(taken.given_splits)[taken.given_split_n]


def split_reviews(
    taken: Taken,
    label_n: np.ndarray,
    duplicates: Duplicates,
    classes: tuple[str, ...],
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
        class_names=classes,
    )
    refused = (splits.split_n == SET_ASIDE) & (label_n != NO_LABEL)
    for i in np.flatnonzero(refused).tolist():
        taken.refuse(i, log, field="", reason=Reason(splits.reason_n[i]).sentence)
    return splits.split_n
