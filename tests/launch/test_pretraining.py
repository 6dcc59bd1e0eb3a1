"""A Ukrainian shop from raw text to answers: tokenizer, pre-training, fine-tuning,
evaluation and prediction, everything small; and what each command refuses.
"""

import csv
import dataclasses
import json

import jax
import numpy as np
import pandas as pd
import pytest
from safetensors.numpy import load_file

from configs import pretrain_ukrainian, ukrainian
from launch import pretraining
from launch.own_data import evaluate_with, train_with
from launch.reviews import train_reviews
from reviewintent_jax.build import (
    load_trained,
    plain_values,
)
from reviewintent_jax.build_pretrain import read_pretrain_config
from reviewintent_jax.configuration import TaskKind
from reviewintent_jax.data.scored import open_writer
from reviewintent_jax.data.tables import read_table, table_layout
from reviewintent_jax.data.tokens import ReviewTokenizer
from reviewintent_jax.evaluation.score_table import score_table
from reviewintent_jax.models.pretrained import load_encoder
from reviewintent_jax.run_folders import stored_task
from reviewintent_jax.schema import InputError, RunFolder
from reviewintent_jax.training.trained import make_scorer

pytestmark = pytest.mark.slow
GOOD = ["чудовий", "супер", "раджу", "хороший", "отлично", "дякую", "п'ять зірок"]
BAD = ["жахливий", "погано", "не раджу", "обман", "плохо", "зв'язку немає", "ганьба"]
THINGS = ["магазин", "товар", "кур'єр", "чохол", "телефон", "сервіс", "доставка"]
PAGES = {"page_tokens": 64, "chunk_tokens": 32, "max_tokens": 64, "slots": 8}
PAGE_WORDS = "\n        розгорнути\n        згорнути "


def write(path, header, rows):
    with path.open("w", encoding="utf-8", newline="") as stream:
        csv.writer(stream).writerows([header, *rows])
    return str(path)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("ukrainian")


@pytest.fixture(scope="module")
def shop(folder):
    """Reviews with the columns of the shop's; a third are not translated."""
    rng = np.random.default_rng(8)
    rows = []
    for n in range(150):
        good, native = n % 2, n % 3 == 0
        words = rng.choice(GOOD if good else BAD, 3)
        text = f"{rng.choice(THINGS)} № {n}: {', '.join(words)} {'👍' * good}"
        rows.append([n, text + PAGE_WORDS * native, good, not native])
    header = ["id", "text", "label", "translated"]
    return write(folder / "shop.csv", header, rows)


@pytest.fixture(scope="module")
def pretrained(folder, shop):
    """A finished pre-training on the shop's training split and other text."""
    other = [[f"Послуга {n} була {word}"] for n in range(12) for word in GOOD + BAD]
    config = pretrain_ukrainian.get_config()
    config.data.path = shop
    config.corpus.path = write(folder / "other.csv", ["text"], other)
    config.tokenizer.update(vocab_size=150, max_piece_length=8)
    config.pages.update(PAGES)
    config.encoder.update(
        hidden_size=24, num_layers=1, num_heads=2, intermediate_size=36, max_tokens=40
    )
    config.train.update(batch_pages=4, epochs=1, max_steps=6, log_every_steps=2)
    config.evaluation.update(batch_pages=4, bootstrap_samples=10)
    config.mesh.data = 1
    values = plain_values(config)
    train_with(pretraining.KIT, values, str(folder / "pretrained"))
    return RunFolder(folder / "pretrained")


@pytest.fixture(scope="module")
def tuned(folder, shop, pretrained):
    """A finished fine-tuning of that encoder."""
    config = ukrainian.get_config()
    config.data.path = shop
    config.encoder.source = str(pretrained.encoder)
    config.pages.update(PAGES)
    config.optimizer.update(encoder_rate=5e-3, head_rate=5e-3, warmup_steps=2)
    config.train.update(epochs=4, batch_reviews=16)
    config.evaluation.update(batch_pages=4, bootstrap_samples=10)
    config.mesh.data = 1
    train_reviews(plain_values(config), str(folder / "tuned"))
    return RunFolder(folder / "tuned")


def metrics_of(run):
    return json.loads(run.metrics.read_text("utf-8"))


def test_pre_training_leaves_a_folder_that_an_encoder_is_read_from(pretrained):
    assert stored_task(pretrained) is TaskKind.PRETRAIN
    loaded = load_encoder(str(pretrained.encoder))
    tokenizer = ReviewTokenizer(pretrained.encoder)
    assert loaded.spec.family == "xlm-roberta"
    assert loaded.spec.vocab_size == tokenizer.vocab_size <= 150
    assert (loaded.spec.position_offset, loaded.spec.max_tokens) == (2, 40)
    assert not loaded.spec.has_pooler
    weights = load_file(pretrained.encoder / "model.safetensors")
    assert weights["embeddings.position_embeddings.weight"].shape == (42, 24)


def test_its_metrics_and_report_stand_beside_the_frequencies(pretrained):
    found = metrics_of(pretrained)
    for system in ("model", "piece_frequency"):
        score = found["systems"][system]["test"]["cross_entropy"]
        assert score["low"] <= score["value"] <= score["high"]
    splits = found["data"]["splits"]
    assert sum(split["texts"] for split in splits.values()) == found["data"]["texts"]
    assert found["data"]["of_other_sources"] > 100
    page = pretrained.report.read_text("utf-8")
    assert "frequency of each piece" in page
    assert "<svg" in page
    assert "http" not in page.split("</style>")[1].replace("http://www.w3.org", "")


def test_evaluating_it_again_gives_the_same_scores(pretrained):
    before, weights = metrics_of(pretrained), pretrained.encoder / "model.safetensors"
    bytes_before = weights.read_bytes()
    evaluate_with(pretraining.KIT, pretrained)
    after = metrics_of(pretrained)
    assert after["systems"]["piece_frequency"] == before["systems"]["piece_frequency"]
    for name in ("cross_entropy", "accuracy"):
        ours, theirs = (m["systems"]["model"]["test"][name] for m in (after, before))
        assert ours["value"] == pytest.approx(theirs["value"], abs=1e-5)
    assert weights.read_bytes() == bytes_before


def test_it_answers_no_reviews_and_says_what_to_do(pretrained):
    with pytest.raises(InputError, match="does not answer reviews"):
        load_trained(pretrained)
    assert "encoder.source=" in pretraining.no_answers(pretrained).fix


def test_exporting_copies_the_encoder(pretrained, tmp_path):
    pretraining.export_pretrained(pretrained, tmp_path / "copy")
    ours, theirs = (
        load_encoder(str(tmp_path / "copy")),
        load_encoder(str(pretrained.encoder)),
    )
    jax.tree.map(np.testing.assert_array_equal, ours.params, theirs.params)
    with pytest.raises(InputError, match="no finished run"):
        pretraining.export_pretrained(RunFolder(tmp_path / "nothing"), tmp_path / "x")


def test_native_and_translated_reviews_are_scored_apart(tuned):
    found = metrics_of(tuned)
    parts = found["slices"]["values"]
    assert found["slices"]["column"] == "translated"
    assert list(parts) == ["False", "True"]
    whole = found["systems"]["model"]["test"]["n"]
    assert sum(part["n"] for part in parts.values()) == whole
    for part in parts.values():
        assert part["systems"].keys() >= {"model", "tfidf_logistic_regression"}
    page = tuned.report.read_text("utf-8")
    assert "By translated" in page


def test_the_model_reads_what_it_was_taught_and_no_page_words(tuned):
    trained = load_trained(tuned)
    assert trained.model.spec.title == "XLM-R-[CLS]-Softmax"
    assert metrics_of(tuned)["systems"]["model"]["test"]["accuracy"]["value"] > 0.8
    said = pd.read_parquet(tuned.predictions("test"))
    assert not said["text"].str.contains("згорнути|розгорнути").any()


TEXTS = {
    "сервіс: чудовий, супер, отлично 👍": "",
    "сервіс: жахливий, обман, ганьба": "",
    "супер": "",
    "Ok": "",
    "👍": "",
    "не раджу": "",
    "Купил телефон, а він не працює. Отлично, дякую!": "",
    "п'ять зв’язку об`єктив кур'єр": "",
    "😡😡😡 日本": "",
    "розгорнути згорнути": "no text left after cleaning",
    "   ": "no text",
    "дуже " * 200 + "чудовий": "",
}


def test_every_odd_text_comes_out_once_in_order(tuned, tmp_path):
    path = tmp_path / "new.csv"
    write(path, ["id", "text"], [[n, text] for n, text in enumerate(TEXTS)])
    trained = load_trained(tuned)
    source = dataclasses.replace(
        trained.data.source, path=str(path), label="", slice=""
    )
    scorer, target = make_scorer(trained, source), tmp_path / "scored.jsonl"
    with open_writer(str(target), table_layout(path), scorer.added_columns()) as writer:
        score_table(scorer, read_table(path), writer)
    lines = target.read_text("utf-8").splitlines()
    found = [json.loads(line) for line in lines]
    assert [row["text"] for row in found] == list(TEXTS)
    for row, problem in zip(found, TEXTS.values(), strict=True):
        if problem:
            assert row["problem"] == problem
            assert row["predicted"] is None
        else:
            assert row["predicted"] in ("negative", "positive")
            both = row["probability_negative"] + row["probability_positive"]
            assert both == pytest.approx(1, abs=1e-6)
    # A small model, trained for seconds: only plain cases have an answer that is sure.
    assert found[0]["probability_positive"] > found[1]["probability_positive"] + 0.2
    assert found[-1]["problem"]  # cut, and said so


def test_the_three_apostrophes_get_one_answer(tuned):
    trained = load_trained(tuned)
    cleaner = make_scorer(trained, trained.data.source).cleaner
    ways = [cleaner(f"кур{mark}єр: зв{mark}язку немає") for mark in "'’ʼ"]
    ids = [each.tolist() for each in trained.tokenizer.encode(ways)]
    assert ids[0] == ids[1] == ids[2]
    assert trained.tokenizer.id_of("<unk>") not in ids[0]


def test_a_chunk_longer_than_the_encoder_reads_is_refused():
    config = pretrain_ukrainian.get_config()
    config.encoder.max_tokens = 100
    with pytest.raises(InputError, match="chunk_tokens"):
        read_pretrain_config(plain_values(config))
