"""Batches: every review once an epoch, and the same ones after every stop."""

import itertools
import threading

import chex
import numpy as np
import pytest

from reviewintent_jax.data.augment import AugmentSpec
from reviewintent_jax.data.batches import (
    PageSource,
    Position,
    Rows,
    TrainBatches,
    eval_batches,
    pages_per_batch,
    prefetch,
)
from reviewintent_jax.data.pages import PageSpec, ReviewFields
from reviewintent_jax.data.subject_pages import SubjectPlanner
from reviewintent_jax.data.token_shards import TokenStore, token_dtype, write_shard
from reviewintent_jax.data.tokens import SpecialIds
from reviewintent_jax.data.windows import HistoryFields

SPEC = PageSpec(16, 16, 16, 5)
REVIEWS = np.array([0, 1, 3, 4, 7, 8, 9, 10, 12, 13, 14, 15, 18])
OFF = AugmentSpec(delete=0.0, replace=0.0, shuffle=0.0)


@pytest.fixture
def source(tmp_path):
    random = np.random.default_rng(0)
    ids = [random.integers(5, 50, n).astype(np.int32) for n in range(1, 20)]
    shard = write_shard(tmp_path / "tokens", ids, token_dtype(50))
    store = TokenStore(tmp_path, [shard], np.arange(1, 20), token_dtype(50))
    fields = ReviewFields(np.arange(19) % 2, np.ones(19))
    return PageSource(store, fields, SpecialIds(1, 2, 0), SPEC)


def train_batches(source, augment=OFF, seed=4):
    return TrainBatches(
        source,
        REVIEWS,
        batch_pages=3,
        augment=augment,
        replacement_ids=np.arange(5, 50, dtype=np.int32),
        seed=seed,
    )


def epoch_of(batches, epoch):
    stream = batches.batches(Position(epoch, 0))
    return [batch for batch, *_ in itertools.islice(stream, batches.steps(epoch))]


@pytest.mark.parametrize("epoch", [0, 1, 5])
def test_an_epoch_holds_every_review_once(source, epoch):
    seen = [
        b.review_bk[b.review_bk >= 0] for b in epoch_of(train_batches(source), epoch)
    ]
    assert np.sort(np.concatenate(seen)).tolist() == REVIEWS.tolist()


@pytest.mark.parametrize("max_steps", [0, 1, 2, 5, 99])
def test_reviews_within_are_those_that_the_batches_hold(source, max_steps):
    batches, epochs = train_batches(source), 2
    whole = sum(batches.steps(epoch) for epoch in range(epochs))
    read = itertools.islice(
        train_batches(source).batches(Position(0, 0)),
        min(max_steps or whole, whole),
    )
    seen = sum(int((batch.review_bk >= 0).sum()) for batch, *_ in read)
    assert batches.items_within(epochs, max_steps) == seen


def test_epochs_are_ordered_differently(source):
    batches = train_batches(source)
    orders = [
        np.concatenate([b.review_bk.ravel() for b in epoch_of(batches, e)]).tolist()
        for e in (0, 1)
    ]
    assert orders[0] != orders[1]


def test_any_stop_goes_on_with_the_same_batch(source):
    augment = AugmentSpec(delete=0.2, replace=0.2, shuffle=0.2)
    unbroken = train_batches(source, augment).batches(Position(0, 0))
    taken = list(itertools.islice(unbroken, 9))
    for stop in range(8):
        position = taken[stop][1]
        resumed, after, _ = next(train_batches(source, augment).batches(position))
        assert after == taken[stop + 1][1]
        chex.assert_trees_all_equal(resumed, taken[stop + 1][0])


@pytest.mark.parametrize("processes", [2, 4])
def test_processes_together_build_what_one_builds_in_the_same_order(source, processes):
    """Each reads its own pages alone; no review is skipped or read twice."""
    augment = AugmentSpec(delete=0.2, replace=0.2, shuffle=0.2)
    filled = np.append(np.arange(3), -1)  # batches of 3 pages for 4 devices
    shares = [Rows(4, part) for part in np.split(filled, processes)]
    streams = [
        train_batches(source, augment).batches(Position(0, 0), rows) for rows in shares
    ]
    alone = train_batches(source, augment).batches(Position(0, 0))
    for _ in range(9):
        batch, position, items = next(alone)
        parts = [next(stream) for stream in streams]
        assert {(part.position, part.items) for part in parts} == {(position, items)}
        for name in ("token_ids_bt", "review_bk", "weight_bk"):
            together = np.concatenate([getattr(part.batch, name) for part in parts])
            np.testing.assert_array_equal(together[:3], getattr(batch, name))
        assert (parts[-1].batch.weight_bk[-1] == 0).all()
        assert (parts[-1].batch.slot_length_bk[-1] == 0).all()


@pytest.mark.parametrize("stop", [1, 2, 3])
def test_what_two_processes_began_one_ends_without_a_gap_or_a_review_twice(
    source, stop
):
    shares = [Rows(4, np.array([0, 1])), Rows(4, np.array([2, -1]))]
    begun = [
        part
        for rows in shares
        for part in itertools.islice(
            train_batches(source).batches(Position(0, 0), rows), stop
        )
    ]
    read = [part.batch for part in begun]
    for part in train_batches(source).batches(begun[-1].position):
        read.append(part.batch)
        if part.position.epoch > 0:
            break
    reviews = np.concatenate([b.review_bk[b.review_bk >= 0] for b in read])
    assert np.sort(reviews).tolist() == REVIEWS.tolist()


def test_augmentation_changes_tokens_but_not_who_is_there(source):
    augment = AugmentSpec(delete=0.0, replace=0.9, shuffle=0.0)
    plain, changed = (epoch_of(train_batches(source, a), 0)[0] for a in (OFF, augment))
    assert plain.review_bk.tolist() == changed.review_bk.tolist()
    assert plain.token_ids_bt.tolist() != changed.token_ids_bt.tolist()


def test_evaluation_holds_every_review_once_unaugmented(source):
    batches = list(eval_batches(source, REVIEWS, batch_pages=2))
    seen = np.concatenate([b.review_bk[b.review_bk >= 0] for b in batches])
    assert np.sort(seen).tolist() == REVIEWS.tolist()
    assert {b.token_ids_bt.shape for b in batches} == {(2, 16)}


def history_source(source):
    """The same reviews as those of three subjects, with windows of 3."""
    order = np.random.default_rng(2).permutation(19)
    window = np.full((19, 3), -1)
    for reviews in np.split(order, [9, 10]):
        for at, review in enumerate(reviews):
            last = reviews[max(0, at - 2) : at + 1]
            window[review, 3 - len(last) :] = last
    label, weight = np.arange(19) % 2, np.ones(19, np.float32)
    fields = HistoryFields(window, np.ones((19, 2), np.float32), label, weight)
    return source._replace(
        fields=source.fields._replace(history=fields),
        spec=PageSpec(48, 16, 16, 5),
        planner=SubjectPlanner(order, window),
    )


def test_subject_by_subject_too_every_review_counts_once_an_epoch(source):
    batches = train_batches(history_source(source))
    for epoch in (0, 1):
        read = epoch_of(batches, epoch)
        seen = [b.review_bk[b.review_bk >= 0] for b in read]
        assert np.sort(np.concatenate(seen)).tolist() == REVIEWS.tolist()
        placed = sum(int((b.slot_length_bk > 0).sum()) for b in read)
        assert placed > len(REVIEWS)  # some are context somewhere
        labelled = sum(int((b.history.intent_label_bk >= 0).sum()) for b in read)
        assert labelled == len(REVIEWS)
    stream = batches.batches(Position(0, 0))
    first = [batch for batch, *_ in itertools.islice(stream, 1)]
    counted = sum(int((b.review_bk >= 0).sum()) for b in first)
    assert batches.items_within(1, 1) == counted


def test_evaluation_of_subjects_counts_every_review_once(source):
    batches = list(eval_batches(history_source(source), REVIEWS, batch_pages=2))
    seen = np.concatenate([b.review_bk[b.review_bk >= 0] for b in batches])
    assert np.sort(seen).tolist() == REVIEWS.tolist()
    assert {b.history.window_slots_bkw.shape for b in batches} == {(2, 5, 3)}


def test_pages_per_batch_of_the_docstring():
    assert pages_per_batch(60, 32, PageSpec(128, 128, 128, 32)) == 15
    assert pages_per_batch(1, 1, PageSpec(128, 128, 128, 32)) == 1


def test_prefetch_keeps_order_and_hands_over_errors():
    def items():
        yield from range(5)
        raise RuntimeError("broken source")

    got = prefetch(items(), 2)
    assert [next(got) for _ in range(5)] == list(range(5))
    with pytest.raises(RuntimeError, match="broken source"):
        next(got)


def test_prefetch_stops_its_thread_when_closed():
    stream = prefetch(itertools.count(), 2)
    next(stream)
    stream.close()
    assert not [t for t in threading.enumerate() if t.name == "prefetch"]
