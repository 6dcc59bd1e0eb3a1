"""How the states of a slot become its summary: three fusions of LSTNet, each a module.

In: states of every step of a page and where its slots end; out: ``fused_bkm``, one
vector for every slot. Each hears the steps of its own slot alone.
"""

from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from reviewintent_jax.models.dropout import Dropout
from reviewintent_jax.models.slots import last_steps


def _dense(features: int, dtype: Any, name: str, *, bias: bool = True) -> nn.Dense:
    init = nn.initializers.glorot_uniform()
    return nn.Dense(features, bias, dtype=dtype, kernel_init=init, name=name)


class SkipFusion(nn.Module):
    """LSTNet-skip: dense over the last GRU state and the last p skip states.

    The skip states come oldest first: the newest has a fixed place, last, and the
    places of states that a short slot does not have are zero.

    Attributes:
      features: size m of the fused vector.
      period: p; 0 where there are no skip states.
      dropout: probability of dropping a state's feature in training.
      dtype: of the matrix product; the answer is float32 always.
    """

    features: int
    period: int
    dropout: float
    dtype: Any = jnp.float32

    @nn.compact
    def __call__(
        self,
        recurrent_btr: Float[Array, "*b t r"],
        skip_btr: Float[Array, "*b t g"] | None,
        slot_end_bk: Int[Array, "*b k"],
        slot_length_bk: Int[Array, "*b k"],
        *,
        deterministic: bool,
    ) -> Float[Array, "*b k m"]:
        """Return the fused vector of every slot."""
        place = slot_end_bk, slot_length_bk
        last_bkr = last_steps(recurrent_btr, *place, 1)[..., 0, :]
        if skip_btr is not None:
            phases = last_steps(skip_btr, *place, self.period)
            phases = phases.reshape(*phases.shape[:-2], -1)
            last_bkr = jnp.concatenate([last_bkr, phases], axis=-1)
        dropped = Dropout(self.dropout)(last_bkr, deterministic=deterministic)
        fused_bkm = _dense(self.features, self.dtype, "dense")(dropped)
        return fused_bkm.astype(jnp.float32)


class AttentionFusion(nn.Module):
    """LSTNet-Attn (Lai et al. 2018, section 3.5): the last state asks all states::

        a_t = softmax_t(h_t . h_last / sqrt(r))    over the steps of the slot
        y   = W [sum_t a_t h_t, h_last] + b

    The paper leaves the similarity open (dot product, cosine or a small network) and
    its authors never released this model; here it is the scaled dot product.

    Attributes:
      features: size m of the fused vector.
      dropout: probability of dropping a state's feature in training.
      dtype: of the matrix products; weights and answer are float32 always.
    """

    features: int
    dropout: float
    dtype: Any = jnp.float32

    @nn.compact
    def __call__(
        self,
        recurrent_btr: Float[Array, "*b t r"],
        member_bkt: Bool[Array, "*b k t"],
        slot_end_bk: Int[Array, "*b k"],
        slot_length_bk: Int[Array, "*b k"],
        *,
        deterministic: bool,
    ) -> tuple[Float[Array, "*b k m"], Float[Array, "*b k t"]]:
        """Return the fused vector of every slot, and what it attended to.

        The weights of a slot's steps sum to 1; all are 0 where it has none.
        """
        last_bkr = last_steps(recurrent_btr, slot_end_bk, slot_length_bk, 1)[..., 0, :]
        states_btr = recurrent_btr.astype(self.dtype)
        score_bkt = jnp.einsum(
            "...kr,...tr->...kt",
            last_bkr.astype(self.dtype),
            states_btr,
            preferred_element_type=jnp.float32,
        )
        score_bkt = score_bkt / jnp.sqrt(float(recurrent_btr.shape[-1]))
        # A finite floor: with -inf a slot without steps would have no gradient.
        score_bkt = jnp.where(member_bkt, score_bkt, jnp.finfo(jnp.float32).min)
        weight_bkt = jnp.where(member_bkt, jax.nn.softmax(score_bkt, axis=-1), 0.0)
        context_bkr = jnp.einsum(
            "...kt,...tr->...kr",
            weight_bkt.astype(self.dtype),
            states_btr,
            preferred_element_type=jnp.float32,
        )
        both = jnp.concatenate([context_bkr, last_bkr], axis=-1)
        dropped = Dropout(self.dropout)(both, deterministic=deterministic)
        fused_bkm = _dense(self.features, self.dtype, "dense")(dropped)
        return fused_bkm.astype(jnp.float32), weight_bkt


class TrendFusion(nn.Module):
    """Equations 10 to 13 of the BERT-LSTNet paper, at the last step of every slot::

        z = W h                           trend, of the convolution's states h
        g = softmax(V tanh(U [h, s]))     attention gate; s are the LSTM's states
        y = z * g

    The paper names neither sizes nor the axis of the softmax: here U keeps the size m
    of the summary and the softmax is over its m features. As ``g`` sums to 1 over
    them, y is small at first: about 1/m of the trend.

    Attributes:
      features: size m of the fused vector.
      dropout: probability of dropping a state's feature in training.
      dtype: of the matrix products; gate and answer are float32 always.
    """

    features: int
    dropout: float
    dtype: Any = jnp.float32

    @nn.compact
    def __call__(
        self,
        convolved_btc: Float[Array, "*b t c"],
        recurrent_btr: Float[Array, "*b t r"],
        slot_end_bk: Int[Array, "*b k"],
        slot_length_bk: Int[Array, "*b k"],
        *,
        deterministic: bool,
    ) -> Float[Array, "*b k m"]:
        """Return the fused vector of every slot."""
        place = slot_end_bk, slot_length_bk
        h_bkc = last_steps(convolved_btc, *place, 1)[..., 0, :].astype(jnp.float32)
        s_bkr = last_steps(recurrent_btr, *place, 1)[..., 0, :]
        both = jnp.concatenate([h_bkc, s_bkr], axis=-1)
        both = Dropout(self.dropout)(both, deterministic=deterministic)
        h_bkc = both[..., : h_bkc.shape[-1]]
        trend_bkm = _dense(self.features, self.dtype, "trend", bias=False)(h_bkc)
        asked = jnp.tanh(_dense(self.features, self.dtype, "joint", bias=False)(both))
        gate = _dense(self.features, self.dtype, "gate", bias=False)(asked)
        gate_bkm = jax.nn.softmax(gate.astype(jnp.float32), axis=-1)
        return trend_bkm.astype(jnp.float32) * gate_bkm
