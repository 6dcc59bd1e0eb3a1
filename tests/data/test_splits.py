import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.model_selection import StratifiedShuffleSplit

from reviewintent_jax.data.splits import (
    NO_GROUP,
    NO_TIME,
    SET_ASIDE,
    TEST,
    TRAIN,
    VALIDATION,
    Reason,
    SplitKind,
    Splits,
    SplitSpec,
    assign_splits,
    given_split_codes,
)
from reviewintent_jax.data.stratify import cut_units
from reviewintent_jax.schema import NO_LABEL, InputError


def spec(kind, **changes) -> SplitSpec:
    fields = {
        "test_fraction": 0.2,
        "validation_fraction": 0.25,
        "seed": 3,
        "folds": 0,
        "fold": 0,
    }
    return SplitSpec(kind=kind, **(fields | changes))


def split(chosen, label_n, cluster_n=None, **columns) -> Splits:
    """Splits rows; without clusters every text is alone."""
    label_n = np.asarray(label_n)
    cluster_n = np.arange(len(label_n)) if cluster_n is None else np.asarray(cluster_n)
    given = {name: np.asarray(values) for name, values in columns.items()}
    columns = {"group_n": None, "time_n": None, "given_n": None} | given
    return assign_splits(chosen, label_n=label_n, cluster_n=cluster_n, **columns)


def rows(count: int, seed: int = 0):
    """Rows as shops have them: copied texts, users, times, some without a label."""
    draw = np.random.default_rng(seed)
    label_n = draw.choice([NO_LABEL, 0, 1, 2], count, p=[0.03, 0.5, 0.35, 0.12])
    cluster_n = np.arange(count)
    copies = draw.random(count) < 0.15
    cluster_n[copies] = draw.integers(0, count, copies.sum())
    columns = {
        "group_n": draw.integers(-500, count // 4, count) * 10_007,
        "time_n": draw.integers(0, count // 3, count),
        "given_n": draw.choice([0, 0, 0, 1, 2], count).astype(np.int8),
    }
    return label_n, cluster_n, columns


def straddling(split_n, key_n) -> int:
    """How many keys occur in more than one split; a plain loop."""
    where = {}
    for part, key in zip(split_n.tolist(), key_n.tolist(), strict=True):
        if part != SET_ASIDE:
            where.setdefault(key, set()).add(part)
    return sum(len(parts) > 1 for parts in where.values())


@pytest.mark.parametrize("kind", SplitKind)
@pytest.mark.parametrize("seed", [0, 1])
def test_near_duplicates_never_straddle_a_split(kind, seed):
    label_n, cluster_n, columns = rows(3000, seed)
    found = split(spec(kind), label_n, cluster_n, **columns)
    assert straddling(found.split_n, cluster_n) == 0
    assert straddling(columns["given_n"], cluster_n) > 50  # the test can fail


@settings(deadline=None, max_examples=60)
@given(
    st.sampled_from(list(SplitKind)),
    st.integers(40, 200),
    st.integers(1, 30),
    st.data(),
)
def test_no_leak_whatever_the_clusters_and_users(kind, count, keys, data):
    draw = np.random.default_rng(data.draw(st.integers(0, 10_000)))
    cluster_n = draw.integers(0, max(1, count // data.draw(st.integers(1, 9))), count)
    columns = {
        "group_n": draw.integers(0, keys, count),
        "time_n": draw.integers(0, keys, count),
        "given_n": draw.integers(-1, 3, count).astype(np.int8),
    }
    label_n = draw.integers(-1, 2, count)
    try:
        found = split(spec(kind), label_n, cluster_n, **columns)
    except InputError:
        return
    assert straddling(found.split_n, cluster_n) == 0
    if kind is SplitKind.GROUPED:
        assert straddling(found.split_n, columns["group_n"]) == 0
    assert ((found.split_n == SET_ASIDE) == (found.reason_n != Reason.NONE)).all()


@pytest.mark.parametrize("kind", SplitKind)
def test_rows_without_a_label_are_set_aside(kind):
    label_n, cluster_n, columns = rows(2000)
    found = split(spec(kind), label_n, cluster_n, **columns)
    unlabelled = label_n == NO_LABEL
    assert (found.split_n[unlabelled] == SET_ASIDE).all()
    assert ((found.reason_n == Reason.NO_LABEL) == unlabelled).all()
    assert found.set_aside()["no label"] == unlabelled.sum()


@pytest.mark.parametrize("kind", SplitKind)
def test_the_seed_decides_and_nothing_else(kind):
    label_n, cluster_n, columns = rows(2000)
    once = split(spec(kind), label_n, cluster_n, **columns).split_n
    again = split(spec(kind), label_n, cluster_n, **columns).split_n
    assert (once == again).all()


def test_another_seed_splits_otherwise():
    label_n, cluster_n, _ = rows(2000)
    a, b = (
        split(spec(SplitKind.STRATIFIED, seed=seed), label_n, cluster_n).split_n
        for seed in (1, 2)
    )
    assert 0.2 < (a != b).mean() < 0.9


@pytest.mark.parametrize("kind", [SplitKind.STRATIFIED, SplitKind.GROUPED])
def test_sizes_and_class_shares_are_those_asked_for(kind):
    label_n, cluster_n, columns = rows(6000)
    found = split(spec(kind), label_n, cluster_n, **columns)
    usable = label_n != NO_LABEL
    whole = np.bincount(label_n[usable]) / usable.sum()
    for part, size in ((TRAIN, 0.6), (VALIDATION, 0.2), (TEST, 0.2)):
        inside = label_n[found.split_n == part]
        assert len(inside) / usable.sum() == pytest.approx(size, abs=0.01)
        assert np.bincount(inside) / len(inside) == pytest.approx(whole, abs=0.02)


def test_lone_texts_are_stratified_as_scikit_learn_does():
    label_n = np.repeat([0, 1, 2], [600, 290, 110])
    found = split(spec(SplitKind.STRATIFIED), label_n)
    peer = StratifiedShuffleSplit(n_splits=1, test_size=0.2, random_state=0)
    _, test = next(peer.split(label_n, label_n))
    assert (
        np.bincount(label_n[found.split_n == TEST]) == np.bincount(label_n[test])
    ).all()


def test_one_large_cluster_does_not_spoil_the_sizes():
    label_n = np.arange(1000) % 2
    cluster_n = np.where(np.arange(1000) < 300, 0, np.arange(1000))
    found = split(spec(SplitKind.STRATIFIED), label_n, cluster_n)
    assert set(found.split_n[:300]) == {TRAIN}
    assert np.bincount(found.split_n) == pytest.approx([600, 200, 200], abs=4)


def test_users_stay_whole_and_users_without_a_name_are_alone():
    label_n, cluster_n, columns = rows(4000)
    group_n = columns["group_n"]
    group_n[::9] = NO_GROUP
    found = split(spec(SplitKind.GROUPED), label_n, cluster_n, group_n=group_n)
    named = group_n != NO_GROUP
    assert straddling(found.split_n[named], group_n[named]) == 0
    assert set(found.split_n[~named & (label_n != NO_LABEL)]) == {0, 1, 2}
    assert set(found.set_aside()) == {"no label"}


def test_common_texts_do_not_tie_all_users_into_one_lump():
    """Every user wrote "good product" once: users stay whole, copies leave train."""
    draw = np.random.default_rng(4)
    group_n = np.repeat(np.arange(400), 6)
    cluster_n = np.arange(2400)
    cluster_n[::6] = 0
    label_n = draw.integers(0, 2, 2400)
    found = split(spec(SplitKind.GROUPED), label_n, cluster_n, group_n=group_n)
    assert (
        straddling(found.split_n, group_n) == straddling(found.split_n, cluster_n) == 0
    )
    assert set(found.split_n[::6]) == {SET_ASIDE, TEST}
    assert set(found.set_aside()) == {Reason.NEAR_LATER.sentence}
    kept = np.bincount(found.split_n[found.split_n >= 0])
    assert kept == pytest.approx([1200, 400, 480], abs=12)


@pytest.mark.parametrize("kind", [SplitKind.STRATIFIED, SplitKind.GROUPED])
def test_every_row_is_in_the_test_split_of_one_fold(kind):
    label_n, cluster_n, columns = rows(3000)
    tested = np.zeros(3000, int)
    for fold in range(5):
        chosen = spec(kind, folds=5, fold=fold)
        found = split(chosen, label_n, cluster_n, **columns).split_n
        assert (found == TEST).sum() == pytest.approx(582, abs=20)
        assert (found == VALIDATION).sum() == pytest.approx(582, abs=20)
        tested += found == TEST
    assert (tested == (label_n != NO_LABEL)).all()


def test_dates_the_picture_in_the_docstring():
    chosen = spec(SplitKind.DATE, test_fraction=1 / 3, validation_fraction=0.5)
    found = split(
        chosen,
        [0, 1, 0, 1, 0, 1],
        [0, 1, 2, 3, 1, 4],
        time_n=[10, 20, 30, 40, 50, 60],
    )
    assert found.split_n.tolist() == [0, 0, 1, 1, -1, 2]
    assert found.reason_n[4] == Reason.NEAR_EARLIER


def test_dates_are_cut_globally():
    label_n, cluster_n, columns = rows(3000)
    time_n = columns["time_n"]
    time_n[5::50] = NO_TIME
    found = split(spec(SplitKind.DATE), label_n, cluster_n, time_n=time_n)
    by_part = [time_n[found.split_n == part] for part in (TRAIN, VALIDATION, TEST)]
    assert by_part[0].max() < by_part[1].min()
    assert by_part[1].max() < by_part[2].min()
    late = (time_n >= by_part[2].min()) & (label_n != NO_LABEL)
    assert late.sum() == pytest.approx(0.2 * 2850, abs=10)
    assert (
        found.reason_n[(time_n == NO_TIME) & (label_n >= 0)] == Reason.NO_TIME
    ).all()


def test_equal_dates_are_never_parted():
    time_n = np.repeat([1, 2, 3, 4], [50, 30, 11, 9])
    found = split(spec(SplitKind.DATE), np.arange(100) % 2, time_n=time_n)
    assert [set(found.split_n[time_n == t]) for t in (1, 2, 3, 4)] == [
        {TRAIN},
        {VALIDATION},
        {TEST},
        {TEST},
    ]


def test_names_of_given_splits():
    names = ["train", "dev", "Test", "unsupervised", "val", " VALID ", "validation", ""]
    assert given_split_codes(names).tolist() == [0, 1, 2, -1, 1, 1, 1, -1]


def test_a_given_test_split_is_never_touched():
    label_n, cluster_n, columns = rows(3000)
    given_n = columns["given_n"]
    given_n[3::40] = SET_ASIDE
    found = split(spec(SplitKind.GIVEN), label_n, cluster_n, given_n=given_n)
    usable = label_n != NO_LABEL
    assert ((found.split_n == TEST) == (usable & (given_n == TEST))).all()
    moved = (found.split_n != given_n) & usable
    assert set(found.reason_n[moved]) == {Reason.NEAR_LATER}
    assert (found.reason_n[(given_n == SET_ASIDE) & usable] == Reason.NO_SPLIT).all()


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ([TRAIN] * 3 + [TEST], [1125, 375, 500]),  # no validation: a quarter of train
        ([TRAIN] * 3 + [VALIDATION], [1200, 500, 300]),  # no test: a fifth of train
        ([TRAIN] * 4, [1200, 400, 400]),
    ],
)
def test_what_the_source_does_not_give_is_cut_from_train(given, expected):
    given_n = np.array(given * 500, np.int8)
    label_n = np.arange(2000) // 7 % 2
    found = split(spec(SplitKind.GIVEN), label_n, given_n=given_n)
    assert np.bincount(found.split_n) == pytest.approx(expected, abs=2)
    same = found.split_n == given_n
    assert (given_n[~same] == TRAIN).all()


@pytest.mark.parametrize("kind", [SplitKind.GIVEN, SplitKind.GROUPED, SplitKind.DATE])
def test_a_kind_whose_column_is_missing_is_refused(kind):
    with pytest.raises(InputError, match="no labelled row has one"):
        split(spec(kind), [0, 1] * 10)


def test_an_empty_split_is_refused_with_the_counts():
    with pytest.raises(InputError, match=r"(?s)train split would be empty.*test 20"):
        split(spec(SplitKind.DATE), [0, 1] * 10, time_n=np.full(20, 7))


def test_no_labels_at_all_is_refused():
    with pytest.raises(InputError, match="would be empty"):
        split(spec(SplitKind.STRATIFIED), [NO_LABEL] * 9)


def test_a_class_that_train_lacks_is_refused_by_name():
    label_n = np.array([0, 1] * 30 + [0, 1, 2, 2] * 10)
    with pytest.raises(InputError, match="no row of class happy"):
        assign_splits(
            spec(SplitKind.DATE),
            label_n=label_n,
            cluster_n=np.arange(100),
            group_n=None,
            time_n=np.arange(100),
            given_n=None,
            class_names=("sad", "cross", "happy"),
        )


def test_a_class_of_two_rows_can_be_split():
    found = split(spec(SplitKind.STRATIFIED), [0] * 40 + [1] * 2)
    assert TRAIN in found.split_n[40:]


@pytest.mark.parametrize(
    "changes",
    [
        {"test_fraction": 0.0},
        {"validation_fraction": 1.0},
        {"folds": 1},
        {"folds": 5, "fold": 5},
        {"fold": 1},
        {"folds": -2},
        {"seed": -1},
        {"kind": SplitKind.DATE, "folds": 5},
        {"kind": SplitKind.GIVEN, "folds": 5},
    ],
)
def test_contradictory_settings_are_refused(changes):
    with pytest.raises(InputError, match="field"):
        spec(**({"kind": SplitKind.STRATIFIED} | changes))


def test_units_the_picture_in_the_docstring():
    unit_n, label_n = np.array([0, 1, 2, 2]), np.zeros(4, int)
    halves = np.array([0.5, 0.5])
    part_n = cut_units(unit_n, label_n, halves, np.random.default_rng(0))
    assert part_n.tolist() == [1, 1, 0, 0]


@settings(deadline=None, max_examples=60)
@given(st.integers(0, 10**6), st.integers(1, 300), st.integers(1, 60))
def test_units_are_never_divided_and_parts_are_as_large_as_wanted(seed, count, units):
    draw = np.random.default_rng(seed)
    unit_n = draw.integers(0, units, count) * 7
    label_n = draw.integers(0, 3, count)
    shares = np.array([0.5, 0.3, 0.2])
    part_n = cut_units(unit_n, label_n, shares, draw)
    assert straddling(part_n, unit_n) == 0
    off = np.abs(np.bincount(part_n, minlength=3) - shares * count)
    assert off.max() <= np.bincount(unit_n).max() + 3
