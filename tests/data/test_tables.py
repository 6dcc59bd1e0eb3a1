"""Tables are found, joined and streamed, whatever they are written in."""

import gzip
import io
import json
import os
import threading

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from reviewintent_jax.data.tables import (
    TableFormat,
    expand_paths,
    read_stream,
    read_table,
    read_tables,
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
        (TableFormat.CSV, gzip.compress(b"text,stars\ngood,5\n", mtime=0)),
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
