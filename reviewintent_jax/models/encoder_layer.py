"""One layer of the text encoder, and the parts it is made of.

In: states of tokens, all leading axes folded into one axis ``t``, and the segment of
every token. Out: states after the layer. The parts end with a product whose bias was
not added yet: whoever comes next adds it on the way.
"""

import flax.linen as nn
import jax
import jax.numpy as jnp

from reviewintent_jax.models import attention
from reviewintent_jax.models.activations import activate
from reviewintent_jax.models.attention_kernels import (
    BlockAttention,
    attend_blocks,
    fits_blocks,
)
from reviewintent_jax.models.attention_paths import attend_by
from reviewintent_jax.models.dropout import Dropout, kept, key_words
from reviewintent_jax.models.encoder_spec import (
    INITIAL_STD,
    AttentionPath,
    ComputeDtype,
    EncoderSpec,
    EpiloguePath,
)
from reviewintent_jax.models.norm_kernels import (
    AddNorm,
    add_and_normalise,
    fits_rows,
)

_PROJECTIONS = ("query", "key", "value")


def dense(spec: EncoderSpec, features: int, name: str | None = None) -> nn.Dense:
    """A dense layer with the encoder's first weights and compute dtype."""
    return nn.Dense(
        features,
        dtype=jnp.dtype(spec.dtype),
        kernel_init=nn.initializers.normal(INITIAL_STD),
        name=name,
    )


_Product = tuple[jax.Array, jax.Array]
"""Of a dense layer, and its bias ``[f]``, which was not added yet."""


class Norm(nn.Module):
    """Layer norm over features in float32, returned in the compute dtype."""

    spec: EncoderSpec

    def setup(self) -> None:
        """Names the parameters."""
        shape = (self.spec.hidden_size,)
        self.scale_d = self.param("scale", nn.initializers.ones, shape)
        self.bias_d = self.param("bias", nn.initializers.zeros, shape)

    def __call__(self, x_td: jax.Array) -> jax.Array:
        """``[..., d]`` -> the same shape (Ba et al. 2016)."""
        x_td = x_td.astype(jnp.float32)
        centred_td = x_td - x_td.mean(axis=-1, keepdims=True)
        variance = jnp.square(centred_td).mean(axis=-1, keepdims=True)
        normal_td = centred_td * jax.lax.rsqrt(variance + self.spec.norm_eps)
        axes = range(x_td.ndim - 1)
        result = normal_td * jnp.expand_dims(self.scale_d, axes) + jnp.expand_dims(
            self.bias_d, axes
        )
        return result.astype(self.spec.dtype)

    def of_sum(
        self, x_td: jax.Array, added: _Product, drop: Dropout, *, deterministic: bool
    ) -> jax.Array:
        """The end of a sub-layer: ``norm(x + drop(product + bias))``, ``[t, d]``."""
        product_td, bias_d = added
        kernel = self.spec.epilogues is EpiloguePath.KERNEL
        alike = x_td.dtype == product_td.dtype
        if not (kernel and alike and fits_rows(x_td.shape[-1])):
            added_td = drop(product_td + bias_d[None], deterministic=deterministic)
            return self(x_td + added_td)
        rate, words = 0.0, jnp.zeros(2, jnp.uint32)
        if not deterministic and drop.rate:
            rate, words = drop.rate, drop.words()
        return add_and_normalise(
            AddNorm(self.spec.norm_eps, rate),
            x_td,
            product_td,
            bias_d,
            self.scale_d,
            self.bias_d,
            words,
        )


class DenseParts(nn.Module):
    """Parameters of a dense layer, for who multiplies and adds on his own.

    Attributes:
      features: f, of the layer's result.
      dtype: that it is computed in.
    """

    features: int
    dtype: ComputeDtype

    @nn.compact
    def __call__(self, width: int) -> tuple[jax.Array, jax.Array]:
        """Kernel ``[width, f]`` and bias ``[f]``, in the compute dtype."""
        init, dtype = nn.initializers.normal(INITIAL_STD), jnp.dtype(self.dtype)
        kernel = self.param("kernel", init, (width, self.features))
        bias_f = self.param("bias", nn.initializers.zeros, (self.features,))
        return kernel.astype(dtype), bias_f.astype(dtype)

    def product(self, x: jax.Array) -> _Product:
        """``[..., d]`` -> ``[..., f]``, and the bias."""
        kernel, bias_f = self(x.shape[-1])
        return x.astype(kernel.dtype) @ kernel, bias_f


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
    ) -> _Product:
        """``[t, d]`` and ``[t]`` -> what the sub-layer adds."""
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
                dense(spec, spec.hidden_size, name)(x_td).reshape(split).swapaxes(1, 2)
                for name in _PROJECTIONS
            )
            context_ghie = self._heads_first(tuple(given_ghie), segment_ids_gi, key)
            context_gihe = context_ghie.swapaxes(1, 2)
        context_td = context_gihe.reshape(x_td.shape)
        output = DenseParts(spec.hidden_size, spec.dtype, name="output")
        return output.product(context_td)

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
        width, dtype = self.spec.hidden_size, self.spec.dtype
        found = [DenseParts(width, dtype, name=name)(width) for name in _PROJECTIONS]
        kernels, biases = zip(*found, strict=True)
        # One product, and one for the gradient of what it read.
        product = x_td.astype(kernels[0].dtype) @ jnp.concatenate(kernels, axis=1)
        groups, tokens, heads, size = split
        product_gi3he = product.reshape(groups, tokens, 3, heads, size)
        biases_3he = jnp.stack(biases).reshape(3, heads, size)
        choice = BlockAttention(rate)
        return attend_blocks(choice, product_gi3he, biases_3he, segment_ids_gi, words)

    def _heads_first(
        self, given: tuple, segment_ids_gi: jax.Array, key: jax.Array | None
    ) -> jax.Array:
        """Attention where they stand before tokens, ``[g, h, i, e]``."""
        query_ghie, key_ghie, value_ghie = given
        if self.spec.attention in (AttentionPath.XLA, AttentionPath.KERNEL):
            drop = None
            if key is not None:
                shape = (*query_ghie.shape[:3], self.block_tokens)
                drop = kept(key, shape, self.spec.attention_dropout)
            mask_gij = attention.segment_mask(segment_ids_gi)
            return attention.attend(query_ghie, key_ghie, value_ghie, mask_gij, drop)
        path = self.spec.attention
        return attend_by(path, query_ghie, key_ghie, value_ghie, segment_ids_gi)


class FeedForward(nn.Module):
    """Two dense layers with the activation between them."""

    spec: EncoderSpec

    @nn.compact
    def __call__(self, x_td: jax.Array) -> _Product:
        """``[t, d]`` -> what the sub-layer adds."""
        spec = self.spec
        up = DenseParts(spec.intermediate_size, spec.dtype, name="up")
        down = DenseParts(spec.hidden_size, spec.dtype, name="down")
        product_tf, bias_f = up.product(x_td)
        return down.product(activate(spec.activation, product_tf + bias_f[None]))


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
        added = attend(x_td, segment_ids_t, deterministic=deterministic)
        drop = Dropout(spec.attention_output_dropout)
        norm = Norm(spec, name="attention_norm")
        x_td = norm.of_sum(x_td, added, drop, deterministic=deterministic)
        added = FeedForward(spec, name="feed_forward")(x_td)
        drop = Dropout(spec.hidden_dropout)
        norm = Norm(spec, name="output_norm")
        return norm.of_sum(x_td, added, drop, deterministic=deterministic)
