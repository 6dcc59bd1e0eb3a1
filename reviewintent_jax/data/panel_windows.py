"""A panel -> windows of its groups, split in time, scaled on the past alone.

A window is the last ``w`` periods of one group; ``horizon`` periods after its end lies
the period that is forecast. Borders between the splits are the same for all groups::

    periods    0  1  2  3  4  5  6  7  8       windows of 3, horizon 1, borders 5 and 7
    tea       [.  .  .] T                      targets 3, 4 train; 5, 6 validation;
    milk            [-  .  .] T                7, 8 test; - = milk was not sold yet: the
                                               window is a shorter one, right-aligned

A target belongs to the split in which its period lies; the window before it may reach
back over a border, into what is past by then. Shares that nobody gave are carried
forward from the last known one in windows, and weigh nothing as targets. Whether a
window counts is decided by what it holds, never by what follows it.
"""

import dataclasses
from collections import Counter
from typing import Any, NamedTuple

import numpy as np

from reviewintent_jax.data.panels import VOLUME, Panel
from reviewintent_jax.data.series_windows import Scale
from reviewintent_jax.data.splits import SPLIT_NAMES, TEST, TRAIN, VALIDATION
from reviewintent_jax.schema import NO_LABEL, ArrayLike, InputError

DIRECTIONS = ("falling", "steady", "rising")
"""Classes of a direction, in their order."""

_LARGEST = 20  # groups that the facts name, by reviews


@dataclasses.dataclass(frozen=True)
class PanelWindowSpec:
    """How a panel becomes windows.

    Attributes:
      window: periods that a forecast reads, 1 or more.
      horizon: periods from the last of them to the one that is forecast, 1 or more.
      min_reviews: reviews that a window holds at least, 1 or more.
      min_periods: periods since the group's first review, by the window's end, 1 or
        more; what is missing to a whole window is masked.
      train_fraction: of the windows, those with the oldest targets, in (0, 1).
      validation_fraction: of the windows, those after them, in (0, 1); the rest is
        test.
      share_tolerance: a share that changes by no more is steady, in [0, 1).
      volume_tolerance: the same of the log volume, 0 or more; 0.1 is about 10 %.
    """

    window: int
    horizon: int
    min_reviews: int
    min_periods: int
    train_fraction: float
    validation_fraction: float
    share_tolerance: float
    volume_tolerance: float

    def __post_init__(self) -> None:
        for name in ("window", "horizon", "min_reviews", "min_periods"):
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
        if not 0 <= self.share_tolerance < 1 or self.volume_tolerance < 0:
            raise InputError(
                f"The tolerances are {self.share_tolerance} and "
                f"{self.volume_tolerance}.",
                where="fields windows.share_tolerance, windows.volume_tolerance",
                fix="A share's lies in [0, 1), the log volume's is 0 or more.",
            )

    def tolerance(self, measures: tuple[str, ...]) -> np.ndarray:
        """[s], the change up to which each measure is steady."""
        share, volume = self.share_tolerance, self.volume_tolerance
        return np.array([volume if name == VOLUME else share for name in measures])


class PanelBatch(NamedTuple):
    """Windows and what follows them, scaled.

    Attributes:
      value_bts: float32 [b, t, s], windows, newest step last; 0 where masked.
      length_b: int32, steps that are there, right-aligned; 1 or more.
      target_bs: float32 [b, s], the values to forecast; 0 where unknown.
      known_bs: float32, 1 where the target and a value before it are known, else 0;
        0 where the place is empty.
      direction_bs: int32 class of ``DIRECTIONS``, or ``NO_LABEL`` where unknown.
      row_b: int32, number of the window; -1 where the place is empty.
    """

    value_bts: ArrayLike
    length_b: ArrayLike
    target_bs: ArrayLike
    known_bs: ArrayLike
    direction_bs: ArrayLike
    row_b: ArrayLike


class Places(NamedTuple):
    """Windows by where they end: group and column of the panel, [n] each."""

    group_n: np.ndarray
    end_n: np.ndarray


class Inputs(NamedTuple):
    """What a model reads of some windows; see :class:`PanelBatch`."""

    value_nts: np.ndarray
    length_n: np.ndarray


def directions(
    last_ns: np.ndarray, next_ns: np.ndarray, tolerance_s: np.ndarray
) -> np.ndarray:
    """Where values went: classes of ``DIRECTIONS``, ``NO_LABEL`` where one is nan.

    Example (tolerance 0.02): 0.50 -> 0.53 rising, 0.50 -> 0.52 steady, 0.50 -> 0.40
    falling. A change of exactly the tolerance is steady, whatever floats make of it.
    """
    change_ns = next_ns - last_ns
    beyond_s = tolerance_s + 1e-9
    rises, falls = change_ns > beyond_s, change_ns < -beyond_s
    found = 1 + rises.astype(np.int32) - falls.astype(np.int32)
    return np.where(np.isnan(change_ns), NO_LABEL, found).astype(np.int32)


class WindowReader:
    """Reads windows of a panel; knows nothing of what follows them.

    Attributes:
      panel, spec: what is read, and how.
      carried_gts: [g, t, s] values in their own units, carried forward.
    """

    def __init__(self, panel: Panel, spec: PanelWindowSpec) -> None:
        self.panel, self.spec = panel, spec
        self.carried_gts = panel.carried()
        begin_g1 = panel.begin_g[:, None]
        self._age_gt = np.arange(panel.periods)[None] - begin_g1 + 1
        total_gt = np.cumsum(panel.reviews_gt, axis=1, dtype=np.int64)
        before_gt = np.zeros_like(total_gt)
        before_gt[:, spec.window :] = total_gt[:, : -spec.window]
        self.held_gt = total_gt - before_gt  # reviews in the window that ends there

    @property
    def counts_gt(self) -> np.ndarray:
        """[g, t] bool, whether the window that ends there counts."""
        old_gt = self._age_gt >= self.spec.min_periods
        return old_gt & (self.held_gt >= self.spec.min_reviews)

    def latest(self) -> tuple[Places, dict[str, int]]:
        """The newest window of every group, and why some groups have none."""
        last = self.panel.periods - 1
        few_g = self.held_gt[:, last] < self.spec.min_reviews
        young_g = (self._age_gt[:, last] < self.spec.min_periods) & ~few_g
        group_n = np.flatnonzero(~few_g & ~young_g)
        spec, unit = self.spec, self.panel.period
        few = f"fewer than {spec.min_reviews} reviews in the last {spec.window} {unit}s"
        young = f"first review less than {spec.min_periods} {unit}s ago"
        none = {few: int(few_g.sum()), young: int(young_g.sum())}
        places = Places(group_n, np.full(len(group_n), last))
        return places, {reason: n for reason, n in none.items() if n}

    def raw(self, places: Places) -> tuple[np.ndarray, np.ndarray]:
        """Values [n, t, s] in their own units, nan where masked or never known before,
        and steps [n] that are there.
        """
        steps_t = np.arange(self.spec.window) - self.spec.window + 1
        column_nt = places.end_n[:, None] + steps_t[None]
        value_nts = self.carried_gts[places.group_n[:, None], np.maximum(column_nt, 0)]
        age_n = self._age_gt[places.group_n, places.end_n]
        length_n = np.minimum(age_n, self.spec.window).astype(np.int32)
        masked_nt = np.arange(self.spec.window)[None] < (
            self.spec.window - length_n[:, None]
        )
        return np.where(masked_nt[..., None], np.nan, value_nts), length_n

    def inputs(self, places: Places, scale: Scale) -> Inputs:
        """Scaled windows; what is masked or was never known is 0, the mean."""
        value_nts, length_n = self.raw(places)
        scaled_nts = np.nan_to_num(scale.forward(value_nts), nan=0.0)
        return Inputs(scaled_nts.astype(np.float32), length_n)

    def last(self, places: Places) -> np.ndarray:
        """[n, s], the last known values in their own units; nan where none was."""
        return self.carried_gts[places.group_n, places.end_n]


class PanelWindows:
    """All windows of a panel whose future is known.

    Attributes:
      panel, spec, reader: what was cut, and how.
      places: of every window, by target period, then by group.
      truth_ns: [n, s], what came, in its own units; nan where unknown.
      last_ns: [n, s], the last known values before; nan where none was.
      direction_ns: [n, s], classes; ``NO_LABEL`` where truth or last is unknown.
      borders: columns of the first validation and of the first test target.
      scale: fitted on the periods before the first border.
    """

    def __init__(self, panel: Panel, spec: PanelWindowSpec) -> None:
        self.panel, self.spec = panel, spec
        self.reader = WindowReader(panel, spec)
        known_gt = self.reader.counts_gt[:, : max(panel.periods - spec.horizon, 0)]
        end_n, group_n = np.nonzero(known_gt.T)
        self.places = Places(group_n, end_n)
        self.target_n = end_n + spec.horizon
        self.borders = _borders(self.target_n, spec)
        self._targets = {
            TRAIN: np.flatnonzero(self.target_n < self.borders[0]),
            VALIDATION: np.flatnonzero(
                (self.target_n >= self.borders[0]) & (self.target_n < self.borders[1])
            ),
            TEST: np.flatnonzero(self.target_n >= self.borders[1]),
        }
        self.truth_ns = panel.value_gts[group_n, self.target_n]
        self.last_ns = self.reader.last(self.places)
        self.direction_ns = self.directed(self.truth_ns)
        self._refuse_few()
        self.scale = fit_past(panel.value_gts[:, : self.borders[0]])

    @property
    def known_ns(self) -> np.ndarray:
        """[n, s] bool, whether truth and a value before it are known."""
        return self.direction_ns != NO_LABEL

    def directed(self, value_ns: np.ndarray) -> np.ndarray:
        """Directions [n, s] that values after all windows amount to."""
        tolerance_s = self.spec.tolerance(self.panel.measures)
        return directions(self.last_ns, value_ns, tolerance_s)

    def targets(self, split: int) -> np.ndarray:
        """Numbers of the windows of a split, in the order of their targets."""
        return self._targets[split]

    def some(self, row_n: np.ndarray) -> Places:
        """Places of some windows."""
        return Places(self.places.group_n[row_n], self.places.end_n[row_n])

    def batch(self, row_n: np.ndarray, size: int) -> PanelBatch:
        """Up to ``size`` windows; the places that are left weigh nothing."""
        rows = np.full(size, -1, np.int32)
        rows[: len(row_n)] = row_n
        filled_b1 = (rows >= 0)[:, None]
        safe = np.maximum(rows, 0)  # an empty place reads the first window
        value_bts, length_b = self.reader.inputs(self.some(safe), self.scale)
        known_bs = self.known_ns[safe] & filled_b1
        scaled_bs = self.scale.forward(self.truth_ns[safe])
        return PanelBatch(
            value_bts=value_bts,
            length_b=length_b,
            target_bs=np.where(known_bs, scaled_bs, 0.0).astype(np.float32),
            known_bs=known_bs.astype(np.float32),
            direction_bs=np.where(known_bs, self.direction_ns[safe], NO_LABEL),
            row_b=rows,
        )

    def _refuse_few(self) -> None:
        """Every measure must be there to learn, to choose by and to test."""
        for s, measure in enumerate(self.panel.measures):
            for split, row_n in self._targets.items():
                n = int(self.known_ns[row_n, s].sum())
                if n >= 2:
                    continue
                raise InputError(
                    f"Of {len(self.target_n):,} windows, {n} have a known {measure} to "
                    f"forecast in the {SPLIT_NAMES[split]} split; 2 are needed.",
                    where="fields data.period, windows",
                    fix="Give more data, a shorter --config.data.period, or lower "
                    "--config.windows.min_reviews (reviews that a window must hold) "
                    "or --config.windows.window.",
                )

    def summary(self) -> dict[str, Any]:
        """Facts about the data, as plain JSON values."""
        panel = self.panel
        splits = {}
        for split, row_n in self._targets.items():
            column_n = self.target_n[row_n]
            splits[SPLIT_NAMES[split]] = {
                "windows": len(row_n),
                "groups": len(np.unique(self.places.group_n[row_n])),
                "periods": len(np.unique(column_n)),
                "from": panel.name(int(column_n[0])),
                "to": panel.name(int(column_n[-1])),
                "directions": self._direction_counts(row_n),
            }
        windowed = len(np.unique(self.places.group_n))
        order = np.argsort(-panel.reviews_gt.sum(axis=1), kind="stable")
        return {
            **panel.summary(),
            "groups_without_window": len(panel.groups) - windowed,
            "largest": [panel.groups[g] for g in order[:_LARGEST]],
            "silent": int((panel.reviews_gt == 0).sum())
            - int(np.isnan(panel.value_gts[..., -1]).sum()),
            "splits": splits,
        }

    def _direction_counts(self, row_n: np.ndarray) -> dict[str, dict[str, int]]:
        found = {}
        for s, measure in enumerate(self.panel.measures):
            counts = Counter(self.direction_ns[row_n, s].tolist())
            found[measure] = {name: counts[y] for y, name in enumerate(DIRECTIONS)}
        return found


def fit_past(value_gts: np.ndarray) -> Scale:
    """Mean and deviation of each measure over the known values of some periods; what
    never changes is divided by 1.
    """
    value_ms = value_gts.reshape(-1, value_gts.shape[-1])
    shift, spread = [], []
    for value_m in value_ms.T:
        known = value_m[~np.isnan(value_m)]
        changes = len(known) > 0 and np.ptp(known) > 0
        shift.append(known.mean() if len(known) else 0.0)
        spread.append(known.std() if changes else 1.0)
    return Scale(np.array(shift), np.array(spread))


def _borders(target_n: np.ndarray, spec: PanelWindowSpec) -> tuple[int, int]:
    """First validation and first test column: whole periods, so that the shares of the
    windows before them come as near as they can from below, or are a period at least.

    Raises:
      InputError: the windows have fewer than three target periods.
    """
    column_u, count_u = np.unique(target_n, return_counts=True)
    if len(column_u) < 3:
        raise InputError(
            f"There are {len(target_n)} windows with {len(column_u)} periods to "
            "forecast; training, validation and test need one each.",
            where="fields data.period, windows",
            fix="Give reviews of a longer time, a shorter --config.data.period, or "
            "lower --config.windows.min_reviews (reviews that a window must hold).",
        )
    share_u = np.cumsum(count_u) / count_u.sum()
    both = spec.train_fraction, spec.train_fraction + spec.validation_fraction
    train, validation = np.searchsorted(share_u, np.array(both) + 1e-9)
    train = int(np.clip(train, 1, len(column_u) - 2))
    validation = int(np.clip(validation, train + 1, len(column_u) - 1))
    return int(column_u[train]), int(column_u[validation])
