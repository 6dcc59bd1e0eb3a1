"""LSTNet (Lai et al., SIGIR 2018) over packed slots: ``x_btd`` -> ``summary_bkm``.

Stage: after the encoder. In: features of every step of a page, and where its slots are;
out: one summary for every slot. A slot is one series: the tokens of a review, the past
reviews of a shopper, a window of numbers. Slots of one page never see each other, so
the answer for a slot is the one it would get alone on a page of its own, and a padded
batch is the case of one slot a page.

Everything below hangs on one array, the position of each step within its slot::

    slot_start [0, 4]  slot_length [3, 2]  page of 7 steps
    position_bt  [0, 1, 2, -1, 0, 1, -1]           -1 where the step is padding

Tap i of the convolution counts where ``position >= i``; the GRU starts afresh where
``position < 1``, and the skip-GRU of period p where ``position < p``.
"""

from typing import Any, NamedTuple

import flax.linen as nn
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from reviewintent_jax.models.dropout import Dropout
from reviewintent_jax.models.fusion import AttentionFusion, SkipFusion, TrendFusion
from reviewintent_jax.models.lstnet_spec import Fusion, LSTNetSpec, Padding
from reviewintent_jax.models.recurrent import GRU, LSTM
from reviewintent_jax.models.slots import slot_ages, slot_members, slot_positions


class LSTNetOutput(NamedTuple):
    """Everything an LSTNet computes; jit drops what nobody reads.

    Attributes:
      summary_bkm: float32 summary of every slot, ``fused + highway``; 0 where empty.
      fused_bkm: float32, the part that comes from the recurrent states.
      highway_bkm: float32, the linear part; 0 where there is no highway.
      convolved_btc: convolution states of every step; 0 on padding.
      recurrent_btr: float32 states of the last recurrent layer; 0 on padding.
      skip_btr: float32 states of the skip-GRU; None where there is none.
      weight_bkt: float32 share of each step in its slot's context, in [0, 1], summing
        to 1; None unless the fusion is ``attention``.
    """

    summary_bkm: Array
    fused_bkm: Array
    highway_bkm: Array
    convolved_btc: Array
    recurrent_btr: Array
    skip_btr: Array | None
    weight_bkt: Array | None


class PackedConvolution(nn.Module):
    """Causal convolutions of several sizes and a ReLU, blind across slots.

    All taps of all sizes are one matrix product. Either their outputs are shifted and
    added, or the inputs are shifted before it: whichever moves less memory. Parameters:
    ``kernel_{size} [size, d, c]``, oldest tap first as in torch and linen, and
    ``bias_{size} [c]``. Taps are ``dilation`` steps apart.
    """

    kernel_sizes: tuple[int, ...]
    channels: int
    dtype: Any = jnp.float32
    dilation: int = 1

    @nn.compact
    def __call__(
        self, x_btd: Float[Array, "*b t d"], position_bt: Int[Array, "*b t"]
    ) -> Float[Array, "*b t c"]:
        """Return the channels of all sizes side by side, in the order of the sizes."""
        features = x_btd.shape[-1]
        kernels, biases = [], []
        for size in self.kernel_sizes:
            shape = (size, features, self.channels)
            init = nn.initializers.glorot_uniform()
            kernels.append(self.param(f"kernel_{size}", init, shape))
            zeros = nn.initializers.zeros
            biases.append(self.param(f"bias_{size}", zeros, (self.channels,)))
        x_btd = x_btd.astype(self.dtype)
        kernels = [kernel.astype(self.dtype) for kernel in kernels]
        taps = max(self.kernel_sizes) * features
        wide = taps > sum(self.kernel_sizes) * self.channels
        convolve = _convolve_outputs if wide else _convolve_inputs
        bias = jnp.concatenate(biases).astype(self.dtype)
        total = convolve(x_btd, position_bt, kernels, self.dilation)
        return nn.relu(total + bias.reshape((1,) * (x_btd.ndim - 1) + (-1,)))


def _convolve_outputs(
    x_btd: Array, position_bt: Array, kernels: list[Array], dilation: int
) -> Array:
    """All taps as one product whose outputs are shifted and added: for wide inputs."""
    columns = jnp.concatenate([tap for kernel in kernels for tap in kernel], axis=1)
    projected = jnp.matmul(x_btd.reshape(-1, x_btd.shape[-1]), columns)
    projected = projected.reshape(*x_btd.shape[:-1], -1)
    taps = iter(jnp.split(projected, sum(map(len, kernels)), axis=-1))
    convolved = []
    for kernel in kernels:
        ages = reversed(range(len(kernel)))
        shifted = [_shift(next(taps), position_bt, age * dilation) for age in ages]
        convolved.append(sum(shifted[1:], shifted[0]))
    return jnp.concatenate(convolved, axis=-1)


def _convolve_inputs(
    x_btd: Array, position_bt: Array, kernels: list[Array], dilation: int
) -> Array:
    """Shifted inputs side by side, and one product: for narrow inputs."""
    size = max(map(len, kernels))
    ages = reversed(range(size))
    shifted = [_shift(x_btd, position_bt, age * dilation) for age in ages]
    taken = jnp.concatenate(shifted, axis=-1)
    # A shorter kernel reads the newest of these steps alone.
    longest = [(size - len(kernel), 0) for kernel in kernels]
    columns = jnp.concatenate(
        [
            jnp.pad(kernel, [front, (0, 0), (0, 0)]).reshape(-1, kernel.shape[-1])
            for kernel, front in zip(kernels, longest, strict=True)
        ],
        axis=1,
    )
    flat = jnp.matmul(taken.reshape(-1, taken.shape[-1]), columns)
    return flat.reshape(*x_btd.shape[:-1], -1)


def _shift(x_btc: Array, position_bt: Array, age: int) -> Array:
    """Move every step ``age`` later, within its slot; zero where none comes."""
    # What roll brings round the page's end has position < age there, so it is masked.
    return jnp.where((position_bt >= age)[..., None], jnp.roll(x_btc, age, axis=-2), 0)


class Highway(nn.Module):
    """Linear autoregression over the last steps of a slot, shared by all features.

    ``y = sum_i weight[i] * x[end - window + 1 + i] + bias`` for every feature alike
    (``weight[-1]`` belongs to the newest step, missing steps are zero), then a linear
    map without bias from d to m features, where they differ.
    """

    window: int
    features: int

    @nn.compact
    def __call__(
        self,
        x_btd: Float[Array, "*b t d"],
        slot_end_bk: Int[Array, "*b k"],
        slot_length_bk: Int[Array, "*b k"],
    ) -> Float[Array, "*b k m"]:
        """Return the linear part of every slot's summary, float32."""
        init = nn.initializers.glorot_uniform()
        # Starts as the mean of the window: a sound answer before anything is learned.
        mean = nn.initializers.constant(1 / self.window)
        weight = self.param("weight", mean, (self.window, 1))[:, 0]
        bias = self.param("bias", nn.initializers.zeros, ())
        # As a matrix [k, t] per page, so that no step is copied out of the page.
        step = jnp.arange(x_btd.shape[-2]).reshape((1,) * slot_end_bk.ndim + (-1,))
        age = slot_end_bk[..., None] - step
        seen = (age >= 0) & (age < jnp.minimum(slot_length_bk, self.window)[..., None])
        share_bkt = jnp.where(seen, weight[jnp.clip(-1 - age, -self.window, -1)], 0.0)
        linear = jnp.matmul(
            share_bkt.astype(x_btd.dtype), x_btd, preferred_element_type=jnp.float32
        )
        linear = linear + bias
        if x_btd.shape[-1] == self.features:
            return linear
        return nn.Dense(self.features, use_bias=False, kernel_init=init, name="map")(
            linear
        )


class LSTNet(nn.Module):
    """Convolution, recurrent, recurrent-skip, fusion and highway, over packed slots.

    Attributes:
      spec: what it is made of.
      dtype: of activations and matrix products (float32 or bfloat16); parameters,
        recurrent states and the summary are float32 always.
      block: steps of a page whose borders no slot may cross, so that the recurrent
        layers read all blocks of a page at once; 0 = slots may lie anywhere. A slot
        that crosses one would start afresh there.
    """

    spec: LSTNetSpec
    dtype: Any = jnp.float32
    block: int = 0

    @nn.compact
    def __call__(
        self,
        x_btd: Float[Array, "*b t d"],
        slot_start_bk: Int[Array, "*b k"],
        slot_length_bk: Int[Array, "*b k"],
        *,
        deterministic: bool,
    ) -> LSTNetOutput:
        """Summarise every slot.

        Args:
          x_btd: features of every step of the page; what lies outside slots is ignored.
          slot_start_bk: int32, first step of each slot.
          slot_length_bk: int32, steps in each slot; 0 marks an empty slot. Slots of a
            page must lie inside it and must not overlap.
          deterministic: True turns dropout off; otherwise the ``dropout`` key is used.
        """
        spec = self.spec
        position_bt = slot_positions(slot_start_bk, slot_length_bk, x_btd.shape[-2])
        x_btd = jnp.where((position_bt >= 0)[..., None], x_btd, 0).astype(self.dtype)
        slot_end_bk = slot_start_bk + slot_length_bk - 1

        sizes = spec.kernel_sizes, spec.channels, self.dtype
        convolve = PackedConvolution(*sizes, name="convolution")
        convolved_btc = convolve(x_btd, position_bt)
        # Steps that valid padding loses are padding to all that follows.
        lost = max(spec.kernel_sizes) - 1 if spec.padding is Padding.VALID else 0
        position_bt = jnp.maximum(position_bt - lost, -1)
        convolved_btc = jnp.where((position_bt >= 0)[..., None], convolved_btc, 0)

        drop = Dropout(spec.dropout)
        dropped_btc = drop(convolved_btc, deterministic=deterministic)
        age_bt = slot_ages(slot_start_bk, slot_length_bk, x_btd.shape[-2])
        recurrent_btr, skip_btr = self._scan(dropped_btc, position_bt, age_bt)
        member_bkt = slot_members(slot_start_bk, slot_length_bk, position_bt)
        fused_bkm, weight_bkt = self._fuse(
            (convolved_btc, recurrent_btr, skip_btr),
            (slot_end_bk, slot_length_bk, member_bkt),
            deterministic=deterministic,
        )
        filled_bk1 = (slot_length_bk > 0)[..., None]
        fused_bkm = jnp.where(filled_bk1, fused_bkm, 0.0)
        highway_bkm = jnp.zeros_like(fused_bkm)
        if spec.highway_window:
            window, features = spec.highway_window, spec.summary_features
            linear = Highway(window, features, name="highway")
            linear_bkm = linear(x_btd, slot_end_bk, slot_length_bk)
            highway_bkm = jnp.where(filled_bk1, linear_bkm, 0.0)
        return LSTNetOutput(
            summary_bkm=fused_bkm + highway_bkm,
            fused_bkm=fused_bkm,
            highway_bkm=highway_bkm,
            convolved_btc=convolved_btc,
            recurrent_btr=recurrent_btr,
            skip_btr=skip_btr,
            weight_bkt=weight_bkt,
        )

    def _fuse(
        self,
        states: tuple[Array, Array, Array | None],
        place: tuple[Array, Array, Array],
        *,
        deterministic: bool,
    ) -> tuple[Array, Array | None]:
        """Return the recurrent part of the summary, and attention's shares if any."""
        convolved_btc, recurrent_btr, skip_btr = states
        end_bk, length_bk, member_bkt = place
        sizes = self.spec.summary_features, self.spec.dropout, self.dtype
        if self.spec.fusion is Fusion.ATTENTION:
            attend = AttentionFusion(*sizes, name="fuse")
            return attend(
                recurrent_btr,
                member_bkt,
                end_bk,
                length_bk,
                deterministic=deterministic,
            )
        if self.spec.fusion is Fusion.TREND:
            follow = TrendFusion(*sizes, name="fuse")
            fused_bkm = follow(
                convolved_btc,
                recurrent_btr,
                end_bk,
                length_bk,
                deterministic=deterministic,
            )
            return fused_bkm, None
        features, dropout, dtype = sizes
        join = SkipFusion(features, self.spec.skip_period, dropout, dtype, name="fuse")
        fused_bkm = join(
            recurrent_btr, skip_btr, end_bk, length_bk, deterministic=deterministic
        )
        return fused_bkm, None

    def _scan(
        self, x_btc: Array, position_bt: Array, age_bt: Array
    ) -> tuple[Array, Array | None]:
        """States of the recurrent layers and, where there is one, of the skip-GRU."""
        *lead, steps, _ = x_btc.shape
        undivided = self.block in (0, steps)  # the same program as without blocks
        parts = (steps,) if undivided else (steps // self.block, self.block)

        def cut(x: Array, *features: int) -> Array:
            return x.reshape(*lead, *parts, *features)

        def joined(states: Array) -> Array:
            return states.reshape(*lead, steps, states.shape[-1])

        x, position = cut(x_btc, x_btc.shape[-1]), cut(position_bt)
        recurrent_btr = joined(self._recurrent(x, position))
        skipped = None
        if self.spec.fusion is Fusion.SKIP:
            skipped = self._skip(x, position, cut(age_bt))
        return recurrent_btr, None if skipped is None else joined(skipped)

    def _recurrent(self, x_btc: Array, position_bt: Array) -> Array:
        states = x_btc
        for layer in range(self.spec.recurrent_layers):
            cell = self._cell(f"recurrent_{layer}")
            states = cell(states, position_bt < 1, position_bt >= 0)
        return states

    def _skip(self, x_btc: Array, position_bt: Array, age_bt: Array) -> Array | None:
        """States of the skip-GRU; ``age_bt`` counts the steps to the slot's end."""
        period = self.spec.skip_period
        if not period:
            return None
        if self.spec.padding is Padding.VALID:
            # The reference code reads whole periods only, counted from the end; of
            # length - k + 1 steps, floor((length - k) / period) of them.
            periods_bt = (position_bt + age_bt) // period
            dropped_bt = position_bt + age_bt + 1 - periods_bt * period
            position_bt = jnp.where(
                position_bt < 0, -1, jnp.maximum(position_bt - dropped_bt, -1)
            )
        gru = self._gru(self.spec.skip_features, period, "skip")
        return gru(x_btc, position_bt < period, position_bt >= 0)

    def _cell(self, name: str) -> GRU | LSTM:
        features = self.spec.recurrent_features
        if self.spec.fusion is not Fusion.TREND:
            return self._gru(features, 1, name)
        return LSTM(
            features,
            gate_fusion=self.spec.gate_fusion,
            unroll=self.spec.unroll,
            dtype=self.dtype,
            name=name,
        )

    def _gru(self, features: int, period: int, name: str) -> GRU:
        return GRU(
            features,
            self.spec.candidate,
            period=period,
            gate_fusion=self.spec.gate_fusion,
            unroll=self.spec.unroll,
            dtype=self.dtype,
            name=name,
        )
