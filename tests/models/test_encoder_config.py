"""config.json of every family, in and out, and what is refused."""

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest

from reviewintent_jax.models.activations import Activation
from reviewintent_jax.models.encoder import ComputeDtype
from reviewintent_jax.models.encoder_config import read_spec, write_config
from reviewintent_jax.schema import InputError

GOLDEN = Path(__file__).parents[1] / "reference" / "golden"
FAMILIES = ("bert", "roberta", "xlm-roberta", "distilbert")


def write(folder, family, **changes):
    """PyTorch's own config of a tiny model, with changes."""
    config = json.loads(str(np.load(GOLDEN / f"encoder_{family}.npz")["config"]))
    folder.mkdir(exist_ok=True)
    (folder / "config.json").write_text(json.dumps(config | changes))
    return config


def test_read_spec_of_each_family(tmp_path):
    found = {}
    for family in FAMILIES:
        write(tmp_path / family, family)
        found[family] = read_spec(tmp_path / family)
    assert [found[f].position_offset for f in FAMILIES] == [0, 2, 2, 0]
    assert [found[f].type_vocab_size for f in FAMILIES] == [2, 1, 1, 0]
    assert [found[f].norm_eps for f in FAMILIES] == [1e-12, 1e-5, 1e-5, 1e-12]
    assert [found[f].max_tokens for f in FAMILIES] == [17, 17, 13, 13]
    assert [found[f].has_pooler for f in FAMILIES] == [True, True, True, False]
    kinds = [Activation.GELU, Activation.GELU, Activation.GELU_TANH, Activation.RELU]
    assert [found[f].activation for f in FAMILIES] == kinds
    assert {spec.dtype for spec in found.values()} == {ComputeDtype.FLOAT32}


@pytest.mark.parametrize("family", FAMILIES)
def test_config_round_trip(tmp_path, family):
    write(tmp_path, family)
    spec = read_spec(tmp_path)
    for written in (spec, dataclasses.replace(spec, has_pooler=False)):
        write_config(tmp_path, written)
        assert read_spec(tmp_path) == written


def test_fields_left_out_take_the_values_transformers_assumes(tmp_path):
    config = write(tmp_path, "bert")
    left_out = ("layer_norm_eps", "hidden_act", "pad_token_id", "type_vocab_size")
    (tmp_path / "config.json").write_text(
        json.dumps({k: v for k, v in config.items() if k not in left_out})
    )
    spec = read_spec(tmp_path)
    assert (spec.norm_eps, spec.activation, spec.pad_id) == (1e-12, Activation.GELU, 0)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"model_type": "gpt2"}, "'gpt2'.*\n.*\nSupported: bert, roberta"),
        ({"model_type": None}, "None"),
        ({"position_embedding_type": "relative_key"}, "position_embedding_type"),
        ({"is_decoder": True}, "is_decoder"),
        ({"hidden_act": "swish"}, "'swish'"),
        ({"num_attention_heads": 5}, "heads"),
        ({"hidden_size": "many"}, "wrong type"),
        ({"num_hidden_layers": 1.5}, "wrong type: 1.5 is no whole number"),
        ({"vocab_size": 99.0}, "wrong type: 99.0 is no whole number"),
        ({"num_attention_heads": True}, "wrong type: True is no whole number"),
        ({"pad_token_id": None}, "wrong type: None is no whole number"),
        ({"layer_norm_eps": "small"}, "wrong type: 'small' is no number"),
    ],
)
def test_an_unsupported_config_is_refused(tmp_path, change, message):
    write(tmp_path, "bert", **change)
    with pytest.raises(InputError, match=message):
        read_spec(tmp_path)


def test_a_missing_size_is_named(tmp_path):
    config = write(tmp_path, "bert")
    del config["hidden_size"]
    (tmp_path / "config.json").write_text(json.dumps(config))
    with pytest.raises(InputError, match="lacks hidden_size"):
        read_spec(tmp_path)


@pytest.mark.parametrize("content", [None, "{", "[1]", "\udcff"])
def test_a_missing_or_broken_config_is_an_input_error(tmp_path, content):
    if content is not None:
        path = tmp_path / "config.json"
        path.write_bytes(content.encode("utf-8", "surrogateescape"))
    with pytest.raises(InputError):
        read_spec(tmp_path)
