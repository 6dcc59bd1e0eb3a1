"""How the built-in shop's reviews come about, and the best that can be known of them.

**The story of a review.** Customer ``u`` carries a mood ``m`` from review to review,
an AR(1) with unit variance, ``m' = r m + sqrt(1 - r^2) e``. The satisfaction with a
purchase is ``s = a m + b q + c e`` where ``q`` is the product's quality and
``a^2 + b^2 + c^2 = 1``, so that ``s ~ N(0, 1)`` over all reviews. Given ``s``, and
independently of each other,

* stars are the ordered probit ``cut(s + t e)``;
* the plan of the text is drawn: the number of statements about aspects (unhappy people
  write more), and for each statement one of six codes, strong, plain or mild praise or
  complaint, by the ordered probit ``cut(k s + e)``. Verdicts on the whole product
  ("would not buy again") follow ``s`` more closely (larger ``k``) than aspects do.

The text (``bazaar_text``) is a random wording of the plan. Given the plan it depends on
nothing else, and each wording belongs to one code only, so a perfect reader recovers
the plan and learns nothing more.

**truth_positive.** Hence with ``phi`` the standard normal density, the best possible
probability that the review has 4 or 5 stars and not 1 or 2 is::

    P(positive | text) = P(positive | plan)
        = sum_s phi(s) P(plan | s) P(stars in {4,5} | s)
          / sum_s phi(s) P(plan | s) P(stars in {1,2,4,5} | s)

    P(plan | s) = P(statements | s) prod_i P(code_i | s)

The sum runs over a fine grid of ``s``. The title repeats the plan, so the answer is the
same with and without it. Chance alone separates it from the truth: quality is
standardised within each kind of product, hence the product's name says nothing.

**truth_intent.** ``buys_again`` is 1 if the customer's next purchase comes within
``HORIZON_DAYS`` days. After the first review 42 % of the customers leave for good,
later 10 % after each review, whatever their mood; those who stay come back soon with
probability ``Phi(b0 + b1 m + month)``. The best possible probability given the stars,
texts and times of the customer's last ``WINDOW`` reviews (this one included) is the
forward filter of the mood over those reviews, started from N(0, 1) at the oldest one::

    forward(m_1) = phi(m_1);   forward <- forward * P(stars, plan | m)
    forward <- transition(forward * P(soon or not | m))     between two reviews
    P(buys again) = stay * sum_m forward(m) Phi(b0 + b1 m + month)

where ``P(stars, plan | m)`` integrates ``s`` out. All other columns (category, price,
votes, verified, recommended) are independent of mood given stars and text. A window
is of one customer: what others wrote about the same products is not used.
``buys_again`` is known for every row; who derives the outcome from the rows alone must
treat the last ``HORIZON_DAYS`` days of the table as censored.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import scipy  # whose parts are imported where they are first used

from reviewintent_jax.schema import NO_LABEL, InputError

WINDOW = 7
"""Reviews of one customer, this one included, that ``truth_intent`` may look at."""
HORIZON_DAYS = 30
"""``buys_again``: the next purchase comes within this many days."""

MOOD_PERSISTENCE = 0.92
MOOD_WEIGHT, QUALITY_WEIGHT = 0.62, 0.32
NOISE_WEIGHT = (1 - MOOD_WEIGHT**2 - QUALITY_WEIGHT**2) ** 0.5
STAR_NOISE = 0.18
STAR_SHARES = (0.12, 0.10, 0.08, 0.20, 0.50)
CODE_SHARES = (0.09, 0.12, 0.09, 0.13, 0.31, 0.26)
"""Strong, plain, mild complaint; mild, plain, strong praise; over all reviews."""
VERDICT_SLOPE, ASPECT_SLOPE = 3.0, 1.8
VERDICT_CHANCE = 0.5
MAX_STATEMENTS = 12
STATEMENTS_MEAN, STATEMENTS_SLOPE, STATEMENTS_SPREAD = 1.2, -0.12, 0.72
RECOMMEND_CHANCE = (0.03, 0.08, 0.45, 0.94, 0.99)
LEAVE_FIRST, LEAVE_LATER = 0.42, 0.10
SOON_BASE, SOON_MOOD = 0.1, 1.1
SOON_MONTH = (-0.4, -0.3, -0.1, 0.0, 0.0, -0.1, -0.2, -0.1, 0.0, 0.2, 0.5, 0.5)

CODES = 6

# Sums over an even grid are exact to 1e-6 here: every factor is smooth over a step.
S_GRID = np.linspace(-6, 6, 121)
M_GRID = np.linspace(-4.5, 4.5, 19)


class Plans(NamedTuple):
    """What a block of reviews will say, before it is put into words.

    Attributes:
      opening: int8 code of the verdict at the start, or -1.
      closing: int8 code of the verdict at the end, or -1.
      aspects: int8 [rows, MAX_STATEMENTS], codes of the statements, then -1.
    """

    opening: np.ndarray
    closing: np.ndarray
    aspects: np.ndarray


def _cuts(slope: float, shares: Sequence[float]) -> np.ndarray:
    """Cuts of an ordered probit that give its classes ``shares`` for s ~ N(0, 1)."""
    return scipy.special.ndtri(np.cumsum(shares)[:-1]) * np.hypot(slope, 1)


def probit_table(slope: float, shares: Sequence[float], s: np.ndarray) -> np.ndarray:
    """Chance of each class of ``cut(slope * s + e)`` given ``s``: classes x len(s)."""
    below = scipy.special.ndtr(_cuts(slope, shares)[:, None] - slope * s)
    return np.diff(below, axis=0, prepend=0, append=1)


def _draw_probit(
    slope: float, shares: Sequence[float], s: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    noisy = slope * s + rng.standard_normal(s.shape)
    return np.searchsorted(_cuts(slope, shares), noisy)


def statements_table(s: np.ndarray) -> np.ndarray:
    """Chance of 0, 1, ..., MAX_STATEMENTS statements given ``s``: counts x len(s)."""
    upper = np.log(np.arange(1, MAX_STATEMENTS + 1))[:, None]
    below = scipy.special.ndtr(
        (upper - STATEMENTS_MEAN - STATEMENTS_SLOPE * s) / STATEMENTS_SPREAD
    )
    return np.diff(below, axis=0, prepend=0, append=1)


def draw_stars(s: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Stars 1 to 5 for satisfactions ``s``."""
    return _draw_probit(1 / STAR_NOISE, STAR_SHARES, s, rng) + 1


def draw_plans(s: np.ndarray, rng: np.random.Generator) -> Plans:
    """Plans for satisfactions ``s``; a review says something: a verdict at least."""
    rows = len(s)
    noise = STATEMENTS_SPREAD * rng.standard_normal(rows)
    size = np.exp(STATEMENTS_MEAN + STATEMENTS_SLOPE * s + noise)
    count = np.minimum(size, MAX_STATEMENTS).astype(np.int64)
    pairs, many = np.broadcast_to(s, (2, rows)), np.repeat(s, MAX_STATEMENTS)
    opening, closing = _draw_probit(VERDICT_SLOPE, CODE_SHARES, pairs, rng)
    opens, closes = rng.random((2, rows)) < VERDICT_CHANCE
    opens |= (count == 0) & ~closes
    opening[~opens], closing[~closes] = -1, -1
    aspects = _draw_probit(ASPECT_SLOPE, CODE_SHARES, many, rng)
    aspects = aspects.reshape(rows, MAX_STATEMENTS)
    aspects[np.arange(MAX_STATEMENTS) >= count[:, None]] = -1
    return Plans(*(part.astype(np.int8) for part in (opening, closing, aspects)))


def count_codes(plans: Plans) -> np.ndarray:
    """Sufficient statistics of plans: uint8 [rows, 2 * CODES].

    Columns 0-5 count the verdicts of each code, 6-11 the statements about aspects.
    """
    verdicts = np.stack([plans.opening, plans.closing], axis=1)
    counts = [(part == code).sum(1) for part in (verdicts, plans.aspects)
              for code in range(CODES)]  # fmt: skip
    return np.stack(counts, axis=1).astype(np.uint8)


def _plan_likelihood(counts: np.ndarray) -> np.ndarray:
    """P(plan | s) up to a factor, highest value 1: rows x len(S_GRID)."""
    floor = 1e-300
    verdict = probit_table(VERDICT_SLOPE, CODE_SHARES, S_GRID)
    aspect = probit_table(ASPECT_SLOPE, CODE_SHARES, S_GRID)
    log_codes = np.log(np.maximum(np.concatenate([verdict, aspect]), floor))
    log_count = np.log(np.maximum(statements_table(S_GRID), floor))
    log_plan = counts.astype(float) @ log_codes
    log_plan += log_count[counts[:, CODES:].sum(axis=1, dtype=int)]
    return np.exp(log_plan - log_plan.max(axis=1, keepdims=True))


def positive_chance(counts: np.ndarray) -> np.ndarray:
    """``truth_positive`` of plans, from :func:`count_codes`; see the formula above."""
    weight = _plan_likelihood(counts) * np.exp(-(S_GRID**2) / 2)
    stars = probit_table(1 / STAR_NOISE, STAR_SHARES, S_GRID)
    positive = weight @ stars[3:].sum(axis=0)
    return positive / (positive + weight @ stars[:2].sum(axis=0))


def _normal_rows(mean: np.ndarray, spread: float, grid: np.ndarray) -> np.ndarray:
    """Discretised N(mean_i, spread) on ``grid``; rows sum to 1."""
    density = np.exp(-(((grid - mean[:, None]) / spread) ** 2) / 2)
    return density / density.sum(axis=1, keepdims=True)


def soon_chance(mood: np.ndarray, month: np.ndarray) -> np.ndarray:
    """Chance that a customer who stays comes back within the horizon."""
    return scipy.special.ndtr(
        SOON_BASE + SOON_MOOD * mood + np.asarray(SOON_MONTH)[month]
    )


def mood_evidence(counts: np.ndarray, stars: np.ndarray) -> np.ndarray:
    """P(stars, plan | mood) of reviews up to a factor: float32 rows x len(M_GRID).

    Args:
      counts: uint8 [rows, 2 * CODES] from :func:`count_codes`.
      stars: [rows], 1 to 5.
    """
    spread = (1 - MOOD_WEIGHT**2) ** 0.5
    satisfaction = _normal_rows(MOOD_WEIGHT * M_GRID, spread, S_GRID)
    given_stars = probit_table(1 / STAR_NOISE, STAR_SHARES, S_GRID)[stars - 1]
    evidence = (_plan_likelihood(counts) * given_stars) @ satisfaction.T
    return (evidence / evidence.max(axis=1, keepdims=True)).astype(np.float32)


def intent_chance(
    evidence: np.ndarray, seen: np.ndarray, soon: np.ndarray, month: np.ndarray
) -> np.ndarray:
    """``truth_intent``: best chance of buying again soon given the last reviews.

    Args:
      evidence: [rows, WINDOW, len(M_GRID)], oldest first, from :func:`mood_evidence`.
      seen: bool [rows, WINDOW]; false before the customer's first review.
      soon: bool [rows, WINDOW]; whether the next purchase came soon. The last column
        is the answer and is not read.
      month: [rows, WINDOW], 0 to 11.

    Returns:
      Probabilities [rows].
    """
    step_spread = (1 - MOOD_PERSISTENCE**2) ** 0.5
    transition = _normal_rows(MOOD_PERSISTENCE * M_GRID, step_spread, M_GRID)
    chance = soon_chance(M_GRID, np.arange(12)[:, None])
    forward = np.tile(np.exp(-(M_GRID**2) / 2), (len(evidence), 1))
    for step in range(WINDOW):
        here = seen[:, step]
        now = forward[here] * evidence[here, step]
        if step < WINDOW - 1:
            p = chance[month[here, step]]
            now = (now * np.where(soon[here, step, None], p, 1 - p)) @ transition
        forward[here] = now / now.sum(axis=1, keepdims=True)
    stay = np.where(seen.sum(axis=1) == 1, 1 - LEAVE_FIRST, 1 - LEAVE_LATER)
    return stay * (forward * chance[month[:, -1]]).sum(axis=1)


def text_intent_chance(counts: np.ndarray) -> np.ndarray:
    """Best chance of buying again soon given the text of the last review alone.

    What no reader of a single text can surpass; up to a factor, the chance to stay,
    and with the months weighed equally, because a text tells neither.

    Args:
      counts: uint8 [rows, 2 * CODES] from :func:`count_codes`.

    Returns:
      Probabilities [rows] of those who stay.
    """
    spread = (1 - MOOD_WEIGHT**2) ** 0.5
    satisfaction = _normal_rows(MOOD_WEIGHT * M_GRID, spread, S_GRID)
    mood = (_plan_likelihood(counts) @ satisfaction.T) * np.exp(-(M_GRID**2) / 2)
    chance = soon_chance(M_GRID, np.arange(12)[:, None]).mean(axis=0)
    return (mood @ chance) / mood.sum(axis=1)


def best_possible(
    truth_positive: Sequence[float] | np.ndarray, labels: Sequence[int] | np.ndarray
) -> dict[str, float]:
    """Score of the optimal rule on these rows: what a perfect reader would get.

    Args:
      truth_positive: best possible probabilities of label 1 (``truth_positive``, or
        ``truth_intent`` with ``buys_again``).
      labels: 1, 0, or ``NO_LABEL`` for rows to leave out (such as 3 stars).

    Returns:
      ``rows`` scored, ``accuracy`` at 0.5, ``auc`` and ``log_loss`` (nats).

    Raises:
      InputError: if the lengths differ or a class is absent.
    """
    p, y = np.asarray(truth_positive, float), np.asarray(labels)
    if p.shape != y.shape:
        raise InputError(f"{p.shape} probabilities do not go with {y.shape} labels.")
    p, y = p[y != NO_LABEL], y[y != NO_LABEL]
    ones = int((y == 1).sum())
    if not 0 < ones < len(y):
        raise InputError(f"AUC needs both classes; {ones} of {len(y)} labels are 1.")
    _, place, ties = np.unique(p, return_inverse=True, return_counts=True)
    rank = (np.cumsum(ties) - (ties - 1) / 2)[place]  # from 1; the mean among ties
    wins = rank[y == 1].sum() - ones * (ones + 1) / 2
    of_truth = np.clip(np.where(y == 1, p, 1 - p), 1e-12, 1)
    return {
        "rows": len(y),
        "accuracy": float(((p >= 0.5) == (y == 1)).mean()),
        "auc": float(wins / (ones * (len(y) - ones))),
        "log_loss": float(-np.log(of_truth).mean()),
    }
