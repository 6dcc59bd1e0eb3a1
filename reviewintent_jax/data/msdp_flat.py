"""Cases as one row of numbers each, for the systems that read no sequences."""

import numpy as np

from reviewintent_jax.data.msdp_features import MsdpData, event_numbers
from reviewintent_jax.data.msdp_summaries import event_summaries


def category_of(data: MsdpData) -> np.ndarray:
    """int64 [n] category of each case: the first declared one, else the item of its
    newest event; -1 where there is none.
    """
    cases = data.cases
    if cases.category_nc.shape[1]:
        return cases.category_nc[:, 0].astype(np.int64)
    if cases.events is None:
        return np.full(len(cases.names), -1)
    some = cases.end_n > cases.first_n
    return np.where(some, cases.events.item_e[np.maximum(cases.end_n - 1, 0)], -1)


def flat_features(data: MsdpData) -> np.ndarray:
    """float64 [n, f] all that is structured, and what the events add up to.

    Categories are one column each for every known name; of the events: recency,
    frequency, span, mean value and gap, the newest value and gap, and the kinds.
    """
    cases = data.cases
    parts = [cases.number_nf]
    for c, names in enumerate(cases.categories.values()):
        parts.append(cases.category_nc[:, c, None] == np.arange(len(names)))
    if cases.events is not None:
        ranges = cases.first_n, cases.end_n, cases.moment_n
        parts.append(event_summaries(cases.events, *ranges, data.schema.events))
        parts.append(_event_sums(data))
    return np.concatenate([np.asarray(p, np.float64) for p in parts], axis=1)


def _event_sums(data: MsdpData) -> np.ndarray:
    """Sums over the events that the network reads."""
    cases = data.cases
    assert cases.events is not None
    rows = np.arange(len(cases.names))
    number_nex = event_numbers(cases, rows, data.schema.events.recent)
    age = np.arange(data.schema.events.recent)[::-1]
    there = (cases.end_n - cases.first_n)[:, None] > age
    known = np.where(there[..., None], number_nex, np.nan)
    count = np.maximum(np.isfinite(known).sum(axis=1), 1)
    mean = np.nansum(known, axis=1) / count
    newest = known[:, -1]
    kinds = [
        (there & (_kind_read(data) == kind)).sum(axis=1)
        for kind in range(len(cases.events.kinds))
    ]
    return np.concatenate([mean, newest, np.stack(kinds, axis=1)], axis=1)


def _kind_read(data: MsdpData) -> np.ndarray:
    cases, recent = data.cases, data.schema.events.recent
    assert cases.events is not None
    index = cases.end_n[:, None] - 1 - np.arange(recent)[::-1]
    return cases.events.kind_e[np.maximum(index, 0)]
