"""Scores of forecasts of a panel: truth, forecasts, directions -> plain figures.

Every measure is scored on its own, on the windows whose truth is known. Intervals draw
whole groups, whose windows are alike; where there is one group they draw periods.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from reviewintent_jax.evaluation.forecast_metrics import forecast_metrics
from reviewintent_jax.evaluation.metrics import (
    classification_metrics,
    percentile_ends,
    resamples,
)

Facts = dict[str, Any]
"""Part of ``metrics.json``: plain JSON values."""

_RANKED = ("auc", "average_precision", "log_loss", "calibration_error")


class Answer(NamedTuple):
    """What a system says of some windows; None where it says nothing of the kind.

    Attributes:
      forecast_ns: [n, s], values in their own units.
      prob_nsy: [n, s, y], probabilities of the directions.
      answer_ns: [n, s], directions; where None, the most probable of ``prob_nsy``.
      facts: how it was fitted, for ``metrics.json``, if it was.
    """

    forecast_ns: np.ndarray | None = None
    prob_nsy: np.ndarray | None = None
    answer_ns: np.ndarray | None = None
    facts: Facts | None = None

    def answers(self) -> np.ndarray | None:
        """[n, s], the directions it answers."""
        if self.answer_ns is not None or self.prob_nsy is None:
            return self.answer_ns
        return self.prob_nsy.argmax(axis=-1)

    def of(self, row_n: np.ndarray | slice) -> "Answer":
        """What it says of some of the windows."""
        parts = (self.forecast_ns, self.prob_nsy, self.answer_ns)
        kept = [None if part is None else part[row_n] for part in parts]
        return Answer(kept[0], kept[1], kept[2], self.facts)


class Truth(NamedTuple):
    """What came after some windows.

    Attributes:
      value_ns, last_ns: [n, s], what came and the last known value before.
      direction_ns: [n, s], classes; -1 where unknown.
      unit_n: [n], what intervals draw whole.
      measures, classes: names of s, and of the directions.
    """

    value_ns: np.ndarray
    last_ns: np.ndarray
    direction_ns: np.ndarray
    unit_n: np.ndarray
    measures: Sequence[str]
    classes: Sequence[str]


def heading_metrics(truth: Truth, said: Answer, *, samples: int, seed: int) -> Facts:
    """Score one system on one split.

    Args:
      truth: what came.
      said: what the system said.
      samples: resamples behind the intervals; 0 leaves them null.
      seed: of the resampling.

    Returns:
      ``values`` and ``directions``, as far as the system answers them, each by measure;
      see :func:`value_metrics`, :func:`direction_metrics`.
    """
    found: Facts = {}
    for s, measure in enumerate(truth.measures):
        known_n = truth.direction_ns[:, s] >= 0
        _, unit_n = np.unique(truth.unit_n[known_n], return_inverse=True)
        drawn = {"samples": samples, "seed": seed}
        if said.forecast_ns is not None:
            values = (truth.value_ns, said.forecast_ns, truth.last_ns)
            columns = (each[known_n, s] for each in values)
            scores = value_metrics(*columns, unit_n=unit_n, **drawn)
            found.setdefault("values", {})[measure] = scores
        if said.prob_nsy is not None or said.answer_ns is not None:
            scores = direction_metrics(
                truth.direction_ns[known_n, s],
                None if said.prob_nsy is None else said.prob_nsy[known_n, s],
                None if said.answer_ns is None else said.answer_ns[known_n, s],
                truth.classes,
                unit_n=unit_n,
                **drawn,
            )
            found.setdefault("directions", {})[measure] = scores
    return found


def value_metrics(
    truth_n: np.ndarray,
    said_n: np.ndarray,
    last_n: np.ndarray,
    *,
    unit_n: np.ndarray,
    samples: int,
    seed: int,
) -> Facts:
    """RSE, CORR, MAE and skill of one measure.

    Args:
      truth_n, said_n, last_n: [n], what came, what was said, the last value before.
      unit_n: [n], dense numbers of what resamples draw whole.
      samples, seed: of the resampling.

    Returns:
      ``n``; ``rse``, ``corr`` (None where the truth never changes); ``mae``, and
      ``skill`` against persistence as of :func:`skill`, each ``{"value", "low",
      "high"}``.
    """
    columns = (each[:, None] for each in (truth_n, said_n, last_n))
    plain = forecast_metrics(*columns, names=("",))
    error_n, naive_n = np.abs(truth_n - said_n), np.abs(truth_n - last_n)
    drawn = {"unit_n": unit_n, "samples": samples, "seed": seed}
    return {
        "n": len(truth_n),
        "rse": plain["rse"],
        "corr": plain["corr"],
        "mae": _mean_of(error_n, **drawn),
        "skill": skill(error_n, naive_n, **drawn),
    }


def skill(
    error_n: np.ndarray,
    other_n: np.ndarray,
    *,
    unit_n: np.ndarray,
    samples: int,
    seed: int,
) -> Facts:
    """The share of another system's mean absolute error that is gone, with interval.

    1 - mean(error) / mean(other): above 0 the system beats the other, 1 is perfect;
    None where the other never errs. Both are drawn together.
    """
    low, high = _ends(
        _ratio(count_sn @ error_n, count_sn @ other_n)
        for count_sn in resamples(len(error_n), samples, seed, unit_n)
    )
    value = _ratio(error_n.sum(keepdims=True), other_n.sum(keepdims=True))[0]
    return {"value": _null(value), "low": _null(low), "high": _null(high)}


def _ratio(error_s: np.ndarray, other_s: np.ndarray) -> np.ndarray:
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(other_s > 0, 1 - error_s / other_s, np.nan)


def _mean_of(
    error_n: np.ndarray, *, unit_n: np.ndarray, samples: int, seed: int
) -> Facts:
    low, high = _ends(
        (count_sn @ error_n) / count_sn.sum(axis=1)
        for count_sn in resamples(len(error_n), samples, seed, unit_n)
    )
    return {"value": float(error_n.mean()), "low": _null(low), "high": _null(high)}


def _ends(drawn: Iterable[np.ndarray]) -> tuple[float, float]:
    """2.5th and 97.5th percentile of what was drawn; nan where nothing was."""
    low, high = percentile_ends({"": np.concatenate([np.zeros(0), *drawn])})
    return low[""], high[""]


def differences(
    truth: Truth, said: Mapping[str, Answer], *, samples: int, seed: int
) -> Facts:
    """The system ``model`` beside each other one, on the same draws.

    Returns:
      ``values``: measure -> system -> :func:`skill` of the model against it;
      ``directions``: measure -> system -> accuracy of the model minus that of the
      system. Above 0 the model is better.
    """
    found: Facts = {"values": {}, "directions": {}}
    for s, measure in enumerate(truth.measures):
        known_n = truth.direction_ns[:, s] >= 0
        _, unit_n = np.unique(truth.unit_n[known_n], return_inverse=True)
        drawn = {"unit_n": unit_n, "samples": samples, "seed": seed}
        value_n = truth.value_ns[known_n, s]
        label_n = truth.direction_ns[known_n, s]
        values, right = {}, {}
        for name, other in said.items():
            if other.forecast_ns is not None:
                values[name] = np.abs(other.forecast_ns[known_n, s] - value_n)
            answer_ns = other.answers()
            if answer_ns is not None:
                right[name] = (answer_ns[known_n, s] == label_n).astype(np.float64)
        others = [name for name in said if name != "model"]
        found["values"][measure] = {
            name: skill(values["model"], values[name], **drawn)
            for name in others
            if name in values
        }
        found["directions"][measure] = {
            name: _mean_of(right["model"] - right[name], **drawn)
            for name in others
            if name in right
        }
    return found


def direction_metrics(
    label_n: np.ndarray,
    prob_ny: np.ndarray | None,
    answer_n: np.ndarray | None,
    classes: Sequence[str],
    *,
    unit_n: np.ndarray,
    samples: int,
    seed: int,
) -> Facts:
    """Scores of directions, see :func:`~reviewintent_jax.evaluation.metrics.
    classification_metrics`; without probabilities there are none that need them.
    """
    ranked = prob_ny is not None
    if prob_ny is None:
        prob_ny = np.eye(len(classes))[answer_n]
    scores = classification_metrics(
        prob_ny,
        label_n,
        classes,
        bootstrap_samples=samples,
        seed=seed,
        predicted_n=answer_n,
        group_n=unit_n,
    )
    return {k: v for k, v in scores.items() if ranked or k not in _RANKED}


def _null(value: float) -> float | None:
    """Turn nan into null, for JSON."""
    return None if np.isnan(value) else float(value)
