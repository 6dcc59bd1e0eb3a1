"""JSON lines, tidy and broken, become rows."""

import pytest

from reviewintent_jax.data.tables import (
    read_table,
    table_layout,
)
from reviewintent_jax.schema import InputError


def write(folder, name, content):
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def rows_of(folder, name, content):
    return list(read_table(write(folder, name, content)))


def test_jsonl_rows_and_their_problems(tmp_path):
    content = '{"text": "good", "stars": 5}\n\n{"text": \n[1, 2]\n{"text": null}\n'
    rows = rows_of(tmp_path, "r.jsonl", content)
    assert [row.line for row in rows] == [1, 3, 4, 5]
    assert [row.problem.split(":")[0] for row in rows] == [
        *("", "not valid JSON", "a JSON value that is no object", ""),
    ]
    assert rows[0].fields == {"text": "good", "stars": 5}
    assert [row.raw for row in rows] == ["", '{"text": ', "[1, 2]", ""]


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ('{"text": "good",}', "not valid JSON: at character 17"),
        ("{", "not valid JSON: at character 2"),
        ('{"a":' * 99_999, "not valid JSON: nested too deeply"),
        ('{"a": ' + "9" * 5000 + "}", "not valid JSON: a number of too many digits"),
        ("null", "a JSON value that is no object"),
        ('"good"', "a JSON value that is no object"),
    ],
    ids=lambda value: value[:20],
)
def test_broken_json_is_told_in_plain_words(tmp_path, line, problem):
    (row, _) = rows_of(tmp_path, "r.jsonl", f"{line}\n{{}}\n")
    assert row.problem == problem


def test_json_nested_beyond_reason_is_a_problem(tmp_path):
    rows = rows_of(tmp_path, "r.jsonl", "[" * 0 + '{"a":' * 99_999 + "\n{}\n")
    assert [bool(row.problem) for row in rows] == [True, False]


def test_lone_surrogates_of_json_become_replacement_characters(tmp_path):
    content = r'{"text": "half \ud83d an emoji", "more": ["\ude00", "\ud83d\ude00"]}'
    fields = rows_of(tmp_path, "r.jsonl", content)[0].fields
    assert fields == {"text": "half \ufffd an emoji", "more": ["\ufffd", "😀"]}


def test_json_array_is_refused_with_the_way_out(tmp_path):
    with pytest.raises(InputError, match=r"one JSON array(.|\n)*jq"):
        rows_of(tmp_path, "r.json", '[\n{"text": "good"}\n]')


def test_columns_of_jsonl_are_those_of_its_first_rows(tmp_path):
    path = write(tmp_path, "r.ndjson", '{"a": 1}\n{"b": 2, "a": 3}\n')
    assert table_layout(path).columns == ("a", "b")
