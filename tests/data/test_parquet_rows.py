"""Parquet becomes rows, values that Python cannot hold included."""

import gzip
import io

import pyarrow as pa
import pyarrow.parquet as pq
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


def texts(rows):
    return [row.fields.get("text") for row in rows]


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
