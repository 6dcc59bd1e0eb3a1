"""The text encoder: BERT, RoBERTa / XLM-R and DistilBERT as one module.

In: token, segment and position ids of packed pages. Out: hidden states of every token.

The families are the same network (Devlin et al. 2019: post-layer-norm transformer) and
differ in sizes and in what ``EncoderSpec`` lists; nothing here asks for a family but
``EncoderSpec`` itself.

Inside, all leading axes are folded into one axis ``t`` of tokens: dense layers on two
axes are the fast ones on CPU, and attention cuts the same axis into blocks.
"""

from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp

from reviewintent_jax.models.activations import Activation
from reviewintent_jax.models.dropout import Dropout
from reviewintent_jax.models.encoder_layer import Layer, Norm, dense
from reviewintent_jax.models.encoder_spec import (
    INITIAL_STD,
    ComputeDtype,
    EncoderFamily,
    EncoderSpec,
)
from reviewintent_jax.schema import InputError

__all__ = [
    "Activation",
    "ComputeDtype",
    "Encoder",
    "EncoderFamily",
    "EncoderOutput",
    "EncoderSpec",
    "narrow_kernels",
]


class EncoderOutput(NamedTuple):
    """What the encoder computes; the leading axes are those of the ids.

    Attributes:
      hidden_btd: states of every token after the last layer, in the compute dtype.
        Padding gets finite values without meaning.
      layers: the embeddings, then the states after each layer; the last is hidden_btd.
    """

    hidden_btd: jax.Array
    layers: tuple[jax.Array, ...]


def narrow_kernels(params: Any, dtype: ComputeDtype) -> Any:
    """The encoder's parameters with dense kernels in the type they are multiplied in.

    For answering: the same answers, from half the bytes. Learning wants float32.
    """

    def narrow(path: tuple, leaf: jax.Array) -> jax.Array:
        kernel = getattr(path[-1], "key", None) == "kernel"
        return leaf.astype(jnp.dtype(dtype)) if kernel else leaf

    return jax.tree_util.tree_map_with_path(narrow, params)


def _table(spec: EncoderSpec, rows: int, name: str) -> nn.Embed:
    init = nn.initializers.normal(INITIAL_STD)
    return nn.Embed(rows, spec.hidden_size, embedding_init=init, name=name)


class Embeddings(nn.Module):
    """Token + position + type, normalised."""

    spec: EncoderSpec

    @nn.compact
    def __call__(
        self,
        token_ids_t: jax.Array,
        position_ids_t: jax.Array,
        type_ids_t: jax.Array | None,
        *,
        deterministic: bool,
    ) -> jax.Array:
        """Ids ``[...]`` -> ``[..., d]``."""
        spec = self.spec
        sum_td = _table(spec, spec.vocab_size, "token")(token_ids_t)
        positions = _table(spec, spec.max_positions, "position")
        sum_td += positions(position_ids_t + spec.position_offset)
        if spec.type_vocab_size:
            # One of two or three rows: a product, whose gradient is no scatter.
            types = _table(spec, spec.type_vocab_size, "type")
            if type_ids_t is None:
                type_ids_t = jnp.zeros_like(token_ids_t)
            sum_td += jax.nn.one_hot(type_ids_t, spec.type_vocab_size) @ types.embedding
        elif type_ids_t is not None:
            raise InputError(
                f"{spec.family} has no token types, yet type ids were given."
            )
        embedded_td = Norm(spec, name="norm")(sum_td)
        drop = Dropout(spec.hidden_dropout)
        return drop(embedded_td, deterministic=deterministic)


class Encoder(nn.Module):
    """The whole encoder, over pages with any leading axes.

    Attributes:
      spec: which encoder.
      block_tokens: pages are cut into blocks of this many tokens and no segment may
        cross a cut, so that the cost of attention does not grow with the page.
    """

    spec: EncoderSpec
    block_tokens: int

    def setup(self) -> None:
        """Name the parts; the names are the paths of the parameters."""
        self.embeddings = Embeddings(self.spec)
        # Layers differ in their numbers alone: one is traced, and all are made of it.
        traced_once = nn.jit(Layer, static_argnames=("deterministic",))
        self.layer = [
            traced_once(self.spec, self.block_tokens)
            for _ in range(self.spec.num_layers)
        ]
        if self.spec.has_pooler:
            self.pooler = dense(self.spec, self.spec.hidden_size)

    def __call__(
        self,
        token_ids_bt: jax.Array,
        segment_ids_bt: jax.Array,
        position_ids_bt: jax.Array,
        type_ids_bt: jax.Array | None = None,
        *,
        deterministic: bool,
    ) -> EncoderOutput:
        """Encode pages; see ``schema.PageBatch`` for a worked example of the ids.

        Args:
          token_ids_bt: vocabulary entries, in [0, vocab_size).
          segment_ids_bt: tokens see one another where these are equal and not 0.
          position_ids_bt: position inside the segment, from 0, below ``max_tokens``;
            one out of range gives NaN.
          type_ids_bt: token types; None for all 0.
          deterministic: False draws dropout from the ``dropout`` random stream.

        Raises:
          InputError: when t is no multiple of ``block_tokens``.
        """
        embedded_btd = self.embed(
            token_ids_bt, position_ids_bt, type_ids_bt, deterministic=deterministic
        )
        output = self.transform(
            embedded_btd, segment_ids_bt, deterministic=deterministic
        )
        if self.is_initializing() and self.spec.has_pooler:
            self.pool(output.hidden_btd[..., :1, :])
        return output

    def embed(
        self,
        token_ids_bt: jax.Array,
        position_ids_bt: jax.Array,
        type_ids_bt: jax.Array | None = None,
        *,
        deterministic: bool,
    ) -> jax.Array:
        """The embeddings, ``[..., t, d]``: the first half of ``__call__``."""
        flat = None if type_ids_bt is None else type_ids_bt.reshape(-1)
        embedded_td = self.embeddings(
            token_ids_bt.reshape(-1),
            position_ids_bt.reshape(-1),
            flat,
            deterministic=deterministic,
        )
        return embedded_td.reshape(*token_ids_bt.shape, -1)

    def transform(
        self, embedded_btd: jax.Array, segment_ids_bt: jax.Array, *, deterministic: bool
    ) -> EncoderOutput:
        """All layers over given embeddings: the second half of ``__call__``."""
        if segment_ids_bt.shape[-1] % self.block_tokens:
            raise InputError(
                f"Pages of {segment_ids_bt.shape[-1]} tokens cannot be cut into blocks "
                f"of {self.block_tokens}.",
                fix="Make the page length a multiple of the block length.",
            )
        x_td = embedded_btd.reshape(-1, embedded_btd.shape[-1])
        segment_ids_t = segment_ids_bt.reshape(-1)
        layers = [embedded_btd]
        for layer in self.layer:
            x_td = layer(x_td, segment_ids_t, deterministic=deterministic)
            layers.append(x_td.reshape(embedded_btd.shape))
        return EncoderOutput(hidden_btd=layers[-1], layers=tuple(layers))

    def pool(self, hidden_bkd: jax.Array) -> jax.Array:
        """BERT's pooler over first tokens: ``tanh(dense(hidden))``, ``[..., d]``."""
        if not self.spec.has_pooler:
            raise InputError(
                "This encoder has no pooler.", fix="Pool hidden states instead."
            )
        return jnp.tanh(self.pooler(hidden_bkd))
