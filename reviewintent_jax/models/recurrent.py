"""Recurrent layers over packed pages: states of every step -> states of every step.

Stage: inside LSTNet. In: features ``[..., t, d]`` and which steps start afresh;
out: the GRU state after every step, ``[..., t, r]``.

What does not depend on the state is computed for all steps at once, outside the scan:
the input projection is one matrix product, and only ``h @ W`` stays inside. A GRU that
links ``h[t]`` to ``h[t-p]`` instead of ``h[t-1]`` is the same scan with the ``p``
phases as a batch axis, so it takes ``t / p`` steps.
"""

import enum
from collections.abc import Callable
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float


class Candidate(enum.StrEnum):
    """Activation of the GRU's candidate state."""

    RELU = "relu"  # the LSTNet paper
    TANH = "tanh"  # the authors' code, and every GRU elsewhere


class GateFusion(enum.StrEnum):
    """How ``h @ W`` of the three gates is computed inside the scan; same numbers."""

    SEPARATE = "separate"  # three products: no slices to break fusion, better on CPU
    FUSED = "fused"  # one product, three times as wide: fewer launches


_ACTIVATION: dict[Candidate, Callable[[Array], Array]] = {
    Candidate.RELU: nn.relu,
    Candidate.TANH: jnp.tanh,
}


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


def _per_gate(init: Callable[..., Array]) -> Callable[..., Array]:
    """Initialise the three gates' matrices ``[f, r]`` on their own, side by side."""

    def three(key: Array, shape: tuple[int, int], dtype: Any = jnp.float32) -> Array:
        rows, columns = shape[0], shape[1] // 3
        keys = jax.random.split(key, 3)
        return jnp.concatenate([init(k, (rows, columns), dtype) for k in keys], axis=1)

    return three


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
        *lead, steps, features_in = x_btd.shape
        width = 3 * self.features
        kernel = self.param(
            "input_kernel",
            _per_gate(nn.initializers.glorot_uniform()),
            (features_in, width),
        )
        bias = self.param("input_bias", nn.initializers.zeros, (width,))
        recurrent = self.param(
            "recurrent_kernel",
            _per_gate(nn.initializers.orthogonal()),
            (self.features, width),
        )
        candidate_bias = self.param(
            "candidate_bias", nn.initializers.zeros, (self.features,)
        )
        # Two dimensions, because XLA:CPU is slow at contracting over (batch, time).
        flat = x_btd.reshape(-1, features_in).astype(self.dtype)
        projected = jnp.matmul(
            flat, kernel.astype(self.dtype), preferred_element_type=jnp.float32
        )
        projected = (projected + bias[None]).reshape(*lead, steps, width)
        valid = fold_phases(valid_bt[..., None], self.period)
        keep = fold_phases((valid_bt & ~reset_bt)[..., None], self.period)
        keep &= jnp.pad(valid[:-1], [(1, 0), (0, 0), (0, 0)])
        _, states = self._scan(
            # Three arrays, not one cut up in every step: that doubled the time on CPU.
            [fold_phases(g, self.period) for g in jnp.split(projected, 3, axis=-1)],
            keep,
            recurrent.astype(self.dtype),
            candidate_bias[None],
        )
        states = unfold_phases(states, tuple(lead), steps)
        return jnp.where(valid_bt[..., None], states, 0.0)

    def _scan(
        self,
        projected: list[Array],
        keep: Array,
        recurrent: Array,
        candidate_bias: Array,
    ) -> tuple[Array, Array]:
        """Run the recurrence over axis 0 of the three gates' inputs ``[q, n, r]``."""
        activation = _ACTIVATION[self.candidate]
        gates = jnp.split(recurrent, 3, axis=1)

        def products(state: Array) -> list[Array]:
            state = state.astype(self.dtype)
            if self.gate_fusion is GateFusion.FUSED:
                fused = jnp.matmul(state, recurrent, preferred_element_type=jnp.float32)
                return jnp.split(fused, 3, axis=1)
            return [
                jnp.matmul(state, gate, preferred_element_type=jnp.float32)
                for gate in gates
            ]

        def step(
            state: Array, inputs: tuple[list[Array], Array]
        ) -> tuple[Array, Array]:
            (x_r, x_z, x_n), kept = inputs
            state = jnp.where(kept, state, 0.0)
            h_r, h_z, h_n = products(state)
            reset = nn.sigmoid(x_r + h_r)
            update = nn.sigmoid(x_z + h_z)
            new = activation(x_n + reset * (h_n + candidate_bias))
            state = (1.0 - update) * new + update * state
            return state, state

        start = jnp.zeros((keep.shape[1], self.features), jnp.float32)
        return jax.lax.scan(step, start, (projected, keep), unroll=self.unroll)
