"""A numeric table -> scaled windows in time order, and training batches of them.

A window of w steps ends ``horizon`` steps before the row it is to forecast::

    rows      0  1  2  3  4  5  6  7  8  9       window 3, horizon 2, splits 6 : 2 : 2
    train     [0  1  2]    4                     targets 4, 5
                 [1  2  3]    5
    validation      [2  3  4]    6               targets 6, 7
    test                  [4  5  6]    8         targets 8, 9

A target belongs to the split in which its row lies; the window before it may reach back
into the split before, whose values are past by then. This is how the authors' code
splits. What the scale is fitted on are the rows of training alone, unless a config says
otherwise by name.
"""

import dataclasses
import enum
from collections.abc import Iterator
from typing import Any, NamedTuple, Protocol

import numpy as np

from reviewintent_jax.data.batches import Portion, Position, Rows, all_rows
from reviewintent_jax.data.series import Series
from reviewintent_jax.data.splits import SPLIT_NAMES, TEST, TRAIN, VALIDATION
from reviewintent_jax.schema import ArrayLike, InputError

_LEAST_TARGETS = {TRAIN: 1, VALIDATION: 2, TEST: 2}  # one value has no spread to score


class ScaleKind(enum.StrEnum):
    """What every series is divided by before the model sees it."""

    NONE = "none"
    MAX = "max"  # its largest absolute value, as in the authors' code
    STANDARD = "standard"  # its standard deviation, after its mean is taken off


class ScaleFit(enum.StrEnum):
    """Which rows the scale is fitted on."""

    TRAIN = "train"
    ALL = "all"  # test rows too, as in the authors' code: for parity only


@dataclasses.dataclass(frozen=True)
class WindowSpec:
    """How a table becomes windows.

    Attributes:
      window: steps that a forecast reads, 1 or more.
      horizon: steps from the last of them to the one that is forecast, 1 or more.
      train_fraction: of the rows, the oldest, in (0, 1).
      validation_fraction: of the rows, those after them, in (0, 1); the rest is test.
      scale: what every series is divided by.
      scale_fit: which rows that is fitted on.
    """

    window: int
    horizon: int
    train_fraction: float
    validation_fraction: float
    scale: ScaleKind
    scale_fit: ScaleFit

    def __post_init__(self) -> None:
        for name in ("window", "horizon"):
            if getattr(self, name) < 1:
                raise InputError(
                    f"windows.{name} is {getattr(self, name)}.",
                    where=f"field windows.{name}",
                    fix="Give 1 or more.",
                )
        shares = self.train_fraction, self.validation_fraction
        if min(shares) <= 0 or sum(shares) >= 1:
            raise InputError(
                f"The shares of training and validation are {shares[0]} and "
                f"{shares[1]}.",
                where="fields windows.train_fraction, windows.validation_fraction",
                fix="Both must be above 0, and their sum below 1: the rest is test.",
            )

    def borders(self, rows: int) -> tuple[int, int]:
        """First rows of validation and of test (rounded down, as the authors do)."""
        train = int(self.train_fraction * rows)
        return train, int((self.train_fraction + self.validation_fraction) * rows)


class Scale(NamedTuple):
    """``scaled = (value - shift) / spread``, each [s], float64; spread is never 0."""

    shift_s: np.ndarray
    spread_s: np.ndarray

    def forward(self, value_ts: np.ndarray) -> np.ndarray:
        """Scaled values, float64."""
        return (value_ts - self.shift_s) / self.spread_s

    def back(self, scaled_ts: np.ndarray) -> np.ndarray:
        """Values in the table's units, float64."""
        return scaled_ts.astype(np.float64) * self.spread_s + self.shift_s


def fit_scale(value_ts: np.ndarray, kind: ScaleKind) -> Scale:
    """Scale of each series; one that cannot be scaled (all zero, or constant for
    ``standard``) is divided by 1.
    """
    series = value_ts.shape[-1]
    shift_s, spread_s = np.zeros(series), np.ones(series)
    if kind is ScaleKind.MAX:
        spread_s = np.abs(value_ts).max(axis=0)
    if kind is ScaleKind.STANDARD:
        shift_s, spread_s = value_ts.mean(axis=0), value_ts.std(axis=0)
        # The mean of equal values is rounded, so their deviation may miss zero.
        spread_s = np.where(np.ptp(value_ts, axis=0) == 0, 0.0, spread_s)
    return Scale(shift_s, np.where(spread_s == 0, 1.0, spread_s))


class WindowBatch(NamedTuple):
    """Windows and what follows them, scaled.

    Attributes:
      value_bts: float32 [b, t, s], windows, oldest step first.
      target_bs: float32 [b, s], the values to forecast.
      weight_b: float32, 1; 0 where the place is empty.
      row_b: int32, row of the target in the table, from 0; -1 where empty.
    """

    value_bts: ArrayLike
    target_bs: ArrayLike
    weight_b: ArrayLike
    row_b: ArrayLike


class Windows:
    """All windows of a table.

    Attributes:
      series, spec: the table, and how it is cut.
      scale: fitted as ``spec`` says.
    """

    def __init__(self, series: Series, spec: WindowSpec) -> None:
        self.series, self.spec = series, spec
        rows = len(series.value_ts)
        train, validation = spec.borders(rows)
        first = spec.window + spec.horizon - 1
        self._targets = {
            TRAIN: np.arange(first, max(train, first)),
            VALIDATION: np.arange(max(train, first), max(validation, first)),
            TEST: np.arange(max(validation, first), max(rows, first)),
        }
        _check_counts(self._targets, series, spec)
        fitted = series.value_ts[: rows if spec.scale_fit is ScaleFit.ALL else train]
        self.scale = fit_scale(fitted, spec.scale)
        with np.errstate(over="ignore"):
            self._scaled_ts = self.scale.forward(series.value_ts).astype(np.float32)
        if not np.isfinite(self._scaled_ts).all():
            raise InputError(
                "Values are too large for 32 bits.",
                where=series.file,
                fix="Set --config.windows.scale=max, or use larger units.",
            )

    def targets(self, split: int) -> np.ndarray:
        """Rows of the table that are to be forecast in a split, in time order."""
        return self._targets[split]

    def constant(self) -> list[str]:
        """Series that never change before the first validation row."""
        train = self.series.value_ts[: self.targets(VALIDATION)[0]]
        names, same = self.series.names, np.ptp(train, axis=0) == 0
        return [name for name, is_same in zip(names, same, strict=True) if is_same]

    def batch(self, row_n: np.ndarray, size: int) -> WindowBatch:
        """Windows of up to ``size`` targets; the places that are left stay empty.

        So does the place of a target of -1.
        """
        spec, rows = self.spec, np.full(size, -1, np.int32)
        rows[: len(row_n)] = row_n
        filled = rows >= 0
        # An empty place reads the first window, so that nothing is ever out of range.
        safe = np.where(filled, rows, spec.window + spec.horizon - 1)
        steps = np.arange(spec.window) - (spec.window + spec.horizon - 1)
        return WindowBatch(
            value_bts=self._scaled_ts[safe[:, None] + steps],
            target_bs=self._scaled_ts[safe],
            weight_b=filled.astype(np.float32),
            row_b=rows,
        )

    def truth(self, row_n: np.ndarray) -> np.ndarray:
        """Values of some rows in the table's units, [n, s]."""
        return self.series.value_ts[row_n]

    def summary(self) -> dict[str, Any]:
        """Facts about the data, as plain JSON values."""
        series = self.series
        splits = {}
        for split, row_n in self._targets.items():
            first, last = int(row_n[0]), int(row_n[-1])
            splits[SPLIT_NAMES[split]] = {
                "windows": len(row_n),
                "first_row": first,
                "last_row": last,
            }
            if series.time_t is not None:
                ends = series.time_t[[first, last]].astype("datetime64[s]")
                splits[SPLIT_NAMES[split]] |= {"from": str(ends[0]), "to": str(ends[1])}
        return {
            "rows": len(series.value_ts),
            "series": list(series.names),
            "dates": series.time_t is not None,
            "step_seconds": series.step_seconds,
            "irregular_steps": series.irregular_steps,
            "constant": self.constant(),
            "splits": splits,
        }


def latest_window(series: Series, spec: WindowSpec, scale: Scale) -> np.ndarray:
    """The newest window of a table, scaled: float32 [1, t, s].

    Raises:
      InputError: the table is shorter than a window.
    """
    rows = len(series.value_ts)
    if rows < spec.window:
        raise InputError(
            f"The table has {rows} rows; a forecast reads the last {spec.window}.",
            where=series.file,
            fix="Give it the rows before them too.",
        )
    return scale.forward(series.value_ts[-spec.window :]).astype(np.float32)[None]


class CutWindows(Protocol):
    """Windows by number, and which of them a split has."""

    def targets(self, split: int) -> np.ndarray:
        """Numbers of the windows of a split."""
        ...

    def batch(self, row_n: np.ndarray, size: int) -> Any:
        """Up to ``size`` windows; the places that are left stay empty."""
        ...


class WindowBatches:
    """Endless training batches; every window once an epoch, in a random order.

    The order is a function of (seed, epoch) alone, and the position that comes with a
    batch counts windows, so a run that stopped goes on with the batch it would have
    seen. The last batch of an epoch is filled up with empty places.
    """

    def __init__(self, windows: CutWindows, *, batch_windows: int, seed: int) -> None:
        self._windows, self._size, self._seed = windows, batch_windows, seed
        self._rows = windows.targets(TRAIN)

    @property
    def items(self) -> int:
        """Windows in an epoch."""
        return len(self._rows)

    def items_within(self, epochs: int, max_steps: int) -> int:
        """Windows that ``epochs`` epochs read, or ``max_steps`` batches (0 = all)."""
        if not max_steps:
            return epochs * self.items
        whole, rest = divmod(max_steps, -(-self.items // self._size))
        return min(whole * self.items + rest * self._size, epochs * self.items)

    @property
    def size(self) -> int:
        """Windows in a batch."""
        return self._size

    def blank(self, rows: Rows) -> Any:
        """``rows`` of a batch without a window."""
        empty = rows.pick(np.zeros(0, np.int64))
        return self._windows.batch(empty, len(empty))

    def batches(
        self, position: Position, rows: Rows | None = None
    ) -> Iterator[Portion]:
        """Yields batches for ever, from ``position`` on; ``rows`` of each, or all."""
        epoch, page = position
        rows = rows or all_rows(self._size)
        while True:
            order = np.random.default_rng([self._seed, epoch]).permutation(self._rows)
            while page < self.items:
                row_n = order[page : page + self._size]
                picked = rows.pick(row_n)
                batch = self._windows.batch(picked, len(picked))
                page += self._size
                ended = page >= self.items
                after = Position(epoch + 1, 0) if ended else Position(epoch, page)
                yield Portion(batch, after, len(row_n))
            epoch, page = epoch + 1, 0


def _check_counts(
    targets: dict[int, np.ndarray], series: Series, spec: WindowSpec
) -> None:
    short = [n for n, least in _LEAST_TARGETS.items() if len(targets[n]) < least]
    if not short:
        return
    rows = len(series.value_ts)
    names = " and ".join(SPLIT_NAMES[split] for split in short)
    raise InputError(
        f"The table has {rows:,} rows, too few for windows of {spec.window} with "
        f"horizon {spec.horizon}: nothing is left for {names}.",
        where=series.file,
        fix=f"With these shares of the splits it needs {_rows_needed(spec):,} rows. "
        "Give more rows, or set a smaller --config.windows.window.",
    )


def _rows_needed(spec: WindowSpec) -> int:
    """The fewest rows with which every split has what it needs."""
    first, rows = spec.window + spec.horizon - 1, spec.window
    while True:
        rows += 1
        train, validation = spec.borders(rows)
        counts = train - first, validation - train, rows - validation
        if all(n >= least for n, least in zip(counts, (1, 2, 2), strict=True)):
            return rows
