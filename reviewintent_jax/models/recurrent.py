"""Recurrent layers over packed pages: states of every step -> states of every step.

Stage: inside LSTNet. In: features ``[..., t, d]`` and which steps start afresh;
out: the state of a GRU or an LSTM after every step, ``[..., t, r]``.

What does not depend on the state is computed for all steps at once, outside the scan:
the input projection of a gate is one matrix product (that of all gates, where a state
has fewer than ``scans.WIDE`` features), and only ``h @ W`` stays inside the scan. A GRU
that links ``h[t]`` to ``h[t-p]`` instead of ``h[t-1]`` is the same scan with the ``p``
phases as a batch axis, so it takes ``t / p`` steps.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from reviewintent_jax.models.products import project
from reviewintent_jax.models.scans import (
    WIDE,
    Candidate,
    GateFusion,
    ScanChoice,
    gru_scan,
    lstm_scan,
)


def fold_phases(x: Array, period: int) -> Array:
    """Lay out ``[..., t, f]`` for a scan whose steps are ``period`` apart.

    Returns ``[q, n, f]``: ``q = ceil(t / period)`` scan steps, and ``n`` all leading
    axes times the ``period`` phases. Missing steps at the end are zero (False).

    Example, five steps and period 2 (one row per scan step, one column per phase)::

        [a b c d e]  ->  [[a b]
                          [c d]
                          [e 0]]
    """
    *lead, steps, features = x.shape
    scan_steps = -(-steps // period)
    missing = scan_steps * period - steps
    x = jnp.pad(x, [(0, 0)] * len(lead) + [(0, missing), (0, 0)])
    x = jnp.moveaxis(x.reshape(*lead, scan_steps, period, features), -3, 0)
    return x.reshape(scan_steps, -1, features)


def unfold_phases(x: Array, lead: tuple[int, ...], steps: int) -> Array:
    """Undo :func:`fold_phases`: ``[q, n, f]`` -> ``[*lead, steps, f]``."""
    scan_steps, _, features = x.shape
    x = jnp.moveaxis(x.reshape(scan_steps, *lead, -1, features), 0, -3)
    return x.reshape(*lead, -1, features)[..., :steps, :]


def _per_gate(init: Callable[..., Array], gates: int) -> Callable[..., Array]:
    """Initialise the gates' matrices ``[f, r]`` each on its own, side by side."""

    def all_gates(
        key: Array, shape: tuple[int, int], dtype: Any = jnp.float32
    ) -> Array:
        rows, columns = shape[0], shape[1] // gates
        keys = jax.random.split(key, gates)
        return jnp.concatenate([init(k, (rows, columns), dtype) for k in keys], axis=1)

    return all_gates


class _Hoisted(NamedTuple):
    """What a recurrence reads, laid out for a scan over axis 0.

    Attributes:
      inputs: of each gate, ``W x + b`` of every step, float32 ``[q, n, r]``.
      keep: bool ``[q, n, 1]``, False where a step starts from a zero state.
      recurrent: float32 matrices ``[r, gates * r]`` that stay inside the scan.
    """

    inputs: tuple[Array, ...]
    keep: Array
    recurrent: Array


def _hoist(
    layer: "GRU | LSTM", x_btd: Array, reset_bt: Array, valid_bt: Array, gates: int
) -> _Hoisted:
    """Compute all that does not depend on the state, for all steps at once."""
    features_in = x_btd.shape[-1]
    width = gates * layer.features
    kernel = layer.param(
        "input_kernel",
        _per_gate(nn.initializers.glorot_uniform(), gates),
        (features_in, width),
    )
    bias = layer.param("input_bias", nn.initializers.zeros, (width,))
    recurrent = layer.param(
        "recurrent_kernel",
        _per_gate(nn.initializers.orthogonal(), gates),
        (layer.features, width),
    )
    # Laid out for the scan where it is narrower: before the products or after them.
    x_btd = x_btd.astype(layer.dtype)
    early = features_in <= width
    folded = fold_phases(x_btd, layer.period) if early else x_btd
    pieces = gates if layer.features >= WIDE else 1
    inputs = []
    for part, shift in zip(
        jnp.split(kernel.astype(layer.dtype), pieces, axis=1),
        jnp.split(bias, pieces),
        strict=True,
    ):
        projected = project(folded, part) + shift.reshape(
            (1,) * (folded.ndim - 1) + (-1,)
        )
        laid_out = projected if early else fold_phases(projected, layer.period)
        inputs += jnp.split(laid_out, gates // pieces, axis=-1)
    valid = fold_phases(valid_bt[..., None], layer.period)
    keep = fold_phases((valid_bt & ~reset_bt)[..., None], layer.period)
    keep &= jnp.pad(valid[:-1], [(1, 0), (0, 0), (0, 0)])
    # Arrays of their own, not one cut up in every step: that doubled CPU time.
    return _Hoisted(tuple(inputs), keep, recurrent)


class GRU(nn.Module):
    """One layer of gated recurrent units, with PyTorch's equations and gate order::

        r = sigmoid(W_ir x + b_ir + W_hr h)
        z = sigmoid(W_iz x + b_iz + W_hz h)
        n = act(W_in x + b_in + r * (W_hn h + b_hn))
        h = (1 - z) * n + z * h          where h is the state ``period`` steps ago

    PyTorch's ``b_hr`` and ``b_hz`` are folded into ``b_ir`` and ``b_iz``, to which they
    are only ever added. Parameters: ``input_kernel [d, 3r]``, ``input_bias [3r]``,
    ``recurrent_kernel [r, 3r]``, ``candidate_bias [r]``, gates in the order r, z, n.

    Attributes:
      features: size r of the state, 1 or more.
      candidate: activation of n.
      period: 1 for a plain GRU; p links each step to the one p before (LSTNet-skip).
      gate_fusion: how the recurrent products are computed; the result is the same.
      unroll: scan steps in one iteration of the compiled loop, 1 or more.
      dtype: of the matrix products; states and gates are float32 always.
    """

    features: int
    candidate: Candidate
    period: int = 1
    gate_fusion: GateFusion = GateFusion.SEPARATE
    unroll: int = 1
    dtype: Any = jnp.float32

    @nn.compact
    def __call__(
        self,
        x_btd: Float[Array, "*b t d"],
        reset_bt: Bool[Array, "*b t"],
        valid_bt: Bool[Array, "*b t"],
    ) -> Float[Array, "*b t r"]:
        """Return the float32 state after every step; zero where a step is not valid.

        ``reset_bt`` marks steps that start from a zero state. A step that is not valid
        neither reads a state nor leaves one behind.
        """
        hoisted = _hoist(self, x_btd, reset_bt, valid_bt, 3)
        candidate_bias = self.param(
            "candidate_bias", nn.initializers.zeros, (self.features,)
        )
        fixed = self.gate_fusion, self.unroll, self.dtype, self.candidate
        states: Any = gru_scan(  # custom_vjp hides the type
            ScanChoice(*fixed),
            hoisted.inputs,
            hoisted.keep,
            hoisted.recurrent,
            candidate_bias,
        )
        states = unfold_phases(states, x_btd.shape[:-2], x_btd.shape[-2])
        return jnp.where(valid_bt[..., None], states, 0.0)


class LSTM(nn.Module):
    """One layer of long short-term memory, with PyTorch's equations and gate order::

        i = sigmoid(W_ii x + b_i + W_hi h)        f = sigmoid(W_if x + b_f + W_hf h)
        g = tanh(W_ig x + b_g + W_hg h)           o = sigmoid(W_io x + b_o + W_ho h)
        c = f * c + i * g
        h = o * tanh(c)                 where h and c are those of the step before

    PyTorch's two biases are one, for they are only ever added. Parameters:
    ``input_kernel [d, 4r]``, ``input_bias [4r]``, ``recurrent_kernel [r, 4r]``, gates
    in the order i, f, g, o.

    Attributes:
      features: size r of the state, 1 or more.
      period: 1 for a plain LSTM; p links each step to the one p before.
      gate_fusion: how the recurrent products are computed; the result is the same.
      unroll: scan steps in one iteration of the compiled loop, 1 or more.
      dtype: of the matrix products; states and gates are float32 always.
    """

    features: int
    period: int = 1
    gate_fusion: GateFusion = GateFusion.SEPARATE
    unroll: int = 1
    dtype: Any = jnp.float32

    @nn.compact
    def __call__(
        self,
        x_btd: Float[Array, "*b t d"],
        reset_bt: Bool[Array, "*b t"],
        valid_bt: Bool[Array, "*b t"],
    ) -> Float[Array, "*b t r"]:
        """Return the float32 state h after every step; zero where it is not valid.

        ``reset_bt`` marks steps that start from zero states. A step that is not valid
        neither reads a state nor leaves one behind.
        """
        hoisted = _hoist(self, x_btd, reset_bt, valid_bt, 4)
        choice = ScanChoice(self.gate_fusion, self.unroll, self.dtype)
        states: Any = lstm_scan(choice, hoisted.inputs, hoisted.keep, hoisted.recurrent)
        states = unfold_phases(states, x_btd.shape[:-2], x_btd.shape[-2])
        return jnp.where(valid_bt[..., None], states, 0.0)
