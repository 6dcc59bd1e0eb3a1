"""The built-in shop (before stage 1): a seed -> reviews in time order, and their truth.

The shop needs no network, and its right answers are known, so a model can be judged
against the best that any model could do: see ``bazaar_truth`` for the story of a review
and the formulas. All of it is synthetic::

    python -m reviewintent_jax.data.bazaar --rows=1000000 --output=shop.csv --seed=0
"""

import argparse
import csv
import dataclasses
import gzip
import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from reviewintent_jax.data.bazaar_goods import CATEGORIES, KINDS
from reviewintent_jax.data.bazaar_text import STYLE_SHARES, STYLES, Writer
from reviewintent_jax.data.bazaar_truth import (
    HORIZON_DAYS,
    LEAVE_FIRST,
    LEAVE_LATER,
    M_GRID,
    MOOD_PERSISTENCE,
    MOOD_WEIGHT,
    NOISE_WEIGHT,
    QUALITY_WEIGHT,
    RECOMMEND_CHANCE,
    WINDOW,
    Plans,
    best_possible,
    count_codes,
    draw_plans,
    draw_stars,
    intent_chance,
    mood_evidence,
    positive_chance,
    soon_chance,
)
from reviewintent_jax.schema import InputError

__all__ = ["BazaarSpec", "best_possible", "simulate_shop", "write_shop"]

OPEN_DATE = "2016-01-01"
YEARS = 8
PRODUCTS_PER_KIND = 24
BLOCK = 2048
DAY = 86_400


@dataclasses.dataclass(frozen=True)
class BazaarSpec:
    """What to simulate.

    Attributes:
      rows: reviews to write, at least 1. Arrivals are scaled so that they always
        spread over about seven years.
      seed: any integer from 0; the same seed and rows give the same shop.
    """

    rows: int
    seed: int

    def __post_init__(self) -> None:
        if self.rows < 1:
            raise InputError(f"The shop needs at least 1 row, not {self.rows}.")
        if self.seed < 0:
            raise InputError(f"The seed counts from 0; {self.seed} is negative.")


class Visits(NamedTuple):
    """Who bought when: one entry per review, in time order.

    Attributes:
      time: int64 seconds since 1970 UTC, non-decreasing.
      customer: int32.
      previous: int32 index of the customer's review before this one, or -1.
      mood: float32.
      soon: bool, the next purchase comes within the horizon.
      month: uint8, 0 to 11.
    """

    time: np.ndarray
    customer: np.ndarray
    previous: np.ndarray
    mood: np.ndarray
    soon: np.ndarray
    month: np.ndarray


class Shelves(NamedTuple):
    """The products: category, kind, price and quality; odds within each category."""

    category: np.ndarray
    kind: np.ndarray
    price: np.ndarray
    quality: np.ndarray
    odds: list[np.ndarray]


def _walk(arrivals: np.ndarray, end: float, rng: np.random.Generator) -> list[tuple]:
    """Follow all customers, visit by visit: columns of (time, customer, mood, soon)."""
    customer = np.arange(len(arrivals), dtype=np.int32)
    time, mood = arrivals, rng.standard_normal(len(arrivals))
    visits, leave = [], LEAVE_FIRST
    while len(customer):
        stays = rng.random(len(customer)) >= leave
        month = _months(time.astype(np.int64))
        soon = stays & (rng.random(len(customer)) < soon_chance(mood, month))
        visits.append((time.astype(np.int64), customer, mood.astype(np.float32), soon))
        quick = rng.uniform(0.8, HORIZON_DAYS - 0.01, len(customer))
        slow = HORIZON_DAYS + 0.01 + rng.lognormal(np.log(45), 0.9, len(customer))
        step = rng.standard_normal(len(customer)) * (1 - MOOD_PERSISTENCE**2) ** 0.5
        time = time + DAY * np.where(soon, quick, slow)
        keep = stays & (time < end)
        customer, time = customer[keep], time[keep]
        mood, leave = (MOOD_PERSISTENCE * mood + step)[keep], LEAVE_LATER
    return visits


def _months(time: np.ndarray) -> np.ndarray:
    months = time.astype("datetime64[s]").astype("datetime64[M]").astype(np.int64)
    return (months % 12).astype(np.uint8)


def draw_visits(spec: BazaarSpec) -> Visits:
    """All visits of the shop, in time order; about 35 bytes per row at rest."""
    rng = np.random.default_rng((spec.seed, 0))
    opened = np.datetime64(OPEN_DATE, "s").astype(np.int64)
    end = opened + YEARS * 365.25 * DAY
    per_customer = 1 + (1 - LEAVE_FIRST) / LEAVE_LATER
    customers, visits = int(spec.rows / per_customer * 1.3) + 50, []
    while sum(len(part[0]) for part in visits) < spec.rows:
        growth = np.sort(rng.random(customers) ** 0.75)
        visits = _walk(opened + growth * (end - opened), end, rng)
        customers = int(customers * 1.3) + 1
    times = np.concatenate([part[0] for part in visits])
    order = np.argsort(times, kind="stable")[: spec.rows]
    time, customer, mood, soon = (
        np.concatenate([part[column] for part in visits])[order] for column in range(4)
    )
    return Visits(time, customer, _previous(customer), mood, soon, _months(time))


def _previous(customer: np.ndarray) -> np.ndarray:
    """Index of the same customer's entry before, or -1: 7 9 7 7 -> -1 -1 0 2."""
    order = np.argsort(customer, kind="stable")
    same = customer[order][1:] == customer[order][:-1]
    previous = np.full(len(customer), -1, np.int32)
    previous[order[1:][same]] = order[:-1][same]
    return previous


def stock_shelves(seed: int) -> Shelves:
    """The products of the shop.

    Quality has mean 0 and variance 1 within each kind, weighted by the odds that a
    product of the kind is bought, so that the name of a product gives nothing away.
    """
    rng = np.random.default_rng((seed, 1))
    kinds = KINDS
    kind = np.repeat(np.arange(len(kinds)), PRODUCTS_PER_KIND)
    category = np.array([CATEGORIES.index(k.category) for k in kinds])[kind]
    shape = (len(kinds), PRODUCTS_PER_KIND)
    odds = (np.arange(PRODUCTS_PER_KIND) + 3.0) ** -0.8 * np.ones((len(kinds), 1))
    odds *= rng.lognormal(0, 0.5, (len(kinds), 1))
    weight = odds / odds.sum(axis=1, keepdims=True)
    quality = rng.standard_normal(shape)
    quality -= (weight * quality).sum(axis=1, keepdims=True)
    quality /= np.sqrt((weight * quality**2).sum(axis=1, keepdims=True))
    price = np.array([k.price for k in kinds])[kind] * rng.lognormal(0, 0.4, len(kind))
    price = np.floor(price) + rng.choice([0.99, 0.95, 0.49, 0.0], len(kind))
    per_category = [
        odds.ravel()[category == c] / odds.ravel()[category == c].sum()
        for c in range(len(CATEGORIES))
    ]
    return Shelves(category, kind, np.maximum(price, 1), quality.ravel(), per_category)


def _windows(previous: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Indices of the last WINDOW visits, oldest first; -1 pads the left."""
    window = np.full((len(rows), WINDOW), -1, np.int32)
    window[:, -1] = rows
    for step in range(WINDOW - 2, -1, -1):
        later = window[:, step + 1]
        window[:, step] = np.where(later < 0, -1, previous[later])
    return window


class _EvidenceStore:
    """Mood evidence of the reviews that a later window may still look at.

    Each review gets a slot of a small pool, given back when its customer's last window
    that holds it has passed; the pool grows with the customers who are active at once.
    """

    def __init__(self, previous: np.ndarray) -> None:
        rows = len(previous)
        following = np.arange(rows, dtype=np.int32)
        later = np.flatnonzero(previous >= 0).astype(np.int32)
        following[previous[later]] = later
        last = following
        for _ in range(WINDOW - 2):
            last = following[last]
        self._leaving = np.argsort(last, kind="stable").astype(np.int32)
        self._last = last[self._leaving]
        self._left = 0
        self._slot = np.zeros(rows, np.int32)
        self._pool = np.zeros((0, len(M_GRID)), np.float32)
        self._free = np.zeros(0, np.int32)

    def put(self, rows: np.ndarray, evidence: np.ndarray) -> None:
        """Keep the evidence of new rows."""
        if len(rows) > len(self._free):
            old, more = len(self._pool), len(self._pool) // 4 + len(rows)
            self._pool = np.pad(self._pool, ((0, more), (0, 0)))
            fresh = np.arange(old, old + more, dtype=np.int32)
            self._free = np.concatenate([self._free, fresh])
        self._slot[rows], self._free = np.split(self._free, [len(rows)])
        self._pool[self._slot[rows]] = evidence

    def get(self, window: np.ndarray) -> np.ndarray:
        """Evidence of windows of rows; what stands at index -1 is of no meaning."""
        return self._pool[self._slot[window]]

    def forget(self, stop: int) -> None:
        """Give back what no row from ``stop`` on looks at."""
        left = int(np.searchsorted(self._last, stop))
        gone = self._slot[self._leaving[self._left : left]]
        self._free, self._left = np.concatenate([self._free, gone]), left


class Shop:
    """The run of one simulation: draws block after block, in time order."""

    def __init__(self, spec: BazaarSpec) -> None:
        self.spec = spec
        self.visits = draw_visits(spec)
        self.shelves = stock_shelves(spec.seed)
        rng = np.random.default_rng((spec.seed, 2))
        customers = int(self.visits.customer.max()) + 1
        categories = len(CATEGORIES)
        self.favourite = rng.integers(categories, size=customers).astype(np.uint8)
        self.style = rng.choice(len(STYLES), customers, p=STYLE_SHARES).astype(np.uint8)
        self.product = np.zeros(spec.rows, np.int16)
        self.evidence = _EvidenceStore(self.visits.previous)

    def choose_products(self, window: np.ndarray, rng: np.random.Generator) -> None:
        """Fill ``self.product`` for a block; no product twice within one window."""
        rows = window[:, -1]
        chance = rng.random((3, len(rows)))
        favourite = self.favourite[self.visits.customer[rows]]
        anything = (chance[1] * len(self.shelves.odds)).astype(np.int64)
        category = np.where(chance[0] < 0.6, favourite, anything)
        for c, odds in enumerate(self.shelves.odds):
            here = category == c
            pick = np.searchsorted(np.cumsum(odds)[:-1], chance[2][here])
            self.product[rows[here]] = np.flatnonzero(self.shelves.category == c)[pick]
        while True:
            past = self.product[window[:, :-1]]
            seen = (window[:, :-1] >= 0) & (past == self.product[rows][:, None])
            again = rows[seen.any(axis=1)]
            if not len(again):
                break
            kind = self.product[again] // PRODUCTS_PER_KIND * PRODUCTS_PER_KIND
            self.product[again] = kind + (self.product[again] + 1) % PRODUCTS_PER_KIND

    def draw_block(self, start: int) -> tuple[Plans, dict[str, list]]:
        """Plans and all number columns of one block of rows."""
        stop = min(start + BLOCK, self.spec.rows)
        rows = np.arange(start, stop)
        rng = np.random.default_rng((self.spec.seed, 3, start // BLOCK))
        window = _windows(self.visits.previous, rows)
        self.choose_products(window, rng)
        product, mood = self.product[rows], self.visits.mood[rows]
        s = MOOD_WEIGHT * mood + QUALITY_WEIGHT * self.shelves.quality[product]
        s = s + NOISE_WEIGHT * rng.standard_normal(len(rows))
        plans = draw_plans(s, rng)
        counts, stars = count_codes(plans), draw_stars(s, rng)
        self.evidence.put(rows, mood_evidence(counts, stars))
        intent = intent_chance(
            self.evidence.get(window),
            window >= 0,
            self.visits.soon[window],
            self.visits.month[window],
        )
        self.evidence.forget(stop)
        recommended = np.take(RECOMMEND_CHANCE, stars - 1)
        length = (plans.aspects >= 0).sum(axis=1)
        votes = rng.poisson(rng.gamma(0.35, 0.8 + 0.5 * length))
        return plans, {
            "time": self.visits.time[rows].astype("M8[s]").astype(str).tolist(),
            "customer": self.visits.customer[rows].tolist(),
            "product": product.tolist(),
            "kind": self.shelves.kind[product].tolist(),
            "price": np.round(self.shelves.price[product], 2).tolist(),
            "stars": stars.tolist(),
            "recommended": (rng.random(len(rows)) < recommended).astype(int).tolist(),
            "helpful_votes": votes.tolist(),
            "verified": (rng.random(len(rows)) < 0.91).astype(int).tolist(),
            "buys_again": self.visits.soon[rows].astype(int).tolist(),
            "truth_positive": positive_chance(counts).round(6).tolist(),
            "truth_intent": intent.round(6).tolist(),
            "truth_mood": mood.astype(float).round(4).tolist(),
            "style": self.style[self.visits.customer[rows]].tolist(),
        }


def simulate_shop(spec: BazaarSpec) -> Iterator[dict[str, Any]]:
    """Yield the reviews of the shop, oldest first, one dict per review.

    Columns: review_id, time (ISO 8601, UTC), user_id, product_id, category, price,
    title, text, stars (1-5), recommended (0/1, drawn from the stars alone),
    helpful_votes, verified (0/1), buys_again (0/1, the outcome), truth_positive,
    truth_intent (see the module's docstring) and truth_mood (unit variance). A model
    must not read ``buys_again`` or a ``truth_`` column.
    """
    shop = Shop(spec)
    for start in range(0, spec.rows, BLOCK):
        plans, columns = shop.draw_block(start)
        writer = Writer(seed=(spec.seed << 32) + start)
        parts = zip(*(part.tolist() for part in plans), strict=True)
        records = zip(*columns.values(), strict=True)
        for row, (plan, values) in enumerate(zip(parts, records, strict=True), start):
            (time, customer, product, kind, price, stars, recommended, votes, verified,
             again, positive, intent, mood, style) = values  # fmt: skip
            title, text = writer.write(kind, style, *plan)
            yield {
                "review_id": f"R{row:08d}",
                "time": f"{time}Z",
                "user_id": f"U{customer:07d}",
                "product_id": f"P{product:05d}",
                "category": KINDS[kind].category,
                "price": price,
                "title": title,
                "text": text,
                "stars": stars,
                "recommended": recommended,
                "helpful_votes": votes,
                "verified": verified,
                "buys_again": again,
                "truth_positive": positive,
                "truth_intent": intent,
                "truth_mood": mood,
            }


def write_shop(spec: BazaarSpec, output: Path) -> None:
    """Write the shop to a ``.csv`` or ``.jsonl`` file, gzipped if ``.gz`` follows.

    The rows go to ``<output>.part`` first; the file appears when it is whole.

    Raises:
      InputError: if the file's ending is none of these.
    """
    suffixes = [s for s in output.suffixes if s in (".csv", ".jsonl", ".gz")]
    if suffixes not in ([".csv"], [".jsonl"], [".csv", ".gz"], [".jsonl", ".gz"]):
        raise InputError(
            f"Cannot tell the format of {output.name}.",
            fix="Name it .csv, .jsonl, .csv.gz or .jsonl.gz.",
        )
    part = output.with_name(output.name + ".part")
    opener = gzip.open if suffixes[-1] == ".gz" else open
    with opener(part, "wt", encoding="utf-8", newline="") as file:
        table = csv.writer(file, lineterminator="\n")
        for number, row in enumerate(simulate_shop(spec)):
            if suffixes[0] == ".jsonl":
                file.write(json.dumps(row, ensure_ascii=False) + "\n")
                continue
            if number == 0:
                table.writerow(row)
            table.writerow(row.values())
    part.replace(output)


def main(arguments: Sequence[str] | None = None) -> int:
    """Command line: ``--rows --output [--seed]``; returns the exit status."""
    parser = argparse.ArgumentParser(description="Write the built-in, synthetic shop.")
    parser.add_argument("--rows", type=int, default=10_000, help="reviews to write")
    parser.add_argument("--output", type=Path, required=True, help=".csv/.jsonl[.gz]")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args(arguments)
    try:
        write_shop(BazaarSpec(options.rows, options.seed), options.output)
    except InputError as error:
        print(error, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
