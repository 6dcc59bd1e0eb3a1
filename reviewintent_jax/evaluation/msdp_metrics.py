"""Scores of whether, how much and when, with intervals that draw subjects again.

Conventions: what is unknown is ignored; a score that cannot be computed is null;
intervals are the 2.5th and 97.5th percentile over resamples, which are the same for all
systems, so that differences are paired.
"""

from typing import Any, NamedTuple

import numpy as np

from reviewintent_jax.evaluation.metrics import resampled_scores
from reviewintent_jax.evaluation.survival import (
    calibration_gap,
    hazard_calibration,
    median_days,
    resampled_concordance,
    restricted_mean_days,
)

SCORES = {
    "intent": ("auc", "average_precision", "brier"),
    "value": ("rmsle", "mae"),
    "time": ("concordance", "mae_uncensored", "median_beyond", "calibration_gap"),
}
"""Scores of each task, in the order in which they are shown."""

HIGHER_IS_BETTER = frozenset({"auc", "average_precision", "concordance"})
NEITHER_IS_BETTER = frozenset({"median_beyond"})
"""What must be known to read a score that stands beside it, and is none itself."""
_CHUNK_CELLS = 4_000_000  # cases x resamples held at once


class Truth(NamedTuple):
    """What came of some cases.

    Attributes:
      intent_n: int 1 yes, 0 no, -1 unknown.
      value_n: float64, NaN unknown.
      days_n: float64, NaN unknown.
      came_n: bool; False = censored at ``days_n``.
      interval_n: int, see :func:`~reviewintent_jax.data.msdp_features.intervals_of`.
      inside_n: bool, the event came within the intervals.
      end_j: ends of the intervals in days.
      unit_n: int, which cases are drawn together: those of one subject.
    """

    intent_n: np.ndarray
    value_n: np.ndarray
    days_n: np.ndarray
    came_n: np.ndarray
    interval_n: np.ndarray
    inside_n: np.ndarray
    end_j: np.ndarray
    unit_n: np.ndarray


class Said(NamedTuple):
    """What a system says of some cases; None where it says nothing.

    Attributes:
      chance_n: probability of yes.
      value_n: 0 or more, in the data's units.
      hazard_nj: probability that what has not come before an interval comes in it.
    """

    chance_n: np.ndarray | None = None
    value_n: np.ndarray | None = None
    hazard_nj: np.ndarray | None = None


Samples = dict[tuple[str, str], np.ndarray]
"""(task, score) -> values [1 + s]: of all cases, then of each resample."""


def draw_counts(unit_n: np.ndarray, samples: int, seed: int) -> np.ndarray:
    """float [1 + s, n] how often each case counts: once, then as its unit is drawn."""
    _, unit_n = np.unique(unit_n, return_inverse=True)
    units = int(unit_n.max()) + 1
    rng = np.random.default_rng(seed)
    drawn = rng.multinomial(units, np.full(units, 1 / units), size=samples)
    ones = np.ones((1, len(unit_n)))
    return np.concatenate([ones, drawn[:, unit_n].astype(np.float64)])


def score_samples(truth: Truth, said: Said, count_sn: np.ndarray) -> Samples:
    """Every score that a system's answers have, of every resample."""
    found: Samples = {}
    if said.chance_n is not None and (truth.intent_n >= 0).any():
        found |= _intent(truth, said.chance_n, count_sn)
    known = np.isfinite(truth.value_n)
    if said.value_n is not None and known.any():
        count, value = count_sn[:, known], truth.value_n[known]
        guess = said.value_n[known]
        square = (np.log1p(guess) - np.log1p(value)) ** 2
        found["value", "rmsle"] = np.sqrt(_means(square, count))
        found["value", "mae"] = _means(np.abs(guess - value), count)
    if said.hazard_nj is not None and (truth.interval_n >= 0).any():
        found |= _time(truth, said.hazard_nj, count_sn)
    return found


def _means(value_n: np.ndarray, count_sn: np.ndarray) -> np.ndarray:
    with np.errstate(invalid="ignore"):
        return count_sn @ value_n / count_sn.sum(axis=1)


def _intent(truth: Truth, chance_n: np.ndarray, count_sn: np.ndarray) -> Samples:
    known = truth.intent_n >= 0
    label, chance = truth.intent_n[known], chance_n[known]
    count = count_sn[:, known]
    prob_ny = np.stack([1 - chance, chance], axis=1)
    chosen = prob_ny.argmax(axis=1)
    rows = max(1, _CHUNK_CELLS // max(len(label), 1))
    parts = [
        resampled_scores(prob_ny, label, chosen, count[begin : begin + rows])
        for begin in range(0, len(count), rows)
    ]
    found: Samples = {
        ("intent", name): np.concatenate([part[name] for part in parts])
        for name in ("auc", "average_precision")
    }
    found["intent", "brier"] = _means((chance - label) ** 2, count)
    return found


def _time(truth: Truth, hazard_nj: np.ndarray, count_sn: np.ndarray) -> Samples:
    known = truth.interval_n >= 0
    hazard, count = hazard_nj[known], count_sn[:, known]
    end_j, last = truth.end_j, truth.end_j[-1]
    # What comes after the last interval is not told apart: all are censored there.
    days = np.minimum(truth.days_n[known], last)
    inside = truth.inside_n[known]
    risk = -restricted_mean_days(hazard, end_j)
    found: Samples = {
        ("time", "concordance"): resampled_concordance(days, inside, risk, count)
    }
    # A median beyond the last interval counts as its end; how many are, is told too.
    guess = np.minimum(median_days(hazard, end_j), last)
    error = np.abs(guess[inside] - days[inside])
    found["time", "mae_uncensored"] = _means(error, count[:, inside])
    beyond = np.isinf(median_days(hazard, end_j))[inside].astype(np.float64)
    found["time", "median_beyond"] = _means(beyond, count[:, inside])
    gap = calibration_gap(hazard_calibration(hazard, truth.interval_n[known], inside))
    none = np.full(len(count), np.nan)
    none[0] = np.nan if gap is None else gap
    found["time", "calibration_gap"] = none
    return found


def with_ends(samples: Samples) -> dict[str, dict[str, Any]]:
    """Values with their intervals, by task and score, as plain JSON values."""
    found: dict[str, dict[str, Any]] = {}
    for (task, name), value_s in samples.items():
        found.setdefault(task, {})[name] = _ends(value_s)
    return found


def differences(model: Samples, other: Samples) -> dict[str, dict[str, Any]]:
    """How much better the model is, above 0 = better, paired; scores both have."""
    found: dict[str, dict[str, Any]] = {}
    for key in model.keys() & other.keys():
        task, name = key
        if name in NEITHER_IS_BETTER:
            continue
        sign = 1 if name in HIGHER_IS_BETTER else -1
        found.setdefault(task, {})[name] = _ends(sign * (model[key] - other[key]))
    return found


def _ends(value_s: np.ndarray) -> dict[str, float | None]:
    drawn = value_s[1:][np.isfinite(value_s[1:])]
    low = high = None
    if len(drawn):
        low, high = (float(end) for end in np.percentile(drawn, (2.5, 97.5)))
    value = float(value_s[0]) if np.isfinite(value_s[0]) else None
    return {"value": value, "low": low, "high": high}
