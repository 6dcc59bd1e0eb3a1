"""Tables of every kind, whole and broken, become the rows that a person would read."""

import contextlib
import csv
import gzip
import io
import itertools
import json
import logging
import os
import threading

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from reviewintent_jax.data import csv_rows, json_rows, opening
from reviewintent_jax.data.csv_rows import name_columns, sniff_delimiter
from reviewintent_jax.data.opening import detect_encoding
from reviewintent_jax.data.tables import (
    TableFormat,
    expand_paths,
    read_stream,
    read_table,
    read_tables,
    table_layout,
)
from reviewintent_jax.schema import InputError, RawRow


def write(folder, name, content):
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def rows_of(folder, name, content):
    return list(read_table(write(folder, name, content)))


def texts(rows):
    return [row.fields.get("text") for row in rows]


# CSV


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


# JSON lines


def test_jsonl_rows_and_their_problems(tmp_path):
    content = '{"text": "good", "stars": 5}\n\n{"text": \n[1, 2]\n{"text": null}\n'
    rows = rows_of(tmp_path, "r.jsonl", content)
    assert [row.line for row in rows] == [1, 3, 4, 5]
    assert [row.problem.split(":")[0] for row in rows] == [
        *("", "not valid JSON", "not a JSON object", ""),
    ]
    assert rows[0].fields == {"text": "good", "stars": 5}


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


# encodings


@pytest.mark.parametrize(
    "encoding",
    [*("utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32")],
)
def test_unicode_with_and_without_marks(tmp_path, encoding):
    content = "text,stars\ncafé 😀 good enough,5\n".encode(encoding)
    rows = rows_of(tmp_path, "r.csv", content)
    assert rows[0].fields == {"text": "café 😀 good enough", "stars": "5"}


def test_utf_16_big_endian_with_mark(tmp_path):
    content = b"\xfe\xff" + "text\ngut größer\n".encode("utf-16-be")
    assert texts(rows_of(tmp_path, "r.csv", content)) == ["gut größer"]


@pytest.mark.parametrize(
    ("encoding", "text"),
    [
        ("cp1252", "Très bon café – j'ai adoré, l'été à la plage"),
        ("cp1251", "Жахливе місце, жахлива черга, ніхто не допоміг"),
        ("koi8_r", "Очень плохой товар, не рекомендую никому"),
        ("shift_jis", "とても良い商品です。また買います。"),
    ],
)
def test_older_encodings_are_guessed_and_told(tmp_path, caplog, encoding, text):
    content = ("text;stars\n" + f"{text};4\n" * 3).encode(encoding)
    with caplog.at_level(logging.WARNING):
        rows = rows_of(tmp_path, "r.csv", content)
    assert texts(rows) == [text] * 3
    assert f"read as {encoding}" in caplog.text


def test_one_bad_byte_in_utf_8_is_damage_and_counted(tmp_path, caplog):
    good = "дуже добре\n" * 5
    content = b"text\n" + good.encode() + b"da\xffmaged\n" + good.encode()
    with caplog.at_level(logging.WARNING):
        rows = rows_of(tmp_path, "r.csv", content)
    assert texts(rows)[5] == "da\ufffdmaged"
    assert texts(rows)[0] == "дуже добре"
    assert "1 lines hold bytes" in caplog.text
    assert "the first is line 7" in caplog.text


def test_bad_byte_far_behind_the_head_does_not_crash(tmp_path):
    content = b"text\n" + b"fine\n" * 60_000 + b"caf\xe9\n"
    assert texts(rows_of(tmp_path, "r.csv", content))[-1] == "caf\ufffd"


@given(st.binary(max_size=300))
@settings(deadline=None)
def test_any_bytes_have_an_encoding_that_decodes_them(head):
    head.decode(detect_encoding(head), "replace")


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=200), st.sampled_from(["r.csv", "r.jsonl", "r.tsv"]))
def test_any_bytes_give_rows_or_an_input_error(tmp_path, content, name):
    lines = []
    with contextlib.suppress(InputError):
        lines.extend(row.line for row in read_table(write(tmp_path, name, content)))
    assert lines == sorted(set(lines))


# compression


@pytest.mark.parametrize("pack", [gzip.compress, zstandard.compress])
@pytest.mark.parametrize("name", ["r.csv.gz", "r.csv.zst", "r.csv"])
def test_compression_is_known_by_content_whatever_the_name(tmp_path, pack, name):
    packed = pack(b"text,stars\ngood,5\n")
    assert texts(rows_of(tmp_path, name, packed)) == ["good"]


@pytest.mark.parametrize("pack", [gzip.compress, zstandard.compress])
def test_several_archives_in_one_file_are_one_text(tmp_path, pack):
    packed = pack(b"text,stars\ngood,5\n") + pack(b"bad,1\n")
    assert texts(rows_of(tmp_path, "r.csv.gz", packed)) == ["good", "bad"]


@pytest.mark.parametrize("pack", [gzip.compress, zstandard.compress])
def test_truncated_archive_hands_out_what_is_whole_and_says_so(tmp_path, pack):
    lines = [f"{os.urandom(30).hex()},{i}\n" for i in range(30_000)]
    packed = pack(("text,stars\n" + "".join(lines)).encode())
    rows = read_table(write(tmp_path, "r.csv.gz", packed[: len(packed) * 9 // 10]))
    read = texts(itertools.islice(rows, 20_000))
    assert read == [line.split(",")[0] for line in lines[:20_000]]
    with pytest.raises(InputError, match=r"cut short(.|\n)*after line 2\d{4},"):
        list(rows)


def test_archive_cut_in_its_first_bytes_is_an_input_error(tmp_path):
    packed = gzip.compress(b"text,stars\ngood,5\n")[:-9]
    with pytest.raises(InputError, match="damaged or cut short"):
        rows_of(tmp_path, "r.csv.gz", packed)


def test_damaged_archive_is_an_input_error(tmp_path):
    packed = bytearray(gzip.compress(os.urandom(5000).hex().encode()))
    packed[2000:2100] = bytes(100)
    with pytest.raises(InputError, match="damaged or cut short"):
        rows_of(tmp_path, "r.csv.gz", bytes(packed))


# Parquet


def test_parquet_keeps_types_and_numbers_rows(tmp_path):
    table = pa.table({"text": ["good", None], "stars": [5, 1], "f": [0.5, None]})
    pq.write_table(table, tmp_path / "r.parquet")
    rows = list(read_table(tmp_path / "r.parquet"))
    assert [row.line for row in rows] == [1, 2]
    assert rows[0].fields == {"text": "good", "stars": 5, "f": 0.5}
    assert rows[1].fields == {"text": None, "stars": 1, "f": None}
    assert table_layout(tmp_path / "r.parquet").schema == table.schema


def test_parquet_compressed_as_a_whole_is_read(tmp_path):
    buffer = io.BytesIO()
    pq.write_table(pa.table({"text": ["good"]}), buffer)
    packed = gzip.compress(buffer.getvalue())
    assert texts(rows_of(tmp_path, "r.parquet.gz", packed)) == ["good"]


def test_parquet_values_that_python_cannot_hold_are_told(tmp_path):
    bad = pa.Array.from_buffers(
        pa.string(),
        2,
        [None, pa.array([0, 2, 3], pa.int32()).buffers()[1], pa.py_buffer(b"o\xffk")],
    )
    late = pa.array([0, 2**60], pa.timestamp("ms"))
    pq.write_table(pa.table({"text": bad, "time": late}), tmp_path / "r.parquet")
    rows = list(read_table(tmp_path / "r.parquet"))
    assert texts(rows) == ["o\ufffd", "k"]
    assert [row.problem for row in rows] == ["", "value cannot be read: time"]


def test_file_that_is_no_parquet_is_an_input_error(tmp_path):
    with pytest.raises(InputError, match="Not a Parquet file"):
        rows_of(tmp_path, "r.parquet", "text,stars\n")


def test_parquet_without_rows_is_an_input_error(tmp_path):
    pq.write_table(pa.table({"text": pa.array([], pa.string())}), tmp_path / "r.pq")
    with pytest.raises(InputError, match="no rows"):
        list(read_table(tmp_path / "r.pq"))


# nothing there


@pytest.mark.parametrize("name", ["r.csv", "r.tsv", "r.txt", "r.jsonl"])
@pytest.mark.parametrize("content", ["", "\n \n", "\ufeff"])
def test_empty_file_is_an_input_error(tmp_path, name, content):
    with pytest.raises(InputError, match="empty"):
        rows_of(tmp_path, name, content)


def test_header_alone_is_an_input_error(tmp_path):
    with pytest.raises(InputError, match="header but no rows"):
        rows_of(tmp_path, "r.csv", "text,stars\n")


def test_unknown_ending_lists_the_known_ones(tmp_path):
    with pytest.raises(InputError, match=r"\.parquet"):
        rows_of(tmp_path, "r.xlsx", "text")


def test_file_that_may_not_be_opened_is_an_input_error(tmp_path):
    (tmp_path / "r.csv").mkdir()
    with pytest.raises(InputError, match="Cannot open"):
        list(read_table(tmp_path / "r.csv"))


# paths


def test_globs_are_sorted_and_files_read_once(tmp_path):
    for name in ("b.csv", "a.csv", "c.tsv"):
        write(tmp_path, name, "text\nok\n")
    found = expand_paths(f"{tmp_path}/*.csv, {tmp_path}/c.tsv,{tmp_path}/a.csv")
    assert [path.name for path in found] == ["a.csv", "b.csv", "c.tsv"]


def test_names_with_commas_and_brackets_are_taken_as_they_stand(tmp_path):
    path = write(tmp_path, "a,b[1].csv", "text\nok\n")
    assert expand_paths(str(path)) == [path]


def test_missing_file_names_the_nearest(tmp_path):
    write(tmp_path, "reviews.csv", "text\nok\n")
    with pytest.raises(InputError, match=r"Did you mean reviews\.csv"):
        expand_paths(f"{tmp_path}/review.csv")


def test_missing_folder_is_told_from_what_exists(tmp_path):
    write(tmp_path, "reviews.csv", "text\nok\n")
    with pytest.raises(InputError, match=r"holds: reviews\.csv"):
        expand_paths(f"{tmp_path}/nowhere/deep/*.csv")


def test_folder_is_refused_with_a_glob_to_use(tmp_path):
    with pytest.raises(InputError, match=r"/\*\.csv"):
        expand_paths(str(tmp_path))


def test_tables_are_joined_whatever_the_order_of_their_columns(tmp_path):
    one = write(tmp_path, "1.csv", "text,stars\na,1\n")
    two = write(tmp_path, "2.tsv", "stars\ttext\n2\tb\n")
    rows = list(read_tables([one, two]))
    assert [dict(row.fields) for row in rows] == [
        {"text": "a", "stars": "1"},
        {"stars": "2", "text": "b"},
    ]


def test_tables_of_different_columns_are_refused_at_once(tmp_path):
    one = write(tmp_path, "1.csv", "text,stars\na,1\n")
    two = write(tmp_path, "2.csv", "text,score\nb,2\n")
    with pytest.raises(
        InputError, match=r"2\.csv lacks \['stars'\] and has \['score'\]"
    ):
        read_tables([one, two])


# streams


@pytest.mark.parametrize(
    ("format_", "content"),
    [
        (TableFormat.CSV, b"text,stars\ngood,5\n"),
        (TableFormat.CSV, gzip.compress(b"text,stars\ngood,5\n")),
        (TableFormat.TSV, b"text\tstars\ngood\t5\n"),
        (TableFormat.JSONL, b'{"text": "good", "stars": "5"}\n'),
    ],
    ids=["csv", "csv.gz", "tsv", "jsonl"],
)
def test_streams_are_read_like_files(format_, content):
    stream = read_stream(io.BytesIO(content), format_)
    assert stream.layout.columns == ("text", "stars")
    assert list(stream) == [
        RawRow(
            "stdin",
            1 if format_ is TableFormat.JSONL else 2,
            {"text": "good", "stars": "5"},
        )
    ]


def test_parquet_is_read_from_a_pipe():
    buffer = io.BytesIO()
    pq.write_table(pa.table({"text": ["good", "bad"]}), buffer)
    out, into = os.pipe()
    with os.fdopen(out, "rb") as pipe, os.fdopen(into, "wb") as feed:
        feed.write(buffer.getvalue())
        feed.close()
        assert texts(read_stream(pipe, TableFormat.PARQUET)) == ["good", "bad"]


@pytest.mark.parametrize("pack", [None, gzip.compress])
def test_rows_of_a_pipe_come_before_it_ends(pack):
    lines = b"text,stars\n" + b"".join(b"row %d,5\n" % i for i in range(40_000))
    out, into = os.pipe()
    may_end = threading.Event()

    def feed():
        with os.fdopen(into, "wb") as pipe:
            pipe.write(pack(lines) if pack else lines)
            pipe.flush()
            may_end.wait(10)

    feeder = threading.Thread(target=feed)
    feeder.start()
    with os.fdopen(out, "rb") as pipe:
        stream = read_stream(pipe, TableFormat.CSV)
        assert next(stream).fields["text"] == "row 0"
        may_end.set()
        assert sum(1 for _ in stream) == 39_999
    feeder.join()


# memory


def big_file(folder, name, rows):
    if name.endswith(".parquet"):
        table = pa.table({"text": [f"review {i} " * 20 for i in range(rows)]})
        pq.write_table(table, folder / name, row_group_size=rows // 8)
    elif name.endswith(".jsonl"):
        lines = (json.dumps({"text": f"review {i} " * 20}) + "\n" for i in range(rows))
        (folder / name).write_text("".join(lines))
    else:
        lines = (f"review {i} " * 20 + "\n" for i in range(rows))
        (folder / name).write_text("text\n" + "".join(lines))
    return folder / name


@pytest.mark.parametrize("name", ["r.csv", "r.jsonl", "r.parquet"])
def test_first_row_comes_before_the_file_is_read_to_its_end(tmp_path, name):
    path = big_file(tmp_path, name, 40_000)
    with path.open("rb") as stream:
        rows = read_stream(stream, TableFormat(path.suffix[1:]))
        assert next(rows).fields["text"].startswith("review 0 ")
        if name != "r.parquet":  # its index is at the end
            assert stream.tell() < path.stat().st_size / 4
        assert sum(1 for _ in rows) == 39_999


@pytest.mark.parametrize("name", ["r.csv", "r.jsonl"])
def test_memory_does_not_grow_with_the_file(tmp_path, name):
    import tracemalloc

    path = big_file(tmp_path, name, 30_000)
    tracemalloc.start()
    assert sum(1 for _ in read_table(path)) == 30_000
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2_500_000 < path.stat().st_size


# real files


@pytest.mark.parametrize(
    ("name", "rows", "column"),
    [
        ("womens_clothing/reviews.csv.gz", 23_486, "Review Text"),
        ("amazon_musical/reviews.csv.gz", 10_261, "reviewText"),
        ("yelp10k/yelp.csv.gz", 10_000, "text"),
        ("airline_tweets/tweets.csv.gz", 14_640, "text"),
        ("purchase_intent_tweets/annotated.csv", 2_108, "text"),
        ("ukrainian_shop/reviews.csv.gz", 3_034, "text"),
        ("ukrainian_emotions/train.csv.gz", 8_106, "text"),
        ("olist/orders.csv.gz", 3_584, "review_comment_message"),
        ("imdb/test.parquet", 25_000, "text"),
    ],
)
def test_real_files_are_read_whole(shared_data, name, rows, column):
    read = problems = 0
    for row in read_table(shared_data / name):
        read += 1
        problems += bool(row.problem) or column not in row.fields
    assert (read, problems) == (rows, 0)
