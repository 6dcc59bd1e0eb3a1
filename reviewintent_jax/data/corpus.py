"""Texts to pre-train an encoder on: of a labelled source and of others beside it.

In: the settings of the labelled source, and tables of more text. Out: :class:`Corpus`,
from which nobody can learn what fine-tuning will be tested on. The labelled source is
split exactly as fine-tuning splits it, since labels, copies and seed decide that and
nothing else; of it only the training split is read. Any other text that is equal, or
nearly equal, to a review of validation or test is left out, whatever file it stands in.

The texts are held in memory.
"""

import dataclasses
import hashlib
from collections import Counter
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from reviewintent_jax.data.checks import RejectionLog, check_row
from reviewintent_jax.data.clean import Cleaner
from reviewintent_jax.data.duplicates import DuplicateIndex, Duplicates, sign
from reviewintent_jax.data.prepared import DataSpec, Prepared
from reviewintent_jax.data.sources import SourceKind, SourceSpec, read_rows
from reviewintent_jax.data.splits import SPLIT_NAMES, TEST, TRAIN, VALIDATION
from reviewintent_jax.data.stratify import cut_units
from reviewintent_jax.schema import InputError, RawRow, Rejected, Review

NEAR_HELD_OUT = "near duplicate of a review in validation or test"
COPY = "same text as an earlier one"


@dataclasses.dataclass(frozen=True)
class CorpusSpec:
    """Which texts beside the labelled source, and how many are not learned from.

    Attributes:
      path: tables of more text: a file, a glob, or several joined by commas; '' = none.
      text: their column of text.
      held_out_fraction: share of the texts for validation, and as many again for test;
        above 0, below 0.5.
      seed: of that choice, 0 to 2**32 - 1.
    """

    path: str
    text: str
    held_out_fraction: float
    seed: int

    def __post_init__(self) -> None:
        if not 0 < self.held_out_fraction < 0.5:
            raise InputError(
                f"corpus.held_out_fraction is {self.held_out_fraction}.",
                where="field corpus.held_out_fraction",
                fix="Give a share above 0 and below 0.5.",
            )
        if self.path.strip() and not self.text:
            raise InputError(
                "The column of the other texts is not named.",
                where="field corpus.text",
                fix="Set --config.corpus.text=COLUMN.",
            )


class Corpus(NamedTuple):
    """Cleaned texts, each once.

    Attributes:
      texts: those of the labelled source first.
      split_n: int8 TRAIN, VALIDATION or TEST of pre-training; near duplicates are on
        one side.
      labelled: how many of the texts, from the first on, are of the labelled source.
      left_out: texts that are not in it, by reason.
    """

    texts: list[str]
    split_n: np.ndarray
    labelled: int
    left_out: dict[str, int]

    def of(self, split: int) -> list[str]:
        """The texts of a split."""
        return [self.texts[i] for i in np.flatnonzero(self.split_n == split)]

    def fingerprint(self) -> str:
        """Hash of all texts and of their splits."""
        digest = hashlib.sha256(self.split_n.tobytes())
        for text in self.texts:
            digest.update(text.encode("utf-8", "backslashreplace") + b"\0")
        return digest.hexdigest()

    def summary(self) -> dict[str, Any]:
        """Counts for the report (JSON-able)."""
        counts = {
            name: {"texts": int((self.split_n == code).sum())}
            for code, name in enumerate(SPLIT_NAMES)
        }
        return {
            "texts": len(self.texts),
            "of_labelled_source": self.labelled,
            "of_other_sources": len(self.texts) - self.labelled,
            "splits": counts,
            "left_out": self.left_out,
        }


def gather_corpus(
    prepared: Prepared, data: DataSpec, spec: CorpusSpec, rejected: Path
) -> Corpus:
    """The texts that may be learned from, each once, and their splits.

    Args:
      prepared: the labelled source, split as for fine-tuning.
      data: what it was prepared with; how texts are checked, cleaned and compared.
      spec: which others.
      rejected: where the rows of the others go that are set aside.

    Raises:
      InputError: a table or column of the others does not exist, or there are too few
        texts for three splits.
    """
    own = prepared.texts(prepared.reviews(TRAIN))
    barred = [*prepared.reviews(VALIDATION), *prepared.reviews(TEST)]
    held_out = prepared.texts(np.sort(np.array(barred, np.int64)))
    with RejectionLog(rejected) as log:
        others = _other_texts(data, spec, log) if spec.path.strip() else []
        texts = [*held_out, *own, *(other.text for other in others)]
        same = _compare(texts, data)
        kept_n, reasons = _may_be_read(same, len(held_out))
        for i, other in enumerate(others, len(held_out) + len(own)):
            if not kept_n[i]:
                log.add(_refused(other, spec.text, reasons[i]))
        left_out = dict(log.counts.most_common())
    counted = Counter(reasons[i] for i in range(len(held_out), len(texts)))
    left_out |= {k: v for k, v in counted.items() if k}
    chosen = np.flatnonzero(kept_n)
    split_n = _split(same.cluster_n[chosen], chosen < len(held_out) + len(own), spec)
    labelled = int(kept_n[: len(held_out) + len(own)].sum())
    return Corpus([texts[i] for i in chosen], split_n, labelled, left_out)


def _other_texts(data: DataSpec, spec: CorpusSpec, log: RejectionLog) -> list[Review]:
    """Checked and cleaned texts of the other tables."""
    names = dict.fromkeys(("title", "label", "group", "time", "split", "slice"), "")
    source = dataclasses.replace(
        data.source, kind=SourceKind.TABLE, path=spec.path, text=spec.text, **names
    )
    cleaner, found = Cleaner(data.clean), []
    for number, raw in enumerate(_rows(source)):
        review = check_row(raw, number, source, data.check)
        if isinstance(review, Rejected):
            log.add(review)
            continue
        text = cleaner(review.text)
        if text:
            found.append(review._replace(text=text))
        else:
            log.add(_refused(review, spec.text, "no text left after cleaning"))
    return found


def _rows(source: SourceSpec) -> list[RawRow]:
    """The rows; a wrong column is named as the field it was given in."""
    try:
        return list(read_rows(source))
    except InputError as error:
        fix = error.fix.replace("--config.data.", "--config.corpus.")
        raise InputError(error.what, where=error.where, fix=fix) from None


def _refused(review: Review, field: str, reason: str) -> Rejected:
    place = review.row, review.file, review.line, field
    return Rejected(*place, reason, review.text)


def _compare(texts: list[str], data: DataSpec) -> Duplicates:
    """Which texts are the same, by the rules of the labelled source."""
    index = DuplicateIndex(data.duplicates)
    index.add(sign(texts, data.duplicates))
    return index.finish()


def _may_be_read(same: Duplicates, held_out: int) -> tuple[np.ndarray, list[str]]:
    """bool [n] texts that may be learned from, and why the others may not.

    The first ``held_out`` texts may not, nor any that is nearly one of them.

    Example: texts ``a b a' c c``, one held out -> ``- x - x -``.
    """
    cluster_n = same.cluster_n
    near_n = np.isin(cluster_n, cluster_n[:held_out])
    copy_n = same.exact_first_n != np.arange(len(cluster_n))
    reasons = np.where(near_n, NEAR_HELD_OUT, np.where(copy_n, COPY, ""))
    return ~(near_n | copy_n), reasons.tolist()


def _split(
    cluster_n: np.ndarray, labelled_n: np.ndarray, spec: CorpusSpec
) -> np.ndarray:
    """int8 split of texts; both kinds of source have the same shares in each."""
    part = spec.held_out_fraction
    shares = np.array([1 - 2 * part, part, part])
    random = np.random.default_rng(spec.seed)
    split_n = cut_units(cluster_n, labelled_n.astype(int), shares, random)
    counts = np.bincount(split_n, minlength=len(SPLIT_NAMES))
    if not counts.all():
        raise InputError(
            f"{len(split_n)} texts are too few to hold some out.",
            where="group corpus",
            fix="Give more text, or a larger corpus.held_out_fraction.",
        )
    return split_n.astype(np.int8)
