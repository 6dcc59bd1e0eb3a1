"""Blocks: the same files whoever makes them, and numbers that belong together."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from reviewintent_jax.build import plain_values
from reviewintent_jax.configuration import read_config
from reviewintent_jax.data import blocks
from reviewintent_jax.data.block_pool import prepare_blocks
from reviewintent_jax.data.blocks import (
    BlockSettings,
    BlockWorker,
    RowBlock,
    cut_blocks,
    numbered,
    read_block,
)
from reviewintent_jax.data.prepared_folder import UnfinishedError
from reviewintent_jax.data.sources import SourceKind
from reviewintent_jax.schema import InputError, RawRow


def rows_of(*files, text="fine"):
    """So many rows of each file."""
    return [
        RawRow(name, line, {"text": f"{text} {name} {line}", "stars": 1 + line % 5})
        for name, count in files
        for line in range(1, count + 1)
    ]


def names_and_lines(found):
    return {block.name: [row.line for row in block.rows] for block in found}


def test_the_picture_in_the_docstring():
    found = names_and_lines(
        cut_blocks(rows_of(("a", 3), ("b", 1)), "text", most_rows=2)
    )
    assert found == {"00000-00000": [1, 2], "00000-00001": [3], "00001-00000": [1]}


def test_long_texts_end_a_block_early():
    rows = [RawRow("a", n, {"text": "x" * n}) for n in range(1, 8)]
    rows.append(RawRow("a", 8, {"text": None}))
    found = names_and_lines(cut_blocks(rows, "text", most_characters=6))
    assert list(found.values()) == [[1, 2, 3], [4, 5], [6], [7], [8]]


def test_no_rows_are_no_blocks_and_files_may_be_counted_from_elsewhere():
    assert list(cut_blocks([], "text")) == []
    (block,) = cut_blocks(rows_of(("b", 1)), "text", file=12)
    assert block.name == "00012-00000"


def test_numbers_come_in_order_of_appearance():
    codes, names = numbered(["b", "a", "b"])
    assert (codes.tolist(), names) == ([0, 1, 0], ["b", "a"])


@pytest.fixture
def settings(tiny_config, tiny_encoder):
    spec = read_config(plain_values(tiny_config)).data_spec()
    table = {"kind": SourceKind.TABLE, "path": "a", "text": "text", "title": ""}
    source = dataclasses.replace(spec.source, **table, label="stars")
    return BlockSettings(
        source,
        spec.check,
        spec.clean,
        spec.intention,
        spec.duplicates,
        Path(tiny_encoder),
        now=1_700_000_000,
    )


def everything_in(folder):
    """Bytes of every file; of archives, which are dated, what they hold."""
    left = {}
    for path in folder.iterdir():
        if path.suffix == ".npz":
            with np.load(path) as stored:
                left[path.name] = {name: stored[name].tobytes() for name in stored}
        elif path.is_file():
            left[path.name] = path.read_bytes()
    return left


def test_rows_are_set_aside_with_their_place_in_the_block(settings, tmp_path):
    rows = rows_of(("a", 4))
    rows[2] = rows[2]._replace(fields={"text": "\ud83d" + " ", "stars": 5})
    rows[3] = rows[3]._replace(fields={"text": "", "stars": 5})
    BlockWorker(settings).prepare(RowBlock("00000-00000", rows), tmp_path)
    block = read_block(tmp_path, "00000-00000")
    assert block.rows == 4
    assert [refused.row for refused in block.refused][-1] == 3
    assert block.refused[-1].reason == "no text"
    kept = len(block.arrays["row_n"])
    assert kept + len(block.refused) == 4
    assert block.shard is not None
    assert block.shard.reviews == kept
    assert block.file == "a"
    assert [block.strings("raw_labels")[n] for n in block.arrays["raw_label_n"]][
        :2
    ] == [
        "2",
        "3",
    ]


def test_a_block_without_a_review_has_no_shard(settings, tmp_path):
    rows = [RawRow("a", 1, {"text": " "}), RawRow("a", 2, {}, "too few fields")]
    BlockWorker(settings).prepare(RowBlock("00000-00000", rows), tmp_path)
    block = read_block(tmp_path, "00000-00000")
    assert (block.rows, block.shard, block.signatures) == (2, None, None)
    assert [refused.row for refused in block.refused] == [0, 1]
    assert [path.name for path in tmp_path.iterdir()] == ["block-00000-00000.npz"]


def test_any_number_of_workers_leaves_the_same_files(settings, tmp_path):
    left = []
    for workers in (1, 2, 3):
        folder = tmp_path / str(workers)
        folder.mkdir()
        found = cut_blocks(rows_of(("a", 50), ("b", 30)), "text", most_rows=16)
        names = prepare_blocks(found, settings, folder, workers)
        assert list(names) == sorted(names)
        left.append(everything_in(folder))
    assert len(left[0]) == 3 * 6
    assert left[0] == left[1] == left[2]


def test_blocks_that_are_done_are_not_done_again(settings, tmp_path, monkeypatch):
    def all_blocks():
        return cut_blocks(rows_of(("a", 48)), "text", most_rows=16)

    first = next(all_blocks())
    BlockWorker(settings).prepare(first, tmp_path)
    (tmp_path / "tokens-00000-00001.array_record").write_bytes(b"torn")
    kept = {path: path.stat().st_mtime_ns for path in tmp_path.glob("*-00000-00000.*")}
    assert len(kept) == 3
    prepare_blocks(all_blocks(), settings, tmp_path, 1)
    assert kept == {path: path.stat().st_mtime_ns for path in kept}
    whole = tmp_path / "whole"
    whole.mkdir()
    prepare_blocks(all_blocks(), settings, whole, 1)
    assert everything_in(tmp_path) == everything_in(whole)


@pytest.mark.parametrize("kind", ["tokens", "reviews", "block"])
def test_a_finished_block_whose_files_were_cut_is_made_again(settings, tmp_path, kind):
    (block,) = cut_blocks(rows_of(("a", 16)), "text")
    BlockWorker(settings).prepare(block, tmp_path)
    made = everything_in(tmp_path)
    (path,) = tmp_path.glob(f"{kind}-*")
    path.write_bytes(path.read_bytes()[:-20])
    BlockWorker(settings).prepare(block, tmp_path)
    assert everything_in(tmp_path) == made


def test_a_second_attempt_at_a_block_never_shows_less_than_a_whole_file(
    settings, tmp_path, monkeypatch
):
    """Engines may begin a file again while another worker has finished its blocks."""
    (block,) = cut_blocks(rows_of(("a", 16)), "text")
    BlockWorker(settings).prepare(block, tmp_path)
    made, late = everything_in(tmp_path), BlockWorker(settings)
    monkeypatch.setattr(blocks, "is_whole", lambda *_: False)  # it looked before
    for step in ("write_shard", "shard_at", "_numbers"):

        def ended(*_, **__):
            raise KeyboardInterrupt

        with monkeypatch.context() as patch:
            patch.setattr(blocks, step, ended)
            with pytest.raises(KeyboardInterrupt):
                late.prepare(block, tmp_path)
        assert everything_in(tmp_path) == made
    late.prepare(block, tmp_path)
    assert everything_in(tmp_path) == made


def test_what_a_worker_runs_into_is_raised_here(settings, tmp_path):
    missing = tmp_path / "missing"
    with pytest.raises(UnfinishedError, match="cannot be written") as caught:
        prepare_blocks(cut_blocks(rows_of(("a", 40)), "text"), settings, missing, 2)
    assert caught.value.where.startswith(str(missing))
    bad = dataclasses.replace(settings, tokenizer=tmp_path)
    with pytest.raises(InputError, match="no tokenizer"):
        prepare_blocks(cut_blocks(rows_of(("a", 40)), "text"), bad, tmp_path, 1)


def test_a_killed_worker_is_told_in_a_sentence(settings, tmp_path):
    doomed = dataclasses.replace(settings, tokenizer=tmp_path)  # it cannot even begin
    with pytest.raises(UnfinishedError, match="was killed") as caught:
        prepare_blocks(cut_blocks(rows_of(("a", 40)), "text"), doomed, tmp_path, 2)
    assert "--workers" in caught.value.fix


def test_blocks_are_of_a_size_that_many_can_share():
    assert blocks.BLOCK_ROWS <= 1 << 15
    assert np.log2(blocks.BLOCK_CHARACTERS) <= 26
