"""Learners of shuffled answers know nothing, unless something leaks."""

import numpy as np
import pytest

from reviewintent_jax.evaluation.intention_baselines import Sides
from reviewintent_jax.evaluation.shuffled import (
    SHUFFLES,
    shuffled_labels,
    shuffled_texts,
)
from reviewintent_jax.schema import NO_LABEL
from tests.evaluation.test_intention_baselines import CLASSES, SPEC, side


@pytest.fixture
def sides():
    return Sides(side(1500, 0)[0], side(500, 1)[0], side(701, 2)[0])


@pytest.fixture
def nothing_is_shuffled(monkeypatch):
    """Labels that shuffling does not change: as if training knew the answers."""
    monkeypatch.setattr(
        np.random,
        "default_rng",
        lambda seed: type("Rng", (), {"permutation": staticmethod(lambda x: x)}),
    )


TREES = {"leaves": 4, "trees": 20}


def texts_of(count, seed):
    """Texts of which one word says the class, and the classes."""
    rng = np.random.default_rng(seed)
    label_n = rng.integers(2, size=count)
    words = rng.integers(40, size=(count, 6))
    said = [f"{CLASSES[y]} " + " ".join(f"w{n}" for n in row)
            for y, row in zip(label_n, words, strict=True)]  # fmt: skip
    return said, label_n


def test_shuffled_labels_are_chance(sides):
    found = shuffled_labels(sides, CLASSES, SPEC, TREES)
    assert found["auc"]["low"] < 0.5 < found["auc"]["high"]
    assert not found["suspicious"]
    assert (found["shuffles"], found["rows"]) == (SHUFFLES, 1500)


def test_shuffled_texts_are_chance():
    (train, train_n), (test, test_n) = texts_of(300, 0), texts_of(200, 1)
    train_n[:7] = NO_LABEL
    found = shuffled_texts((train, test), (train_n, test_n), CLASSES, SPEC)
    assert found["auc"]["low"] < 0.5 < found["auc"]["high"]
    assert not found["suspicious"]
    assert (found["shuffles"], found["rows"]) == (SHUFFLES, 293)


def test_texts_without_a_word_cannot_be_asked():
    nothing = np.array([0, 1])
    found = shuffled_texts((["!", "?"], ["!"]), (nothing, nothing[:1]), CLASSES, SPEC)
    assert found is None


def test_a_leak_in_windows_is_suspected(sides, nothing_is_shuffled, caplog):
    assert shuffled_labels(sides, CLASSES, SPEC, TREES)["suspicious"]
    assert "Boosted trees" in caplog.text
    assert "should hold 0.5" in caplog.text


def test_a_leak_in_texts_is_suspected(monkeypatch, caplog):
    (train, train_n), (test, test_n) = texts_of(300, 0), texts_of(200, 1)
    still = type("Rng", (), {"permutation": staticmethod(lambda x: x)})
    monkeypatch.setattr(np.random, "default_rng", lambda seed: still)
    found = shuffled_texts((train, test), (train_n, test_n), CLASSES, SPEC)
    assert found["suspicious"]
    assert found["auc"]["value"] > 0.95
    assert "Word counts" in caplog.text
