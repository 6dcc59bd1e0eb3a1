"""Damage to prepared data is found, and named."""

import json

import pytest

from reviewintent_jax.data.ingest import on_this_machine
from reviewintent_jax.data.prepare import prepare
from reviewintent_jax.data.prepared import check_hashes, open_prepared
from reviewintent_jax.data.tokens import ReviewTokenizer
from reviewintent_jax.schema import InputError, RunFolder
from tests.data.prepared_cases import reviews_spec, write_reviews

TEXTS = "reviews-00000-00000.parquet"


@pytest.fixture
def folder(tiny_config, tiny_encoder, tmp_path):
    write_reviews(tmp_path / "reviews.csv")
    spec = reviews_spec(tiny_config, tmp_path / "reviews.csv")
    run = RunFolder(tmp_path / "run")
    engine = on_this_machine(1)
    prepare(spec, ReviewTokenizer(tiny_encoder), run, began_with=None, engine=engine)
    check_hashes(run.prepared)
    return run.prepared


def cut(path):
    path.write_bytes(path.read_bytes()[:-50])


def other_bytes(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize("name", [TEXTS, "index.npz", "manifest.json"])
@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (cut, "was cut|cannot be read|not what was written"),
        (lambda path: path.unlink(), "is not there"),
    ],
)
def test_a_lost_or_cut_file_is_named_when_data_are_opened(folder, name, damage, words):
    damage(folder / name)
    for look in (open_prepared, check_hashes):
        with pytest.raises(InputError, match=words) as caught:
            look(folder)
        assert caught.value.where == str(folder / name)


@pytest.mark.parametrize("name", [TEXTS, "tokens-00000-00000.array_record"])
def test_verifying_finds_other_bytes_of_the_same_number(folder, name):
    other_bytes(folder / name)
    open_prepared(folder)
    with pytest.raises(InputError, match="not what was written") as caught:
        check_hashes(folder)
    assert caught.value.where == str(folder / name)


def test_the_manifest_says_what_is_true_of_the_texts(folder):
    manifest = json.loads((folder / "manifest.json").read_text("utf-8"))
    (texts,) = manifest["texts"]
    assert texts["name"] == TEXTS
    assert texts["reviews"] == manifest["shards"][0]["reviews"] == 40
    assert texts["bytes"] == (folder / TEXTS).stat().st_size
