"""CSV and its kin, tidy and broken, become the rows that a person would read."""

import csv
import io

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from reviewintent_jax.data import csv_rows, json_rows, opening
from reviewintent_jax.data.csv_rows import name_columns, sniff_delimiter
from reviewintent_jax.data.tables import (
    read_table,
)
from reviewintent_jax.schema import RawRow


def write(folder, name, content):
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def rows_of(folder, name, content):
    return list(read_table(write(folder, name, content)))


def texts(rows):
    return [row.fields.get("text") for row in rows]


def test_csv_rows_know_file_line_and_fields(tmp_path):
    path = write(tmp_path, "r.csv", "text,stars\ngood,5\nbad,1\n")
    assert list(read_table(path)) == [
        RawRow(str(path), 2, {"text": "good", "stars": "5"}),
        RawRow(str(path), 3, {"text": "bad", "stars": "1"}),
    ]


def test_line_is_the_physical_line_where_a_row_starts(tmp_path):
    content = 'text,stars\n"one\n\ntwo, and ""three""\n",4\n\nlast,2\n'
    rows = rows_of(tmp_path, "r.csv", content)
    assert [(row.line, row.fields["text"]) for row in rows] == [
        (2, 'one\n\ntwo, and "three"\n'),
        (7, "last"),
    ]


def test_unclosed_quote_costs_its_own_row_only(tmp_path):
    content = 'id,text,stars\n1,"good",5\n2,"never closed,4\n3,"bad",1\n4,ok,3\n'
    rows = rows_of(tmp_path, "r.csv", content)
    assert [row.line for row in rows] == [2, 3, 4, 5]
    assert [bool(row.problem) for row in rows] == [False, True, False, False]
    assert rows[1].fields == {"id": "2", "text": '"never closed', "stars": "4"}
    assert texts(rows)[2:] == ["bad", "ok"]


def test_unclosed_quote_at_the_end_of_the_file_is_noticed(tmp_path):
    rows = rows_of(tmp_path, "r.csv", 'text,stars\ngood,5\n"cut off here')
    assert [row.problem for row in rows] == ["", "a quote is never closed"]


def test_many_unclosed_quotes_lose_no_row_between_them(tmp_path):
    lines = [f'"open {i},1' if i % 7 == 0 else f"fine {i},2" for i in range(200)]
    rows = rows_of(tmp_path, "r.csv", "text,stars\n" + "\n".join(lines))
    assert [row.line for row in rows] == list(range(2, 202))
    fine = [row.fields["text"] for row in rows if not row.problem]
    assert fine == [f"fine {i}" for i in range(200) if i % 7]


def test_undoubled_quote_inside_quotes_is_a_problem(tmp_path):
    rows = rows_of(tmp_path, "r.csv", 'text,stars\n"a "great" tea",5\nok,3\n')
    assert rows[0].problem.startswith("quotes do not pair up")
    assert not rows[1].problem


@pytest.mark.parametrize(
    ("line", "problem", "fields"),
    [
        ("good", "too few fields: 1, the header has 2", {"text": "good"}),
        (
            "a,b,c",
            "too many fields: 3, the header has 2",
            {"text": "a", "stars": "b"},
        ),
        ("a,b,", "", {"text": "a", "stars": "b"}),
    ],
    ids=["few", "many", "trailing delimiter"],
)
def test_rows_of_another_width(tmp_path, line, problem, fields):
    row = rows_of(tmp_path, "r.csv", f"text,stars\n{line}\nok,3\n")[0]
    assert (row.problem, row.fields) == (problem, fields)


def test_surplus_fields_of_a_malformed_row_stay_in_its_raw_line(tmp_path):
    content = "text,stars\na,b,the rest, of it\r\nok,3\n"
    rows = rows_of(tmp_path, "r.csv", content)
    assert [row.raw for row in rows] == ["a,b,the rest, of it", ""]


def test_raw_lines_are_kept_up_to_a_thousand_characters(tmp_path):
    content = f'text,stars\n"one\ntwo",{"x" * 3000},3\n{"y" * 990},2,{"z" * 7}\n'
    rows = rows_of(tmp_path, "r.csv", content)
    assert rows[0].raw == '"one\ntwo",' + "x" * 987 + "..."
    assert rows[1].raw == "y" * 990 + ",2,zzzzzzz"


def test_field_beyond_the_limit_is_a_problem_and_the_next_row_is_read(
    tmp_path, monkeypatch
):
    for module in (opening, csv_rows, json_rows):
        monkeypatch.setattr(module, "MAX_CHARACTERS", 5000)
    rows = rows_of(tmp_path, "r.csv", f"text,stars\n{'x' * 90_000},5\nok,3\n")
    assert rows[0].problem == "longer than 5000 characters"
    assert (rows[1].line, rows[1].fields) == (3, {"text": "ok", "stars": "3"})
    rows = rows_of(tmp_path, "r.jsonl", f'{{"text": "{"x" * 9000}"}}\n{{"text": "ok"}}')
    assert [row.problem for row in rows] == ["longer than 5000 characters", ""]


def test_review_of_100_kb_is_read_whole(tmp_path):
    long = "word, " * 17_000 + '"end"'
    buffer = io.StringIO()
    csv.writer(buffer).writerows([["text", "stars"], [long, 5]])
    assert texts(rows_of(tmp_path, "r.csv", buffer.getvalue())) == [long]


def test_nul_characters_are_kept_for_the_cleaner(tmp_path):
    assert texts(rows_of(tmp_path, "r.csv", "text,stars\nbad\0ly,1\n")) == ["bad\0ly"]


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_every_kind_of_line_end(tmp_path, end):
    content = end.join(["text,stars", "one,1", "two,2", ""])
    assert texts(rows_of(tmp_path, "r.csv", content)) == ["one", "two"]


@pytest.mark.parametrize(
    ("name", "delimiter"),
    [("r.csv", ";"), ("r.csv", "\t"), ("r.txt", "|"), ("r.txt", "\t"), ("r.tsv", "\t")],
)
def test_delimiter_is_found(tmp_path, name, delimiter):
    lines = [delimiter.join(row) for row in (["text", "stars"], ["good, cheap", "5"])]
    row = rows_of(tmp_path, name, "\n".join(lines))[0]
    assert row.fields == {"text": "good, cheap", "stars": "5"}


def test_table_of_one_column_keeps_its_commas_out_of_the_header():
    assert sniff_delimiter(["text", "good, cheap", "ok; fine"], ",;") == ","


def test_spaces_after_the_header_s_delimiters_allow_spaced_quotes(tmp_path):
    row = rows_of(tmp_path, "r.csv", 'id, text, stars\n1, "good, cheap", 5\n')[0]
    assert row.fields == {"id": "1", "text": "good, cheap", "stars": "5"}


def test_tsv_that_never_quotes_keeps_its_quotes_and_rows(tmp_path):
    content = 'text\tstars\n"Great" they said\t5\n"open\t1\nends"\t2\nok\t3\n'
    rows = rows_of(tmp_path, "r.tsv", content)
    assert texts(rows) == ['"Great" they said', '"open', 'ends"', "ok"]
    assert [row.line for row in rows] == [2, 3, 4, 5]
    assert not any(row.problem for row in rows)


def test_quoted_tsv_may_hold_tabs_and_new_lines(tmp_path):
    content = 'text\tstars\n"a\tb\n\nc"\t5\n'
    assert texts(rows_of(tmp_path, "r.tsv", content)) == ["a\tb\n\nc"]


def test_columns_without_a_name_or_named_twice_are_told_apart():
    assert name_columns(["", "text", "text", "text_2", ""]) == [
        *("column_1", "text", "text_3", "text_2", "column_5"),
    ]


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(
        st.tuples(*[st.text(st.characters(codec="utf-8"), max_size=12)] * 2),
        min_size=1,
        max_size=8,
    )
)
def test_csv_of_any_texts_comes_back(tmp_path, table):
    buffer = io.StringIO()
    writer = csv.writer(buffer, quoting=csv.QUOTE_ALL)
    writer.writerows([["text", "stars"], *table])
    rows = rows_of(tmp_path, "r.csv", "\ufeff" + buffer.getvalue())
    assert [tuple(row.fields.values()) for row in rows] == table
    assert not any(row.problem for row in rows)
