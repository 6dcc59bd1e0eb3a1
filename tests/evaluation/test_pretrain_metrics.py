"""Scores of hidden tokens against a plain loop, and the bar of frequencies."""

import math

import numpy as np
import pytest

from reviewintent_jax.evaluation.pretrain_metrics import (
    Guesses,
    frequency_guesses,
    masked_scores,
)
from reviewintent_jax.schema import NO_LABEL


@pytest.fixture
def said():
    rng = np.random.default_rng(4)
    target = rng.integers(0, 9, (7, 5))
    target[rng.random((7, 5)) < 0.3] = NO_LABEL
    target[3] = NO_LABEL  # an empty page
    return Guesses(rng.random((7, 5)) * 4, rng.random((7, 5)) < 0.5, target)


def test_scores_are_means_over_all_hidden_tokens(said):
    nats, hits, tokens = 0.0, 0, 0
    for row in range(7):
        for u in range(5):
            if said.target_nu[row, u] != NO_LABEL:
                nats += said.nats_nu[row, u]
                hits += int(said.hit_nu[row, u])
                tokens += 1
    found = masked_scores(said, samples=0, seed=0)
    assert found["tokens"] == tokens
    assert found["pages"] == 6
    assert found["cross_entropy"]["value"] == pytest.approx(nats / tokens)
    assert found["perplexity"]["value"] == pytest.approx(math.exp(nats / tokens))
    assert found["accuracy"]["value"] == pytest.approx(hits / tokens)
    assert found["accuracy"]["low"] is None


def test_intervals_hold_the_value_and_repeat_with_the_seed(said):
    first, again = (masked_scores(said, samples=300, seed=5) for _ in range(2))
    assert first == again
    for name in ("cross_entropy", "perplexity", "accuracy"):
        score = first[name]
        assert score["low"] < score["value"] < score["high"]


def test_what_knows_frequencies_alone_answers_the_commonest_piece():
    count_v = np.array([6, 0, 2])
    target = np.array([[0, 1, NO_LABEL], [2, 0, 0]])
    found = frequency_guesses(count_v, target)
    share = {0: 7 / 11, 1: 1 / 11, 2: 3 / 11}  # each once more than it occurs
    nats = {piece: -math.log(each) for piece, each in share.items()}
    wanted = [[nats[0], nats[1], 0.0], [nats[2], nats[0], nats[0]]]
    np.testing.assert_allclose(found.nats_nu, wanted)
    assert found.hit_nu.tolist() == [[True, False, False], [False, True, True]]
    assert masked_scores(found, samples=0, seed=0)["tokens"] == 5
