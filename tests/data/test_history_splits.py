import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reviewintent_jax.data.histories import build_histories
from reviewintent_jax.data.history_splits import (
    check_sides,
    cut_date,
    split_histories,
)
from reviewintent_jax.data.intention import DAY, IntentReason, find_intention
from reviewintent_jax.data.splits import (
    SET_ASIDE,
    TEST,
    TRAIN,
    VALIDATION,
    Reason,
    SplitKind,
    SplitSpec,
)
from reviewintent_jax.schema import NO_LABEL, InputError
from tests.data.intention_cases import START, intention_spec

SPEC = SplitSpec(SplitKind.STRATIFIED, 0.3, 0.3, 5, 0, 0)


def answered(subject, day, *, horizon=30, kind="repurchase", stars=None):
    """Histories of three steps and what follows them."""
    count = len(subject)
    spec = intention_spec(horizon_days=horizon, kind=kind, stars="s")
    stars_n = np.array([5] * count if stars is None else stars, np.float32)
    made = build_histories(
        spec,
        subject_n=np.array(subject, np.int64),
        time_n=START + np.array(day, np.int64) * DAY,
        stars_n=stars_n,
        helpful_n=stars_n,
        words_n=np.ones(count, int),
    )
    found = find_intention(
        spec,
        order_n=made.order_n,
        subject_n=made.subject_n,
        time_n=made.time_n,
        stars_n=stars_n,
        stated_n=np.zeros(count, np.int32),
        stated_classes=(),
    )
    return made, found


def shop(count=30, visits=12, seed=0):
    """Subjects who come back after 10 or 60 days."""
    random = np.random.default_rng(seed)
    subject = np.repeat(np.arange(count), visits)
    gaps = random.choice([10, 60], (count, visits))
    day = gaps.cumsum(axis=1).ravel() + random.integers(0, 200, count).repeat(visits)
    return subject, day


def split(subject, day, *, label=None, cluster=None, short=None, group=None, **more):
    made, found = answered(subject, day, **more)
    count = len(subject)
    alone = np.arange(count)
    return split_histories(
        SPEC,
        0.6,
        histories=made,
        intention=found,
        label_n=np.full(count, NO_LABEL) if label is None else np.asarray(label),
        exact_first_n=alone if cluster is None else np.asarray(cluster),
        cluster_n=alone if cluster is None else np.asarray(cluster),
        short_n=np.zeros(count, bool) if short is None else np.asarray(short),
        group_n=None if group is None else np.asarray(group),
    )


@settings(deadline=None, max_examples=20)
@given(st.integers(0, 10_000), st.sampled_from(["repurchase", "next_positive"]))
def test_what_is_learnt_lies_before_the_cut_and_what_is_tested_after(seed, kind):
    subject, day = shop(seed=seed)
    stars = np.random.default_rng(seed).integers(1, 6, len(day))
    made = split(subject, day, kind=kind, stars=stars)
    time_n, answers = made.histories.time_n, made.intention
    for side in (TRAIN, VALIDATION):
        here = made.split_n == side
        assert (time_n[here] <= made.cut).all()
        anchors = here & (answers.label_n != NO_LABEL)
        assert anchors.any()
        assert (answers.known_n[anchors] <= made.cut).all()
    anchors = (made.split_n == TEST) & (answers.label_n != NO_LABEL)
    assert anchors.any()
    assert (time_n[anchors] > made.cut).all()


def test_no_subject_is_on_two_sides_and_windows_stay_on_theirs():
    subject, day = shop()
    made = split(subject, day)
    sides = {s: set(made.split_n[subject == s]) - {SET_ASIDE} for s in set(subject)}
    assert all(len(side) <= 1 for side in sides.values())
    for i in np.flatnonzero(made.split_n != SET_ASIDE):
        window = made.histories.window_nw[i]
        window = window[window >= 0]
        assert window[-1] == i
        assert (made.split_n[window] == made.split_n[i]).all()
        assert (subject[window] == subject[i]).all()


def test_every_review_that_is_set_aside_has_a_reason():
    subject, day = shop()
    made = split(subject, day)
    aside = made.split_n == SET_ASIDE
    assert ((made.reason_n != Reason.NONE) == aside).all()
    assert set(made.reason_n[aside]) == {Reason.AFTER_CUT, Reason.UNUSED}
    assert (made.histories.window_nw[aside] == -1).all()


def test_a_test_window_may_begin_before_the_cut_but_is_not_scored_there():
    subject, day = shop()
    label = np.ones(len(subject), int)
    made = split(subject, day, label=label)
    early = (made.split_n == TEST) & (made.histories.time_n <= made.cut)
    assert early.any()
    assert (made.label_n[early] == NO_LABEL).all()
    assert (made.intention.label_n[early] == NO_LABEL).all()
    assert made.masked[IntentReason.BEFORE_CUT.sentence] == early.sum()


def test_a_review_that_only_a_label_keeps_stays():
    subject, day = shop()
    without = split(subject, day)
    with_label = split(subject, day, label=np.ones(len(subject), int))
    kept = with_label.split_n != SET_ASIDE
    assert (kept >= (without.split_n != SET_ASIDE)).all()
    train_before = (with_label.split_n == TRAIN).sum()
    assert train_before > (without.split_n == TRAIN).sum()


def across(made):
    """A used train review, and one of test after the cut."""
    train = np.flatnonzero((made.split_n == TRAIN) & (made.intention.label_n >= 0))[3]
    late = made.histories.time_n > made.cut
    return int(train), int(np.flatnonzero((made.split_n == TEST) & late)[0])


def test_a_near_duplicate_of_test_is_set_aside_from_train():
    subject, day = shop()
    train, test = across(split(subject, day))
    cluster = np.arange(len(subject))
    cluster[max(train, test)] = min(train, test)
    made = split(subject, day, cluster=cluster)
    assert made.split_n[test] == TEST
    assert made.split_n[train] == SET_ASIDE
    assert made.reason_n[train] == Reason.NEAR_LATER
    assert not (made.histories.window_nw == train).any()


def test_a_short_text_keeps_its_place_but_teaches_nothing():
    subject, day = shop()
    train, test = across(split(subject, day))
    cluster = np.arange(len(subject))
    cluster[max(train, test)] = min(train, test)
    label = np.ones(len(subject), int)
    short = np.ones(len(subject), bool)
    made = split(subject, day, cluster=cluster, short=short, label=label)
    assert made.split_n[train] == TRAIN
    assert made.label_n[train] == NO_LABEL
    assert made.intention.label_n[train] == NO_LABEL
    assert made.intention.reason_n[train] == IntentReason.COMMON_TEXT
    assert (made.histories.window_nw == train).any()
    assert made.label_n[test] == 1


def test_copies_on_one_side_keep_their_places_and_one_label():
    subject, day = shop()
    label = np.ones(len(subject), int)
    made = split(subject, day, label=label)
    train = np.flatnonzero((made.split_n == TRAIN) & (made.intention.label_n >= 0))[:4]
    cluster = np.arange(len(subject))
    cluster[train] = train[0]
    again = split(subject, day, label=label, cluster=cluster)
    assert (again.split_n == made.split_n).all()
    assert again.label_n[train].tolist() == [1, NO_LABEL, NO_LABEL, NO_LABEL]
    assert (again.intention.label_n == made.intention.label_n).all()
    assert again.masked[IntentReason.COPY.sentence] == 3


def test_no_author_is_on_two_sides():
    subject, day = shop()
    author = np.random.default_rng(1).integers(0, 150, len(subject))
    made = split(subject, day, group=author)
    kept = made.split_n != SET_ASIDE
    sides = {a: set(made.split_n[kept & (author == a)]) for a in set(author)}
    assert all(len(side) <= 1 for side in sides.values())
    assert (made.reason_n == Reason.AUTHOR).any()
    assert (made.split_n == TRAIN).any()


def test_the_cut_counts_anchors_alone():
    made, found = answered([0] * 9 + [1], [1] * 8 + [2, 3], horizon=1)
    assert cut_date(made.time_n, found, 0.5) == START + 2 * DAY


def sides(*labels):
    """Two answers each on train, validation and test."""
    split_n = np.repeat([TRAIN, VALIDATION, TEST], 2)
    return split_n, np.array(labels)


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ((0, 1, 0, 1, NO_LABEL, NO_LABEL), "No intention is known in test"),
        ((0, 1, NO_LABEL, NO_LABEL, 0, 1), "No intention is known in validation"),
        ((0, 1, 0, 1, 1, 1), "in test are 'yes': one class alone"),
        ((0, 0, 0, 1, 1, 0), "in train are 'no': one class alone"),
    ],
)
def test_a_side_without_an_answer_or_with_one_class_is_named(labels, message):
    split_n, label_n = sides(*labels)
    with pytest.raises(InputError, match=message) as caught:
        check_sides(split_n, label_n, ("no", "yes"), "intention", START)
    assert "cut date 2014-01-01" in caught.value.where
    assert "test: " in caught.value.where


def test_train_needs_every_class():
    split_n, label_n = sides(0, 1, 0, 2, 1, 2)
    with pytest.raises(InputError, match="of class 'maybe'"):
        check_sides(split_n, label_n, ("no", "yes", "maybe"), "intention", None)
