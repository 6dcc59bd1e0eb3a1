"""The shop as a whole: order, histories, outcomes, files, variety, difficulty."""

import collections
import csv
import datetime
import gzip
import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.feature_extraction.text import CountVectorizer, TfidfVectorizer
from sklearn.linear_model import LogisticRegression

from reviewintent_jax.data import bazaar
from reviewintent_jax.data.bazaar import BazaarSpec, best_possible, simulate_shop
from reviewintent_jax.data.bazaar_truth import HORIZON_DAYS, M_GRID, WINDOW
from reviewintent_jax.schema import InputError

COLUMNS = [
    "review_id", "time", "user_id", "product_id",
    "category", "price", "title", "text",
    "stars", "recommended", "helpful_votes", "verified",
    "buys_again", "truth_positive", "truth_intent", "truth_mood",
]  # fmt: skip


@pytest.fixture(scope="module")
def rows() -> list[dict]:
    return list(simulate_shop(BazaarSpec(rows=10_000, seed=3)))


def _time(row: dict) -> datetime.datetime:
    return datetime.datetime.fromisoformat(row["time"])


def test_columns_and_ranges(rows):
    for number, row in enumerate(rows):
        assert list(row) == COLUMNS
        assert row["review_id"] == f"R{number:08d}"
        assert row["stars"] in (1, 2, 3, 4, 5)
        assert {row["recommended"], row["verified"], row["buys_again"]} <= {0, 1}
        assert row["helpful_votes"] >= 0
        assert row["price"] >= 1
        assert row["text"].strip() == row["text"] != ""
        assert 0 <= row["truth_positive"] <= 1
        assert 0 <= row["truth_intent"] <= 1


def test_time_never_goes_back_and_has_a_zone(rows):
    times = [_time(row) for row in rows]
    assert times == sorted(times)
    assert times[0].utcoffset() == datetime.timedelta(0)
    assert (times[-1] - times[0]).days > 5 * 365


def test_the_same_seed_opens_the_same_shop():
    first, second = (list(simulate_shop(BazaarSpec(2500, 8))) for _ in range(2))
    assert first == second
    assert first != list(simulate_shop(BazaarSpec(2500, 9)))


def test_buys_again_is_what_the_rows_show(rows):
    end = _time(rows[-1])
    horizon = datetime.timedelta(days=HORIZON_DAYS)
    following: dict[str, datetime.datetime] = {}
    checked = 0
    for row in reversed(rows):
        time = _time(row)
        if end - time > horizon:
            again = following.get(row["user_id"], end) - time <= horizon
            assert again == bool(row["buys_again"])
            checked += 1
        following[row["user_id"]] = time
    assert checked > 9000


def test_nobody_reviews_a_product_twice_within_a_window(rows):
    bought = collections.defaultdict(list)
    for row in rows:
        bought[row["user_id"]].append(row["product_id"])
    for products in bought.values():
        for end in range(len(products)):
            window = products[max(0, end + 1 - WINDOW) : end + 1]
            assert len(set(window)) == len(window)


def test_one_product_has_one_category_and_price(rows):
    seen = {(row["product_id"], row["category"], row["price"]) for row in rows}
    assert len(seen) == len({product for product, _, _ in seen})


def test_stars_customers_and_lengths_are_like_those_of_real_shops(rows):
    stars = np.bincount([row["stars"] for row in rows], minlength=6)[1:] / len(rows)
    assert np.argsort(stars)[::-1][:2].tolist() == [4, 3]
    assert 0.18 < stars[:2].sum() < 0.26
    assert 0.06 < stars[2] < 0.1
    visits = sorted(collections.Counter(row["user_id"] for row in rows).values())
    assert visits.count(1) > 0.3 * len(visits)
    assert visits[-1] >= 30
    lengths = [len(row["text"].split()) for row in rows]
    assert 27 < np.median(lengths) < 38
    assert min(lengths) <= 5
    assert max(lengths) > 120


def test_texts_hardly_repeat(rows):
    assert len({row["text"] for row in rows}) > 0.98 * len(rows)


def test_few_texts_are_nearly_the_same(rows):
    texts = [row["text"] for row in rows[:4000]]
    count = CountVectorizer(ngram_range=(3, 3), binary=True, token_pattern=r"\S+")
    shingles = count.fit_transform(texts)
    sizes = np.asarray(shingles.sum(axis=1)).ravel()
    shared = (shingles @ shingles.T).tocoo()
    union = sizes[shared.row] + sizes[shared.col] - shared.data
    near = (shared.data >= 0.8 * union) & (shared.row > shared.col)
    assert len(set(shared.row[near])) < 0.03 * len(texts)


def test_counting_words_is_not_enough(rows):
    binary = [row for row in rows if row["stars"] != 3]
    labels = np.array([row["stars"] > 3 for row in binary])
    words = TfidfVectorizer(ngram_range=(1, 2), min_df=2, sublinear_tf=True)
    cut = 7000
    train = words.fit_transform([row["text"] for row in binary[:cut]])
    test = words.transform([row["text"] for row in binary[cut:]])
    model = LogisticRegression(C=4, solver="liblinear").fit(train, labels[:cut])
    best = best_possible([row["truth_positive"] for row in binary], labels.astype(int))
    assert 0.93 < best["accuracy"] < 0.965
    assert 0.8 < model.score(test, labels[cut:]) < best["accuracy"] - 0.035


def test_history_tells_more_about_intention_than_the_last_review():
    shop = bazaar.Shop(BazaarSpec(20_000, seed=6))
    blind = bazaar.Shop(BazaarSpec(20_000, seed=6))
    blind.visits = blind.visits._replace(previous=np.full(20_000, -1, np.int32))
    known = shop.visits.previous >= 0
    answers = shop.visits.soon.astype(int)[known]
    auc = []
    for each in (shop, blind):
        starts = range(0, 20_000, bazaar.BLOCK)
        p = [x for s in starts for x in each.draw_block(s)[1]["truth_intent"]]
        auc.append(best_possible(np.array(p)[known], answers)["auc"])
    assert auc[0] > auc[1] + 0.04


@settings(deadline=None, max_examples=60)
@given(st.lists(st.integers(0, 5), min_size=1, max_size=80), st.integers(1, 9))
def test_windows_and_their_evidence_are_those_of_a_plain_loop(customers, block):
    previous = bazaar._previous(np.array(customers))
    store = bazaar._EvidenceStore(previous)
    past = collections.defaultdict(list)
    wanted = []
    for row, customer in enumerate(customers):
        past[customer].append(row)
        seen = past[customer][-WINDOW:]
        wanted.append([-1] * (WINDOW - len(seen)) + seen)
    for start in range(0, len(customers), block):
        rows = np.arange(start, min(start + block, len(customers)))
        window = bazaar._windows(previous, rows)
        assert window.tolist() == [wanted[row] for row in rows]
        ones = np.ones((1, len(M_GRID)))
        store.put(rows, rows[:, None] * ones)
        kept = store.get(window)[:, :, 0]
        assert (kept[window >= 0] == window[window >= 0]).all()
        store.forget(int(rows[-1]) + 1)


def test_previous_is_the_picture_of_its_docstring():
    assert bazaar._previous(np.array([7, 9, 7, 7])).tolist() == [-1, -1, 0, 2]


def test_quality_says_nothing_about_a_kind():
    shelves = bazaar.stock_shelves(seed=2)
    odds = np.zeros(len(shelves.kind))
    for category, chances in enumerate(shelves.odds):
        odds[shelves.category == category] = chances
    for kind in np.unique(shelves.kind):
        here = shelves.kind == kind
        weight = odds[here] / odds[here].sum()
        assert (weight * shelves.quality[here]).sum() == pytest.approx(0, abs=1e-9)
        assert (weight * shelves.quality[here] ** 2).sum() == pytest.approx(1)


def test_a_shop_of_one_row():
    (row,) = simulate_shop(BazaarSpec(rows=1, seed=0))
    assert row["review_id"] == "R00000000"


@pytest.mark.parametrize(("rows", "seed"), [(0, 0), (5, -1)])
def test_a_spec_out_of_range_is_refused(rows, seed):
    with pytest.raises(InputError):
        BazaarSpec(rows=rows, seed=seed)


@pytest.mark.parametrize("name", ["s.csv", "s.jsonl", "s.csv.gz", "s.jsonl.gz"])
def test_the_command_line_writes_what_the_simulation_yields(tmp_path, name):
    path = tmp_path / name
    assert bazaar.main(["--rows=40", f"--output={path}", "--seed=4"]) == 0
    opener = gzip.open if name.endswith(".gz") else open
    with opener(path, "rt", encoding="utf-8", newline="") as file:
        if ".csv" in name:
            read = list(csv.DictReader(file))
        else:
            read = [json.loads(line) for line in file]
    wanted = list(simulate_shop(BazaarSpec(40, 4)))
    if ".csv" in name:
        wanted = [{k: str(v) for k, v in row.items()} for row in wanted]
    assert read == wanted
    assert [file.name for file in tmp_path.iterdir()] == [name]


def test_the_command_line_explains_a_wrong_ending(tmp_path, capsys):
    assert bazaar.main(["--rows=5", f"--output={tmp_path / 's.xlsx'}"]) == 2
    assert "s.xlsx" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())
