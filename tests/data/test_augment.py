import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reviewintent_jax.data.augment import SHUFFLE_WINDOW, AugmentSpec, augment_ids
from reviewintent_jax.schema import InputError

KEY = (17, 3, 12345)
INSERTABLE = np.array([1000, 1003, 1009], np.int32)


def ids_of(length: int) -> np.ndarray:
    return np.arange(length, dtype=np.int32)


def augment(ids, delete=0.0, replace=0.0, shuffle=0.0, key=KEY):
    spec = AugmentSpec(delete, replace, shuffle)
    return augment_ids(ids, spec, key=key, replacement_ids=INSERTABLE)


def test_zero_rates_return_the_very_array():
    ids = ids_of(9)
    assert augment(ids) is ids


@settings(deadline=None, max_examples=200)
@given(
    st.integers(1, 40),
    st.floats(0, 0.99),
    st.floats(0, 1),
    st.floats(0, 1),
    st.tuples(
        st.integers(0, 2**64 - 1), st.integers(0, 2**24 - 1), st.integers(0, 2**40 - 1)
    ),
)
def test_never_longer_never_empty_never_a_foreign_id(length, d, r, s, key):
    ids = ids_of(length)
    out = augment(ids, d, r, s, key)
    assert 1 <= len(out) <= length
    assert out.dtype == np.int32
    assert set(out) <= {*range(length), *INSERTABLE.tolist()}
    assert (ids == ids_of(length)).all()
    assert (out == augment(ids, d, r, s, key)).all()


def test_every_part_of_the_key_matters():
    ids = ids_of(60)
    outs = [
        augment(ids, 0.2, 0.2, 0.2, key=key).tolist()
        for key in ((1, 2, 3), (2, 2, 3), (1, 3, 3), (1, 2, 4), (1, 3, 2), (3, 2, 1))
    ]
    assert len({tuple(out) for out in outs}) == len(outs)


def test_neighbouring_keys_are_not_correlated():
    kept = np.zeros((200, 50))
    for review in range(200):
        kept[review, augment(ids_of(50), delete=0.5, key=(0, 0, review))] = 1
    correlation = np.corrcoef(kept[:-1].ravel(), kept[1:].ravel())[0, 1]
    assert abs(correlation) < 0.05


def test_rates_are_the_share_of_tokens():
    ids = ids_of(20_000)
    assert len(augment(ids, delete=0.3)) == pytest.approx(14_000, abs=300)
    replaced = augment(np.zeros(20_000, np.int32), replace=0.25)
    assert (replaced > 0).sum() == pytest.approx(5000, abs=300)
    assert set(np.unique(replaced)) == {0, *INSERTABLE.tolist()}


def test_ids_between_the_insertable_ones_are_not_inserted():
    replaced = augment(ids_of(5000), replace=1.0)
    assert set(replaced.tolist()) == set(INSERTABLE.tolist())


def test_deletion_keeps_the_order():
    assert (np.diff(augment(ids_of(500), delete=0.4)) > 0).all()


def test_one_token_always_stays():
    for review in range(50):
        assert len(augment(ids_of(2), delete=0.99, key=(0, 0, review))) >= 1


def test_shuffling_moves_tokens_a_few_places_only():
    out = augment(ids_of(5000), shuffle=1.0)
    moved = np.abs(out - ids_of(5000))
    assert (np.sort(out) == ids_of(5000)).all()
    assert moved.max() == SHUFFLE_WINDOW
    assert 0.5 < (moved > 0).mean() < 1.0
    few = augment(ids_of(5000), shuffle=0.02) != ids_of(5000)
    assert 0.0 < few.mean() < 0.1


def test_an_empty_review_stays_empty():
    assert len(augment(ids_of(0), 0.5, 0.5, 0.5)) == 0


@pytest.mark.parametrize("rates", [(-0.1, 0, 0), (1.0, 0, 0), (0, 1.1, 0), (0, 0, -1)])
def test_rates_that_are_no_probabilities_are_refused(rates):
    with pytest.raises(InputError, match=r"augment\."):
        AugmentSpec(*rates)
