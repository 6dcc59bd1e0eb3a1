"""Hugging Face's config.json, in and out.

In: a model folder. Out: the ``EncoderSpec`` it describes; and the way back.
"""

import json
from pathlib import Path
from typing import Any

from reviewintent_jax.models.activations import Activation
from reviewintent_jax.models.encoder_spec import (
    INITIAL_STD,
    ComputeDtype,
    EncoderFamily,
    EncoderSpec,
)
from reviewintent_jax.models.weight_names import NAMING
from reviewintent_jax.schema import InputError

CONFIG_FILE = "config.json"

_ACTIVATIONS = {
    "gelu": Activation.GELU,
    "gelu_python": Activation.GELU,
    "gelu_new": Activation.GELU_TANH,
    "gelu_pytorch_tanh": Activation.GELU_TANH,
    "gelu_fast": Activation.GELU_TANH,
    "relu": Activation.RELU,
}
_ACTIVATION_NAMES = {
    Activation.GELU: "gelu",
    Activation.GELU_TANH: "gelu_pytorch_tanh",
    Activation.RELU: "relu",
}

_BERT_FIELDS = {
    "vocab_size": "vocab_size",
    "hidden_size": "hidden_size",
    "num_layers": "num_hidden_layers",
    "num_heads": "num_attention_heads",
    "intermediate_size": "intermediate_size",
    "max_positions": "max_position_embeddings",
    "type_vocab_size": "type_vocab_size",
    "norm_eps": "layer_norm_eps",
    "activation": "hidden_act",
    "hidden_dropout": "hidden_dropout_prob",
    "attention_dropout": "attention_probs_dropout_prob",
    "pad_id": "pad_token_id",
}
_DISTILBERT_FIELDS = {
    "vocab_size": "vocab_size",
    "hidden_size": "dim",
    "num_layers": "n_layers",
    "num_heads": "n_heads",
    "intermediate_size": "hidden_dim",
    "max_positions": "max_position_embeddings",
    "activation": "activation",
    "hidden_dropout": "dropout",
    "attention_dropout": "attention_dropout",
    "pad_id": "pad_token_id",
}
_FIELDS = {
    EncoderFamily.BERT: _BERT_FIELDS,
    EncoderFamily.ROBERTA: _BERT_FIELDS,
    EncoderFamily.XLM_ROBERTA: _BERT_FIELDS,
    EncoderFamily.DISTILBERT: _DISTILBERT_FIELDS,
}

# What transformers assumes for a field that config.json leaves out. Sizes are not here:
# a folder without them is broken, and a guess would only fail later.
_BERT_ASSUMED = {
    "layer_norm_eps": 1e-12,
    "hidden_act": "gelu",
    "hidden_dropout_prob": 0.1,
    "attention_probs_dropout_prob": 0.1,
    "type_vocab_size": 2,
    "pad_token_id": 0,
}
_ROBERTA_ASSUMED = {**_BERT_ASSUMED, "pad_token_id": 1}
_DISTILBERT_ASSUMED = {
    "activation": "gelu",
    "dropout": 0.1,
    "attention_dropout": 0.1,
    "pad_token_id": 0,
}
_ASSUMED: dict[EncoderFamily, dict[str, Any]] = {
    EncoderFamily.BERT: _BERT_ASSUMED,
    EncoderFamily.ROBERTA: _ROBERTA_ASSUMED,
    EncoderFamily.XLM_ROBERTA: _ROBERTA_ASSUMED,
    EncoderFamily.DISTILBERT: _DISTILBERT_ASSUMED,
}

_REQUIRED_VALUES = {
    "position_embedding_type": "absolute",
    "is_decoder": False,
    "add_cross_attention": False,
}
"""Fields that would change the network; any other value is refused."""

_OFFSET_FAMILIES = (EncoderFamily.ROBERTA, EncoderFamily.XLM_ROBERTA)
_DISTILBERT_EPS = 1e-12  # fixed in its code, absent from its config

_POOLER_FIELD = "has_pooler"
"""Our own field: without the weights at hand nothing else says whether one is there."""


def read_spec(folder: Path) -> EncoderSpec:
    """Read ``config.json`` of a Hugging Face folder.

    ``has_pooler`` is what the family usually has; ``load_encoder`` corrects it by the
    weights. ``dtype`` is float32, whatever type the weights are stored in.

    Raises:
      InputError: no or broken config.json, a model of another kind, or a variant of
        the network that is not built here.
    """
    path = folder / CONFIG_FILE
    config = _read_json(path)
    family = _family(config, path)
    for name, required in _REQUIRED_VALUES.items():
        if name in config and config[name] != required:
            raise InputError(
                f"The encoder has {name} {config[name]!r}; only {required!r} is built.",
                where=str(path),
            )
    return _spec(family, {**_ASSUMED[family], **config}, path)


def write_config(folder: Path, spec: EncoderSpec) -> Path:
    """Write ``config.json`` as transformers reads it; returns its path."""
    naming, config = NAMING[spec.family], {}
    for ours, theirs in _FIELDS[spec.family].items():
        config[theirs] = getattr(spec, ours)
    activation = _FIELDS[spec.family]["activation"]
    config |= {
        "architectures": [naming.architecture],
        "model_type": str(spec.family),
        activation: _ACTIVATION_NAMES[spec.activation],
        "initializer_range": INITIAL_STD,
        _POOLER_FIELD: spec.has_pooler,
    }
    path = folder / CONFIG_FILE
    path.write_text(
        json.dumps(config, indent=2, sort_keys=True) + "\n", encoding="utf-8"
    )
    return path


def _read_json(path: Path) -> dict[str, Any]:
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InputError(
            f"No {CONFIG_FILE} in the encoder's folder.",
            where=str(path.parent),
            fix="Give the folder with config.json, the weights and the tokenizer.",
        ) from None
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"Not valid JSON: {error}.", where=str(path)) from None
    if not isinstance(config, dict):
        raise InputError("The file is no JSON object.", where=str(path))
    return config


def _family(config: dict[str, Any], path: Path) -> EncoderFamily:
    known = "model_type" in config and config["model_type"] in list(EncoderFamily)
    if not known:
        found = repr(config["model_type"]) if "model_type" in config else "(not given)"
        raise InputError(
            f"Encoders of model_type {found} are not supported.",
            where=str(path),
            fix=f"Supported: {', '.join(EncoderFamily)}.",
        )
    return EncoderFamily(config["model_type"])


def _check_number(name: str, value: Any, where: str) -> None:
    """Refuses a size that is no whole number, and a rate that is no number."""
    kind = EncoderSpec.__annotations__[name]
    if kind not in (int, float):
        return
    allowed = (int,) if kind is int else (int, float)
    if not isinstance(value, allowed) or isinstance(value, bool):
        wanted = "whole number" if kind is int else "number"
        raise InputError(
            f"A field has the wrong type: {value!r} is no {wanted}.", where=where
        )


def _spec(family: EncoderFamily, config: dict[str, Any], path: Path) -> EncoderSpec:
    fields = _FIELDS[family]
    missing = [theirs for theirs in fields.values() if theirs not in config]
    if missing:
        raise InputError(f"config.json lacks {', '.join(missing)}.", where=str(path))
    values = {ours: config[theirs] for ours, theirs in fields.items()}
    if values["activation"] not in _ACTIVATIONS:
        raise InputError(
            f"Activation {values['activation']!r} is not supported.",
            where=f"{path}, {fields['activation']}",
            fix=f"Supported: {', '.join(_ACTIVATIONS)}.",
        )
    values["activation"] = _ACTIVATIONS[values["activation"]]
    for ours, theirs in fields.items():
        _check_number(ours, values[ours], f"{path}, {theirs}")
    distilbert = family == EncoderFamily.DISTILBERT
    if distilbert:
        values |= {"type_vocab_size": 0, "norm_eps": _DISTILBERT_EPS}
    try:
        return EncoderSpec(
            family=family,
            position_offset=values["pad_id"] + 1 if family in _OFFSET_FAMILIES else 0,
            has_pooler=bool(config[_POOLER_FIELD])
            if _POOLER_FIELD in config
            else not distilbert,
            dtype=ComputeDtype.FLOAT32,
            **values,
        )
    except TypeError as error:
        raise InputError(
            f"A field has the wrong type: {error}.", where=str(path)
        ) from None
