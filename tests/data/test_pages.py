"""Pages: whole reviews, each exactly once, chunked not cut, within the borders."""

import chex
import jax
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reviewintent_jax.data.pages import (
    PageSpec,
    ReviewFields,
    build_pages,
    empty_pages,
    plan_pages,
    slot_lengths,
)
from reviewintent_jax.data.tokens import SpecialIds
from reviewintent_jax.schema import InputError

SPECIAL = SpecialIds(first=101, last=102, pad=9)


def build(ids, spec, *, size=None, shuffle=None):
    counts = np.array([len(i) for i in ids])
    lengths = slot_lengths(counts, spec)
    plan = plan_pages(np.arange(len(ids)), lengths.slot_n, spec, shuffle=shuffle)
    fields = ReviewFields(np.arange(len(ids)) % 3, np.linspace(0.5, 1.5, len(ids)))
    arrays = [np.asarray(i, np.int32) for i in ids]
    return build_pages(
        plan,
        range(plan.pages),
        arrays.__getitem__,
        fields,
        SPECIAL,
        spec,
        size=size or plan.pages,
    )


def test_the_picture_of_the_docstring():
    spec = PageSpec(page_tokens=12, chunk_tokens=12, max_tokens=12, slots=4)
    batch = build([[11], [21, 22], [31, 32, 33]], spec)
    assert batch.token_ids_bt.tolist() == [
        [101, 31, 32, 33, 102, 101, 21, 22, 102, 101, 11, 102]
    ]
    assert batch.segment_ids_bt.tolist() == [[1] * 5 + [2] * 4 + [3] * 3]
    assert batch.position_ids_bt.tolist() == [[0, 1, 2, 3, 4, 0, 1, 2, 3, 0, 1, 2]]
    assert batch.slot_start_bk.tolist() == [[0, 5, 9, 0]]
    assert batch.slot_length_bk.tolist() == [[5, 4, 3, 0]]
    assert batch.review_bk.tolist() == [[2, 1, 0, -1]]
    assert batch.label_bk.tolist() == [[2, 1, 0, -1]]
    assert batch.weight_bk.tolist() == [[1.5, 1.0, 0.5, 0.0]]


def test_a_long_review_is_chunked_and_stays_one_slot():
    spec = PageSpec(page_tokens=18, chunk_tokens=6, max_tokens=18, slots=2)
    batch = build([[1, 2, 3, 4, 5, 6, 7, 8, 9]], spec)
    first, second, third = [101, 1, 2, 3, 4, 102], [101, 5, 6, 7, 8, 102], [101, 9, 102]
    assert batch.token_ids_bt.tolist() == [[*first, *second, *third, 9, 9, 9]]
    assert batch.segment_ids_bt.tolist() == [[1] * 6 + [2] * 6 + [3] * 3 + [0] * 3]
    assert batch.slot_length_bk.tolist() == [[15, 0]]


def test_lengths_of_the_docstring():
    spec = PageSpec(page_tokens=12, chunk_tokens=6, max_tokens=10, slots=1)
    lengths = slot_lengths(np.array([4, 5, 20, 0]), spec)
    assert lengths.slot_n.tolist() == [6, 9, 10, 2]
    assert lengths.kept_n.tolist() == [4, 5, 6, 0]


def test_a_chunk_with_room_for_special_tokens_only_is_not_made():
    spec = PageSpec(page_tokens=12, chunk_tokens=6, max_tokens=8, slots=1)
    lengths = slot_lengths(np.array([30]), spec)
    assert (lengths.slot_n[0], lengths.kept_n[0]) == (6, 4)


@settings(deadline=None, max_examples=60)
@given(
    counts=st.lists(st.integers(0, 60), min_size=1, max_size=60),
    blocks=st.integers(1, 4),
    slots=st.integers(1, 9),
    seed=st.none() | st.integers(0, 99),
)
def test_every_review_lies_whole_in_one_place(counts, blocks, slots, seed):
    spec = PageSpec(16 * blocks, 16, 16 * blocks, slots)
    ids = [np.arange(n) + 1000 * i for i, n in enumerate(counts)]
    shuffle = None if seed is None else np.random.default_rng(seed)
    batch = build(ids, spec, shuffle=shuffle)
    kept = slot_lengths(np.array(counts), spec).kept_n
    seen = []
    for b, k in np.argwhere(batch.review_bk >= 0):
        review = int(batch.review_bk[b, k])
        begin = batch.slot_start_bk[b, k]
        end = begin + batch.slot_length_bk[b, k]
        tokens = batch.token_ids_bt[b, begin:end]
        body = tokens[(tokens != 101) & (tokens != 102)]
        assert body.tolist() == ids[review][: kept[review]].tolist()
        seen.append(review)
    assert sorted(seen) == list(range(len(counts)))
    blocks_of = np.arange(spec.page_tokens) // spec.chunk_tokens
    for b, row in enumerate(batch.segment_ids_bt):
        for segment in set(row.tolist()) - {0}:
            inside = row == segment
            assert len(set(blocks_of[inside].tolist())) == 1
            positions = batch.position_ids_bt[b][inside]
            assert positions.tolist() == list(range(inside.sum()))
    assert (batch.segment_ids_bt > 0).sum() == batch.slot_length_bk.sum()


def test_packing_wastes_little_on_lengths_of_real_reviews():
    counts = np.maximum(1, np.random.default_rng(3).lognormal(3.9, 0.8, 20_000))
    spec = PageSpec(128, 128, 128, 32)
    lengths = slot_lengths(counts.astype(int), spec).slot_n
    shuffle = np.random.default_rng(5)
    plan = plan_pages(np.arange(20_000), lengths, spec, shuffle=shuffle)
    assert plan.pages * 128 / lengths.sum() < 1.02


def test_shuffles_differ_and_repeat():
    lengths, spec = np.full(50, 8), PageSpec(16, 16, 16, 4)
    plans = [
        plan_pages(
            np.arange(50), lengths, spec, shuffle=np.random.default_rng(s)
        ).review_n.tolist()
        for s in (1, 1, 2)
    ]
    assert plans[0] == plans[1] != plans[2]


def test_missing_pages_are_empty():
    spec = PageSpec(8, 8, 8, 2)
    batch = build([[1]], spec, size=4)
    empty = empty_pages(2, SPECIAL, spec)
    chex.assert_trees_all_equal(jax.tree.map(lambda x: x[2:], batch), empty)


@pytest.mark.parametrize(
    "sizes", [(10, 4, 10, 1), (8, 2, 8, 1), (8, 8, 9, 1), (8, 8, 2, 1), (8, 8, 8, 0)]
)
def test_impossible_sizes_are_refused(sizes):
    with pytest.raises(InputError, match="pages"):
        PageSpec(*sizes)
