import numpy as np

from reviewintent_jax.evaluation.intention_windows import (
    DAY,
    gather_windows,
    last_values,
    recency_frequency,
    window_features,
)

# Reviews 2, 5, 4 of one subject on days 0, 9 and 50; 1 and 3 (without time) alone.
WINDOW_NW = np.array(
    [[-1, -1, 0], [-1, -1, 1], [-1, -1, 2], [-1, -1, 3], [2, 5, 4], [-1, 2, 5]]
)
TIME_N = np.array([np.nan, 3, 0, np.nan, 50, 9]) * DAY
VALUE_N = np.array([0, 1, 2, 3, 4, 5])


def windows(anchors):
    covariate_nx = np.array([[n, 10 * n] for n in range(6)], np.float32)
    covariate_nx[2, 1] = np.nan
    return gather_windows(
        np.array(anchors), WINDOW_NW, covariate_nx, TIME_N, VALUE_N, VALUE_N
    )


def test_gathering_is_the_picture_in_its_docstring():
    found = windows([5])
    np.testing.assert_array_equal(found.seen_nw, [[False, True, True]])
    wanted = [[[np.nan, np.nan], [2, np.nan], [5, 50]]]
    np.testing.assert_array_equal(found.step_nwx, wanted)
    np.testing.assert_array_equal(found.time_nw, [[np.nan, 0, 9 * DAY]])
    assert found.label_n.tolist() == [5]


def test_features_are_steps_then_mask_then_count():
    found = window_features(windows([4, 5, 1]))
    assert found.shape == (3, 3 * 2 + 3 + 1)
    nan = np.nan
    np.testing.assert_array_equal(found[0], [2, nan, 5, 50, 4, 40, 1, 1, 1, 3])
    np.testing.assert_array_equal(found[2], [nan, nan, nan, nan, 1, 10, 0, 0, 1, 1])


def test_the_last_value_of_a_repurchase_is_whether_the_anchor_came_soon():
    found = last_values("repurchase", WINDOW_NW, TIME_N, VALUE_N, 30)
    assert found.tolist() == [-1, -1, -1, -1, 0, 1]
    exactly = last_values("repurchase", WINDOW_NW, TIME_N, VALUE_N, 9)
    assert exactly[5] == 1


def test_the_last_value_of_what_comes_next_is_the_anchors_own():
    found = last_values("next_positive", WINDOW_NW, TIME_N, VALUE_N, 30)
    assert found.tolist() == VALUE_N.tolist()


def test_the_last_value_of_what_the_anchor_says_is_the_review_before():
    for kind in ("stated", "proxy_rating"):
        found = last_values(kind, WINDOW_NW, TIME_N, VALUE_N, 30)
        assert found.tolist() == [-1, -1, -1, -1, 5, 2]
        assert (last_values(kind, WINDOW_NW[:, -1:], TIME_N, VALUE_N, 30) == -1).all()


def test_recency_and_frequency_by_hand():
    found = recency_frequency(windows([4, 5, 1, 3]))
    wanted = [
        [np.log1p(41), 0, np.log1p(3), np.log(3 / 50)],
        [np.log1p(9), 0, np.log1p(2), np.log(2 / 9)],
        [0, 1, np.log1p(1), 0],
        [0, 1, np.log1p(1), 0],
    ]
    np.testing.assert_allclose(found, wanted)
