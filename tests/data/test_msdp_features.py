"""Times as intervals of a hazard, censored and followed to their ends or not."""

import numpy as np

from reviewintent_jax.data.msdp_features import intervals_of


def test_intervals_hold_their_ends_and_censoring_survives_whole_ones_alone():
    days = np.array([7.0, 8.0, 40.0, 20.0, 14.0, np.nan, 0.0])
    came = np.array([True, True, True, False, False, False, True])
    forever = np.full(7, np.inf)
    ends = np.array([7.0, 14.0, 30.0])
    interval, inside = intervals_of(days, came, forever, ends)
    assert interval.tolist() == [0, 1, 3, 2, 2, -1, 0]
    assert inside.tolist() == [True, True, False, False, False, False, True]


def test_an_interval_that_was_not_followed_to_its_end_counts_no_event():
    days, came = np.array([5.0, 9.0, 12.0]), np.array([True, True, False])
    followed, ends = np.full(3, 12.0), np.array([7.0, 14.0])
    interval, inside = intervals_of(days, came, followed, ends)
    assert interval.tolist() == [0, 1, 1]
    assert inside.tolist() == [True, False, False]
