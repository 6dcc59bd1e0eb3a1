"""What killed processes left unfinished is ours, and goes."""

import pytest

from reviewintent_jax.data.prepared_folder import (
    UnfinishedError,
    replacing,
    written_whole,
)

HALF = "tokens-00000-00001.array_record.0123456789ab.part"
WHOLE = "tokens-00000-00000.array_record"
PLAN = {"of": "these data"}


def killed_at_work(folder):
    with replacing(folder, PLAN) as begun:
        (begun.folder / WHOLE).write_bytes(b"whole")
        (begun.folder / HALF).write_bytes(b"ha")
        raise KeyboardInterrupt


def fill_the_disk(path):
    with written_whole(path) as part:
        part.write_bytes(b"ha")
        raise OSError("disk full")


def test_half_written_files_are_removed_and_whole_ones_kept(tmp_path):
    folder, part = tmp_path / "data", tmp_path / "data.part"
    with pytest.raises(KeyboardInterrupt):
        killed_at_work(folder)
    assert (part / HALF).exists()
    with replacing(folder, PLAN):
        assert not (part / HALF).exists()
        (part / HALF).write_bytes(b"of a late attempt")
    assert [path.name for path in folder.iterdir()] == [WHOLE]


def test_a_file_that_cannot_be_written_leaves_the_one_before(tmp_path):
    path = tmp_path / "reviews-00000-00000.parquet"
    path.write_bytes(b"before")
    with pytest.raises(UnfinishedError, match="disk full") as caught:
        fill_the_disk(path)
    assert caught.value.where == str(path)
    assert path.read_bytes() == b"before"
    assert list(tmp_path.iterdir()) == [path]
