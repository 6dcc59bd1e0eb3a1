import numpy as np
import pytest
from scipy.special import softmax

from reviewintent_jax.evaluation.score_subjects import plan_subjects, subject_table

DAY = 86_400
FILE = [("ann", 3 * DAY), ("bob", DAY), ("ann", 2 * DAY)]


def table_of(plan, logit_ny, **changes):
    how = {"temperature": 2.0, "threshold": None, "horizon_days": 30, "window": 7}
    how |= {"unanswered": {}} | changes
    return subject_table(plan, logit_ny, ("no", "yes"), **how)


def test_the_plan_is_the_picture_in_its_docstring():
    plan = plan_subjects(FILE)
    assert plan.names == ("ann", "bob")
    assert plan.row_n.tolist() == [2, 0, 1]
    assert plan.subject_n.tolist() == [0, 0, 1]
    assert plan.time_n.tolist() == [2 * DAY, 3 * DAY, DAY]


def test_no_reviews_are_no_subjects():
    assert len(table_of(plan_subjects([]), np.zeros((0, 2)))) == 0


def test_reviews_of_one_moment_stay_in_the_order_of_the_file():
    plan = plan_subjects([("a", 9), ("a", 9), ("a", -9), ("a", 9)])
    assert plan.row_n.tolist() == [2, 0, 1, 3]


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


def test_subjects_without_a_review_come_last_with_their_problem():
    unanswered = {"cy": "no text (2), no time (1)"}
    found = table_of(plan_subjects(FILE), np.zeros((3, 2)), unanswered=unanswered)
    assert found["subject"].tolist() == ["ann", "bob", "cy"]
    assert found["reviews"].tolist() == [2, 1, 0]
    assert found["problem"].tolist() == [None, None, "no text (2), no time (1)"]
    last = found.iloc[2]
    assert np.isnan(last["probability_yes"])
    for name in ("last_time", "intention", "horizon_days"):
        assert found[name].isna().tolist() == [False, False, True]


def test_a_window_bounds_what_was_read_and_a_horizon_may_be_absent():
    plan = plan_subjects([("a", time) for time in range(4)])
    found = table_of(plan, np.zeros((4, 2)), window=3, horizon_days=None)
    assert found["reviews"].tolist() == [4]
    assert found["reviews_read"].tolist() == [3]
    assert found["horizon_days"].isna().all()


def test_an_answer_for_every_review_is_needed():
    with pytest.raises(ValueError, match="2 answers for 3"):
        table_of(plan_subjects(FILE), np.zeros((2, 2)))
