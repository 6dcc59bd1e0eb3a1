"""Values keep their types, or their text, in every format they are written to."""

import csv
import datetime
import decimal
import gzip
import io
import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from reviewintent_jax.data.scored import open_writer
from reviewintent_jax.data.tables import (
    TableFormat,
    TableLayout,
    read_table,
    table_layout,
)
from reviewintent_jax.schema import RawRow

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
