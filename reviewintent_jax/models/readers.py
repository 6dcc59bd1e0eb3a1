"""Readers beside LSTNet: states of every step -> one summary a slot.

Stage: after the encoder, or after word vectors. In: features of every step of a page,
and where its slots are; out: one summary for every slot. Slots of one page never see
each other: a scan starts afresh at a slot's first step, the scan from the end at its
last one, as PyTorch's do over packed sequences, and a tap of a convolution counts only
where it stays within the slot.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from reviewintent_jax.models.dropout import Dropout
from reviewintent_jax.models.lstnet import PackedConvolution
from reviewintent_jax.models.reader_spec import ReaderKind, ReaderSpec, Reads
from reviewintent_jax.models.recurrent import GRU, LSTM, Candidate
from reviewintent_jax.models.slots import (
    last_steps,
    slot_ages,
    slot_members,
    slot_positions,
)

Drop = Callable[[Array], Array]
"""What drops features before a layer."""


class Reader(nn.Module):
    """One of :class:`~reviewintent_jax.models.reader_spec.ReaderKind`.

    Parameters: ``forward_{layer}`` and ``backward_{layer}`` of recurrent readers,
    ``convolution`` of a CNN, ``block_{layer}`` of a TCN, none of a mean.

    Attributes:
      spec: what it is made of.
      block_tokens: tokens of a chunk that is not the last of its review; read where
        ``spec.reads`` is ``cls``.
      dtype: of activations and matrix products; parameters, recurrent states and the
        summary are float32 always.
    """

    spec: ReaderSpec
    block_tokens: int
    dtype: Any = jnp.float32

    @nn.compact
    def __call__(
        self,
        x_btd: Float[Array, "*b t d"],
        slot_start_bk: Int[Array, "*b k"],
        slot_length_bk: Int[Array, "*b k"],
        *,
        deterministic: bool,
    ) -> Float[Array, "*b k m"]:
        """Summarise every slot; 0 where a slot is empty.

        Args:
          x_btd: features of every step of the page; what lies outside slots is ignored.
          slot_start_bk: int32, first step of each slot.
          slot_length_bk: int32, steps in each slot; 0 marks an empty slot.
          deterministic: True turns dropout off; otherwise the ``dropout`` key is used.
        """
        slots = slot_start_bk, slot_length_bk
        if self.spec.reads is Reads.TOKENS:
            return self._read(x_btd, *slots, deterministic)
        x_bkcd, chunks_bk = chunk_firsts(x_btd, *slots, self.block_tokens)
        # The first tokens of a slot are a page of their own, of one slot.
        place = jnp.zeros_like(chunks_bk)[..., None], chunks_bk[..., None]
        return self._read(x_bkcd, *place, deterministic)[..., 0, :]

    def _read(
        self, x_btd: Array, start_bk: Array, length_bk: Array, deterministic: bool
    ) -> Array:
        steps = x_btd.shape[-2]
        position_bt = slot_positions(start_bk, length_bk, steps)
        x_btd = jnp.where((position_bt >= 0)[..., None], x_btd, 0).astype(self.dtype)
        drop = partial(Dropout(self.spec.dropout), deterministic=deterministic)
        slots = start_bk, length_bk, position_bt
        match self.spec.kind:
            case ReaderKind.MEAN:
                return _mean(drop(x_btd), *slots)
            case ReaderKind.CNN:
                sizes = self.spec.kernel_sizes, self.spec.features, self.dtype
                convolve = PackedConvolution(*sizes, name="convolution")
                return _largest(convolve(drop(x_btd), position_bt), *slots)
            case ReaderKind.TCN:
                return self._dilated(x_btd, slots, drop)
        return self._recurrent(x_btd, slots, drop)

    def _recurrent(
        self, x_btd: Array, slots: tuple[Array, Array, Array], drop: Drop
    ) -> Array:
        """Last state of the scan from the start, and of that from the end."""
        start_bk, length_bk, position_bt = slots
        age_bt = slot_ages(start_bk, length_bk, x_btd.shape[-2])
        forward_btr = backward_btr = None
        for layer in range(self.spec.layers):
            read_btd = drop(x_btd)
            scan = self._cell(f"forward_{layer}")
            x_btd = forward_btr = scan(read_btd, position_bt < 1, position_bt >= 0)
            if self.spec.bidirectional:
                turned_bt = jnp.flip(age_bt, -1)
                scan = self._cell(f"backward_{layer}")
                turned_btr = scan(jnp.flip(read_btd, -2), turned_bt < 1, turned_bt >= 0)
                backward_btr = jnp.flip(turned_btr, -2)
                x_btd = jnp.concatenate([forward_btr, backward_btr], axis=-1)
        ends = [(forward_btr, start_bk + length_bk - 1), (backward_btr, start_bk)]
        found = [
            last_steps(states, at_bk, length_bk, 1)[..., 0, :]
            for states, at_bk in ends
            if states is not None
        ]
        return jnp.concatenate(found, axis=-1)

    def _cell(self, name: str) -> GRU | LSTM:
        features = self.spec.features
        if self.spec.kind is ReaderKind.LSTM:
            return LSTM(features, dtype=self.dtype, name=name)
        return GRU(features, Candidate.TANH, dtype=self.dtype, name=name)

    def _dilated(
        self, x_btd: Array, slots: tuple[Array, Array, Array], drop: Drop
    ) -> Array:
        """Last state of residual blocks, each seeing twice as far as the one before.

        A block is ``ReLU(x + convolve(drop(convolve(drop(x)))))`` with both taps
        ``2 ** layer`` steps apart; a dense layer brings ``x`` to its width first.
        """
        start_bk, length_bk, position_bt = slots
        for layer in range(self.spec.layers):
            block = DilatedBlock(
                self.spec.kernel_sizes,
                self.spec.features,
                dilation=2**layer,
                dtype=self.dtype,
                name=f"block_{layer}",
            )
            x_btd = block(x_btd, position_bt, drop)
        found = last_steps(x_btd, start_bk + length_bk - 1, length_bk, 1)
        return found[..., 0, :].astype(jnp.float32)


class DilatedBlock(nn.Module):
    """Two dilated causal convolutions and what goes round them; no weight norm."""

    kernel_sizes: tuple[int, ...]
    features: int
    dilation: int
    dtype: Any = jnp.float32

    @nn.compact
    def __call__(
        self, x_btd: Float[Array, "*b t d"], position_bt: Int[Array, "*b t"], drop: Drop
    ) -> Float[Array, "*b t c"]:
        """Return the channels of every step; ``drop`` is the dropout in front."""
        sizes = self.kernel_sizes, self.features, self.dtype, self.dilation
        kept_btc = x_btd
        if x_btd.shape[-1] != self.features:
            kept_btc = nn.Dense(self.features, dtype=self.dtype, name="widen")(x_btd)
        for number in range(2):
            convolve = PackedConvolution(*sizes, name=f"convolution_{number}")
            x_btd = convolve(drop(x_btd), position_bt)
        return nn.relu(x_btd + kept_btc)


def chunk_firsts(
    x_btd: Float[Array, "*b t d"],
    slot_start_bk: Int[Array, "*b k"],
    slot_length_bk: Int[Array, "*b k"],
    block_tokens: int,
) -> tuple[Float[Array, "*b k c d"], Int[Array, "*b k"]]:
    """State of the first token of every chunk of every slot, and how many there are.

    All chunks of a review but the last have ``block_tokens`` tokens, so chunk i begins
    i blocks after the slot. Example: blocks of 4, a slot of 6 steps from step 0 on ->
    the states of steps 0 and 4, and 2.
    """
    most = -(-x_btd.shape[-2] // block_tokens)
    chunks_bk = -(-slot_length_bk // block_tokens)
    ahead = (jnp.arange(most) * block_tokens).reshape((1,) * slot_start_bk.ndim + (-1,))
    index = slot_start_bk[..., None] + ahead
    index = jnp.minimum(index, x_btd.shape[-2] - 1)
    taken = jnp.take_along_axis(x_btd, index.reshape(*index.shape[:-2], -1, 1), axis=-2)
    return taken.reshape(*index.shape, x_btd.shape[-1]), chunks_bk


def _mean(x_btd: Array, start_bk: Array, length_bk: Array, position_bt: Array) -> Array:
    """Mean of the steps of every slot, float32; steps outside slots are 0."""
    if length_bk.shape[-1] == 1:
        total = x_btd.sum(axis=-2, keepdims=True, dtype=jnp.float32)
        return total / jnp.maximum(length_bk, 1)[..., None]
    member_bkt = slot_members(start_bk, length_bk, position_bt)
    share_bkt = member_bkt / jnp.maximum(length_bk, 1)[..., None]
    return jnp.matmul(
        share_bkt.astype(x_btd.dtype), x_btd, preferred_element_type=jnp.float32
    )


def _largest(
    x_btc: Array, start_bk: Array, length_bk: Array, position_bt: Array
) -> Array:
    """Largest value of each channel in every slot, float32; values are 0 or more.

    The largest so far, step by step, starting afresh with every slot, in log2(t) steps.
    """
    begins_bt: Bool[Array, "*b t"] = position_bt < 1

    def join(left: tuple, right: tuple) -> tuple:
        (x, begun), (y, begins) = left, right
        return jnp.where(begins[..., None], y, jnp.maximum(x, y)), begun | begins

    axis = x_btc.ndim - 2
    largest_btc, _ = jax.lax.associative_scan(join, (x_btc, begins_bt), axis=axis)
    end_bk = start_bk + length_bk - 1
    return last_steps(largest_btc, end_bk, length_bk, 1)[..., 0, :].astype(jnp.float32)
