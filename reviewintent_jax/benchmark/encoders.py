"""Sizes of well-known encoders, for planning without their files.

As their ``config.json`` on the Hugging Face hub has them. Activations are bfloat16.
"""

from reviewintent_jax.models.activations import Activation
from reviewintent_jax.models.encoder_spec import (
    ComputeDtype,
    EncoderFamily,
    EncoderSpec,
)


def _encoder(
    family: EncoderFamily, vocabulary: int, layers: int, width: int, heads: int
) -> EncoderSpec:
    """An encoder of BERT's proportions: feed-forward layers four times as wide."""
    roberta = family is EncoderFamily.XLM_ROBERTA
    return EncoderSpec(
        family=family,
        vocab_size=vocabulary,
        hidden_size=width,
        num_layers=layers,
        num_heads=heads,
        intermediate_size=4 * width,
        max_positions=514 if roberta else 512,
        position_offset=2 if roberta else 0,
        type_vocab_size=1 if roberta else 2,
        norm_eps=1e-5 if roberta else 1e-12,
        activation=Activation.GELU,
        hidden_dropout=0.1,
        attention_dropout=0.1,
        pad_id=1 if roberta else 0,
        has_pooler=False,
        dtype=ComputeDtype.BFLOAT16,
    )


ENCODERS = {
    "BERT-base": _encoder(EncoderFamily.BERT, 30_522, 12, 768, 12),
    "BERT-large": _encoder(EncoderFamily.BERT, 30_522, 24, 1_024, 16),
    "XLM-R-large": _encoder(EncoderFamily.XLM_ROBERTA, 250_002, 24, 1_024, 16),
}
