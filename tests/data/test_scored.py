"""Scored tables: every row and column, in order, in any format, whole or not at all."""

import csv
import datetime
import decimal
import gzip
import io
import json
import subprocess
import sys
import tracemalloc

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from reviewintent_jax.data import sinks
from reviewintent_jax.data.scored import open_writer
from reviewintent_jax.data.tables import (
    TableFormat,
    TableLayout,
    read_stream,
    read_table,
    read_tables,
    table_layout,
)
from reviewintent_jax.schema import InputError, RawRow

ADDED = {"class": str, "score": float}


def score(source, target, *, batch=3, added=None):
    """Copy ``source`` to ``target`` with a class and a score; returns what was read."""
    rows = list(read_table(source))
    kinds = ADDED if added is None else added
    with open_writer(str(target), table_layout(source), kinds) as writer:
        for start in range(0, len(rows), batch):
            part = rows[start : start + batch]
            values = {
                "class": [None if row.problem else "good" for row in part],
                "score": [(start + i) / 4 for i in range(len(part))],
            }
            writer.write(part, {name: values[name] for name in kinds})
    return rows


def unpacked(path):
    data = path.read_bytes()
    if path.suffix == ".gz":
        data = gzip.decompress(data)
    elif path.suffix == ".zst":
        data = zstandard.ZstdDecompressor().decompressobj().decompress(data)
    return data.decode()


def csv_rows(path, delimiter=","):
    return list(csv.DictReader(io.StringIO(unpacked(path)), delimiter=delimiter))


@pytest.fixture
def reviews(tmp_path):
    """Five rows of CSV, the third of which is broken."""
    path = tmp_path / "reviews.csv"
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["text", "stars"])
        writer.writerow(['say "hi",\r\nthen go', "5"])
        writer.writerow(["café 😀\t|", "4"])
        writer.writerow(["no stars"])
        writer.writerow(["", "2"])
        writer.writerow([" spaced ", "01"])
    return path


@pytest.mark.parametrize("ending", ["", ".gz", ".zst"])
@pytest.mark.parametrize(("name", "delimiter"), [("o.csv", ","), ("o.tsv", "\t")])
def test_csv_to_delimited_text_keeps_every_cell(
    reviews, tmp_path, name, delimiter, ending
):
    rows = score(reviews, tmp_path / (name + ending))
    written = csv_rows(tmp_path / (name + ending), delimiter)
    assert list(written[0]) == ["text", "stars", "class", "score"]
    assert [row["text"] for row in written] == [row.fields["text"] for row in rows]
    assert [row["stars"] for row in written] == ["5", "4", "", "2", "01"]
    assert [row["class"] for row in written] == ["good", "good", "", "good", "good"]
    assert [row["score"] for row in written] == ["0.0", "0.25", "0.5", "0.75", "1.0"]


@pytest.mark.parametrize("ending", ["", ".gz", ".zst"])
def test_csv_to_jsonl_keeps_strings(reviews, tmp_path, ending):
    score(reviews, tmp_path / f"o.jsonl{ending}")
    lines = unpacked(tmp_path / f"o.jsonl{ending}").splitlines()
    written = [json.loads(line) for line in lines]
    assert written[4] == {
        "text": " spaced ",
        "stars": "01",
        "class": "good",
        "score": 1.0,
    }
    assert written[2] == {"text": "no stars", "class": None, "score": 0.5}


def test_csv_to_parquet_has_strings_and_declared_types(reviews, tmp_path):
    score(reviews, tmp_path / "o.parquet")
    table = pq.read_table(tmp_path / "o.parquet")
    assert table.schema.types == [pa.string(), pa.string(), pa.string(), pa.float64()]
    assert table["stars"].to_pylist() == ["5", "4", None, "2", "01"]


ARROW_COLUMNS = {
    "id": pa.array([7, None, 2**62], pa.int64()),
    "small": pa.array([1, 2, 3], pa.uint8()),
    "text": pa.array(["one", "two", None], pa.large_string()),
    "kind": pa.array(["a", "b", "a"]).dictionary_encode(),
    "at": pa.array([1, 10**18 + 1, None], pa.timestamp("ns", "UTC")),
    "day": pa.array([datetime.date(2020, 1, 2)] * 3),
    "price": pa.array([decimal.Decimal("1.20"), None, None], pa.decimal128(9, 2)),
    "ratio": pa.array([0.1, float("nan"), 3], pa.float32()),
    "flag": pa.array([True, None, False]),
    "tags": pa.array([["x"], [], None], pa.list_(pa.string())),
    "seen": pa.array([{"n": 1}, {"n": None}, None]),
    "raw": pa.array([b"\x00\xff", b"", None]),
}


@pytest.fixture
def typed(tmp_path):
    path = tmp_path / "typed.parquet"
    fields = [pa.field("id", pa.int64(), metadata={"unit": "none"})]
    fields += [(name, column.type) for name, column in list(ARROW_COLUMNS.items())[1:]]
    table = pa.table(list(ARROW_COLUMNS.values()), schema=pa.schema(fields))
    pq.write_table(table, path)
    return path


def test_parquet_to_parquet_keeps_arrow_types_and_values(typed, tmp_path):
    score(typed, tmp_path / "o.parquet", batch=2)
    before = pq.read_table(typed)
    after = pq.read_table(tmp_path / "o.parquet")
    assert after.column_names == [*before.column_names, "class", "score"]
    kept = after.select(before.column_names)
    assert kept.schema.equals(before.schema)
    assert str(kept.to_pylist()) == str(before.to_pylist())  # nan differs from itself
    assert after.schema.field("score").type == pa.float64()


def test_required_columns_of_parquet_may_become_empty(tmp_path):
    schema = pa.schema([pa.field("text", pa.string(), nullable=False)])
    layout = TableLayout(TableFormat.PARQUET, ("text",), schema)
    with open_writer(str(tmp_path / "o.parquet"), layout, {}) as writer:
        writer.write([RawRow("r", 1, {"text": None}, "value cannot be read")], {})
    assert pq.read_table(tmp_path / "o.parquet")["text"].to_pylist() == [None]


def test_parquet_to_text_formats_writes_readable_values(typed, tmp_path):
    score(typed, tmp_path / "o.csv")
    row = csv_rows(tmp_path / "o.csv")[0]
    assert (row["id"], row["text"], row["day"]) == ("7", "one", "2020-01-02")
    assert (row["tags"], row["seen"], row["price"]) == ('["x"]', '{"n": 1}', "1.20")
    assert row["at"].startswith("1970-01-01T00:00:00")
    assert csv_rows(tmp_path / "o.csv")[1]["ratio"] == ""
    score(typed, tmp_path / "o.jsonl")
    second = json.loads(unpacked(tmp_path / "o.jsonl").splitlines()[1])
    assert (second["tags"], second["seen"], second["ratio"]) == ([], {"n": None}, None)


def write_jsonl(path, objects):
    path.write_text("".join(json.dumps(one) + "\n" for one in objects))
    return path


def test_jsonl_to_jsonl_keeps_nested_values_and_ragged_keys(tmp_path):
    objects = [{"text": "a", "tags": [1, {"x": None}]}, {"other": True}, {"n": 1.5}]
    score(write_jsonl(tmp_path / "r.jsonl", objects), tmp_path / "o.jsonl")
    written = [json.loads(line) for line in unpacked(tmp_path / "o.jsonl").splitlines()]
    for row in written:
        del row["class"], row["score"]
    assert written == objects


def test_jsonl_to_parquet_finds_types_that_hold_to_the_last_row(tmp_path):
    many = [{"int": 1, "mixed": 1, "real": 2, "flag": True, "big": 1}] * 500
    last = {
        **{"int": 2**40, "mixed": "one", "real": 0.5, "flag": None, "big": 2**70},
        **{"late": [1], "text": "x", "long": 2**60, "gone": None},
    }
    score(write_jsonl(tmp_path / "r.jsonl", [*many, last]), tmp_path / "o.parquet")
    table = pq.read_table(tmp_path / "o.parquet")
    types = {field.name: str(field.type) for field in table.schema}
    assert types == {
        **{"int": "int64", "mixed": "string", "real": "double", "flag": "bool"},
        **{"big": "string", "late": "string", "text": "string", "long": "int64"},
        **{"gone": "string", "class": "string", "score": "double"},
    }
    assert table.num_rows == 501
    assert table.to_pylist()[0]["mixed"] == "1"
    end = table.to_pylist()[-1]
    assert (end["mixed"], end["real"], end["late"]) == ("one", 0.5, "[1]")
    assert (end["big"], end["int"], end["long"]) == (str(2**70), 2**40, 2**60)


def test_whole_numbers_too_big_for_a_float_column_stay_exact(tmp_path):
    objects = [{"n": 2**60 + 1}, {"n": 0.5}]
    score(write_jsonl(tmp_path / "r.jsonl", objects), tmp_path / "o.parquet")
    column = pq.read_table(tmp_path / "o.parquet")["n"].to_pylist()
    assert column == [str(2**60 + 1), "0.5"]


def test_jsonl_to_csv_has_all_columns_of_all_rows(tmp_path):
    objects = [{"text": "a"}] * 150 + [{"text": "b", "late": {"x": 1}}]
    score(write_jsonl(tmp_path / "r.jsonl", objects), tmp_path / "o.csv.gz")
    written = csv_rows(tmp_path / "o.csv.gz")
    assert list(written[0]) == ["text", "late", "class", "score"]
    assert (written[0]["late"], written[-1]["late"]) == ("", '{"x": 1}')


def test_line_that_is_no_json_still_has_its_row(tmp_path):
    (tmp_path / "r.jsonl").write_text('{"text": "a"}\n{broken\n{"text": "c"}\n')
    for name in ("o.jsonl", "o.parquet", "o.csv"):
        score(tmp_path / "r.jsonl", tmp_path / name)
    assert json.loads(unpacked(tmp_path / "o.jsonl").splitlines()[1])["class"] is None
    assert pq.read_table(tmp_path / "o.parquet")["text"].to_pylist() == ["a", None, "c"]
    assert [row["text"] for row in csv_rows(tmp_path / "o.csv")] == ["a", "", "c"]


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**80), 2**80)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(codec="utf-8"), max_size=5),
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.dictionaries(st.text("xyz", max_size=2), inner, max_size=2)
    ),
    max_leaves=4,
)


@settings(
    deadline=None,
    max_examples=60,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    st.lists(
        st.dictionaries(st.sampled_from("abc"), json_values, max_size=3),
        min_size=1,
        max_size=6,
    )
)
def test_jsonl_to_parquet_loses_no_value_of_any_kind(tmp_path, objects):
    score(write_jsonl(tmp_path / "r.jsonl", objects), tmp_path / "o.parquet")
    written = pq.read_table(tmp_path / "o.parquet").to_pylist()
    assert len(written) == len(objects)
    for before, after in zip(objects, written, strict=True):
        for name, value in before.items():
            kept = after[name]
            if isinstance(kept, str) and not isinstance(value, str):
                kept = json.loads(kept)
            assert kept == value


# names


def test_clashing_names_of_ours_get_a_prefix(tmp_path, caplog):
    (tmp_path / "r.csv").write_text("text,class\ngood,mine\n")
    score(tmp_path / "r.csv", tmp_path / "o.csv")
    row = csv_rows(tmp_path / "o.csv")[0]
    assert (row["class"], row["scored_class"]) == ("mine", "good")
    assert "'scored_class'" in caplog.text


def test_prefix_is_repeated_while_names_clash(tmp_path):
    layout = TableLayout(TableFormat.CSV, ("class", "scored_class"), None)
    with open_writer(str(tmp_path / "o.csv"), layout, {"class": str}) as writer:
        assert writer.names == {"class": "scored_scored_class"}


@pytest.mark.parametrize("name", ["o.jsonl", "o.parquet"])
def test_clash_in_a_late_row_of_jsonl_renames_the_late_one(tmp_path, name):
    objects = [{"text": "a"}] * 150 + [{"text": "b", "class": "mine"}]
    score(write_jsonl(tmp_path / "r.jsonl", objects), tmp_path / name)
    last = list(read_table(tmp_path / name))[-1].fields
    assert (last["class"], last["input_class"]) == ("good", "mine")


# stdout


@pytest.mark.parametrize("format_", [TableFormat.JSONL, TableFormat.CSV])
def test_stdout_is_written_and_left_open(reviews, format_):
    program = (
        "import sys\n"
        "from reviewintent_jax.data.scored import open_writer\n"
        "from reviewintent_jax.data.tables import *\n"
        "rows = read_stream(sys.stdin.buffer, TableFormat.CSV)\n"
        f"format_ = TableFormat('{format_}')\n"
        "out = open_writer('-', rows.layout, {'n': int}, stdout_format=format_)\n"
        "for n, row in enumerate(rows):\n"
        "    out.write([row], {'n': [n]})\n"
        "out.close()\n"
        "print('after')\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        input=reviews.read_bytes(),
        capture_output=True,
        check=True,
    )
    *table, after = done.stdout.decode().removesuffix("\n").rsplit("\n", 1)
    assert after == "after"
    if format_ is TableFormat.JSONL:
        assert [json.loads(line)["n"] for line in table[0].split("\n")] == list(
            range(5)
        )
    else:
        read = list(csv.DictReader(io.StringIO(table[0], newline="")))
        assert [row["n"] for row in read] == list("01234")
        assert read[0]["text"] == 'say "hi",\r\nthen go'


def test_jsonl_from_a_pipe_to_csv_on_stdout(capsysbinary):
    rows = read_stream(io.BytesIO(b'{"text": "a"}\n{"n": 2}\n'), TableFormat.JSONL)
    with open_writer("-", rows.layout, {}, stdout_format=TableFormat.CSV) as writer:
        writer.write(list(rows), {})
    assert capsysbinary.readouterr().out == b"text,n\na,\n,2\n"


def test_parquet_on_stdout_is_refused():
    layout = TableLayout(TableFormat.CSV, ("text",), None)
    with pytest.raises(InputError, match="stdout"):
        open_writer("-", layout, {}, stdout_format=TableFormat.PARQUET)


# whole or not at all


@pytest.mark.parametrize("name", ["o.csv", "o.csv.gz", "o.jsonl.zst", "o.parquet"])
@pytest.mark.parametrize("input_name", ["r.csv", "r.jsonl"])
def test_failure_leaves_the_old_file_and_no_other(tmp_path, name, input_name):
    content = "text\ngood\n" if input_name == "r.csv" else '{"text": "good"}\n'
    (tmp_path / input_name).write_text(content)
    (tmp_path / name).write_text("old")
    layout = table_layout(tmp_path / input_name)
    rows = list(read_table(tmp_path / input_name))

    def die():
        with open_writer(str(tmp_path / name), layout, {"n": int}) as writer:
            writer.write(rows, {"n": [1]})
            raise RuntimeError("died")

    with pytest.raises(RuntimeError, match="died"):
        die()
    assert (tmp_path / name).read_text() == "old"
    assert {path.name for path in tmp_path.iterdir()} == {name, input_name}


def test_target_appears_only_when_closed(reviews, tmp_path):
    target = tmp_path / "o.csv"
    writer = open_writer(str(target), table_layout(reviews), {})
    writer.write(list(read_table(reviews)), {})
    assert not target.exists()
    writer.close()
    writer.close()
    assert len(csv_rows(target)) == 5


def test_value_of_another_type_is_told_and_nothing_is_left(tmp_path):
    pq.write_table(pa.table({"n": [1]}), tmp_path / "1.parquet")
    pq.write_table(pa.table({"n": ["x"]}), tmp_path / "2.parquet")
    paths = [tmp_path / "1.parquet", tmp_path / "2.parquet"]
    writer = open_writer(str(tmp_path / "o.parquet"), table_layout(paths[0]), {})
    writer.write(list(read_tables(paths)), {})
    with pytest.raises(InputError, match="'n'"):
        writer.close()
    assert sorted(tmp_path.iterdir()) == paths


def test_column_that_the_first_file_lacks_is_told(tmp_path):
    layout = TableLayout(TableFormat.CSV, ("text",), None)
    with (
        pytest.raises(InputError, match="'more'"),
        open_writer(str(tmp_path / "o.csv"), layout, {}) as writer,
    ):
        writer.write([RawRow("r", 2, {"more": "x"})], {})


def test_values_must_match_the_rows(tmp_path):
    layout = TableLayout(TableFormat.CSV, ("text",), None)
    rows = [RawRow("r", 2, {"text": "x"})] * 2
    with open_writer(str(tmp_path / "o.csv"), layout, {"n": int}) as writer:
        with pytest.raises(ValueError, match="2 rows"):
            writer.write(rows, {"n": [1]})
        with pytest.raises(ValueError, match="'n'"):
            writer.write(rows, {"m": [1, 2]})


# refusals


def test_output_over_the_input_is_refused(reviews, tmp_path):
    (tmp_path / "link.csv").symlink_to(reviews)
    for path in (reviews, tmp_path / "link.csv"):
        with pytest.raises(InputError, match="overwrite the input"):
            open_writer(str(path), table_layout(reviews), {}, inputs=[reviews])


def test_output_that_cannot_be_written_is_an_input_error(reviews, tmp_path):
    with pytest.raises(InputError, match="folder"):
        open_writer(f"{reviews}/deep/o.csv", table_layout(reviews), {})
    (tmp_path / "dir.csv").mkdir()
    with pytest.raises(InputError, match="a folder, not a file"):
        open_writer(str(tmp_path / "dir.csv"), table_layout(reviews), {})
    with pytest.raises(InputError, match="Cannot write"):
        open_writer("/proc/o.csv", table_layout(reviews), {})


@pytest.mark.parametrize("name", ["o.xlsx", "o.parquet.gz"])
def test_unknown_kinds_of_output_are_refused(reviews, tmp_path, name):
    with pytest.raises(InputError):
        open_writer(str(tmp_path / name), table_layout(reviews), {})


def test_missing_folder_is_made(reviews, tmp_path):
    score(reviews, tmp_path / "new" / "deep" / "o.csv")
    assert len(csv_rows(tmp_path / "new" / "deep" / "o.csv")) == 5


# memory


@pytest.mark.parametrize("name", ["o.csv", "o.jsonl", "o.parquet"])
@pytest.mark.parametrize("format_", [TableFormat.CSV, TableFormat.JSONL])
def test_memory_does_not_grow_with_the_rows(tmp_path, monkeypatch, name, format_):
    monkeypatch.setattr(sinks, "_GROUP_ROWS", 500)
    layout = TableLayout(format_, ("text", "n"), None)
    text = "a review of some length " * 8
    tracemalloc.start()
    with open_writer(str(tmp_path / name), layout, {"score": float}) as writer:
        for n in range(0, 15_000, 100):
            rows = [RawRow("r", i, {"text": text + str(i)}) for i in range(n, n + 100)]
            writer.write(rows, {"score": [0.5] * 100})
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1_500_000
    assert sum(1 for _ in read_table(tmp_path / name)) == 15_000
