"""Text files without a header: blanks or a delimiter, odd lines, compression."""

import gzip

import pytest

from reviewintent_jax.data.headerless_rows import read_headerless
from reviewintent_jax.schema import InputError

NAMES = ("who", "when", "amount")


@pytest.mark.parametrize(
    ("text", "rows"),
    [
        (" 1 2020  3.5\n\n 22 2021 4\n", [("1", "2020", "3.5"), ("22", "2021", "4")]),
        ("a b,2020,3\nc,2021,4\n", [("a b", "2020", "3"), ("c", "2021", "4")]),
    ],
)
def test_fields_are_named_by_the_config(tmp_path, text, rows):
    path = tmp_path / "rows.txt.gz"
    path.write_bytes(gzip.compress(text.encode()))
    read = list(read_headerless(path, NAMES))
    assert [tuple(row.fields.values()) for row in read] == rows
    assert read[0].line == 1
    assert not any(row.problem for row in read)


def test_a_line_of_another_length_is_a_problem_and_costs_no_other(tmp_path):
    path = tmp_path / "rows.txt"
    path.write_text("1 2020 3\n1 2020\n2 2021 4\n")
    read = list(read_headerless(path, NAMES))
    assert [bool(row.problem) for row in read] == [False, True, False]
    assert "2 fields, where 3 are named" in read[1].problem
    assert read[1].line == 2


def test_names_that_do_not_fit_the_first_line_are_refused(tmp_path):
    path = tmp_path / "rows.txt"
    path.write_text("1 2020\n")
    with pytest.raises(InputError, match="has 2 fields, but 3 columns are named"):
        list(read_headerless(path, NAMES))
