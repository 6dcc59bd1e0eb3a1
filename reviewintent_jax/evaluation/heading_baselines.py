"""What forecasts of a panel must be measured against; all of it reads the same windows.

Values: persistence, the window's mean, a ridge regression on the window. Directions:
the majority, back to the window's mean, the ridge's direction, a logistic regression.
Both regressions are fitted on the training windows of all groups together.
"""

import dataclasses
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from sklearn.linear_model import LogisticRegression, Ridge
from threadpoolctl import threadpool_limits

from reviewintent_jax.evaluation.heading_metrics import Answer
from reviewintent_jax.schema import InputError


@dataclasses.dataclass(frozen=True)
class HeadingEvaluationSpec:
    """What is measured.

    Attributes:
      batch_windows: windows that are answered at once, 1 or more.
      ridge_alphas: penalties that the ridge is tried with, each above 0; validation
        chooses one for each measure.
      logistic_costs: inverse penalties (scikit-learn's C) that the logistic regression
        is tried with, each above 0; validation chooses.
      bootstrap_samples: resamples behind the intervals; 0 = no intervals.
    """

    batch_windows: int
    ridge_alphas: tuple[float, ...]
    logistic_costs: tuple[float, ...]
    bootstrap_samples: int

    def __post_init__(self) -> None:
        def above(values: tuple[float, ...]) -> bool:
            return bool(values) and min(values) > 0

        numbers = "one or more numbers above 0"
        rules = {
            "batch_windows": (self.batch_windows >= 1, "1 or more"),
            "ridge_alphas": (above(self.ridge_alphas), numbers),
            "logistic_costs": (above(self.logistic_costs), numbers),
            "bootstrap_samples": (self.bootstrap_samples >= 0, "0 or more"),
        }
        for field, (holds, want) in rules.items():
            if not holds:
                raise InputError(
                    f"evaluation.{field} is {getattr(self, field)!r}.",
                    where=f"field evaluation.{field}",
                    fix=f"It must be {want}.",
                )


class PanelTable(NamedTuple):
    """Windows and what came after them, all splits in one.

    Attributes:
      value_nts: [n, t, s], scaled windows; nan where masked or never known.
      truth_ns, last_ns: [n, s], scaled; nan where unknown.
      direction_ns: [n, s], classes; -1 where unknown.
      train_n, validation_n: numbers of the windows to fit on, and to choose by.
      classes: number y of directions.
    """

    value_nts: np.ndarray
    truth_ns: np.ndarray
    last_ns: np.ndarray
    direction_ns: np.ndarray
    train_n: np.ndarray
    validation_n: np.ndarray
    classes: int

    def known(self, row_n: np.ndarray, s: int) -> np.ndarray:
        """Those of some windows whose measure s is known."""
        return row_n[self.direction_ns[row_n, s] >= 0]


Directed = Callable[[np.ndarray], np.ndarray]
"""Scaled forecasts [n, s] -> the directions they amount to."""


def baselines(
    table: PanelTable, spec: HeadingEvaluationSpec, directed: Directed
) -> dict[str, Answer]:
    """Every system but persistence, answering all windows; forecasts are scaled."""
    lags_nts = extended(table.value_nts)
    mean_ns = window_mean(table.value_nts, table.last_ns)
    with threadpool_limits(1):  # threads only wait for each other on such short rows
        ridge = ar_ridge(table, lags_nts, spec.ridge_alphas)
        regressed = logistic(table, lags_nts, spec.logistic_costs)
    assert ridge.forecast_ns is not None
    return {
        "window_mean": Answer(mean_ns, answer_ns=directed(mean_ns)),
        "ar_ridge": ridge._replace(answer_ns=directed(ridge.forecast_ns)),
        "majority": Answer(prob_nsy=majority(table)),
        "logistic_regression": regressed,
    }


def window_mean(value_nts: np.ndarray, last_ns: np.ndarray) -> np.ndarray:
    """Mean over the steps that are there, [n, s]; the last value where none is."""
    known_nts = ~np.isnan(value_nts)
    count_ns = known_nts.sum(axis=1)
    total_ns = np.where(known_nts, value_nts, 0).sum(axis=1)
    return np.where(count_ns > 0, total_ns / np.maximum(count_ns, 1), last_ns)


def extended(value_nts: np.ndarray) -> np.ndarray:
    """Windows without gaps, for linear models: what is missing at the start of a window
    repeats its first known value; 0, the mean, where none is known.

    Example: ``[nan, nan, 3, 4]`` -> ``[3, 3, 3, 4]``.
    """
    first_n1s = (~np.isnan(value_nts)).argmax(axis=1)[:, None]
    first = np.take_along_axis(value_nts, first_n1s, axis=1)
    return np.nan_to_num(np.where(np.isnan(value_nts), first, value_nts))


def ar_ridge(
    table: PanelTable, lags_nts: np.ndarray, alphas: tuple[float, ...]
) -> Answer:
    """Ridge regression of each measure on all measures of the window.

    Chosen on validation, for each measure: the penalty, and whether the regression is
    of levels or of changes from the last value.
    """
    forecast_ns = np.empty_like(table.truth_ns)
    chosen = []
    for s in range(forecast_ns.shape[1]):
        best: tuple[float, np.ndarray, dict[str, Any]] | None = None
        train_n = table.known(table.train_n, s)
        validation_n = table.known(table.validation_n, s)
        for regresses in ("levels", "changes"):
            changes = regresses == "changes"
            from_ns = lags_nts[:, -1] if changes else np.zeros(forecast_ns.shape)
            x_nf = (lags_nts - from_ns[:, None]).reshape(len(lags_nts), -1)
            y_n = table.truth_ns[:, s] - from_ns[:, s]
            for alpha in alphas:
                fitted = Ridge(alpha=alpha).fit(x_nf[train_n], y_n[train_n])
                said_n = fitted.predict(x_nf) + from_ns[:, s]
                error_n = np.abs(said_n - table.truth_ns[:, s])[validation_n]
                choice = {"alpha": alpha, "regresses": regresses}
                if best is None or error_n.mean() < best[0]:
                    best = float(error_n.mean()), said_n, choice
        assert best is not None
        forecast_ns[:, s] = best[1]
        chosen.append(best[2])
    return Answer(forecast_ns, facts={"chosen": chosen})


def majority(table: PanelTable) -> np.ndarray:
    """Shares of the directions in training, [n, s, y], the same for every window."""
    label_ns = table.direction_ns[table.train_n]
    count_sy = np.stack([(label_ns == y).sum(axis=0) for y in range(table.classes)], -1)
    share_sy = count_sy / np.maximum(count_sy.sum(axis=-1, keepdims=True), 1)
    return np.broadcast_to(share_sy, (len(table.direction_ns), *share_sy.shape))


def logistic(
    table: PanelTable, lags_nts: np.ndarray, costs: tuple[float, ...]
) -> Answer:
    """Logistic regression of each direction on all measures of the window; of one class
    alone in training, that class.
    """
    x_nf = lags_nts.reshape(len(lags_nts), -1)
    prob_nsy = np.array(majority(table))
    chosen: list[float | None] = []
    for s in range(prob_nsy.shape[1]):
        train_n = table.known(table.train_n, s)
        validation_n = table.known(table.validation_n, s)
        label_n = table.direction_ns[:, s]
        if len(np.unique(label_n[train_n])) < 2:
            chosen.append(None)
            continue
        best: tuple[float, np.ndarray, float] | None = None
        for cost in costs:
            fitted = LogisticRegression(C=cost, max_iter=10_000)
            fitted.fit(x_nf[train_n], label_n[train_n])
            prob_ny = np.zeros((len(x_nf), table.classes))
            prob_ny[:, fitted.classes_] = fitted.predict_proba(x_nf)
            found_n = prob_ny[validation_n, label_n[validation_n]]
            loss = -np.log(np.maximum(found_n, 1e-9)).mean()
            if best is None or loss < best[0]:
                best = float(loss), prob_ny, cost
        assert best is not None
        prob_nsy[:, s] = best[1]
        chosen.append(best[2])
    return Answer(prob_nsy=prob_nsy, facts={"costs": chosen})
