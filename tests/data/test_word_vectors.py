"""Text files of word vectors, tidy and broken."""

import gzip
import logging

import numpy as np
import pytest

from reviewintent_jax.data.word_vectors import read_vectors
from reviewintent_jax.data.words import Vocabulary
from reviewintent_jax.schema import InputError

WORDS = Vocabulary(["", "tea", "leak", "thé", "rare"])
TIDY = "the 9 9\ntea 1 2.5\nthé -1 0\nLeak 3e-1 4\n"


def write(folder, content, name="v.txt"):
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_words_of_the_vocabulary_are_found(tmp_path, pack):
    path = write(tmp_path, pack(TIDY.encode()))
    found = read_vectors(path, WORDS, 2)
    wanted = [[np.nan] * 2, [1, 2.5], [0.3, 4], [-1, 0], [np.nan] * 2]
    np.testing.assert_allclose(found.vector_vd, wanted, rtol=1e-6)
    assert found.vector_vd.dtype == np.float32
    assert (found.lines, found.malformed, found.repeated, found.found) == (4, 0, 0, 3)


def test_counts_at_the_top_are_no_word(tmp_path):
    found = read_vectors(write(tmp_path, f"4 2\n{TIDY}"), WORDS, 2)
    assert (found.found, found.malformed) == (3, 0)


def test_a_word_of_many_features_one_long_is_still_a_word(tmp_path):
    """A word 400000 with one number of one feature is a pair, not counts, later on."""
    found = read_vectors(write(tmp_path, "tea 5\n7 8\n"), WORDS, 1)
    assert (found.found, found.malformed, found.lines) == (1, 0, 2)


def test_broken_and_repeated_lines_are_counted_and_named(tmp_path, caplog):
    content = f"{TIDY}\ntea 7 7\nrare 1\nrare 1 x\nrare nan 1\n. . . 5\t6\n"
    with caplog.at_level(logging.WARNING, "reviewintent"):
        found = read_vectors(write(tmp_path, content), WORDS, 2)
    assert (found.malformed, found.repeated, found.found) == (4, 1, 3)
    assert found.vector_vd[1].tolist() == [1, 2.5]  # the first counts
    assert "4 lines are no word with 2 numbers" in caplog.text
    assert "line 5: '', 0 fields" in caplog.text
    assert "line 7: 'rare 1', 1 fields after the word" in caplog.text


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (TIDY.encode("latin-1"), r"no text in UTF-8.*line 3"),
        (TIDY.replace(" ", " 1 2 "), r"have 6 numbers, not 2.*words.features=6"),
        (b"", "is empty"),
        ("zebra 1 2\n", "none of the 4 words"),
        (gzip.compress(TIDY.encode() * 99, mtime=0)[:60], "damaged or cut short"),
    ],
)
def test_a_file_that_gives_nothing_is_told(tmp_path, content, said):
    with pytest.raises(InputError, match=f"(?s){said}"):
        read_vectors(write(tmp_path, content), WORDS, 2)


def test_a_missing_file_and_a_folder_are_told(tmp_path):
    for path in (tmp_path / "glove.txt", tmp_path):
        with pytest.raises(InputError, match=r"(?s)cannot be read.*words\.path"):
            read_vectors(path, WORDS, 2)
