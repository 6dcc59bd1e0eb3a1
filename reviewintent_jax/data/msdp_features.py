"""Stages 6 to 8 for cases: what is fitted on training cases alone, and batches.

In: :class:`~reviewintent_jax.data.msdp_cases.Cases`. Out: :class:`~reviewintent_jax.
schema.CaseBatch` of a fixed number of cases, standardised and numbered. An item or a
category that no training case has is one more, unknown one.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from reviewintent_jax.data.msdp_cases import Cases
from reviewintent_jax.data.msdp_schema import MsdpSchema
from reviewintent_jax.data.msdp_specs import DAY
from reviewintent_jax.data.splits import TRAIN
from reviewintent_jax.schema import NO_LABEL, CaseBatch

EVENT_NUMBERS = ("log_value", "no_value", "log_gap", "no_gap", "log_age")
"""What is read of an event beside its kind and its item: log(1 + |value|) with its
sign, whether there is none, log(1 + days since the event before), whether there is
none, log(1 + days to the moment of the case)."""

UNKNOWN = 1
"""Number of an item or category that training does not know; 0 = missing."""


class Standard(NamedTuple):
    """``(x - mean) / spread``, each float64 [f]; a constant is divided by 1."""

    mean_f: np.ndarray
    spread_f: np.ndarray

    @classmethod
    def fit(cls, x_nf: np.ndarray) -> "Standard":
        """Of the finite cells of each column; a column without any is left as it is."""
        known = np.isfinite(x_nf)
        count = np.maximum(known.sum(axis=0), 1)
        mean = np.where(known, x_nf, 0.0).sum(axis=0) / count
        square = np.where(known, (x_nf - mean) ** 2, 0.0).sum(axis=0) / count
        spread = np.sqrt(square)
        return cls(mean, np.where(spread > 1e-12, spread, 1.0))

    def apply(self, x_nf: np.ndarray) -> np.ndarray:
        """float32; what is missing becomes the mean, 0. Cut at 10 deviations."""
        scaled = (x_nf - self.mean_f) / self.spread_f
        return np.clip(np.nan_to_num(scaled), -10, 10).astype(np.float32)


class MsdpFit(NamedTuple):
    """What training cases say of scales and vocabularies.

    Attributes:
      kinds: of events, known.
      items: known, the commonest first.
      categories: column -> known names.
      numbers: names of the numbers.
      event: scale of ``EVENT_NUMBERS``.
      number: scale of the numbers.
      value: mean and deviation of log(1 + value) among the answers, [1].
    """

    kinds: tuple[str, ...]
    items: tuple[str, ...]
    categories: dict[str, tuple[str, ...]]
    numbers: tuple[str, ...]
    event: Standard
    number: Standard
    value: Standard

    def to_dict(self) -> dict[str, Any]:
        """The same as plain JSON values."""
        plain = {
            name: {"mean": part.mean_f.tolist(), "spread": part.spread_f.tolist()}
            for name, part in (
                ("event", self.event),
                ("number", self.number),
                ("value", self.value),
            )
        }
        return {
            "kinds": list(self.kinds),
            "items": list(self.items),
            "categories": {k: list(v) for k, v in self.categories.items()},
            "numbers": list(self.numbers),
            **plain,
        }

    @classmethod
    def from_dict(cls, stored: Mapping[str, Any]) -> "MsdpFit":
        """The inverse of ``to_dict``."""
        scales = {
            name: Standard(
                np.array(stored[name]["mean"]), np.array(stored[name]["spread"])
            )
            for name in ("event", "number", "value")
        }
        return cls(
            kinds=tuple(stored["kinds"]),
            items=tuple(stored["items"]),
            categories={k: tuple(v) for k, v in stored["categories"].items()},
            numbers=tuple(stored["numbers"]),
            **scales,
        )


def fit_features(cases: Cases, schema: MsdpSchema) -> MsdpFit:
    """Fits scales and vocabularies on the training cases, and on their events alone."""
    rows = cases.rows(TRAIN)
    kinds: tuple[str, ...] = ()
    items: tuple[str, ...] = ()
    event = Standard(np.zeros(len(EVENT_NUMBERS)), np.ones(len(EVENT_NUMBERS)))
    if cases.events is not None:
        events = cases.events
        read = _read_events(cases, rows, schema.events.recent)
        flat = np.unique(read[read >= 0])
        kinds = tuple(events.kinds[k] for k in np.unique(events.kind_e[flat]))
        item_e = events.item_e[flat]
        count_i = np.bincount(item_e[item_e >= 0], minlength=len(events.items))
        order = np.argsort(-count_i, kind="stable")[: schema.events.max_items]
        items = tuple(events.items[i] for i in order if count_i[i] > 1)
        numbers = event_numbers(cases, rows, schema.events.recent)
        event = Standard.fit(numbers[read >= 0])
    categories = {}
    for c, (column, names) in enumerate(cases.categories.items()):
        seen = np.unique(cases.category_nc[rows, c])
        categories[column] = tuple(names[code] for code in seen if code >= 0)
    log_n = np.log1p(cases.targets.value_n[rows])[:, None]
    return MsdpFit(
        kinds=kinds,
        items=items,
        categories=categories,
        numbers=cases.numbers,
        event=event,
        number=Standard.fit(cases.number_nf[rows]),
        value=Standard.fit(log_n),
    )


def _read_events(cases: Cases, rows: np.ndarray, recent: int) -> np.ndarray:
    """int64 [n, e] the newest events of cases, newest last; -1 on the left."""
    age = np.arange(recent)[::-1]
    index = cases.end_n[rows][:, None] - 1 - age
    return np.where(index >= cases.first_n[rows][:, None], index, -1)


def event_numbers(cases: Cases, rows: np.ndarray, recent: int) -> np.ndarray:
    """float64 [n, e, 5] ``EVENT_NUMBERS`` of the newest events; NaN where missing."""
    assert cases.events is not None
    events, read = cases.events, _read_events(cases, rows, recent)
    value = events.value_e[read]
    first = read == cases.first_n[rows][:, None]
    gap = (events.time_e[read] - events.time_e[read - 1]) / DAY
    age = (cases.moment_n[rows][:, None] - events.time_e[read]) / DAY
    return np.stack(
        [
            np.sign(value) * np.log1p(np.abs(value)),
            np.isnan(value).astype(np.float64),
            np.where(first, np.nan, np.log1p(np.maximum(gap, 0))),
            first.astype(np.float64),
            np.log1p(np.maximum(age, 0)),
        ],
        axis=-1,
    )


class MsdpData:
    """Cases as the network reads them: batches of any of them.

    Args:
      cases: all of them.
      fit: scales and vocabularies.
      schema: the declaration.
      vector_vd: float32 vectors of the distinct texts; [0, d] where there are none.
    """

    def __init__(
        self, cases: Cases, fit: MsdpFit, schema: MsdpSchema, vector_vd: np.ndarray
    ) -> None:
        self.cases, self.fit, self.schema = cases, fit, schema
        self._vector_vd = vector_vd
        rows = np.arange(len(cases.names))
        self._number_nf = self._structured(rows)
        self._category_nc = _renumbered(cases, fit)
        self._item_e, self._kind_e = _event_codes(cases, fit)
        value_n = np.log1p(cases.targets.value_n)[:, None]
        self._known_value_n = np.isfinite(value_n[:, 0])
        self._value_n = fit.value.apply(value_n)[:, 0]
        ends = np.array(schema.targets.interval_days)
        self._interval_n, self._came_n = intervals_of(
            cases.targets.days_n, cases.targets.came_n, cases.targets.followed_n, ends
        )

    def targets(self, split: int) -> np.ndarray:
        """Cases of a split."""
        return self.cases.rows(split)

    def intervals(self, row_n: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """:func:`intervals_of` some cases."""
        return self._interval_n[row_n], self._came_n[row_n]

    def _structured(self, rows: np.ndarray) -> np.ndarray:
        """Standardised numbers, then a flag for each whether it is missing."""
        number_nf = self.cases.number_nf[rows]
        missing = np.isnan(number_nf).astype(np.float32)
        return np.concatenate([self.fit.number.apply(number_nf), missing], axis=1)

    def batch(self, row_n: np.ndarray, size: int) -> CaseBatch:
        """Up to ``size`` cases; the places that are left, and those of -1, are empty.

        An empty place has no source, no answer and no weight.
        """
        rows = np.full(size, -1, np.int32)
        rows[: len(row_n)] = row_n
        filled, safe = rows >= 0, np.maximum(rows, 0)
        cases, recent = self.cases, self.schema.events.recent
        there_bi = filled[:, None] & self.present(safe)
        if cases.events is None:
            event_number = np.zeros((size, recent, len(EVENT_NUMBERS)), np.float32)
            kind = item = np.zeros((size, recent), np.int32)
            length = np.zeros(size, np.int32)
        else:
            read = _read_events(cases, safe, recent)
            numbers = event_numbers(cases, safe, recent)
            event_number = self.fit.event.apply(numbers)
            event_number[read < 0] = 0.0
            kind = np.where(read >= 0, self._kind_e[read], 0)
            item = np.where(read >= 0, self._item_e[read], 0)
            length = (read >= 0).sum(axis=1).astype(np.int32) * there_bi[:, 1]
        text_bk = np.where(filled[:, None], cases.text_nk[safe], -1)
        vector_bkd = np.zeros((*text_bk.shape, self._vector_vd.shape[1]), np.float32)
        vector_bkd[text_bk >= 0] = self._vector_vd[text_bk[text_bk >= 0]]
        timed = filled & (self._interval_n[safe] >= 0)
        return CaseBatch(
            event_number_bex=event_number,
            event_kind_be=kind.astype(np.int32),
            event_item_be=item.astype(np.int32),
            event_length_b=length.astype(np.int32),
            text_bkd=vector_bkd,
            text_there_bk=text_bk >= 0,
            category_bc=self._category_nc[safe],
            number_bf=self._number_nf[safe],
            there_bi=there_bi,
            intent_b=np.where(filled, cases.targets.intent_n[safe], NO_LABEL),
            value_b=np.where(self._known_value_n[safe], self._value_n[safe], 0.0),
            value_known_b=(filled & self._known_value_n[safe]).astype(np.float32),
            interval_b=np.where(timed, self._interval_n[safe], -1).astype(np.int32),
            came_b=(timed & self._came_n[safe]).astype(np.float32),
            row_b=rows,
        )

    def present(self, row_n: np.ndarray) -> np.ndarray:
        """bool [n, 3] which of text, behaviour and structured each case has."""
        cases = self.cases
        structured = np.isfinite(cases.number_nf[row_n]).any(axis=1)
        structured |= (cases.category_nc[row_n] >= 0).any(axis=1)
        return np.stack(
            [
                (cases.text_nk[row_n] >= 0).any(axis=1),
                cases.end_n[row_n] > cases.first_n[row_n],
                structured,
            ],
            axis=1,
        )


def intervals_of(
    days_n: np.ndarray, came_n: np.ndarray, followed_n: np.ndarray, end_j: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Interval of each event, or the number of intervals a censored case survived.

    Interval j holds days in ``(end[j-1], end[j]]``. A case that is censored within an
    interval is taken to have survived the intervals before it alone. So is one whose
    event came in an interval that it was not followed to the end of: of such an
    interval only the events would count, and never who has none. What comes after the
    last end has survived them all.

    Example: ends 7, 14, 30; days 7, 8, 40, and 20 censored -> intervals 0, 1, 3, 2,
    of which the first two came.

    Args:
      days_n: days to the event or to the end of follow-up; NaN unknown.
      came_n: bool, the event was seen.
      followed_n: days for which each case was, or would have been, followed.
      end_j: ends of the intervals, ascending.

    Returns:
      int32 [n], 0 to j, -1 where nothing is known; bool [n], whether the event came in
      that interval.
    """
    known_n = np.isfinite(days_n)
    safe_n = np.where(known_n, days_n, 0.0)
    inside_n = np.searchsorted(end_j, safe_n, side="left")
    survived_n = np.searchsorted(end_j, safe_n, side="right")
    whole_n = np.searchsorted(end_j, followed_n, side="right")
    came = came_n & known_n & (inside_n < whole_n)
    interval = np.where(came_n, inside_n, survived_n)
    return np.where(known_n, interval, -1).astype(np.int32), came


def _renumbered(cases: Cases, fit: MsdpFit) -> np.ndarray:
    """int32 [n, c] 0 missing, 1 unknown to training, 2 ... known names."""
    columns = []
    for c, (column, names) in enumerate(cases.categories.items()):
        number = {name: code for code, name in enumerate(fit.categories[column], 2)}
        code_v = np.array([0] + [number.get(name, UNKNOWN) for name in names])
        columns.append(code_v[cases.category_nc[:, c] + 1])
    if not columns:
        return np.zeros((len(cases.names), 0), np.int32)
    return np.stack(columns, axis=1).astype(np.int32)


def _event_codes(cases: Cases, fit: MsdpFit) -> tuple[np.ndarray, np.ndarray]:
    """int32 [e] numbers of items and of kinds: 0 missing, 1 unknown, 2 ... known."""
    if cases.events is None:
        return np.zeros(0, np.int32), np.zeros(0, np.int32)
    found = []
    for names, known, code_e in (
        (cases.events.items, fit.items, cases.events.item_e),
        (cases.events.kinds, fit.kinds, cases.events.kind_e),
    ):
        number = {name: code for code, name in enumerate(known, 2)}
        code_v = np.array([0] + [number.get(name, UNKNOWN) for name in names])
        found.append(code_v[code_e + 1].astype(np.int32))
    return found[0], found[1]


def blank_batch(schema: MsdpSchema, fit: MsdpFit, text_features: int) -> CaseBatch:
    """One empty case of the right shapes."""
    recent = schema.events.recent
    texts = bool(schema.data.texts)
    texts += schema.events.recent_texts * bool(schema.events.texts)
    return CaseBatch(
        event_number_bex=np.zeros((1, recent, len(EVENT_NUMBERS)), np.float32),
        event_kind_be=np.zeros((1, recent), np.int32),
        event_item_be=np.zeros((1, recent), np.int32),
        event_length_b=np.zeros(1, np.int32),
        text_bkd=np.zeros((1, texts, text_features), np.float32),
        text_there_bk=np.zeros((1, texts), bool),
        category_bc=np.zeros((1, len(fit.categories)), np.int32),
        number_bf=np.zeros((1, 2 * len(fit.numbers)), np.float32),
        there_bi=np.zeros((1, 3), bool),
        intent_b=np.full(1, NO_LABEL, np.int32),
        value_b=np.zeros(1, np.float32),
        value_known_b=np.zeros(1, np.float32),
        interval_b=np.full(1, -1, np.int32),
        came_b=np.zeros(1, np.float32),
        row_b=np.full(1, -1, np.int32),
    )
