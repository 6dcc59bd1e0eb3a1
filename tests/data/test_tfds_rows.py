"""TFDS without TensorFlow: prepared data are read, true builders prepare offline."""

import socket
import sys
from pathlib import Path
from unittest import mock

import pytest
import tensorflow_datasets as tfds

from reviewintent_jax.data.sources import (
    SourceKind,
    SourceSpec,
    read_rows,
    require_source,
    source_columns,
    source_fingerprint,
)
from reviewintent_jax.data.tfds_rows import read_tfds, unescape_yelp
from reviewintent_jax.data.times import DateOrder
from reviewintent_jax.schema import InputError


def spec(name, folder, **changes):
    plain = {
        **{"kind": SourceKind.TFDS, "path": "", "text": "text", "title": ""},
        **{"label": "label", "group": "", "time": "", "split": "split", "slice": ""},
        "date_order": DateOrder.ISO,
        **{"tfds_name": name, "tfds_folder": str(folder)},
        **{"shop_rows": 1, "shop_seed": 0},
    }
    return SourceSpec(**{**plain, **changes})


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    """Folder in which tiny_reviews lies prepared as array_record."""
    sys.path.insert(0, str(Path(__file__).parent))
    try:
        import tiny_tfds
    finally:
        sys.path.pop(0)
    folder = tmp_path_factory.mktemp("tfds")
    builder = tiny_tfds.TinyReviews(data_dir=folder)
    builder.download_and_prepare(file_format="array_record")
    return folder


@pytest.fixture
def never_download():
    refused = mock.Mock(side_effect=AssertionError("prepared data were not used"))
    with mock.patch.object(
        tfds.core.DatasetBuilder, "download_and_prepare", new=refused
    ):
        yield


@pytest.mark.usefixtures("never_download")
def test_prepared_splits_are_read_in_order_without_the_unlabelled(tiny):
    rows = list(read_rows(spec("tiny_reviews", tiny)))
    assert [row.fields["split"] for row in rows] == [
        *("train", "train", "validation", "test", "extra"),
    ]
    assert [row.line for row in rows] == [1, 2, 3, 4, 5]
    assert {row.file for row in rows} == {"tfds:tiny_reviews"}


@pytest.mark.usefixtures("never_download")
def test_values_are_plain_python_and_groups_are_flattened(tiny):
    rows = read_rows(spec("tiny_reviews", tiny))
    by_text = {row.fields["text"]: row.fields for row in rows}
    assert by_text["café 😀"] == {
        **{"text": "café 😀", "stars": 5, "tags": ["a"]},
        **{"label": 1, "split": "train"},
    }
    assert type(by_text["bad"]["stars"]) is int
    assert by_text["bad"]["tags"] == ["a", "é"]


@pytest.mark.usefixtures("never_download")
def test_folder_of_one_version_is_taken_as_it_is(tiny):
    version = tiny / "tiny_reviews" / "1.2.3"
    assert len(list(read_rows(spec("whatever", version)))) == 5


@pytest.mark.usefixtures("never_download")
def test_wrong_column_is_told_before_anything_is_read(tiny):
    with pytest.raises(InputError, match="Did you mean 'stars'"):
        read_rows(spec("tiny_reviews", tiny, label="star"))


def test_columns_and_fingerprint_name_the_version(tiny):
    source = spec("tiny_reviews", tiny)
    assert set(source_columns(source)) == {"text", "stars", "tags", "label", "split"}
    assert source_fingerprint(source)["name"] == "tiny_reviews/1.2.3"


@pytest.fixture
def yelp_archive(tmp_path):
    """The archive of yelp_polarity_reviews as its authors publish it, unpacked."""
    folder = tmp_path / "archive" / "yelp_review_polarity_csv"
    folder.mkdir(parents=True)
    (folder / "train.csv").write_text(
        '"1","They said ""fresh"".\\nIt was not."\n"2","Lovely place."\n'
    )
    (folder / "test.csv").write_text('"2","Fine \\""quoted\\"""\n')
    return folder.parent


def test_yelp_polarity_is_prepared_by_its_true_builder(tmp_path, yelp_archive):
    source = spec("yelp_polarity_reviews", tmp_path / "data")
    with mock.patch.object(
        tfds.download.DownloadManager,
        "download_and_extract",
        return_value=str(yelp_archive),
    ):
        rows = list(read_rows(source))
    found = {
        row.fields["text"]: (row.fields["label"], row.fields["split"]) for row in rows
    }
    assert found['They said "fresh".\nIt was not.'] == (0, "train")
    assert found["Lovely place."] == (1, "train")
    assert len(rows) == 3
    assert rows[-1].fields["split"] == "test"
    again = list(read_rows(source))  # found on disk: nothing is patched any more
    assert again == rows


def test_yelp_escapes_are_undone():
    assert unescape_yelp(r'a \n b ""c"" d') == 'a \n b "c" d'


@pytest.mark.parametrize(
    "name",
    ["imdb_reviews", "sentiment140", "amazon_us_reviews/Books_v1_00", "glue/sst2"],
)
def test_dataset_that_cannot_be_fetched_is_one_clear_message(tmp_path, name, caplog):
    def refuse(self, *args, **kwargs):
        raise ConnectionError("Max retries exceeded") from socket.gaierror("no name")

    columns = {"text": "split", "label": "", "split": ""}
    with (
        mock.patch.multiple(
            tfds.download.DownloadManager, download=refuse, download_and_extract=refuse
        ),
        pytest.raises(InputError) as caught,
    ):
        next(read_rows(spec(name, tmp_path, **columns)))
    message = str(caught.value)
    assert name in message
    assert "no name" in message
    assert "There is no column" not in message
    assert "--config.data.kind=table --config.data.path=" in message
    assert "--config.data.tfds_folder=" in message


def test_a_failed_attempt_is_quick_silent_and_leaves_the_folder_as_it_was(
    tmp_path, capfd
):
    folder = tmp_path / "tfds"
    kept = folder / "downloads" / "yelp_polarity_reviews" / "a.tmp.1" / "part"
    kept.parent.mkdir(parents=True)
    kept.write_text("of another run")
    (folder / "yelp_polarity_reviews" / "0.1.0").mkdir(parents=True)
    before = sorted(folder.rglob("*"))
    with pytest.raises(InputError, match="cannot be prepared here"):
        next(read_rows(spec("yelp_polarity_reviews", folder)))
    assert sorted(folder.rglob("*")) == before
    assert "ownloading and preparing" not in "".join(capfd.readouterr())


def test_a_failed_attempt_leaves_no_new_folder(tmp_path):
    for name in ("imdb_reviews", "sentiment140"):
        with pytest.raises(InputError, match="cannot be prepared here"):
            next(read_rows(spec(name, tmp_path / "new" / "tfds", label="", split="")))
    assert not any(tmp_path.iterdir())


def test_a_withdrawn_source_is_told_before_its_columns(tmp_path):
    source = spec("amazon_us_reviews/Books_v1_00", tmp_path, label="rating", split="")
    with pytest.raises(InputError) as caught:
        read_rows(source)
    assert "column" not in str(caught.value)
    assert "withdrew" in caught.value.fix
    jsonl = "--config.data.kind=table --config.data.path=Musical_Instruments.jsonl.gz"
    assert jsonl in caught.value.fix


def test_the_way_that_works_is_named(tmp_path):
    def fix(name, **changes):
        with pytest.raises(InputError) as caught:
            require_source(spec(name, tmp_path, **changes))
        assert "is not prepared on this machine" in caught.value.what
        return caught.value.fix

    yelp = fix("yelp_polarity_reviews")
    assert "--config.data.text=text --config.data.label=label" in yelp
    assert "--config.data.split= --config.split.kind=stratified" in yelp
    assert "stratified" not in fix("imdb_reviews", split="")
    assert "polarity,id,date,query,user,text" in fix("sentiment140", split="")
    assert not any(tmp_path.iterdir())


def test_builder_that_needs_tensorflow_says_so(tmp_path):
    (tmp_path / "archive").mkdir()
    for name in (
        "training.1600000.processed.noemoticon.csv",
        "testdata.manual.2009.06.14.csv",
    ):
        (tmp_path / "archive" / name).write_text('"4","1","d","q","u","good"\n')
    if "tensorflow" in sys.modules:
        pytest.skip("TensorFlow is installed here")
    with (
        mock.patch.object(
            tfds.download.DownloadManager,
            "download_and_extract",
            return_value=str(tmp_path / "archive"),
        ),
        pytest.raises(InputError, match="needs TensorFlow"),
    ):
        next(read_rows(spec("sentiment140", tmp_path / "data", label="polarity")))


def test_unknown_dataset_names_the_nearest(tmp_path):
    with pytest.raises(InputError, match="Did you mean yelp_polarity_reviews"):
        read_rows(spec("yelp_polarity_review", tmp_path))


def test_data_prepared_for_tensorflow_alone_say_what_to_do(tiny, tmp_path):
    import json
    import shutil

    version = tmp_path / "tiny_reviews" / "1.2.3"
    shutil.copytree(tiny / "tiny_reviews" / "1.2.3", version)
    info = json.loads((version / "dataset_info.json").read_text())
    info["fileFormat"] = "tfrecord"
    (version / "dataset_info.json").write_text(json.dumps(info))
    with pytest.raises(InputError, match=r"files are tfrecord(.|\n)*array_record"):
        next(read_tfds(spec("tiny_reviews", tmp_path)))


def test_reading_leaves_tensorflow_alone(tiny):
    list(read_rows(spec("tiny_reviews", tiny)))
    assert "tensorflow" not in sys.modules
