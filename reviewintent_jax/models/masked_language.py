"""An encoder that is asked for hidden tokens: how encoders are pre-trained.

In: :class:`~reviewintent_jax.schema.MaskedBatch`. Out: logits over the vocabulary for
every hidden token (BERT: Devlin et al. 2019; RoBERTa and XLM-R have the same head).
"""

import dataclasses
from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp

from reviewintent_jax.models.activations import Activation, activate
from reviewintent_jax.models.encoder import Encoder, EncoderSpec
from reviewintent_jax.models.encoder_layer import Norm
from reviewintent_jax.models.encoder_spec import INITIAL_STD
from reviewintent_jax.schema import MaskedBatch


@dataclasses.dataclass(frozen=True)
class MaskedLanguageSpec:
    """What is pre-trained.

    Attributes:
      encoder: sizes and family of the encoder.
      block_tokens: tokens of a page that attention looks at together.
    """

    encoder: EncoderSpec
    block_tokens: int


class MaskedOutput(NamedTuple):
    """What the model computes.

    Attributes:
      hidden_btd: states of every token after the last layer.
      logits_buv: float32, of what stood in each place that is asked for.
    """

    hidden_btd: jax.Array
    logits_buv: jax.Array


class LanguageHead(nn.Module):
    """Dense, gelu, layer norm, and the encoder's own token table as the last layer."""

    spec: EncoderSpec

    @nn.compact
    def __call__(self, x_bud: jax.Array, table_vd: jax.Array) -> jax.Array:
        """``[..., d]`` and the token table -> float32 logits ``[..., v]``."""
        spec = self.spec
        dense = nn.Dense(
            spec.hidden_size,
            dtype=jnp.dtype(spec.dtype),
            kernel_init=nn.initializers.normal(INITIAL_STD),
            name="dense",
        )
        x_bud = Norm(spec, name="norm")(activate(Activation.GELU, dense(x_bud)))
        bias_v = self.param("bias", nn.initializers.zeros, (spec.vocab_size,))
        table_vd = table_vd.astype(x_bud.dtype)
        logits_buv = jnp.einsum("...d,vd->...v", x_bud, table_vd)
        logits_buv = logits_buv.astype(jnp.float32)
        return logits_buv + jnp.expand_dims(bias_v, range(logits_buv.ndim - 1))


class MaskedLanguage(nn.Module):
    """Encoder and head; parameters ``encoder`` and ``lm_head``."""

    spec: MaskedLanguageSpec

    def setup(self) -> None:
        """Names the parts; the names are the top level of the parameter tree."""
        self.encoder = Encoder(self.spec.encoder, self.spec.block_tokens)
        self.lm_head = LanguageHead(self.spec.encoder)

    def __call__(self, batch: MaskedBatch, *, deterministic: bool) -> MaskedOutput:
        """Logits of all places that are asked for; those without a target too.

        Args:
          batch: pages with hidden tokens; the targets are not read.
          deterministic: True turns dropout off; otherwise the ``dropout`` key is used.
        """
        hidden_btd = self.encoder(
            jnp.asarray(batch.token_ids_bt),
            jnp.asarray(batch.segment_ids_bt),
            jnp.asarray(batch.position_ids_bt),
            deterministic=deterministic,
        ).hidden_btd
        place_bu = jnp.asarray(batch.place_bu)
        asked_bud = jnp.take_along_axis(hidden_btd, place_bu[..., None], axis=-2)
        params: Any = self.encoder.variables["params"]
        table_vd = params["embeddings"]["token"]["embedding"]
        return MaskedOutput(hidden_btd, self.lm_head(asked_bud, table_vd))
