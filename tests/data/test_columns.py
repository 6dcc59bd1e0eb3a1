"""Columns on disk hold what was added, and leave nothing behind."""

import numpy as np
import pytest

from reviewintent_jax.data.columns import ColumnFiles


def test_pieces_become_one_column(tmp_path):
    columns = ColumnFiles(tmp_path)
    pieces = [np.arange(n, n + 3, dtype=np.int64) for n in (0, 3, 6)]
    rows = np.arange(24, dtype=np.uint8).reshape(8, 3)
    for piece in pieces:
        columns.add("a", piece)
    columns.add("b", rows[:5])
    columns.add("b", rows[5:])
    columns.add("none", np.zeros(0, np.float32))
    found = columns.finish()
    assert found["a"].tolist() == list(range(9))
    assert np.array_equal(found["b"], rows)
    assert found["none"].shape == (0,)
    assert found["a"].dtype == np.int64
    assert not list(tmp_path.iterdir())  # the files have no name
    with pytest.raises(ValueError, match="read-only"):
        found["a"][0] = 1


def test_a_piece_of_another_kind_is_refused():
    columns = ColumnFiles()
    columns.add("a", np.zeros((2, 3), np.int32))
    with pytest.raises(ValueError, match="column 'a'"):
        columns.add("a", np.zeros((2, 4), np.int32))
    with pytest.raises(ValueError, match="column 'a'"):
        columns.add("a", np.zeros((2, 3), np.int64))
