"""How well hidden tokens are guessed: answers of every hidden token -> scores.

In: nats, hits and targets of a held-out split. Out: cross-entropy, perplexity and
accuracy with intervals, beside what knowing how often each piece occurs would give.
"""

import math
from typing import Any, NamedTuple

import numpy as np

from reviewintent_jax.schema import NO_LABEL

Facts = dict[str, Any]


class Guesses(NamedTuple):
    """Answers about the hidden tokens of some pages; ``[n, u]``, n pages.

    Attributes:
      nats_nu: minus the log probability of what stood there.
      hit_nu: bool, whether it was the most probable piece.
      target_nu: what stood there, or ``NO_LABEL``: such places count nothing.
    """

    nats_nu: np.ndarray
    hit_nu: np.ndarray
    target_nu: np.ndarray


def frequency_guesses(count_v: np.ndarray, target_nu: np.ndarray) -> Guesses:
    """What a reader says who knows how often each piece occurs in training, no more.

    Args:
      count_v: int, how often. Each counts once more than it occurs, so that no target
        is impossible.
      target_nu: what is asked for.
    """
    nats_v = math.log(count_v.sum() + len(count_v)) - np.log(count_v + 1.0)
    known_nu = target_nu != NO_LABEL
    asked_nu = np.where(known_nu, target_nu, 0)
    return Guesses(
        nats_nu=np.where(known_nu, nats_v[asked_nu], 0.0),
        hit_nu=known_nu & (asked_nu == int(count_v.argmax())),
        target_nu=target_nu,
    )


def masked_scores(said: Guesses, *, samples: int, seed: int) -> Facts:
    """Scores over all hidden tokens, with 95 % intervals.

    Args:
      said: the answers.
      samples: resamples of whole pages, since the tokens of a text are alike; 0 = no
        intervals.
      seed: of the resamples.

    Returns:
      ``cross_entropy`` (nats a token), ``perplexity`` (its exponential: between how
      many equally likely pieces the reader still wavers) and ``accuracy``; ``tokens``
      and ``pages`` counted.
    """
    known_nu = said.target_nu != NO_LABEL
    per_page = np.stack(
        [
            known_nu.sum(1),
            np.where(known_nu, said.nats_nu, 0.0).sum(1),
            (known_nu & said.hit_nu).sum(1),
        ]
    ).astype(np.float64)
    per_page = per_page[:, per_page[0] > 0]
    pages = per_page.shape[1]
    nats, hits = _ratios(per_page.sum(1)[:, None])
    drawn = np.zeros((3, 0))
    if samples and pages:
        chosen = np.random.default_rng(seed).integers(pages, size=(samples, pages))
        drawn = np.stack([row[chosen].sum(1) for row in per_page])
    nats_s, hits_s = _ratios(drawn)
    return {
        "tokens": int(per_page[0].sum()),
        "pages": pages,
        "cross_entropy": _score(nats[0], nats_s),
        "perplexity": _score(np.exp(nats[0]), np.exp(nats_s)),
        "accuracy": _score(hits[0], hits_s),
    }


def _ratios(sums: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return sums[1] / sums[0], sums[2] / sums[0]


def _score(value: float, drawn: np.ndarray) -> Facts:
    if not len(drawn):
        return {"value": float(value), "low": None, "high": None}
    low, high = np.percentile(drawn, [2.5, 97.5])
    return {"value": float(value), "low": float(low), "high": float(high)}
