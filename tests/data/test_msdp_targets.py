"""What came of cases, and until when it is known: dates of rows, ends of follow-up."""

import numpy as np
import pandas as pd
import pytest

from configs import msdp
from reviewintent_jax.data.msdp_features import (
    MsdpData,
    fit_features,
    intervals_of,
)
from reviewintent_jax.data.splits import TEST
from reviewintent_jax.schema import InputError
from tests.data.purchases import (
    DAY,
    cases_of,
    orders_of,
    purchase_config,
    schema_of,
)


@pytest.fixture
def config(tmp_path):
    return purchase_config(tmp_path)


def test_rows_with_times_of_their_own_are_cases_with_targets_from_columns(tmp_path):
    rng = np.random.default_rng(0)
    rows = 150
    bought = np.datetime64("2020-01-01") + rng.integers(0, 90, rows)
    wait = rng.integers(1, 20, rows)
    came = [str(b + w) if w < 15 else "" for b, w in zip(bought, wait, strict=True)]
    table = pd.DataFrame(
        {
            "bought": bought.astype(str),
            "came": came,
            "written": (bought + 16).astype(str),
            "stars": rng.integers(1, 6, rows),
            "worth": rng.uniform(1, 9, rows),
            "words": "good tea",
        }
    )
    table.to_csv(tmp_path / "rows.csv", index=False)
    config = msdp.get_config()
    config.data.update(
        path=str(tmp_path / "rows.csv"), time="bought", texts=("words",), seasons=True
    )
    config.targets.update(
        intent="stars",
        positive=("4", "5"),
        value="worth",
        time="came",
        followed_until="written",
        interval_days=(5.0, 10.0, 18.0),
    )
    cases = cases_of(config, tmp_path)
    targets = cases.targets
    assert (targets.intent_n == (table["stars"] > 3)).all()
    np.testing.assert_allclose(targets.value_n, table["worth"])
    np.testing.assert_allclose(targets.days_n, np.where(wait < 15, wait, 16))
    np.testing.assert_array_equal(targets.came_n, wait < 15)
    schema = schema_of(config)
    assert schema.sources == (True, False, True)
    fit = fit_features(cases, schema)
    batch = MsdpData(cases, fit, schema, np.ones((1, 3), np.float32)).batch(
        np.array([4, -1]), 3
    )
    assert batch.there_bi.tolist() == [[True, False, True], [False] * 3, [False] * 3]
    assert batch.row_b.tolist() == [4, -1, -1]
    assert batch.text_bkd[0].tolist() == [[1, 1, 1]]
    assert not batch.text_bkd[1:].any()


def test_known_until_is_trusted_and_what_comes_later_set_aside(config, tmp_path):
    config.cuts.known_until = "2020-10-15"
    cases = cases_of(config, tmp_path)
    censored = ~cases.targets.came_n & (cases.split_n == TEST)
    until = np.datetime64("2020-10-15", "s").astype(np.int64)
    limit = (until - cases.moment_n[censored]) / DAY
    np.testing.assert_allclose(cases.targets.days_n[censored], limit)
    later = (pd.read_csv(config.events.path)["when"] > "2020-10-15").sum()
    assert cases.facts["set_aside"] == {"after cuts.known_until": later}
    config.cuts.known_until = "2021-03-01"  # the shop was open, and nothing came
    cases = cases_of(config, tmp_path)
    test = cases.rows(TEST)
    assert (cases.targets.followed_n[test] == 212).all()
    assert cases.facts["set_aside"] == {}
    config.cuts.known_until = "2020-09-01"
    with pytest.raises(InputError, match="not one answer is known"):
        cases_of(config, tmp_path)


def test_customers_who_came_after_the_cut_are_counted(config, tmp_path):
    orders = orders_of(config.events.path)
    cases = cases_of(config, tmp_path)
    first = {who: rows[0][0] for who, rows in orders.items()}
    places = zip(cases.names, cases.moment_n, strict=True)
    late = sum(who in first and first[who] >= moment for who, moment in places)
    assert cases.facts["late"] == late


def followed_rows(tmp_path, rows=4000):
    """Rows whose event comes at 1/30 a day, each followed for up to 40 days."""
    rng = np.random.default_rng(4)
    wait, followed = rng.exponential(30, rows), rng.uniform(0, 40, rows)
    start = pd.Timestamp("2020-01-01")
    seconds = pd.to_timedelta
    table = pd.DataFrame(
        {
            "start": [str(start)] * rows,
            "came": (start + seconds(wait, "D")).astype(str),
            "until": (start + seconds(followed, "D")).astype(str),
        }
    )
    table.to_csv(tmp_path / "rows.csv", index=False)
    config = msdp.get_config()
    config.data.update(path=str(tmp_path / "rows.csv"), time="start", seasons=True)
    config.targets.update(
        time="came", followed_until="until", interval_days=(10.0, 20.0, 30.0)
    )
    return config, wait, followed


def test_what_comes_after_the_follow_up_of_a_row_was_not_seen(tmp_path):
    config, wait, followed = followed_rows(tmp_path)
    targets = cases_of(config, tmp_path).targets
    # Moments are whole seconds.
    np.testing.assert_array_equal(
        targets.came_n, np.floor(wait * DAY) <= followed * DAY
    )
    np.testing.assert_allclose(targets.days_n, np.minimum(wait, followed), atol=2 / DAY)


def test_hazards_of_rows_with_a_follow_up_of_their_own_are_not_biased(tmp_path):
    config, _, _ = followed_rows(tmp_path)
    targets = cases_of(config, tmp_path).targets
    ends = np.array([10.0, 20.0, 30.0])
    known = targets.days_n, targets.came_n, targets.followed_n
    interval_n, inside_n = intervals_of(*known, ends)
    for j in range(3):
        risk = (interval_n > j) | (inside_n & (interval_n == j))
        seen = (inside_n & (interval_n == j)).sum() / risk.sum()
        assert seen == pytest.approx(1 - np.exp(-1 / 3), abs=0.04), j
