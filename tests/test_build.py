"""Configs become experiments, and mistakes in them become sentences."""

import dataclasses
import importlib
import shutil
from pathlib import Path

import chex
import jax
import numpy as np
import pytest

from configs import base
from reviewintent_jax import build
from reviewintent_jax.build import begin_run, build_experiment, plain_values
from reviewintent_jax.build_forecast import read_forecast_config
from reviewintent_jax.build_heading import read_heading_config
from reviewintent_jax.build_msdp import read_msdp_config
from reviewintent_jax.build_pretrain import read_pretrain_config
from reviewintent_jax.configuration import (
    Config,
    TaskKind,
    read_config,
    read_stored_config,
    task_of,
)
from reviewintent_jax.models.pretrained import load_encoder
from reviewintent_jax.schema import InputError, RunFolder

CONFIGS = sorted(
    path.stem
    for path in Path(base.__file__).parent.glob("*.py")
    if path.stem[0] != "_" and path.stem != "benchmark"  # what is measured, no run
)


def values():
    config = base.get_config()
    config.data.path = "reviews.csv"
    return plain_values(config)


@pytest.mark.parametrize("name", CONFIGS)
def test_every_config_fills_the_tree(name):
    config = importlib.import_module(f"configs.{name}").get_config()
    if name == "msdp":  # which declares nothing yet
        config.data.numbers, config.targets.value = ("age",), "worth"
    has_events = config.task == "msdp" and config.events.path
    if not config.data.path and config.data.get("kind", "table") == "table":
        config.data.path = "" if has_events else "reviews.csv"
    values = plain_values(config)
    readers = {
        TaskKind.REVIEW: read_config,
        TaskKind.FORECAST: read_forecast_config,
        TaskKind.HEADING: read_heading_config,
        TaskKind.MSDP: read_msdp_config,
        TaskKind.PRETRAIN: read_pretrain_config,
    }
    assert readers[task_of(values)](values).name == config.name


@pytest.mark.parametrize("name", CONFIGS)
def test_every_config_is_an_experiment_card(name):
    card = importlib.import_module(f"configs.{name}").__doc__
    assert card
    if name != "base":
        assert "launch.train" in card or "make demo" in card


def test_the_tree_has_no_field_that_no_dataclass_reads():
    def names(kind):
        hints = {f.name: f.type for f in dataclasses.fields(kind)}
        return {
            name: names(t) if dataclasses.is_dataclass(t) else None
            for name, t in hints.items()
        }

    def shape(tree):
        return {k: shape(v) if isinstance(v, dict) else None for k, v in tree.items()}

    assert shape(values()) == names(Config)


@pytest.mark.parametrize(
    ("path", "value", "said"),
    [
        ("train.epoch", 3, "no setting config.train.epoch.*train.epochs"),
        ("train.epochs", "three", "config.train.epochs must be of type int"),
        ("train.epochs", True, "config.train.epochs must be of type int"),
        ("train.epochs", 0, "train.epochs must be 1 or more"),
        ("train.stop_metric", "f1", "stop_metric cannot be 'f1'.*macro_f1, accuracy"),
        ("lstnet.kernel_sizes", 3, "config.lstnet.kernel_sizes must be a list"),
        ("evaluation.threshold", 0.3, "threshold cannot be 0.3.*argmax, validation"),
        ("split.kind", "random", "split.kind cannot be 'random'.*stratified"),
        ("pages.page_tokens", 100, "page_tokens"),
        ("train", 3, "config.train must be a group"),
        ("data.path", "", "table to read is not named"),
        ("seed", -1, r"^seed is -1\..*from 0 to 4294967295"),
        ("seed", 1 << 32, r"^seed is 4294967296\."),
        ("split.seed", -1, r"^split\.seed is -1\."),
        ("data.shop_seed", -1, r"^data\.shop_seed is -1\."),
        ("duplicates.seed", -1, r"^duplicates\.seed is -1\."),
    ],
)
def test_mistakes_are_named(path, value, said):
    tree = values()
    *parents, leaf = path.split(".")
    node = tree
    for parent in parents:
        node = node[parent]
    node[leaf] = value
    with pytest.raises(InputError, match=f"(?s){said}"):
        read_config(tree)


def test_a_missing_setting_is_named():
    tree = values()
    del tree["optimizer"]["beta1"]
    with pytest.raises(InputError, match=r"config\.optimizer\.beta1"):
        read_config(tree)


def test_a_run_may_be_older_than_a_setting():
    tree = values()
    del tree["evaluation"]["threshold"], tree["data"]["date_order"]
    assert read_stored_config(tree).evaluation.threshold == "argmax"
    assert read_stored_config(tree).data.date_order == "iso"
    del tree["encoder"]["epilogues"], tree["encoder"]["attention"]
    assert read_stored_config(tree).encoder.epilogues == "xla"
    assert read_stored_config(tree).encoder.attention == "xla"
    del tree["optimizer"]["beta1"]
    with pytest.raises(InputError, match=r"config\.optimizer\.beta1"):
        read_stored_config(tree)


def test_a_threshold_between_three_classes_is_refused(tiny_config, tmp_path):
    tiny_config.evaluation.threshold = "validation"
    tiny_config.labels.update(
        kind="stars",
        negative_stars=(1.0, 2.0),
        neutral_stars=(3.0,),
        positive_stars=(4.0, 5.0),
    )
    with pytest.raises(InputError, match=r"two classes only, but there are 3: neg"):
        build_experiment(plain_values(tiny_config), RunFolder(tmp_path))


def test_whole_numbers_serve_as_fractions():
    tree = values()
    tree["optimizer"]["clip_norm"] = 1
    assert read_config(tree).optimizer.clip_norm == 1.0


def test_overrides_reach_the_model(tiny_config, tmp_path, monkeypatch):
    asked = []
    monkeypatch.setattr(
        build, "check_kernels", lambda _, *choices: asked.extend(choices)
    )
    tiny_config.encoder.update(hidden_dropout=0.3, attention_dropout=-1.0)
    tiny_config.encoder.epilogues = "kernel"
    experiment = build_experiment(plain_values(tiny_config), RunFolder(tmp_path))
    encoder = experiment.model.spec.encoder
    assert (encoder.hidden_dropout, encoder.attention_dropout) == (0.3, 0.1)
    assert not encoder.has_pooler
    assert encoder.epilogues == "kernel"
    assert asked.count("kernel") == 1
    # It changes no numbers, so a run may go on with another one.
    assert "epilogues" not in experiment.identity()["model"]["encoder"]
    assert experiment.classes == ("negative", "positive")


@pytest.mark.slow
def test_pretrained_weights_are_used_and_random_ones_only_by_name(
    tiny_config, tiny_encoder, tmp_path
):
    stored = load_encoder(str(tiny_encoder)).params
    del stored["pooler"]
    encoders = {}
    for weights in ("pretrained", "random"):
        tiny_config.encoder.weights = weights
        run = RunFolder(tmp_path / weights)
        experiment = build_experiment(plain_values(tiny_config), run)
        state = experiment.first_state(experiment.make_optimizer()).draw()
        encoders[weights] = state.params["encoder"]
    chex.assert_trees_all_equal(encoders["pretrained"], stored)
    chex.assert_trees_all_equal_shapes(encoders["random"], stored)
    same = jax.tree.map(np.array_equal, encoders["random"], stored)
    assert not jax.tree.reduce(lambda a, b: a and b, same)


@pytest.mark.parametrize(("longest", "whole"), [(32, True), (33, False)])
def test_blocks_are_read_side_by_side_where_reviews_have_one_chunk(
    tiny_config, tmp_path, longest, whole
):
    tiny_config.pages.max_tokens = longest
    experiment = build_experiment(plain_values(tiny_config), RunFolder(tmp_path))
    assert experiment.model.spec.whole is whole
    assert "whole" not in experiment.identity()["model"]


def test_chunks_longer_than_the_encoder_reads_are_refused(tiny_config, tmp_path):
    tiny_config.pages.update(page_tokens=128, chunk_tokens=128, max_tokens=128)
    with pytest.raises(InputError, match=r"chunk_tokens \(128\).*at once \(70\)"):
        build_experiment(plain_values(tiny_config), RunFolder(tmp_path))


def test_a_tokenizer_larger_than_the_embedding_table_is_refused(
    tiny_config, tiny_encoder, tmp_path
):
    folder = tmp_path / "encoder"
    shutil.copytree(tiny_encoder, folder)
    with (folder / "vocab.txt").open("a") as vocabulary:
        vocabulary.write("oneword\nanother\n")
    size = len((tiny_encoder / "vocab.txt").read_text().splitlines())
    tiny_config.encoder.source = str(folder)
    run = RunFolder(tmp_path / "run")
    with pytest.raises(InputError, match=rf"has {size + 2} entries.*only {size}\."):
        build_experiment(plain_values(tiny_config), run)
    assert not run.root.exists()


def test_data_and_encoder_that_are_both_missing_are_told_at_once(tmp_path):
    from configs import yelp

    config = yelp.get_config()
    config.data.tfds_folder = str(tmp_path / "tfds")
    run = RunFolder(tmp_path / "run")
    with pytest.raises(InputError) as caught:
        build_experiment(plain_values(config), run)
    assert "'yelp_polarity_reviews' is not prepared" in caught.value.what
    assert "'bert-base-uncased' is no folder here" in caught.value.what
    assert "--config.data.path=FILE" in caught.value.fix
    assert "--config.encoder.source=FOLDER" in caught.value.fix
    config.data.kind, config.data.path = "table", str(tmp_path / "absent.csv")
    with pytest.raises(InputError, match="No such file"):
        build_experiment(plain_values(config), run)
    config.data.kind = "shop"
    with pytest.raises(InputError, match=r"^'bert-base-uncased' is no folder here"):
        build_experiment(plain_values(config), run)
    assert not any(tmp_path.iterdir())


def files_of(folder):
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize(
    "name",
    [
        *("config.json", "encoder/weights.bin", "data/reviews.csv", "report.html"),
        *("rejected.jsonl", "log.jsonl", "predictions_test.parquet", "tensorboard/x"),
    ],
)
def test_a_folder_in_use_for_something_else_is_not_touched(tiny_config, tmp_path, name):
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).write_text('{"model_type": "bert"}')
    before = files_of(tmp_path)
    with pytest.raises(InputError, match=f"{Path(name).name}|{Path(name).parts[0]}"):
        build_experiment(plain_values(tiny_config), RunFolder(tmp_path))
    assert files_of(tmp_path) == before


def test_a_run_begins_in_an_empty_folder_or_its_own_and_in_no_other(
    tiny_config, tmp_path
):
    values, run = plain_values(tiny_config), RunFolder(tmp_path / "run")
    experiment = build_experiment(values, run)
    begin_run(experiment, run)
    begin_run(build_experiment(values, run), run)
    other = RunFolder(tmp_path / "project")
    other.root.mkdir()
    other.config.write_text("my own")
    with pytest.raises(InputError, match=r"no run's, but holds config\.json"):
        begin_run(experiment, other)
    assert [path.name for path in other.root.iterdir()] == ["config.json"]
    assert other.config.read_text() == "my own"


def test_a_run_of_before_there_were_tasks_learned_reviews():
    old = values()
    del old["task"]
    old["evaluation"].pop("threshold")
    assert task_of(old) == read_stored_config(old).task == "review"


def test_there_is_no_task_but_those_there_are():
    with pytest.raises(InputError, match=r"task cannot be 'forcast'(?s:.*)forecast"):
        task_of(values() | {"task": "forcast"})
