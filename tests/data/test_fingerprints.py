"""What changed is named by its leaf; a name or a time alone changes nothing."""

import os
import shutil

import pytest

from reviewintent_jax.data import prepare as preparing
from reviewintent_jax.data.fingerprints import refuse_changes
from reviewintent_jax.data.prepare import open_shared, prepare
from reviewintent_jax.data.tokens import ReviewTokenizer
from reviewintent_jax.schema import InputError, RunFolder
from tests.data.prepared_cases import reviews_spec, write_reviews


@pytest.fixture
def shared(tiny_config, tiny_encoder, tmp_path):
    """Prepared data for several runs; opens them for a source at another path."""
    path = tmp_path / "reviews.csv"
    write_reviews(path)
    tokenizer = ReviewTokenizer(tiny_encoder)
    run = RunFolder(tmp_path, shared=str(tmp_path / "shared"))
    prepare(reviews_spec(tiny_config, path), tokenizer, run, began_with=None)

    def opened(path, *, again=open_shared, began_with=None):
        spec = reviews_spec(tiny_config, path)
        return again(spec, tokenizer, run, began_with=began_with)

    opened.path, opened.manifest = path, run.prepared / "manifest.json"
    return opened


def test_the_same_content_under_another_name_or_time_is_not_stale(
    shared, tmp_path, monkeypatch
):
    first = shared(shared.path)
    monkeypatch.chdir(tmp_path)
    copied = shutil.copy(shared.path, tmp_path / "copied.csv")
    os.utime(copied, (1, 1))
    for path in ("reviews.csv", copied):
        assert shared(path).fingerprint == first.fingerprint
        shared(path, began_with=first.fingerprint)
    written = shared.manifest.stat().st_mtime_ns
    goes_on = shared(copied, again=prepare, began_with=first.fingerprint)
    assert goes_on.fingerprint == first.fingerprint
    shared(copied, again=prepare)
    assert shared.manifest.stat().st_mtime_ns == written  # nothing was done again


def test_other_content_of_the_same_size_is_stale_and_named(shared):
    size = shared.path.stat().st_size
    write_reviews(shared.path, last="the tsal of them")
    assert shared.path.stat().st_size == size
    with pytest.raises(InputError, match="stale") as caught:
        shared(shared.path)
    said = str(caught.value)
    assert "files.files.0.mtime_ns: " in said
    assert f"content (SHA-256) of {shared.path}: " in said
    assert shared(shared.path, again=prepare).texts([39]) == ["the tsal of them"]
    shared(shared.path)


def test_the_same_content_in_another_format_is_another_source(shared, tmp_path):
    renamed = shutil.copy(shared.path, tmp_path / "reviews.tsv")
    with pytest.raises(InputError, match=r"source\.path: .*csv then, .*tsv now"):
        shared(renamed)


def test_leaves_are_named_with_what_they_were(shared, tiny_config):
    was = tiny_config.split.seed
    tiny_config.split.seed = was + 7
    with pytest.raises(InputError, match=rf"split\.seed: {was} then, {was + 7} now"):
        shared(shared.path)


def test_many_changes_are_counted(tmp_path):
    found = [str(n) for n in range(9)]
    with pytest.raises(InputError, match="changed: 0; 1; 2; 3; 4; 5; and 3 more"):
        refuse_changes(found, "changed", where=tmp_path, fix="")


def test_a_source_that_changes_while_it_is_read_is_refused(
    shared, tiny_config, tiny_encoder, tmp_path, monkeypatch
):
    decide = preparing.decide_sentiment

    def meanwhile(*stages):
        write_reviews(shared.path, last="written meanwhile")
        return decide(*stages)

    monkeypatch.setattr(preparing, "decide_sentiment", meanwhile)
    spec, run = reviews_spec(tiny_config, shared.path), RunFolder(tmp_path / "other")
    with pytest.raises(InputError, match="changed while it was read"):
        prepare(spec, ReviewTokenizer(tiny_encoder), run, began_with=None)
    assert not run.prepared.exists()


def test_data_of_an_earlier_format_are_prepared_again(shared):
    written = shared.manifest.read_text("utf-8")
    shared.manifest.write_text(written.replace('"format": 3', '"format": 2'), "utf-8")
    with pytest.raises(InputError, match="An earlier version prepared these data"):
        shared(shared.path)
    shared(shared.path, again=prepare)
    assert shared.manifest.read_text("utf-8") == written
