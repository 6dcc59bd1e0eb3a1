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

from reviewintent_jax.models import attention
from reviewintent_jax.models.activations import Activation, activate
from reviewintent_jax.models.attention_kernels import (
    BlockAttention,
    Projected,
    attend_blocks,
    fits_blocks,
)
from reviewintent_jax.models.attention_paths import attend_by
from reviewintent_jax.models.dropout import Dropout, kept, key_words
from reviewintent_jax.models.encoder_spec import (
    INITIAL_STD,
    AttentionPath,
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


_PROJECTIONS = ("query", "key", "value")


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


def _dense(spec: EncoderSpec, features: int, name: str | None = None) -> nn.Dense:
    return nn.Dense(
        features,
        dtype=jnp.dtype(spec.dtype),
        kernel_init=nn.initializers.normal(INITIAL_STD),
        name=name,
    )


def _table(spec: EncoderSpec, rows: int, name: str) -> nn.Embed:
    init = nn.initializers.normal(INITIAL_STD)
    return nn.Embed(rows, spec.hidden_size, embedding_init=init, name=name)


class Norm(nn.Module):
    """Layer norm over features in float32, returned in the compute dtype."""

    spec: EncoderSpec

    @nn.compact
    def __call__(self, x_td: jax.Array) -> jax.Array:
        """``[..., d]`` -> the same shape (Ba et al. 2016)."""
        shape = (self.spec.hidden_size,)
        scale_d = self.param("scale", nn.initializers.ones, shape)
        bias_d = self.param("bias", nn.initializers.zeros, shape)
        x_td = x_td.astype(jnp.float32)
        centred_td = x_td - x_td.mean(axis=-1, keepdims=True)
        variance = jnp.square(centred_td).mean(axis=-1, keepdims=True)
        normal_td = centred_td * jax.lax.rsqrt(variance + self.spec.norm_eps)
        axes = range(x_td.ndim - 1)
        result = normal_td * jnp.expand_dims(scale_d, axes) + jnp.expand_dims(
            bias_d, axes
        )
        return result.astype(self.spec.dtype)


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


class Projection(nn.Module):
    """A dense layer that leaves its bias to who reads it; parameters as of a dense one.

    Attributes:
      spec: the encoder's.
    """

    spec: EncoderSpec

    @nn.compact
    def __call__(self, x_td: jax.Array) -> tuple[jax.Array, jax.Array]:
        """``[t, d]`` -> the product ``[t, d]`` and the bias ``[d]``."""
        width, dtype = self.spec.hidden_size, jnp.dtype(self.spec.dtype)
        init = nn.initializers.normal(INITIAL_STD)
        kernel = self.param("kernel", init, (x_td.shape[-1], width))
        bias_d = self.param("bias", nn.initializers.zeros, (width,))
        return x_td.astype(dtype) @ kernel.astype(dtype), bias_d.astype(dtype)


class SelfAttention(nn.Module):
    """Multi-head attention of every token over its own segment.

    Attributes:
      spec: the encoder's.
      block_tokens: attention happens inside blocks of this many tokens.
    """

    spec: EncoderSpec
    block_tokens: int

    @nn.compact
    def __call__(
        self, x_td: jax.Array, segment_ids_t: jax.Array, *, deterministic: bool
    ) -> jax.Array:
        """``[t, d]`` and ``[t]`` -> what the sub-layer adds, ``[t, d]``."""
        spec = self.spec
        size = spec.hidden_size // spec.num_heads
        split = -1, self.block_tokens, spec.num_heads, size
        segment_ids_gi = segment_ids_t.reshape(-1, self.block_tokens)
        key = None
        if not deterministic and spec.attention_dropout > 0:
            key = self.make_rng("dropout")
        kernel = spec.attention is AttentionPath.KERNEL
        if kernel and fits_blocks(self.block_tokens, size, spec.dtype):
            context_gihe = self._by_kernel(x_td, split, segment_ids_gi, key)
        else:
            given_ghie = (
                _dense(spec, spec.hidden_size, name)(x_td).reshape(split).swapaxes(1, 2)
                for name in _PROJECTIONS
            )
            given = Projected(*given_ghie)
            context_ghie = self._heads_first(given, segment_ids_gi, key)
            context_gihe = context_ghie.swapaxes(1, 2)
        context_td = context_gihe.reshape(x_td.shape)
        return _dense(spec, spec.hidden_size, "output")(context_td)

    def _by_kernel(
        self,
        x_td: jax.Array,
        split: tuple[int, ...],
        segment_ids_gi: jax.Array,
        key: jax.Array | None,
    ) -> jax.Array:
        """Attention where heads stand behind tokens, ``[g, i, h, e]``."""
        rate, words = 0.0, jnp.zeros(2, jnp.uint32)
        if key is not None:
            rate, words = self.spec.attention_dropout, jnp.stack(key_words(key))
        products, biases = [], []
        for name in _PROJECTIONS:
            product, bias = Projection(self.spec, name=name)(x_td)
            products.append(product.reshape(split))
            biases.append(bias.reshape(split[2:]))
        given, shift = Projected(*products), Projected(*biases)
        return attend_blocks(BlockAttention(rate), given, shift, segment_ids_gi, words)

    def _heads_first(
        self, given: Projected, segment_ids_gi: jax.Array, key: jax.Array | None
    ) -> jax.Array:
        """Attention where they stand before tokens, ``[g, h, i, e]``."""
        if self.spec.attention in (AttentionPath.XLA, AttentionPath.KERNEL):
            drop = None
            if key is not None:
                shape = (*given.query.shape[:3], self.block_tokens)
                drop = kept(key, shape, self.spec.attention_dropout)
            mask_gij = attention.segment_mask(segment_ids_gi)
            return attention.attend(given.query, given.key, given.value, mask_gij, drop)
        path = self.spec.attention
        return attend_by(path, given.query, given.key, given.value, segment_ids_gi)


class FeedForward(nn.Module):
    """Two dense layers with the activation between them."""

    spec: EncoderSpec

    @nn.compact
    def __call__(self, x_td: jax.Array) -> jax.Array:
        """``[..., d]`` -> what the sub-layer adds, the same shape."""
        spec = self.spec
        wide_tf = _dense(spec, spec.intermediate_size, "up")(x_td)
        return _dense(spec, spec.hidden_size, "down")(
            activate(spec.activation, wide_tf)
        )


class Layer(nn.Module):
    """Attention, then feed-forward; each is added to its input and normalised."""

    spec: EncoderSpec
    block_tokens: int

    @nn.compact
    def __call__(
        self, x_td: jax.Array, segment_ids_t: jax.Array, *, deterministic: bool
    ) -> jax.Array:
        """``[t, d]`` and ``[t]`` -> ``[t, d]``."""
        spec = self.spec
        attend = SelfAttention(spec, self.block_tokens, name="attention")
        added_td = attend(x_td, segment_ids_t, deterministic=deterministic)
        drop = Dropout(spec.attention_output_dropout)
        added_td = drop(added_td, deterministic=deterministic)
        x_td = Norm(spec, name="attention_norm")(x_td + added_td)
        added_td = FeedForward(spec, name="feed_forward")(x_td)
        drop = Dropout(spec.hidden_dropout)
        added_td = drop(added_td, deterministic=deterministic)
        return Norm(spec, name="output_norm")(x_td + added_td)


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
            self.pooler = _dense(self.spec, self.spec.hidden_size)

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
