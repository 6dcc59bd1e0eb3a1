"""What sets one text encoder apart from another, as plain data.

In: values from a checkpoint's config.json or from a test. Out: a checked, frozen spec.
"""

import dataclasses
import enum

from reviewintent_jax.models.activations import Activation
from reviewintent_jax.schema import InputError

INITIAL_STD = 0.02
"""Standard deviation of random weights (Devlin et al.), used without a checkpoint."""


class EncoderFamily(enum.StrEnum):
    """Named as ``model_type`` in Hugging Face's config.json."""

    BERT = "bert"
    ROBERTA = "roberta"
    XLM_ROBERTA = "xlm-roberta"
    DISTILBERT = "distilbert"


class ComputeDtype(enum.StrEnum):
    """Type of activations; parameters, softmax and layer norm are float32 always."""

    FLOAT32 = "float32"
    BFLOAT16 = "bfloat16"


class AttentionPath(enum.StrEnum):
    """What computes attention; the same numbers, up to rounding."""

    XLA = "xla"  # our own products and softmax, on any device
    CUDNN = "cudnn"  # cuDNN with a mask, on NVIDIA GPUs
    CUDNN_LENGTHS = "cudnn_lengths"  # cuDNN with lengths: one segment a block only
    PALLAS = "pallas"  # JAX's Pallas kernel that reads segments, on NVIDIA GPUs
    KERNEL = "kernel"  # our kernel for short blocks, on NVIDIA GPUs; else as xla


class EpiloguePath(enum.StrEnum):
    """What computes the end of a sub-layer, after its last product: bias, dropout, sum
    and layer norm. The same numbers, up to rounding.
    """

    XLA = "xla"  # on any device
    KERNEL = "kernel"  # our kernel, on an NVIDIA GPU; else as xla


@dataclasses.dataclass(frozen=True)
class EncoderSpec:
    """Everything that sets one encoder apart from another.

    Attributes:
      family: where dropout stands and how the weights are named.
      vocab_size: rows of the token table, > 0.
      hidden_size: features of a token, a multiple of ``num_heads``.
      num_layers: transformer layers, > 0.
      num_heads: attention heads, > 0.
      intermediate_size: features between the two feed-forward layers, > 0.
      max_positions: rows of the position table, > ``position_offset``.
      position_offset: row of a segment's first token: 0, or pad_id + 1 (RoBERTa).
      type_vocab_size: rows of the token-type table; 0 for none (DistilBERT).
      norm_eps: added to the variance in layer norm, > 0.
      activation: between the two feed-forward layers.
      hidden_dropout: rate on embeddings and on what a sub-layer adds, in [0, 1).
      attention_dropout: rate on attention probabilities, in [0, 1).
      pad_id: the padding token, in [0, vocab_size).
      has_pooler: whether there is a dense tanh layer over first tokens.
      dtype: type of activations.
      attention: what computes attention. All but ``xla`` and ``kernel`` know no
        dropout of probabilities, so ``attention_dropout`` must be 0 with them.
      epilogues: what computes the end of a sub-layer, after its last product.
    """

    family: EncoderFamily
    vocab_size: int
    hidden_size: int
    num_layers: int
    num_heads: int
    intermediate_size: int
    max_positions: int
    position_offset: int
    type_vocab_size: int
    norm_eps: float
    activation: Activation
    hidden_dropout: float
    attention_dropout: float
    pad_id: int
    has_pooler: bool
    dtype: ComputeDtype
    attention: AttentionPath = AttentionPath.XLA
    epilogues: EpiloguePath = EpiloguePath.XLA

    def __post_init__(self) -> None:
        for name, kind in _ENUM_FIELDS.items():
            value = getattr(self, name)
            _require(
                value in list(kind), f"{name} {value!r}: one of {list(map(str, kind))}"
            )
            object.__setattr__(self, name, kind(value))
        for name in _POSITIVE_FIELDS:
            _require(getattr(self, name) > 0, f"{name} must be above 0")
        for name in ("hidden_dropout", "attention_dropout"):
            _require(0 <= getattr(self, name) < 1, f"{name} must be in [0, 1)")
        _require(
            self.hidden_size % self.num_heads == 0,
            f"hidden_size {self.hidden_size} is no multiple of {self.num_heads} heads",
        )
        _require(
            0 <= self.position_offset < self.max_positions,
            "position_offset must be in [0, max_positions)",
        )
        _require(
            self.attention in _DROPPING or self.attention_dropout == 0,
            f"attention {self.attention} knows no dropout; set attention_dropout to 0",
        )
        _require(self.type_vocab_size >= 0, "type_vocab_size must not be below 0")
        _require(
            0 <= self.pad_id < self.vocab_size, "pad_id must be in [0, vocab_size)"
        )

    @property
    def max_tokens(self) -> int:
        """Tokens that the longest segment may have."""
        return self.max_positions - self.position_offset

    @property
    def attention_output_dropout(self) -> float:
        """Dropout rate on what attention adds: DistilBERT alone has none there."""
        return 0.0 if self.family == EncoderFamily.DISTILBERT else self.hidden_dropout


_DROPPING = (AttentionPath.XLA, AttentionPath.KERNEL)
_ENUM_FIELDS = {
    "family": EncoderFamily,
    "activation": Activation,
    "dtype": ComputeDtype,
    "attention": AttentionPath,
    "epilogues": EpiloguePath,
}
_POSITIVE_FIELDS = (
    "vocab_size",
    "hidden_size",
    "num_layers",
    "num_heads",
    "intermediate_size",
    "norm_eps",
)


def _require(fine: bool, what: str) -> None:
    if not fine:
        raise InputError(f"Impossible encoder: {what}.", where="EncoderSpec")
