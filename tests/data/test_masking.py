"""Hidden tokens: BERT's rule, and draws that neither devices nor resuming change."""

import numpy as np
import pytest

from reviewintent_jax.data.augment import AugmentSpec
from reviewintent_jax.data.batches import PageSource, Position, Rows, TrainBatches
from reviewintent_jax.data.masking import (
    MaskedBatches,
    Masker,
    MaskingSpec,
    held_out_batches,
)
from reviewintent_jax.data.pages import PageSpec, ReviewFields
from reviewintent_jax.data.tokens import SpecialIds, TokenList
from reviewintent_jax.schema import NO_LABEL, InputError

MASK, PIECES = 49, np.arange(4, 49, dtype=np.int32)
RULE = MaskingSpec(share=0.15, mask=0.8, random=0.1)
PAGES = PageSpec(page_tokens=40, chunk_tokens=20, max_tokens=20, slots=6)
NOTHING = AugmentSpec(delete=0.0, replace=0.0, shuffle=0.0)


def source(texts=60, seed=3):
    rng = np.random.default_rng(seed)
    ids = [
        rng.integers(4, 49, rng.integers(1, 15)).astype(np.int32) for _ in range(texts)
    ]
    ids[5] = np.array([3, 3, 3], np.int32)  # nothing but unknown pieces
    fields = ReviewFields(np.full(texts, NO_LABEL), np.ones(texts))
    return PageSource(TokenList(ids), fields, SpecialIds(0, 2, 1), PAGES)


def masker(spec=RULE, seed=11):
    return Masker(spec, MASK, PIECES, seed)


def stream(size=4):
    pages = source()
    plain = TrainBatches(
        pages, np.arange(60), batch_pages=size, augment=NOTHING,
        replacement_ids=PIECES, seed=7,
    )  # fmt: skip
    return plain, MaskedBatches(plain, masker())


def take(batches, number):
    return [next(batches) for _ in range(number)]


def restored(batch):
    """The token ids with every target put back in its place."""
    ids = batch.token_ids_bt.copy()
    for b, u in zip(*np.nonzero(batch.target_bu != NO_LABEL), strict=True):
        ids[b, batch.place_bu[b, u]] = batch.target_bu[b, u]
    return ids


def test_targets_put_back_give_the_page_as_it_was():
    plain, masked = stream()
    pairs = zip(
        take(plain.batches(Position(0, 0)), 5),
        take(masked.batches(Position(0, 0)), 5),
        strict=True,
    )
    for whole, hidden in pairs:
        np.testing.assert_array_equal(restored(hidden.batch), whole.batch.token_ids_bt)
        assert hidden.position == whole.position
        assert hidden.items == whole.items
        assert (hidden.batch.token_ids_bt != whole.batch.token_ids_bt).any()


def test_only_pieces_are_asked_for_each_once_and_as_many_as_the_share_says():
    plain, masked = stream()
    whole = next(plain.batches(Position(0, 0))).batch
    hidden = next(masked.batches(Position(0, 0))).batch
    for b, row in enumerate(whole.token_ids_bt):
        asked = hidden.place_bu[b][hidden.target_bu[b] != NO_LABEL]
        assert len(set(asked.tolist())) == len(asked)
        assert np.isin(row[asked], PIECES).all()
        pieces = np.isin(row, PIECES).sum()
        assert len(asked) == max(1, round(0.15 * pieces))


def test_of_those_asked_for_80_percent_are_masked_and_10_percent_another_piece():
    rng = np.random.default_rng(0)
    page = rng.integers(4, 49, (400, 40)).astype(np.int32)
    from reviewintent_jax.data.pages import empty_pages

    batch = empty_pages(400, SpecialIds(0, 2, 1), PAGES)._replace(token_ids_bt=page)
    found = masker().hide(batch, np.arange(400), 0, 0)
    known = found.target_bu != NO_LABEL
    now = np.take_along_axis(found.token_ids_bt, found.place_bu, 1)[known]
    target, n = found.target_bu[known], known.sum()
    assert n == 400 * 6
    masked, same = (now == MASK).mean(), (now == target).mean()
    # Some pieces drawn at random are those that stood there.
    assert masked == pytest.approx(0.8, abs=0.03)
    assert same == pytest.approx(0.1 + 0.1 / 45, abs=0.02)
    assert 1 - masked - same == pytest.approx(0.1 * 44 / 45, abs=0.02)


def test_masks_are_new_in_every_epoch_and_depend_on_the_seed():
    pages = source()
    (first,) = held_out_batches(pages, np.arange(3), masker(), batch_pages=2)
    (again,) = held_out_batches(pages, np.arange(3), masker(), batch_pages=2)
    (other,) = held_out_batches(pages, np.arange(3), masker(seed=12), batch_pages=2)
    np.testing.assert_array_equal(first.token_ids_bt, again.token_ids_bt)
    assert (first.token_ids_bt != other.token_ids_bt).any()
    from reviewintent_jax.data.pages import empty_pages

    batch = empty_pages(1, SpecialIds(0, 2, 1), PAGES)
    batch.token_ids_bt[:] = 5
    places = [masker().hide(batch, np.arange(1), 0, e).place_bu for e in (0, 1)]
    assert (places[0] != places[1]).any()


def test_going_on_from_any_position_gives_the_same_batches():
    _, masked = stream()
    unbroken = take(masked.batches(Position(0, 0)), 9)  # two epochs and more
    assert unbroken[-1].position.epoch > 0
    for done in (1, 4, 8):
        position = unbroken[done - 1].position
        gone_on = next(masked.batches(position)).batch
        for ours, theirs in zip(gone_on, unbroken[done].batch, strict=True):
            np.testing.assert_array_equal(ours, theirs)


def test_processes_build_the_rows_that_one_process_would_have_built():
    _, masked = stream(size=3)
    for number in range(6):  # the last batch of the epoch is not full
        whole = take(masked.batches(Position(0, 0)), number + 1)[-1].batch
        for rows in (Rows(4, np.array([0, 1])), Rows(4, np.array([2, -1]))):
            part = take(masked.batches(Position(0, 0), rows), number + 1)[-1].batch
            for row, at in enumerate(rows.source_n):
                if at >= 0:
                    for ours, theirs in zip(part, whole, strict=True):
                        np.testing.assert_array_equal(ours[row], theirs[at])
                else:
                    assert (part.target_bu[row] == NO_LABEL).all()


def test_held_out_masks_do_not_depend_on_the_batch_size():
    pages, texts = source(), np.arange(0, 60, 2)
    found = []
    for size in (1, 4):
        batches = list(held_out_batches(pages, texts, masker(), batch_pages=size))
        rows = np.concatenate([batch.token_ids_bt for batch in batches])
        reviews = np.concatenate([batch.review_bk for batch in batches])
        found.append(rows[(reviews >= 0).any(1)])
    np.testing.assert_array_equal(*found)


def test_a_text_of_unknown_pieces_alone_asks_for_nothing():
    (batch,) = held_out_batches(source(), np.array([5]), masker(), batch_pages=1)
    assert (batch.target_bu == NO_LABEL).all()


@pytest.mark.parametrize(
    "wrong", [(0.0, 0.8, 0.1), (0.6, 0.8, 0.1), (0.1, 0.95, 0.1), (0.1, -0.1, 0.1)]
)
def test_impossible_rules_are_refused(wrong):
    with pytest.raises(InputError, match="masking"):
        MaskingSpec(*wrong)
