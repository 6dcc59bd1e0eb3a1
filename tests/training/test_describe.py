"""What people read before training begins."""

from types import SimpleNamespace

import numpy as np

from reviewintent_jax.data.word_vectors import WordVectors
from reviewintent_jax.training.describe import word_lines


def test_words_are_counted_as_words():
    words = SimpleNamespace(vocabulary=["", "leak", "tea", "teas"])
    vectors = WordVectors(np.array([[np.nan], [0.5], [0.1], [np.nan]]), 9, 0, 0)
    known = "Words: 3 words of the training reviews have a vector of their own"
    assert word_lines(words, None) == [known]
    assert word_lines(words, vectors) == [f"{known}, 2 of them begin with the file's"]
