"""Batches of PyTorch's users: every review once an epoch, grouped or not."""

import itertools

import numpy as np
import pytest

from reviewintent_jax.benchmark.lengths import length_names, review_lengths
from reviewintent_jax.benchmark.peer_batches import length_batches

LENGTHS = np.random.default_rng(0).integers(3, 60, 700)


@pytest.mark.parametrize("grouped", [False, True])
def test_every_review_comes_once_an_epoch(grouped):
    stream = length_batches(LENGTHS, 8, grouped=grouped, seed=1)
    for _ in range(2):
        epoch = np.concatenate(list(itertools.islice(stream, 88)))
        assert sorted(epoch) == list(range(700))


def test_grouping_pads_less_and_still_shuffles():
    padding = {}
    for grouped in (False, True):
        stream = length_batches(LENGTHS, 8, grouped=grouped, seed=1)
        batches = list(itertools.islice(stream, 87))
        places = sum(len(batch) * LENGTHS[batch].max() for batch in batches)
        padding[grouped] = places / sum(LENGTHS[batch].sum() for batch in batches)
    assert padding[True] < 1.05 < 1.5 < padding[False]
    longest = [LENGTHS[batch].max() for batch in batches]
    assert longest != sorted(longest)


def test_lengths_are_drawn_as_often_as_they_occur():
    assert set(length_names()) >= {"airline_tweets", "yelp10k"}
    drawn = review_lengths("airline_tweets", 20_000, 128)
    assert abs(drawn.mean() - 29.1) < 0.5  # of all 14,640
    assert drawn.min() >= 3
    assert review_lengths("imdb", 500, 64).max() == 64
