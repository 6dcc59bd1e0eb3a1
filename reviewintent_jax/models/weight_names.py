"""How Hugging Face names the weights of each family, as one table per family.

In: an ``EncoderSpec``. Out: for every name in a checkpoint, our parameter's path and
whether the matrix is transposed (PyTorch keeps ``[out, in]``, linen ``[in, out]``).

Example, for BERT::

    encoder.layer.3.attention.self.query.weight
      -> layer_3/attention/query/kernel, transposed
"""

import enum
import re
from typing import NamedTuple

from reviewintent_jax.models.encoder_spec import EncoderFamily, EncoderSpec


class Part(enum.StrEnum):
    """What kind of module a row of the table speaks of."""

    DENSE = "dense"
    NORM = "norm"
    TABLE = "table"
    TYPES = "types"
    POOLER = "pooler"


class Target(NamedTuple):
    """Where a weight goes: path in the parameter tree, and whether it is turned."""

    path: str
    transposed: bool


_LEAVES = {
    "dense": {"weight": Target("kernel", True), "bias": Target("bias", False)},
    "norm": {"weight": Target("scale", False), "bias": Target("bias", False)},
    "table": {"weight": Target("embedding", False)},
}
_KIND = {
    Part.DENSE: "dense",
    Part.NORM: "norm",
    Part.TABLE: "table",
    Part.TYPES: "table",
    Part.POOLER: "dense",
}

_EMBEDDINGS = (
    ("embeddings.word_embeddings", "embeddings/token", Part.TABLE),
    ("embeddings.position_embeddings", "embeddings/position", Part.TABLE),
    ("embeddings.token_type_embeddings", "embeddings/type", Part.TYPES),
    ("embeddings.LayerNorm", "embeddings/norm", Part.NORM),
)

_BERT = (
    *_EMBEDDINGS,
    ("encoder.layer.*.attention.self.query", "layer_*/attention/query", Part.DENSE),
    ("encoder.layer.*.attention.self.key", "layer_*/attention/key", Part.DENSE),
    ("encoder.layer.*.attention.self.value", "layer_*/attention/value", Part.DENSE),
    ("encoder.layer.*.attention.output.dense", "layer_*/attention/output", Part.DENSE),
    ("encoder.layer.*.attention.output.LayerNorm", "layer_*/attention_norm", Part.NORM),
    ("encoder.layer.*.intermediate.dense", "layer_*/feed_forward/up", Part.DENSE),
    ("encoder.layer.*.output.dense", "layer_*/feed_forward/down", Part.DENSE),
    ("encoder.layer.*.output.LayerNorm", "layer_*/output_norm", Part.NORM),
    ("pooler.dense", "pooler", Part.POOLER),
)

_DISTILBERT = (
    *_EMBEDDINGS,
    ("transformer.layer.*.attention.q_lin", "layer_*/attention/query", Part.DENSE),
    ("transformer.layer.*.attention.k_lin", "layer_*/attention/key", Part.DENSE),
    ("transformer.layer.*.attention.v_lin", "layer_*/attention/value", Part.DENSE),
    ("transformer.layer.*.attention.out_lin", "layer_*/attention/output", Part.DENSE),
    ("transformer.layer.*.sa_layer_norm", "layer_*/attention_norm", Part.NORM),
    ("transformer.layer.*.ffn.lin1", "layer_*/feed_forward/up", Part.DENSE),
    ("transformer.layer.*.ffn.lin2", "layer_*/feed_forward/down", Part.DENSE),
    ("transformer.layer.*.output_layer_norm", "layer_*/output_norm", Part.NORM),
)


class Naming(NamedTuple):
    """One family's names.

    Attributes:
      prefix: what task models (``BertForMaskedLM``, ...) put before every name.
      rows: name with ``*`` for the layer, our path with the same, and the part.
      architecture: the PyTorch class that reads exactly these names.
    """

    prefix: str
    rows: tuple[tuple[str, str, Part], ...]
    architecture: str


NAMING = {
    EncoderFamily.BERT: Naming("bert.", _BERT, "BertModel"),
    EncoderFamily.ROBERTA: Naming("roberta.", _BERT, "RobertaModel"),
    EncoderFamily.XLM_ROBERTA: Naming("roberta.", _BERT, "XLMRobertaModel"),
    EncoderFamily.DISTILBERT: Naming("distilbert.", _DISTILBERT, "DistilBertModel"),
}

IGNORED = tuple(
    re.compile(pattern)
    for pattern in (
        r"embeddings\.position_ids$",  # a buffer: 0, 1, 2, ...
        r"embeddings\.token_type_ids$",  # a buffer of zeros
        r"cls\.",  # BERT's masked-language and next-sentence heads
        r"lm_head\.",  # RoBERTa's masked-language head
        r"vocab_(transform|layer_norm|projector)\.",  # DistilBERT's
        r"(pre_)?classifier\.",  # heads of fine-tuned task models
        r"qa_outputs\.",
    )
)
"""Weights of a checkpoint that are no part of the encoder; all others must fit."""

_OLD_ENDINGS = {".gamma": ".weight", ".beta": ".bias"}


def plain_name(family: EncoderFamily, name: str) -> str | None:
    """The name without prefix and with today's ending; None when it is ignored.

    ``bert.embeddings.LayerNorm.gamma`` -> ``embeddings.LayerNorm.weight``
    """
    name = name.removeprefix(NAMING[family].prefix)
    if any(pattern.match(name) for pattern in IGNORED):
        return None
    for old, new in _OLD_ENDINGS.items():
        if name.endswith(f"LayerNorm{old}"):
            return name.removesuffix(old) + new
    return name


def targets(spec: EncoderSpec) -> dict[str, Target]:
    """Every weight that a checkpoint of ``spec`` has, by its plain name."""
    result = {}
    for name, path, part in NAMING[spec.family].rows:
        if part == Part.TYPES and not spec.type_vocab_size:
            continue
        if part == Part.POOLER and not spec.has_pooler:
            continue
        layers = map(str, range(spec.num_layers)) if "*" in name else [""]
        for layer in layers:
            for leaf, (ours, transposed) in _LEAVES[_KIND[part]].items():
                full = f"{name.replace('*', layer)}.{leaf}"
                target = Target(f"{path.replace('*', layer)}/{ours}", transposed)
                result[full] = target
    return result
