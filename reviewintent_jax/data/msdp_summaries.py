"""What the events before a case add up to: recency, frequency, span and mean value."""

import numpy as np

from reviewintent_jax.data.msdp_specs import DAY, EventSpec
from reviewintent_jax.data.msdp_tables import Events

SUMMARIES = ("log_recency", "log_frequency", "log_span", "log_mean_value")
"""log(1 + x) of the days since the newest event, of the number of events, of the days
since the oldest, and of the mean value (NaN where there is none)."""


def recency_frequency(
    events: Events, first_n: np.ndarray, end_n: np.ndarray, moment_n: np.ndarray
) -> np.ndarray:
    """float64 [n, 3] the first three of ``SUMMARIES``.

    Without an event, nothing has happened for longer than the table reaches back.
    """
    time_e = events.time_e
    count_n = end_n - first_n
    some = count_n > 0
    last_n = np.where(some, time_e[np.maximum(end_n - 1, 0)], time_e.min())
    oldest_n = np.where(
        some, time_e[np.minimum(first_n, len(time_e) - 1)], time_e.min()
    )
    ages = [(moment_n - moment) / DAY for moment in (last_n, oldest_n)]
    recency_n, span_n = (np.maximum(age, 0) for age in ages)
    return np.log1p(np.stack([recency_n, count_n, span_n], axis=1))


def mean_values(
    events: Events, first_n: np.ndarray, end_n: np.ndarray, spec: EventSpec
) -> np.ndarray:
    """float64 [n] mean value of the events of the kinds that targets are made from; NaN
    where there is none.
    """
    kinds = [
        k for k, n in enumerate(events.kinds) if not spec.targets or n in spec.targets
    ]
    counts = np.isin(events.kind_e, kinds) & np.isfinite(events.value_e)
    found = np.full(len(first_n), np.nan)
    # Each case sums its own events alone, so that no later event moves a digit.
    for n, (first, end) in enumerate(zip(first_n, end_n, strict=True)):
        value_e = events.value_e[first:end][counts[first:end]]
        if len(value_e):
            found[n] = value_e.mean()
    return found


def event_summaries(
    events: Events,
    first_n: np.ndarray,
    end_n: np.ndarray,
    moment_n: np.ndarray,
    spec: EventSpec,
) -> np.ndarray:
    """float64 [n, 4] ``SUMMARIES``."""
    value_n = np.maximum(mean_values(events, first_n, end_n, spec), 0)
    recent_n3 = recency_frequency(events, first_n, end_n, moment_n)
    return np.concatenate([recent_n3, np.log1p(value_n)[:, None]], axis=1)
