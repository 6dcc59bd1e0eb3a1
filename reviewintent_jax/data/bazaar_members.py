"""The built-in shop's members (before stage 1): a seed -> cases and events of three
sources, and their truth.

Each member has a will ``z ~ N(0, 1)`` to come back, and one of three sources carries
it, which the member's club names::

    club    carrier      what is drawn from z there
    voice   text         the review of the newest purchase, as of satisfaction s = z
    rhythm  behaviour    gaps between purchases of mean 40 exp(-0.9 z) days
    card    structured   tier, by cuts of z + 0.3 e, and points 100 exp(0.8 z + 0.3 e)

The other two sources are drawn from numbers of their own, independent of ``z``, and
look just the same. So each source alone knows a third of the members, all three
together know all of them, and who weighs sources rightly weighs the club's carrier.

After the cut the member buys after T days, exponential with rate
``exp(1.1 z) / 70`` a day, for ``exp(3.2 + 0.5 z + 0.35 e)``; then again, and so on.
``truth_buys = 1 - exp(-60 exp(1.1 z) / 70)`` is the probability of a purchase within 60
days given ``z``: no reader of the sources can do better, since they show ``z`` with
noise. A tenth of the members have no review, and another tenth no purchase before the
cut.
"""

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from reviewintent_jax.data.bazaar_goods import KINDS
from reviewintent_jax.data.bazaar_text import STYLE_SHARES, STYLES, Writer
from reviewintent_jax.data.bazaar_truth import draw_plans
from reviewintent_jax.schema import InputError

CUT = "2023-07-01"
"""Day on which members are asked about; a purchase on it counts as after."""
FOLLOW_DAYS = 120
HORIZON_DAYS = 60
CLUBS = ("voice", "rhythm", "card")
CARRIERS = {"voice": "text", "rhythm": "behaviour", "card": "structured"}
TIERS = ("bronze", "silver", "gold", "platinum")
CHANNELS = ("web", "app", "store")
MEMBER_COLUMNS = (
    *("member", "club", "tier", "points", "age", "channel", "truth_buys"),
)
MEMBER_EVENT_COLUMNS = ("member", "time", "item", "category", "value", "title", "text")

_DAY = 86_400
_RATE, _WILL = 1 / 70, 1.1
_GAP_DAYS, _GAP_WILL, _GAP_SHAPE = 40.0, 0.9, 3.0
_TIER_CUTS = (-0.9, 0.1, 1.1)
_MISSING = 0.1


class Members(NamedTuple):
    """Rows of the two tables, as dicts by column."""

    cases: Iterator[dict[str, Any]]
    events: Iterator[dict[str, Any]]


class _Wills(NamedTuple):
    """The numbers behind each member, [n]: z, and what each source is drawn from."""

    club: np.ndarray
    z: np.ndarray
    text: np.ndarray
    rhythm: np.ndarray
    card: np.ndarray


def true_chance(z: np.ndarray) -> np.ndarray:
    """Probability of a purchase within ``HORIZON_DAYS`` of the cut."""
    return -np.expm1(-HORIZON_DAYS * _RATE * np.exp(_WILL * z))


def simulate_members(count: int, seed: int) -> Members:
    """Members and their purchases; the same count and seed give the same.

    Columns: ``MEMBER_COLUMNS`` and ``MEMBER_EVENT_COLUMNS``. A model must not read
    ``truth_buys``.

    Raises:
      InputError: fewer than one member.
    """
    if count < 1:
        raise InputError(f"The shop needs at least 1 member, not {count}.")
    wills = _draw_wills(count, seed)
    return Members(_cases(wills, seed), _events(wills, seed))


def _draw_wills(count: int, seed: int) -> _Wills:
    rng = np.random.default_rng((seed, 10))
    club = rng.integers(len(CLUBS), size=count)
    z, *others = rng.standard_normal((4, count))
    shown = [np.where(club == c, z, other) for c, other in enumerate(others)]
    return _Wills(club, z, *shown)


def _name(member: int) -> str:
    return f"M{member:06d}"


def _cases(wills: _Wills, seed: int) -> Iterator[dict[str, Any]]:
    rng = np.random.default_rng((seed, 11))
    count = len(wills.z)
    noise = rng.standard_normal((2, count))
    tier = np.searchsorted(_TIER_CUTS, wills.card + 0.3 * noise[0])
    points = 100 * np.exp(0.8 * wills.card + 0.3 * noise[1])
    age = rng.integers(18, 80, count)
    channel = rng.integers(len(CHANNELS), size=count)
    chance = true_chance(wills.z)
    for n in range(count):
        yield {
            "member": _name(n),
            "club": CLUBS[wills.club[n]],
            "tier": TIERS[tier[n]],
            "points": round(float(points[n]), 1),
            "age": int(age[n]),
            "channel": CHANNELS[channel[n]],
            "truth_buys": round(float(chance[n]), 6),
        }


def _events(wills: _Wills, seed: int) -> Iterator[dict[str, Any]]:
    rng = np.random.default_rng((seed, 12))
    plans = draw_plans(wills.text, rng)
    writer = Writer(seed=(seed << 32) + 12)
    cut = int(np.datetime64(CUT, "s").astype(np.int64))
    styles = rng.choice(len(STYLES), len(wills.z), p=STYLE_SHARES)
    for n in range(len(wills.z)):
        before = _times_before(wills.rhythm[n], rng)
        after = _times_after(wills.z[n], rng)
        silent, new = rng.random(2) < _MISSING
        if new:
            before = before[:0]
        kind = int(rng.integers(len(KINDS)))
        said = writer.write(
            kind,
            int(styles[n]),
            int(plans.opening[n]),
            int(plans.closing[n]),
            plans.aspects[n].tolist(),
        )
        for day in (*before, *after):
            newest = len(before) > 0 and day == before[-1]
            later = 0.5 * wills.z[n] if day >= 0 else 0.0
            value = np.exp(3.2 + later + 0.35 * rng.standard_normal())
            item = kind if newest else int(rng.integers(len(KINDS)))
            title, text = said if newest and not silent else ("", "")
            moment = np.datetime64(cut + int(day * _DAY), "s")
            yield {
                "member": _name(n),
                "time": f"{moment}Z",
                "item": KINDS[item].noun,
                "category": KINDS[item].category,
                "value": round(float(value), 2),
                "title": title,
                "text": text,
            }


def _times_before(rhythm: float, rng: np.random.Generator) -> np.ndarray:
    """Days of 3 to 12 purchases before the cut (negative), oldest first."""
    count = int(rng.integers(3, 13))
    mean = _GAP_DAYS * np.exp(-_GAP_WILL * rhythm)
    gaps = rng.gamma(_GAP_SHAPE, mean / _GAP_SHAPE, count)
    gaps[0] *= rng.random()  # the cut falls anywhere within a gap
    return -np.cumsum(np.clip(gaps, 0.05, 400))[::-1]


def _times_after(z: float, rng: np.random.Generator) -> np.ndarray:
    """Days of the purchases from the cut to the end of what is known."""
    rate = _RATE * np.exp(_WILL * z)
    days = np.cumsum(rng.exponential(1 / rate, 1 + int(FOLLOW_DAYS * rate * 3)))
    return days[days < FOLLOW_DAYS]
