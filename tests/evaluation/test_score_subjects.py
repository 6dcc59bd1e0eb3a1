import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import softmax

from reviewintent_jax.evaluation.score_subjects import (
    NO_MOMENT,
    NO_SUBJECT,
    history_chunks,
    plan_subjects,
    subject_table,
)
from reviewintent_jax.schema import InputError

DAY = 86_400
FILE = [("ann", 3 * DAY), ("", 5), ("bob", DAY), ("ann", 2 * DAY), ("cy", None)]


def table_of(plan, logit_ny, **changes):
    how = {"temperature": 2.0, "threshold": None, "horizon_days": 30, "window": 7}
    return subject_table(plan, logit_ny, ("no", "yes"), **(how | changes))


def test_the_plan_is_the_picture_in_its_docstring():
    plan = plan_subjects(FILE)
    assert plan.names == ("ann", "bob")
    assert plan.row_n.tolist() == [3, 0, 2]
    assert plan.subject_n.tolist() == [0, 0, 1]
    assert plan.time_n.tolist() == [2 * DAY, 3 * DAY, DAY]
    assert plan.left_out == {NO_SUBJECT: 1, NO_MOMENT: 1}


def test_an_empty_file_has_no_subjects():
    plan = plan_subjects([])
    assert list(history_chunks(plan, window=3, most=5)) == []
    assert len(table_of(plan, np.zeros((0, 2)))) == 0


def test_reviews_of_one_moment_stay_in_the_order_of_the_file():
    plan = plan_subjects([("a", 9), ("a", 9), ("a", -9), ("a", 9)])
    assert plan.row_n.tolist() == [2, 0, 1, 3]


def test_the_chunks_are_the_picture_in_their_docstring():
    plan = plan_subjects([("a", time) for time in range(4)])
    first, second = history_chunks(plan, window=3, most=2)
    assert (first.position_n.tolist(), first.context) == ([0, 1], 0)
    assert first.window_kw.tolist() == [[-1, -1, 0], [-1, 0, 1]]
    assert (second.position_n.tolist(), second.context) == ([0, 1, 2, 3], 2)
    assert second.window_kw.tolist() == [[0, 1, 2], [1, 2, 3]]


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from("abcd"), st.integers(0, 20)), max_size=40),
    st.integers(1, 5),
    st.integers(1, 7),
)
def test_every_window_is_that_of_a_plain_loop(rows, window, most):
    plan = plan_subjects(rows)
    found = {}
    for chunk in history_chunks(plan, window=window, most=most):
        assert len(chunk.position_n) <= most + window - 1
        row_k = plan.row_n[chunk.position_n]
        for place, steps in enumerate(chunk.window_kw):
            seen = row_k[steps[steps >= 0]].tolist()
            assert (steps[: window - len(seen)] == -1).all()
            assert row_k[chunk.context + place] not in found
            found[row_k[chunk.context + place]] = seen
    for subject in "abcd":
        mine = [n for n, row in enumerate(rows) if row[0] == subject]
        mine.sort(key=lambda n: (rows[n][1], n))
        for end, row in enumerate(mine):
            assert found.pop(row) == mine[max(0, end - window + 1) : end + 1]
    assert not found


def test_the_last_review_answers_for_its_subject():
    logit_ny = np.array([[9.0, 0], [0, 1], [2, 0]])
    found = table_of(plan_subjects(FILE), logit_ny)
    assert found["subject"].tolist() == ["ann", "bob"]
    assert found["reviews"].tolist() == [2, 1]
    assert found["last_time"].tolist() == [
        "1970-01-04T00:00:00Z",
        "1970-01-02T00:00:00Z",
    ]
    assert found["intention"].tolist() == ["yes", "no"]
    columns = ["probability_no", "probability_yes"]
    wanted = softmax(np.array([[0, 1], [2, 0]]) / 2.0, axis=1)
    np.testing.assert_allclose(found[columns], wanted)
    assert found["horizon_days"].tolist() == [30, 30]
    assert found["problem"].tolist() == [None, None]


def test_a_threshold_decides():
    logit_ny = np.log([[0.7, 0.3]] * 3)
    plan = plan_subjects(FILE)
    found = table_of(plan, logit_ny, temperature=1.0, threshold=0.25)
    assert found["intention"].tolist() == ["yes", "yes"]


def test_a_review_without_an_answer_leaves_the_one_before():
    logit_ny = np.array([[9.0, 0], [np.nan, np.nan], [np.nan, np.nan]])
    found = table_of(plan_subjects(FILE), logit_ny)
    assert found["intention"].tolist() == ["no", None]
    assert found["reviews_read"].tolist() == [1, 0]
    assert found["problem"].tolist() == [None, "no review with a text"]
    assert np.isnan(found["probability_yes"].iloc[1])


def test_a_window_bounds_what_was_read_and_a_horizon_may_be_absent():
    plan = plan_subjects([("a", time) for time in range(4)])
    found = table_of(plan, np.zeros((4, 2)), window=3, horizon_days=None)
    assert found["reviews"].tolist() == [4]
    assert found["reviews_read"].tolist() == [3]
    assert found["horizon_days"].isna().all()


def test_sizes_that_cannot_be_are_refused():
    with pytest.raises(InputError, match="cannot be"):
        list(history_chunks(plan_subjects(FILE), window=0, most=4))
    with pytest.raises(ValueError, match="2 answers for 3"):
        table_of(plan_subjects(FILE), np.zeros((2, 2)))
