import itertools
import random
import time

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reviewintent_jax.data.duplicates import (
    DuplicateIndex,
    Duplicates,
    DuplicateSpec,
    band_shape,
    fold,
    shingles,
    sign,
)
from reviewintent_jax.schema import InputError


def find(texts, threshold=0.8, permutations=64, seed=5, chunk=1000) -> Duplicates:
    spec = DuplicateSpec(threshold, permutations, seed)
    index = DuplicateIndex(spec)
    for begin in range(0, len(texts), chunk):
        index.add(sign(texts[begin : begin + chunk], spec))
    return index.finish()


def jaccard(a: str, b: str) -> float:
    a, b = set(shingles(fold(a))), set(shingles(fold(b)))
    return len(a & b) / len(a | b)


def edited_texts(count: int) -> list[str]:
    """Families of texts: an original, and copies with some of 12-60 words changed."""
    draw = random.Random(8)
    texts = []
    while len(texts) < count:
        words = [f"w{draw.randrange(3000)}" for _ in range(draw.randint(12, 60))]
        for _ in range(draw.randint(1, 4)):
            copy = list(words)
            for _ in range(draw.choice([0, 0, 1, 2, 6])):
                copy[draw.randrange(len(copy))] = f"x{draw.randrange(3000)}"
            texts.append(" ".join(copy))
    draw.shuffle(texts)
    return texts


def test_the_picture_in_the_docstring():
    found = find(["Great tea!", "It leaks.", "great  TEA"])
    assert found.exact_first_n.tolist() == [0, 1, 0]
    assert found.cluster_n.tolist() == [0, 1, 0]
    assert (found.exact_first_n.dtype, found.cluster_n.dtype) == (np.int64, np.int32)


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ("Don't buy!", "dont  buy"),
        ("ДУЖЕ гарно…", "дуже гарно"),
        ("stra\u00dfe", "STRASSE"),
        ("so - so", "so so"),
        ("o\u200bk", "ok"),
    ],
)
def test_case_punctuation_and_space_do_not_make_a_text_different(a, b):
    assert fold(a) == fold(b)


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ("nice 😀", "nice 😡"),
        ("!!!", "???"),
        ("हिन्दी", "हिन्दा"),
        ("costs 5", "costs 6"),
        ("no good", "nogood"),
    ],
)
def test_what_means_something_does(a, b):
    assert fold(a) != fold(b)


def test_exact_duplicates_agree_with_a_dictionary():
    texts = [t.upper() if i % 3 else t for i, t in enumerate(edited_texts(900))]
    first = {}
    expected = [first.setdefault(fold(text), i) for i, text in enumerate(texts)]
    assert find(texts, chunk=37).exact_first_n.tolist() == expected
    assert len(first) < len(texts)


def test_near_duplicates_agree_with_a_plain_comparison_of_all_pairs():
    """Pairs well above the threshold are together; pairs well below are not linked."""
    texts = edited_texts(300)
    cluster_n = find(texts, threshold=0.7, permutations=256).cluster_n
    pairs = list(itertools.combinations(range(len(texts)), 2))
    similar = {pair: jaccard(texts[pair[0]], texts[pair[1]]) for pair in pairs}
    above = [pair for pair, j in similar.items() if j >= 0.8]
    assert len(above) > 50
    assert all(cluster_n[a] == cluster_n[b] for a, b in above)
    possible = pd.Series(range(len(texts)))
    for (a, b), j in similar.items():
        if j > 0.6:
            possible[possible == possible[b]] = possible[a]
    together = [(a, b) for a, b in pairs if cluster_n[a] == cluster_n[b]]
    assert all(possible[a] == possible[b] for a, b in together)
    # and some family members are too different to be linked at all
    assert len(set(cluster_n)) > len(set(possible))


def test_chunks_and_order_of_arrival_do_not_matter():
    texts = edited_texts(300)
    whole = find(texts, chunk=300)
    assert (find(texts, chunk=7).cluster_n == whole.cluster_n).all()
    turned = find(texts[::-1]).cluster_n[::-1]
    same = whole.cluster_n[:, None] == whole.cluster_n
    assert (same == (turned[:, None] == turned)).all()


def test_clusters_are_numbered_by_their_first_text_and_hold_exact_copies():
    found = find(edited_texts(400))
    seen = list(dict.fromkeys(found.cluster_n.tolist()))
    assert seen == list(range(len(seen)))
    assert (found.cluster_n == found.cluster_n[found.exact_first_n]).all()


def test_short_texts_are_near_duplicates_only_if_equal():
    texts = ["good", "goods", "very good", "very good tea", "very good teas", "Good."]
    assert find(texts, threshold=0.1).cluster_n.tolist() == [0, 1, 2, 3, 4, 0]


def test_writing_without_spaces_has_near_duplicates():
    text = (
        "这个茶真的很好喝我会再买一次但是盒子漏了而且送货很慢包装也不太好不过味道不错"
    )
    assert len(set(find([text, text + "呢", text[::-1]]).cluster_n)) == 2


def test_threshold_one_finds_exact_copies_only():
    texts = edited_texts(300)
    found = find(texts, threshold=1.0)
    _, expected = np.unique(found.exact_first_n, return_inverse=True)
    assert (found.cluster_n == expected).all()


def test_no_texts():
    empty = find([])
    assert len(empty.exact_first_n) == len(empty.cluster_n) == 0


@settings(deadline=None, max_examples=50)
@given(st.lists(st.text(st.characters(codec=None), max_size=30), max_size=12))
def test_any_text_is_taken(texts):
    assert len(find(texts).cluster_n) == len(texts)


def test_a_template_that_everybody_copies_takes_linear_time():
    """30,000 texts share nearly all shingles: 450 million pairs, most buckets full."""
    opening = "the same opening words of a template that everybody copies and pastes"
    texts = [f"{opening} number {i}" for i in range(30_000)]
    begin = time.process_time()
    sizes = np.bincount(find(texts).cluster_n)
    assert time.process_time() - begin < 10.0
    assert sizes.max() > 29_000


def test_a_bucket_of_strangers_takes_linear_time():
    """The same two lines in every text, so that bands collide, but low similarity."""
    draw = random.Random(1)
    texts = [
        "i bought this tea last week because my friend told me about it "
        + " ".join(f"w{draw.randrange(9999)}" for _ in range(9))
        for _ in range(5000)
    ]
    begin = time.process_time()
    assert len(set(find(texts).cluster_n)) > 4900
    assert time.process_time() - begin < 10.0


@pytest.mark.parametrize("threshold", [0.3, 0.5, 0.7, 0.8, 0.9, 0.99])
@pytest.mark.parametrize("permutations", [16, 64, 200])
def test_bands_find_pairs_at_the_threshold(threshold, permutations):
    bands, rows = band_shape(threshold, permutations)
    assert bands * rows <= permutations
    if rows > 1:
        assert 1 - (1 - threshold**rows) ** bands >= 0.99


@pytest.mark.parametrize(
    ("threshold", "permutations"), [(0.0, 64), (1.1, 64), (0.8, 8), (0.8, 5000)]
)
def test_settings_out_of_range_are_refused(threshold, permutations):
    with pytest.raises(InputError, match="field duplicates"):
        DuplicateSpec(threshold, permutations, 0)


def test_repeated_tweets_are_found(shared_data):
    texts = pd.read_csv(shared_data / "airline_tweets/tweets.csv.gz")["text"].tolist()
    found = find(texts)
    copies = (found.exact_first_n != np.arange(len(texts))).sum()
    assert copies >= pd.Series(texts).duplicated().sum()
    assert found.cluster_n.max() + 1 < len(texts) - copies  # some are only nearly equal
