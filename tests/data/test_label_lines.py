"""Lines that begin with a label become rows, and the files' names their splits."""

import gzip

import pytest

from reviewintent_jax.data.label_lines import split_of
from reviewintent_jax.data.scored import open_writer
from reviewintent_jax.data.tables import (
    TableFormat,
    expand_paths,
    read_table,
    read_tables,
    table_format,
    table_layout,
)
from reviewintent_jax.schema import InputError


def write(folder, name, content):
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def test_rows_and_their_problems(tmp_path):
    path = write(tmp_path, "s.dev", "1 a stirring , film\n\n0\n 0  dull  \n")
    rows = list(read_table(path))
    assert table_layout(path).columns == ("label", "text", "split")
    assert [row.line for row in rows] == [1, 3, 4]
    assert rows[0].fields == {"label": "1", "text": "a stirring , film", "split": "dev"}
    assert rows[1].problem == "a label without a text after it"
    assert rows[1].raw == "0"
    assert (rows[2].fields["label"], rows[2].fields["text"]) == ("0", "dull")


def test_quotes_and_commas_mean_nothing(tmp_path):
    (row,) = read_table(write(tmp_path, "s.test", '1 "never closed, "" ; \t|\n'))
    assert row.fields["text"] == '"never closed, "" ; \t|'
    assert not row.problem


def test_latin_1_is_read(tmp_path):
    path = write(tmp_path, "s.train", "1 naïve café\n0 maelström\n".encode("latin-1"))
    texts = [row.fields["text"] for row in read_table(path)]
    assert texts == ["naïve café", "maelström"]


def test_the_names_of_files_say_the_splits(tmp_path):
    for name in ("s.train.gz", "s.dev.gz", "s.test.gz"):
        write(tmp_path, name, gzip.compress(b"1 fine\n"))
    paths = expand_paths(str(tmp_path / "s.*.gz"))
    found = [row.fields["split"] for row in read_tables(paths)]
    assert found == ["dev", "test", "train"]
    assert split_of("a/custrev.ALL.gz") == "all"
    assert table_format("x.all") is TableFormat.LABEL_LINES


def test_an_empty_file_is_told(tmp_path):
    with pytest.raises(InputError, match="empty"):
        list(read_table(write(tmp_path, "s.train", "\n \n")))


def test_answers_are_not_written_that_way(tmp_path):
    layout = table_layout(write(tmp_path, "s.train", "1 fine\n"))
    with pytest.raises(InputError, match="cannot be written as lines"):
        open_writer(str(tmp_path / "out.test"), layout, {"predicted": str})
