"""Scores of parts of a test split, apart: a table of predictions -> scores by value.

In: the table of predictions, with a column ``slice``. Out: for every value of it what
:mod:`~reviewintent_jax.evaluation.evaluate` says of the whole: all systems with
intervals, and the differences. Temperatures and thresholds are those of the whole.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from reviewintent_jax.evaluation.evaluate import (
    EvaluationSpec,
    compare,
    table_metrics,
)
from reviewintent_jax.schema import InputError

MOST = 20
"""Values that are scored apart; a column with more names no parts of the data."""

EMPTY = "(empty)"
"""Name of the part whose rows have no value."""


def score_slices(
    table: pd.DataFrame,
    others: Mapping[str, dict[str, Any]],
    classes: Sequence[str],
    *,
    temperature: float,
    threshold: float | None,
    spec: EvaluationSpec,
) -> dict[str, Any]:
    """What is measured of each value that there is; see :func:`check_slices`.

    Value -> ``n``, counts of each class, ``systems`` and ``differences``.

    Args:
      table: of test predictions, with the columns of every system.
      others: system -> how it was fitted; see :func:`~reviewintent_jax.evaluation.
        evaluate.compare`.
      classes: their names.
      temperature: of the model.
      threshold: of the model.
      spec: bootstrap and its seed.
    """
    answered: dict[str, Any] = {"temperature": temperature, "threshold": threshold}
    found = {}
    for value in sorted(table["slice"].unique()):
        part: Any = table[table["slice"] == value].reset_index(drop=True)
        model = {"test": table_metrics(part, classes, **answered, spec=spec)}
        counts = part["label"].value_counts()
        held = {name: int(counts.get(y, 0)) for y, name in enumerate(classes)}
        apart = compare(model, part, others, classes, **answered, spec=spec)
        for name, system in apart["systems"].items():
            apart["systems"][name] = {"test": system["test"]}
        found[value or EMPTY] = {"n": len(part), "classes": held, **apart}
    return found


def check_slices(values: Sequence[str]) -> None:
    """Refuses a column that names no parts of the data, before anything is trained.

    Raises:
      InputError: it has more than :data:`MOST` values.
    """
    distinct = len(set(values))
    if distinct > MOST:
        raise InputError(
            f"The column of slices has {distinct:,} values in the test split; at most "
            f"{MOST} are scored apart.",
            where="field data.slice",
            fix="Name a column with few values, or leave --config.data.slice empty.",
        )
