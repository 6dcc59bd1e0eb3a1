import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reviewintent_jax.data.histories import (
    CovariateScale,
    build_histories,
    cut_windows,
    describe_times,
    fit_scale,
    order_reviews,
    time_sentences,
)
from reviewintent_jax.data.intention import Covariate
from reviewintent_jax.data.splits import NO_GROUP, NO_TIME
from tests.data.intention_cases import DAY, START, intention_spec


def histories(subject, day, *, window=3, covariates=(), **columns):
    count = len(subject)
    spec = intention_spec(window=window, covariates=covariates, **NAMED)
    nothing = np.full(count, np.nan, np.float32)
    given = {"stars_n": nothing, "helpful_n": nothing, "words_n": np.ones(count, int)}
    return build_histories(
        spec,
        subject_n=np.array(subject, np.int64),
        time_n=START + np.array(day, np.int64) * DAY,
        **(given | columns),
    )


NAMED = {"stars": "stars", "helpful": "votes"}


def test_windows_are_the_picture():
    """The picture in the module's docstring: A wrote 4, 1, 3 and B wrote 0, 2."""
    made = histories([1, 0, 1, 0, 0], [5, 6, 9, 8, 2])
    assert made.order_n.tolist() == [4, 1, 3, 0, 2]
    assert made.window_nw.tolist() == [
        [-1, -1, 0],
        [-1, 4, 1],
        [-1, 0, 2],
        [4, 1, 3],
        [-1, -1, 4],
    ]


def test_times_that_go_backwards_are_sorted_and_counted():
    made = histories([0, 0, 0, 1], [9, 3, 6, 1])
    assert made.order_n.tolist() == [1, 2, 0, 3]
    assert describe_times(made)["backwards"] == 1


def test_equal_times_keep_the_order_of_the_source():
    made = histories([0, 0, 0], [4, 2, 4])
    assert made.order_n.tolist() == [1, 0, 2]
    assert describe_times(made)["same_moment"] == 1


def test_one_review_subjects_and_gaps_of_years_are_kept_and_counted():
    made = histories([0, 1, 0], [0, 5, 900])
    facts = describe_times(made)
    assert (facts["subjects"], facts["one_review_subjects"]) == (2, 1)
    assert facts["long_gaps"] == 1
    assert made.window_nw[1].tolist() == [-1, -1, 1]


def test_odd_times_are_told_in_words_and_even_ones_not_at_all():
    facts = describe_times(histories([0, 0, 0, 1], [900, 3, 3, 1]))
    assert time_sentences(facts) == [
        "1 rows older than the row of the same subject before them: sorted by time",
        "1 reviews at the very moment of the subject's review before: read in the "
        "order of the source",
        "1 gaps of more than 2 years: kept as they are",
        "1 of 2 subjects with a single review: their windows are short, not dropped",
    ]
    assert time_sentences(describe_times(histories([0, 0], [1, 2]))) == []


def test_reviews_without_a_subject_are_alone():
    order = order_reviews(np.array([NO_GROUP, 3, NO_GROUP, 3]), np.array([9, 8, 1, 2]))
    assert order.tolist() == [3, 1, 0, 2]
    subject_n = np.array([NO_GROUP, 3, NO_GROUP, 3])
    windows = cut_windows(order, subject_n, np.ones(4, bool), 2)
    assert windows.tolist() == [[-1, 0], [3, 1], [-1, 2], [-1, 3]]


def test_a_review_that_is_set_aside_leaves_no_hole():
    kept = np.array([True, False, True, True])
    windows = cut_windows(np.arange(4), np.zeros(4, int), kept, 3)
    assert windows.tolist() == [[-1, -1, 0], [-1, -1, -1], [-1, 0, 2], [0, 2, 3]]


@given(
    st.lists(st.tuples(st.integers(0, 3), st.integers(0, 5)), min_size=1, max_size=25)
)
def test_windows_agree_with_a_plain_loop(rows):
    made = histories([s for s, _ in rows], [d for _, d in rows], window=4)
    for i, (subject, day) in enumerate(rows):
        past = [
            (d, j)
            for j, (s, d) in enumerate(rows)
            if s == subject and (d, j) <= (day, i)
        ]
        wanted = [j for _, j in sorted(past)][-4:]
        assert made.window_nw[i].tolist() == [-1] * (4 - len(wanted)) + wanted


def test_covariates_are_what_they_are_called():
    made = histories(
        [0, 0, 1],
        [0, 10, 91],
        covariates=tuple(Covariate),
        stars_n=np.array([5, np.nan, 1], np.float32),
        helpful_n=np.array([3, 0, np.nan], np.float32),
        words_n=np.array([7, 0, 2]),
    )
    gap, first, stars, helpful, length, sine, cosine = made.covariate_nx.T
    assert gap == pytest.approx([0, np.log(11), 0])
    assert first.tolist() == [1, 0, 1]
    assert stars == pytest.approx([5, np.nan, 1], nan_ok=True)
    assert helpful == pytest.approx([np.log(4), 0, np.nan], nan_ok=True)
    assert length == pytest.approx(np.log([8, 1, 3]))
    # START is the first of January; 91 days later a quarter of the year has passed
    assert (sine[0], cosine[0]) == pytest.approx((0, 1))
    assert (sine[2], cosine[2]) == pytest.approx((1, 0), abs=0.01)


def test_the_season_of_no_time_is_missing():
    spec = intention_spec(subject="", kind="stated", covariates=(Covariate.SEASON,))
    one = np.ones(1, np.float32)
    columns = {"stars_n": one, "helpful_n": one, "words_n": one}
    made = build_histories(
        spec, subject_n=np.array([NO_GROUP]), time_n=np.array([NO_TIME]), **columns
    )
    assert np.isnan(made.covariate_nx).all()


def test_the_scale_is_of_the_windows_of_some_anchors_alone():
    stars = np.array([1, 3, 100, 5], np.float32)
    made = histories(
        [0, 0, 1, 0],
        [0, 1, 2, 3],
        window=2,
        covariates=(Covariate.STARS,),
        stars_n=stars,
    )
    scale = fit_scale(made, np.array([1, 3]), ("stars",))  # windows: 0 1, and 1 3
    assert scale.mean_x == pytest.approx((3.0,))
    assert scale.spread_x == pytest.approx((np.std([1, 3, 5]),))
    scaled = scale.apply(np.array([[3.0], [np.nan]], np.float32))
    assert scaled.tolist() == [[0.0], [0.0]]
    assert CovariateScale.from_dict(scale.to_dict()) == scale


def test_a_covariate_that_never_changes_is_not_divided_by_zero():
    made = histories([0, 1], [0, 1], covariates=(Covariate.FIRST,))
    scale = fit_scale(made, np.array([0, 1]), ("first",))
    assert scale.spread_x == (1.0,)
