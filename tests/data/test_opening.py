"""Text is text, whatever its encoding and its compression."""

import contextlib
import gzip
import itertools
import logging
import os

import pytest
import zstandard
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from reviewintent_jax.data.opening import detect_encoding
from reviewintent_jax.data.tables import (
    read_table,
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
    assert isinstance(head.decode(detect_encoding(head), "replace"), str)


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
