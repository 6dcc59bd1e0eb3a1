"""The built-in members: repeatable, and each source true in its club alone."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import spearmanr

from reviewintent_jax.data.bazaar_members import (
    CLUBS,
    CUT,
    MEMBER_COLUMNS,
    MEMBER_EVENT_COLUMNS,
    simulate_members,
    true_chance,
)
from reviewintent_jax.schema import InputError


@pytest.fixture(scope="module")
def members():
    shop = simulate_members(900, 5)
    return pd.DataFrame(shop.cases), pd.DataFrame(shop.events)


def test_the_same_seed_gives_the_same_and_another_does_not():
    first, again, other = (simulate_members(7, seed) for seed in (1, 1, 2))
    events = list(first.events)
    assert events == list(again.events)
    assert list(first.cases) == list(again.cases)
    assert events != list(other.events)


def test_columns_are_those_that_are_named(members):
    cases, events = members
    assert tuple(cases) == MEMBER_COLUMNS
    assert tuple(events) == MEMBER_EVENT_COLUMNS
    assert set(cases["club"]) == set(CLUBS)


def test_the_true_chance_is_the_share_that_buys_within_sixty_days(members):
    cases, events = members
    after = events[events["time"] >= CUT]
    days = pd.to_datetime(after["time"], utc=True) - pd.Timestamp(CUT, tz="UTC")
    soon = set(after["member"][days <= pd.Timedelta(days=60)])
    bought = cases["member"].isin(soon)
    spread = np.sqrt((cases["truth_buys"] * (1 - cases["truth_buys"])).sum())
    assert abs(bought.sum() - cases["truth_buys"].sum()) < 3.5 * spread
    assert true_chance(np.array([0.0]))[0] == pytest.approx(1 - np.exp(-60 / 70))


def test_each_source_tells_of_its_own_club_alone(members):
    cases, events = members
    before = events[events["time"] < CUT].groupby("member")
    span = before["time"].agg(lambda t: pd.Timestamp(t.max()) - pd.Timestamp(t.min()))
    gap = span.dt.total_seconds() / (before["time"].count() - 1)
    cases = cases.set_index("member").join(gap.rename("gap"))
    for club in CLUBS:
        some = cases[cases["club"] == club].dropna()
        card = spearmanr(some["points"], some["truth_buys"]).statistic
        rhythm = spearmanr(-some["gap"], some["truth_buys"]).statistic
        assert (card > 0.6) == (club == "card")
        assert (rhythm > 0.6) == (club == "rhythm")
        assert abs(card) < 0.25 or club == "card"


def test_some_have_no_review_and_some_no_purchase(members):
    cases, events = members
    before = events[events["time"] < CUT]
    without = 1 - before["member"].nunique() / len(cases)
    assert 0.05 < without < 0.15
    texts = before.groupby("member")["text"].agg(lambda t: (t != "").sum())
    assert set(texts) == {0, 1}
    assert 0.05 < (texts == 0).mean() < 0.15


def test_nobody_is_no_shop():
    with pytest.raises(InputError, match="at least 1 member"):
        simulate_members(0, 1)
