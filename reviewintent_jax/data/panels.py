"""Reviews -> a panel: groups x periods, with the share of positive and recommending
reviews and the log volume of each.

::

    group tea, by month     Jan  Feb  Mar  Apr         reviews: 2  0  1  3
    positive                0.5   ?   1.0  0.33        ? = nobody said: unknown
    log_volume              1.10 0.00 0.69 1.39        log(1 + reviews)

A period without reviews has volume 0, which is a fact, and unknown shares. Before its
first review a group does not exist. The last period of the data is left out where the
data end before it does: half a month of reviews is no month.
"""

import dataclasses
import hashlib
import json
from collections import Counter
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from reviewintent_jax.data.checks import RejectionLog
from reviewintent_jax.data.labels import LabelMap, LabelSpec, fit_labels
from reviewintent_jax.data.panel_rows import FLAGS, PanelRows, PanelSpec
from reviewintent_jax.data.periods import Period, last_whole
from reviewintent_jax.schema import NO_LABEL, InputError

POSITIVE, RECOMMENDING, VOLUME = "positive", "recommending", "log_volume"
"""The measures, in their order; the first two are shares from 0 to 1."""

ALL = "all reviews"
"""Name of the one group where no column of groups is named."""

MAX_CELLS = 100_000_000
"""Groups x periods x measures that are held at once: 1 GB."""


class Facts(NamedTuple):
    """What became of the rows, for people.

    Attributes:
      rows: read.
      set_aside: reason -> rows that count nowhere.
      unread: measure -> reason -> answers that count in no share.
      incomplete: rows of the last period, which the data do not reach the end of.
      incomplete_period: its name; empty where the last period is whole.
      few: groups left out since they have fewer reviews than a window needs.
      few_reviews: their reviews.
      labels: how answers became positive or not, in words; empty without such.
    """

    rows: int
    set_aside: dict[str, int]
    unread: dict[str, dict[str, int]]
    incomplete: int
    incomplete_period: str
    few: int
    few_reviews: int
    labels: str


@dataclasses.dataclass(frozen=True, eq=False)
class Panel:
    """Groups x periods.

    Attributes:
      period: day, week or month.
      first: number of the first period; the others follow one by one.
      groups: [g], names, sorted.
      measures: [s], names.
      reviews_gt: [g, t] int32, reviews.
      value_gts: [g, t, s] float64; nan where unknown, and before the group's first
        review.
      facts: what became of the rows.
    """

    period: Period
    first: int
    groups: tuple[str, ...]
    measures: tuple[str, ...]
    reviews_gt: np.ndarray
    value_gts: np.ndarray
    facts: Facts

    @property
    def periods(self) -> int:
        """Number of periods t."""
        return self.reviews_gt.shape[1]

    @property
    def begin_g(self) -> np.ndarray:
        """[g], column of the first review of each group."""
        return (self.reviews_gt > 0).argmax(axis=1)

    def carried(self) -> np.ndarray:
        """[g, t, s], unknown values replaced by the last known one before, if any.

        Example: ``[nan, 0.5, nan, 1.0]`` -> ``[nan, 0.5, 0.5, 1.0]``.
        """
        known_gts = ~np.isnan(self.value_gts)
        at_t = np.arange(self.periods)[None, :, None]
        last_gts = np.maximum.accumulate(np.where(known_gts, at_t, 0), axis=1)
        return np.take_along_axis(self.value_gts, last_gts, axis=1)

    def name(self, column: int) -> str:
        """What people call a period; columns beyond the panel lie in the future."""
        return self.period.name(self.first + column)

    def summary(self) -> dict[str, Any]:
        """What it is and what became of the rows, as plain JSON values."""
        return {
            **self.facts._asdict(),
            "reviews": int(self.reviews_gt.sum()),
            "groups": len(self.groups),
            "periods": self.periods,
            "from": self.name(0),
            "to": self.name(self.periods - 1),
        }

    def fingerprint(self) -> str:
        """Hash of names and values: another one means other data."""
        words = [self.period, self.first, *self.measures, *self.groups]
        digest = hashlib.sha256("\n".join(map(str, words)).encode())
        digest.update(np.ascontiguousarray(self.reviews_gt).tobytes())
        digest.update(np.ascontiguousarray(self.value_gts).tobytes())
        return digest.hexdigest()

    def save(self, path: Path) -> None:
        """Writes the panel as one ``.npz``, whole or not at all."""
        part = path.with_name(path.name + ".part.npz")
        words = {
            "period": self.period,
            "first": self.first,
            "groups": self.groups,
            "measures": self.measures,
            "facts": self.facts._asdict(),
        }
        np.savez_compressed(
            part,
            words=np.array(json.dumps(words)),
            reviews_gt=self.reviews_gt,
            value_gts=self.value_gts,
        )
        part.replace(path)

    @classmethod
    def load(cls, path: Path) -> "Panel":
        """Reads what :meth:`save` wrote."""
        with np.load(path) as stored:
            words = json.loads(str(stored["words"]))
            reviews_gt, value_gts = stored["reviews_gt"], stored["value_gts"]
        return cls(
            period=Period(words["period"]),
            first=words["first"],
            groups=tuple(words["groups"]),
            measures=tuple(words["measures"]),
            reviews_gt=reviews_gt,
            value_gts=value_gts,
            facts=Facts(**words["facts"]),
        )


def fit_positive(rows: PanelRows, spec: PanelSpec, labels: LabelSpec) -> LabelMap:
    """Decides which answers of the column ``positive`` mean what.

    Returns:
      The map; empty where no such column is named.

    Raises:
      InputError: the answers do not fit ``labels``, or none of their classes is
        ``spec.positive_class``.
    """
    if not spec.positive:
        return LabelMap.empty()
    counts = Counter(rows.positive_n.tolist())
    written = {text: counts[code] for code, text in enumerate(rows.positive)}

    def first(raws: Any) -> str:
        codes = [rows.positive.index(raw) for raw in raws]
        i = int(np.isin(rows.positive_n, codes).argmax())
        return f"{rows.files[rows.file_n[i]]}, line {rows.line_n[i]} (the first)"

    try:
        fitted = fit_labels(written, labels, first=first, min_rows=0)
    except InputError as error:
        where = error.where.replace("the label column", f"column {spec.positive}")
        fix = error.fix.replace("data.label", "data.positive")
        raise InputError(error.what, where=where, fix=fix) from None
    if spec.positive_class not in fitted.classes:
        raise InputError(
            f"No class of column {spec.positive!r} is called {spec.positive_class!r}; "
            f"there are: {', '.join(fitted.classes)}.",
            where="field data.positive_class",
            fix="Set --config.data.positive_class=NAME, the class whose share counts.",
        )
    return fitted


def build_panel(
    rows: PanelRows,
    spec: PanelSpec,
    positive: LabelMap,
    log: RejectionLog,
    *,
    min_reviews: int,
) -> Panel:
    """Counts the rows of every group and period.

    Args:
      rows: as they were read.
      spec: what they are counted by.
      positive: from :func:`fit_positive`, or from the run that asks.
      log: takes every answer that has no class, with its reason.
      min_reviews: groups with fewer are left out, and counted.

    Raises:
      InputError: nothing is left, or more cells than memory should hold.
    """
    set_aside = dict(log.counts)
    grid = _grid(rows, spec, min_reviews)
    reviews_gt, values, unread = grid.count(grid.used_n), [], {}
    measures = [name for name in (POSITIVE, RECOMMENDING) if getattr(spec, name)]
    _refuse_too_many(grid.shape, len(measures) + 1)
    for name in measures:
        read = positive if name == POSITIVE else FLAGS
        wanted = read.classes.index(spec.positive_class) if name == POSITIVE else 1
        label_n, unread[name] = _read(rows, spec, name, read, log)
        known_gt = grid.count(label_n != NO_LABEL)
        with np.errstate(invalid="ignore"):  # nobody said: nan
            values.append(grid.count(label_n == wanted) / known_gt)
    exists_gt = np.maximum.accumulate(reviews_gt > 0, axis=1)
    values.append(np.where(exists_gt, np.log1p(reviews_gt), np.nan))
    whole, used = int(grid.whole_n.sum()), int(grid.used_n.sum())
    incomplete = len(rows.time_n) - whole
    after = grid.first + grid.shape[1]
    facts = Facts(
        rows=rows.rows,
        set_aside=set_aside,
        unread=unread,
        incomplete=incomplete,
        incomplete_period=spec.period.name(after) if incomplete else "",
        few=len(rows.groups) - len(grid.kept),
        few_reviews=whole - used,
        labels=positive.describe() if positive.rows else "",
    )
    return Panel(
        period=spec.period,
        first=grid.first,
        groups=tuple(rows.groups[g] or ALL for g in grid.kept),
        measures=(*measures, VOLUME),
        reviews_gt=reviews_gt.astype(np.int32),
        value_gts=np.stack(values, axis=-1),
        facts=facts,
    )


class _Grid(NamedTuple):
    """Where rows count.

    Attributes:
      kept: groups that stay, as numbers of ``PanelRows.groups``, in order.
      first: number of the first period.
      shape: groups and periods.
      whole_n, used_n: bool, rows of whole periods; those of them in groups that stay.
      cell_n: cell of each row; means nothing where the row is not used.
    """

    kept: list[int]
    first: int
    shape: tuple[int, int]
    whole_n: np.ndarray
    used_n: np.ndarray
    cell_n: np.ndarray

    def count(self, which_n: np.ndarray) -> np.ndarray:
        """[g, t], how many of some rows are used in each cell."""
        cell_m = self.cell_n[which_n & self.used_n]
        cells = np.bincount(cell_m, minlength=self.shape[0] * self.shape[1])
        return cells.reshape(self.shape)


def _grid(rows: PanelRows, spec: PanelSpec, min_reviews: int) -> _Grid:
    number_n = spec.period.number(rows.time_n)
    end = last_whole(spec.period, rows.time_n)
    whole_n = number_n <= end
    count_g = np.bincount(rows.group_n[whole_n], minlength=len(rows.groups))
    order = sorted(range(len(rows.groups)), key=rows.groups.__getitem__)
    kept = [g for g in order if count_g[g] >= max(min_reviews, 1)]
    _refuse_nothing(rows, spec, kept, min_reviews, whole_n)
    place_g = np.full(len(rows.groups), -1)
    place_g[kept] = np.arange(len(kept))
    place_n = place_g[rows.group_n]
    used_n = whole_n & (place_n >= 0)
    first = int(number_n[used_n].min())
    shape = len(kept), end - first + 1
    cell_n = place_n * shape[1] + number_n - first
    return _Grid(kept, first, shape, whole_n, used_n, cell_n)


def _read(
    rows: PanelRows, spec: PanelSpec, name: str, read: LabelMap, log: RejectionLog
) -> tuple[np.ndarray, dict[str, int]]:
    """Class of every row's answer, and why some have none."""
    column, texts = getattr(spec, name), getattr(rows, name)
    code_n = getattr(rows, f"{name}_n")
    label_n = np.array([read.encode(text) for text in texts])[code_n]
    reasons = [f"counted in volume alone: {read.reason(text)}" for text in texts]
    unread: Counter[str] = Counter()
    for i in np.flatnonzero(label_n == NO_LABEL):
        code = code_n[i]
        rows.refuse(int(i), log, column, reasons[code], texts[code])
        unread[read.reason(texts[code])] += 1
    if len(label_n) and (label_n == NO_LABEL).all():
        most, n = unread.most_common(1)[0]
        raise InputError(
            f"No answer of column {column!r} can be read: {most} ({n:,} rows).",
            where=f"field data.{name}",
            fix=f"Name another column with --config.data.{name}=COLUMN; '' = none.",
        )
    return label_n, dict(unread)


def _refuse_nothing(
    rows: PanelRows, spec: PanelSpec, kept: list, min_reviews: int, whole_n: np.ndarray
) -> None:
    if not whole_n.any():
        raise InputError(
            f"All {len(rows.time_n):,} reviews lie in one {spec.period} that the data "
            "do not reach the end of.",
            where=f"column {spec.time}",
            fix="Give reviews of a longer time, or a shorter --config.data.period.",
        )
    if not kept:
        raise InputError(
            f"None of the {len(rows.groups):,} groups of column {spec.group!r} has "
            f"{min_reviews} reviews.",
            where="fields data.group, windows.min_reviews",
            fix="Name a column with fewer, larger groups (a product or a category, not "
            "a reviewer), or lower --config.windows.min_reviews.",
        )


def _refuse_too_many(shape: tuple[int, int], measures: int) -> None:
    if shape[0] * shape[1] * measures > MAX_CELLS:
        raise InputError(
            f"{shape[0]:,} groups by {shape[1]:,} periods are more than are held at "
            "once.",
            where="fields data.group, data.period",
            fix="Choose a longer --config.data.period, or raise "
            "--config.windows.min_reviews, which leaves small groups out.",
        )
