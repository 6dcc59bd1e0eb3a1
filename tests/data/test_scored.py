"""Scored tables: every row and column, in order, in any format, whole or not at all."""

import csv
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


def write_jsonl(path, objects):
    path.write_text("".join(json.dumps(one) + "\n" for one in objects))
    return path


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
