"""Texts to pre-train on: nothing that fine-tuning is tested on, in any file."""

import csv
import dataclasses
import json

import numpy as np
import pytest

from configs import pretrain
from reviewintent_jax.build import plain_values
from reviewintent_jax.build_pretrain import read_pretrain_config
from reviewintent_jax.data.corpus import COPY, NEAR_HELD_OUT, gather_corpus
from reviewintent_jax.data.prepare import prepare
from reviewintent_jax.data.splits import TEST, TRAIN, VALIDATION
from reviewintent_jax.data.tokens import ReviewTokenizer
from reviewintent_jax.schema import InputError, RunFolder

WORDS = ["чай", "дах", "кіт", "ніч", "рік", "сон", "ліс", "мед", "пес", "шум", "лід"]


def sentence(number, length=30):
    rng = np.random.default_rng(number)
    return " ".join(rng.choice(WORDS, length)) + f" {number}"


def write(path, header, rows):
    with path.open("w", encoding="utf-8", newline="") as stream:
        csv.writer(stream).writerows([header, *rows])


@pytest.fixture
def shop(tmp_path):
    """Labelled reviews, some of them twice, and their config."""
    rows = [(sentence(n), n % 2) for n in range(80)]
    rows += [(sentence(3), 1), (sentence(4).upper() + "!", 0)]  # copies
    write(tmp_path / "shop.csv", ["text", "label"], rows)
    config = pretrain.get_config()
    config.data.path = str(tmp_path / "shop.csv")
    config.labels.kind = "binary"
    return config


def gather(config, tmp_path, name="run"):
    spec = read_pretrain_config(plain_values(config))
    run = RunFolder(tmp_path / name)
    prepared = prepare(spec.data_spec(), None, run, began_with=None)
    others = tmp_path / "others.jsonl"
    return prepared, gather_corpus(prepared, spec.data_spec(), spec.corpus, others)


def held_out(prepared):
    barred = np.flatnonzero(np.isin(prepared.split_n, (VALIDATION, TEST)))
    return prepared.texts(barred)


def test_of_the_labelled_source_the_training_split_alone_is_read(shop, tmp_path):
    prepared, corpus = gather(shop, tmp_path)
    assert sorted(corpus.texts) == sorted(prepared.texts(prepared.reviews(TRAIN)))
    assert set(corpus.texts).isdisjoint(held_out(prepared))
    assert corpus.labelled == len(corpus.texts) == len(set(corpus.texts))
    assert {TRAIN, VALIDATION, TEST} == set(corpus.split_n.tolist())


def test_the_split_is_that_of_the_fine_tuning(shop, tmp_path, tiny_encoder):
    """With a tokenizer or without: labels, copies and the seed decide, nothing else."""
    prepared, _ = gather(shop, tmp_path)
    spec = read_pretrain_config(plain_values(shop)).data_spec()
    tuned = prepare(
        dataclasses.replace(
            spec, source=dataclasses.replace(spec.source, slice="label")
        ),
        ReviewTokenizer(tiny_encoder),
        RunFolder(tmp_path / "tuned"),
        began_with=None,
    )
    np.testing.assert_array_equal(prepared.split_n, tuned.split_n)
    assert prepared.texts(np.arange(80)) == tuned.texts(np.arange(80))
    assert not prepared.store.lengths().any()
    assert tuned.store.lengths().all()


def test_other_texts_near_a_held_out_review_are_left_out_with_their_place(
    shop, tmp_path
):
    prepared, _ = gather(shop, tmp_path)
    test, own = held_out(prepared)[0], prepared.texts(prepared.reviews(TRAIN))[0]
    rows = [
        [test], [test.upper() + " !!"], [test + " ще"], [own], [sentence(900)],
        [sentence(901)], [sentence(901)], [""],
    ]  # fmt: skip
    write(tmp_path / "more.csv", ["comment"], rows)
    shop.corpus.update(path=str(tmp_path / "more.csv"), text="comment")
    _, corpus = gather(shop, tmp_path, "again")
    others = corpus.texts[corpus.labelled :]
    assert others == [sentence(900), sentence(901)]
    assert corpus.left_out == {NEAR_HELD_OUT: 3, COPY: 2, "no text": 1}
    lines = (tmp_path / "others.jsonl").read_text("utf-8").splitlines()
    found = [json.loads(line) for line in lines]
    assert sorted((row["line"], row["reason"]) for row in found) == [
        (2, NEAR_HELD_OUT), (3, NEAR_HELD_OUT), (4, NEAR_HELD_OUT),
        (5, COPY), (8, COPY), (9, "no text"),
    ]  # fmt: skip


def test_near_duplicates_are_on_one_side_of_the_held_out_texts(shop, tmp_path):
    # Long enough that the estimate of their likeness, .95, is never below the .8 asked.
    rows = [[f"{sentence(n, 40)} {end}"] for n in range(200, 230) for end in ("а", "б")]
    write(tmp_path / "more.csv", ["text"], rows)
    shop.corpus.path = str(tmp_path / "more.csv")
    shop.corpus.held_out_fraction = 0.2
    _, corpus = gather(shop, tmp_path)
    sides = {}
    for text, split in zip(corpus.texts, corpus.split_n.tolist(), strict=True):
        sides.setdefault(text[:-2], set()).add(split)
    assert all(len(side) == 1 for side in sides.values())
    assert corpus.summary()["of_other_sources"] == 60


def test_the_same_texts_have_the_same_hash_and_other_splits_another(shop, tmp_path):
    _, corpus = gather(shop, tmp_path)
    _, again = gather(shop, tmp_path)
    assert corpus.fingerprint() == again.fingerprint()
    shop.corpus.seed = 43
    _, other = gather(shop, tmp_path)
    assert other.fingerprint() != corpus.fingerprint()


def test_a_wrong_column_is_said_with_its_setting(shop, tmp_path):
    write(tmp_path / "more.csv", ["comment"], [["чай"]])
    shop.corpus.path = str(tmp_path / "more.csv")
    with pytest.raises(InputError, match=r"config\.corpus\.text"):
        gather(shop, tmp_path)


@pytest.mark.parametrize("share", [0.0, 0.5])
def test_impossible_shares_are_refused(shop, share):
    shop.corpus.held_out_fraction = share
    with pytest.raises(InputError, match="held_out_fraction"):
        read_pretrain_config(plain_values(shop))


@pytest.mark.slow
def test_no_ukrainian_test_review_is_read(shared_data, tmp_path):
    """The real files, with the settings of both configs."""
    from configs import pretrain_ukrainian, ukrainian
    from reviewintent_jax.configuration import read_config
    from reviewintent_jax.data.duplicates import fold

    paths = {"data": "ukrainian_shop/reviews.csv.gz"}
    paths["corpus"] = "ukrainian_emotions/train.csv.gz"
    config, tuned = pretrain_ukrainian.get_config(), ukrainian.get_config()
    config.corpus.path = str(shared_data / paths["corpus"])
    for each in (config, tuned):
        each.data.path = str(shared_data / paths["data"])
    _, corpus = gather(config, tmp_path)
    spec = read_config(plain_values(tuned)).data_spec()
    run = RunFolder(tmp_path / "tuned")
    prepared = prepare(spec, None, run, began_with=None)
    barred = {fold(text) for text in held_out(prepared)}
    assert len(barred) > 600
    assert barred.isdisjoint(map(fold, corpus.texts))
    assert corpus.labelled > 2000
    page_words = ("розгорнути", "згорнути")
    last = [text.split()[-1] for text in corpus.texts]
    assert not any(word in page_words for word in last)
