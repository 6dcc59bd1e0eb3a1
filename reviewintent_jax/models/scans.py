"""The recurrences themselves, as pure functions with gradients of their own.

Stage: inside :mod:`~reviewintent_jax.models.recurrent`. In: what the gates are given by
every step, ``[q, n, r]`` each; out: the state after every step. Only ``h @ W`` happens
inside a scan.

Why the gradients are written out: differentiated automatically, the transpose of the
scan sums the gradient of ``W`` inside the loop. Here the forward scan leaves behind how
steeply each gate answers, while that is in the cache, and the backward scan carries
nothing but the gradient of the state::

    d[t] = g[t] + c[t+1]                                 g: gradient of the output
    c[t] = d[t] * z[t] + sum_gates (d[t] * slope_gate[t]) @ W_gate'
    dW   = sum_t h[t-1]' (d[t] * slope[t])               after the scan, as one product

Backpropagation through time itself is Werbos (1990); that products split in this way
is what cuDNN's recurrent kernels use (Appleyard et al. 2016, arXiv:1604.01946).
"""

import enum
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax import Array

from reviewintent_jax.models.loops import scan_in_place
from reviewintent_jax.models.products import outer_product, shared_product
from reviewintent_jax.models.scan_kernels import Step, fits_kernel, scan_kernel


class Candidate(enum.StrEnum):
    """Activation of the GRU's candidate state."""

    RELU = "relu"  # the LSTNet paper
    TANH = "tanh"  # the authors' code, and every GRU elsewhere


class GateFusion(enum.StrEnum):
    """How ``h @ W`` of the gates is computed inside the scan; same numbers."""

    SEPARATE = "separate"  # a product each: no slices to break fusion
    FUSED = "fused"  # one product, as wide as all gates: fewer launches, and enough
    # work for several cores where there are many rows
    KERNEL = "kernel"  # all steps in one kernel of an NVIDIA GPU; else as separate


WIDE = 64
"""Features of a state from which on the gates' products outside a scan stay apart;
narrower ones are too little work for a product of their own."""


class ScanChoice(NamedTuple):
    """What is fixed when a scan is compiled.

    Attributes:
      gate_fusion: how the recurrent products are computed; the result is the same.
      unroll: scan steps in one iteration of the compiled loop, 1 or more.
      dtype: of the operands of the recurrent products; all else is float32.
      candidate: activation of the GRU's candidate; the LSTM has none.
    """

    gate_fusion: GateFusion
    unroll: int
    dtype: Any
    candidate: Candidate = Candidate.TANH


_ACTIVATION: dict[Candidate, Callable[[Array], Array]] = {
    Candidate.RELU: nn.relu,
    Candidate.TANH: jnp.tanh,
}
# From the activation's value, which is at hand, rather than from its argument.
_SLOPE: dict[Candidate, Callable[[Array], Array]] = {
    Candidate.RELU: lambda n: (n > 0).astype(n.dtype),
    Candidate.TANH: lambda n: 1.0 - n * n,
}


@partial(jax.custom_vjp, nondiff_argnums=(0,))
def gru_scan(
    choice: ScanChoice,
    inputs: tuple[Array, Array, Array],
    keep: Array,
    recurrent: Array,
    candidate_bias: Array,
) -> Array:
    """States of a GRU, float32 ``[q, n, r]``, from a zero state on.

    Args:
      choice: what is fixed when it is compiled.
      inputs: ``W x + b`` of the gates r, z and n, float32 ``[q, n, r]`` each.
      keep: bool ``[q, n, 1]``, False where a step starts from a zero state.
      recurrent: float32 ``[r, 3r]``, gates in the order r, z, n.
      candidate_bias: float32 ``[r]``, added to ``h @ W_n``.
    """
    step = _states_alone(_gru_step(choice))
    return _scan_gru(choice, step, inputs, keep, recurrent, candidate_bias)


class _GRUSlopes(NamedTuple):
    """How steeply a GRU's new state answers to what goes into its gates, ``[q, n, r]``.

    ``candidate`` is that of ``W_n x``, ``hidden`` that of ``h W_n``; ``update`` is the
    share of the state that passes through.
    """

    reset: Array
    update_gate: Array
    hidden: Array
    candidate: Array
    update: Array


def _gru_step(choice: ScanChoice) -> Step:
    """One step, ``((matrices, bias), state, given) -> (state, (state, slopes))``."""
    activation, slope_of = _ACTIVATION[choice.candidate], _SLOPE[choice.candidate]

    def step(constants: tuple, state: Array, given: tuple) -> tuple[Array, tuple]:
        matrices, bias = constants
        (x_r, x_z, x_n), kept = given
        state = jnp.where(kept, state, 0.0)
        h_r, h_z, h_n = _products(state, matrices, choice)
        h_n = h_n + bias[None]
        reset, update = nn.sigmoid(x_r + h_r), nn.sigmoid(x_z + h_z)
        new = activation(x_n + reset * h_n)
        of_new = (1.0 - update) * slope_of(new)
        slopes = _GRUSlopes(
            reset=of_new * h_n * reset * (1.0 - reset),
            update_gate=(state - new) * update * (1.0 - update),
            hidden=of_new * reset,
            candidate=of_new,
            update=update,
        )
        state = (1.0 - update) * new + update * state
        return state, (state, slopes)

    return step


def _scan_gru(
    choice: ScanChoice, step: Step, inputs: Any, keep: Any, recurrent: Any, bias: Any
) -> Any:
    """What a step gives, from a zero state on."""
    start = jnp.zeros(inputs[0].shape[1:], jnp.float32)
    constants = _gates_of(recurrent, choice), bias
    return _scan(choice, step, constants, start, (inputs, keep))


def _gru_forward(
    choice: ScanChoice, inputs: tuple, keep: Array, recurrent: Array, bias: Array
) -> tuple[Array, tuple]:
    step = _gru_step(choice)
    states, slopes = _scan_gru(choice, step, inputs, keep, recurrent, bias)
    return states, (keep, recurrent, states, slopes)


def _gru_backward(choice: ScanChoice, saved: tuple, gradient: Array) -> tuple:
    keep, recurrent, states, slopes = saved

    def step(transposed: list, carry: Array, given: tuple) -> tuple[Array, tuple]:
        g, slope, kept = given
        d = g + carry
        of_gates = d * slope.reset, d * slope.update_gate, d * slope.hidden
        back = d * slope.update + _sum_products(of_gates, transposed, choice)
        return jnp.where(kept, back, 0.0), (*of_gates, d * slope.candidate)

    start = jnp.zeros(gradient.shape[1:], jnp.float32)
    given = gradient, slopes, keep
    transposed = _transposed(recurrent, choice)
    d_r, d_z, d_hidden, d_n = _scan_back(choice, step, transposed, start, given)
    d_recurrent = _outer_products(_before(states, keep), (d_r, d_z, d_hidden), choice)
    return (d_r, d_z, d_n), None, d_recurrent, d_hidden.sum((0, 1))


gru_scan.defvjp(_gru_forward, _gru_backward)


@partial(jax.custom_vjp, nondiff_argnums=(0,))
def lstm_scan(
    choice: ScanChoice,
    inputs: tuple[Array, Array, Array, Array],
    keep: Array,
    recurrent: Array,
) -> Array:
    """States h of an LSTM, float32 ``[q, n, r]``, from zero states on.

    Args:
      choice: what is fixed when it is compiled.
      inputs: ``W x + b`` of the gates i, f, g and o, float32 ``[q, n, r]`` each.
      keep: bool ``[q, n, 1]``, False where a step starts from zero states.
      recurrent: float32 ``[r, 4r]``, gates in the order i, f, g, o.
    """
    step = _states_alone(_lstm_step(choice))
    return _scan_lstm(choice, step, inputs, keep, recurrent)


class _LSTMSlopes(NamedTuple):
    """How steeply an LSTM's cell and state answer to its gates, ``[q, n, r]`` each.

    The first three are of the cell, ``output`` of the state; ``shown`` is how steeply
    the state answers to the cell, and ``forget`` the share of the cell that stays.
    """

    input_gate: Array
    forget_gate: Array
    candidate: Array
    output: Array
    shown: Array
    forget: Array


def _lstm_step(choice: ScanChoice) -> Step:
    """One step, ``(matrices, states, given) -> (states, (state, slopes))``."""

    def step(matrices: list, states: tuple, given: tuple) -> tuple[tuple, tuple]:
        (x_i, x_f, x_g, x_o), kept = given
        state, before = (jnp.where(kept, each, 0.0) for each in states)
        h_i, h_f, h_g, h_o = _products(state, matrices, choice)
        i, f, o = nn.sigmoid(x_i + h_i), nn.sigmoid(x_f + h_f), nn.sigmoid(x_o + h_o)
        g = jnp.tanh(x_g + h_g)
        cell = f * before + i * g
        shown = jnp.tanh(cell)
        slopes = _LSTMSlopes(
            input_gate=g * i * (1.0 - i),
            forget_gate=before * f * (1.0 - f),
            candidate=i * (1.0 - g * g),
            output=shown * o * (1.0 - o),
            shown=o * (1.0 - shown * shown),
            forget=f,
        )
        state = o * shown
        return (state, cell), (state, slopes)

    return step


def _scan_lstm(
    choice: ScanChoice, step: Step, inputs: tuple, keep: Array, recurrent: Array
) -> Any:
    """What a step gives, from zero states on."""
    zeros = jnp.zeros(inputs[0].shape[1:], jnp.float32)
    matrices = _gates_of(recurrent, choice)
    return _scan(choice, step, matrices, (zeros, zeros), (inputs, keep))


def _lstm_forward(
    choice: ScanChoice, inputs: tuple, keep: Array, recurrent: Array
) -> tuple[Array, tuple]:
    step = _lstm_step(choice)
    states, slopes = _scan_lstm(choice, step, inputs, keep, recurrent)
    return states, (keep, recurrent, states, slopes)


def _lstm_backward(choice: ScanChoice, saved: tuple, gradient: Array) -> tuple:
    keep, recurrent, states, slopes = saved

    def step(transposed: list, carry: tuple, given: tuple) -> tuple[tuple, tuple]:
        g, slope, kept = given
        d = g + carry[0]
        d_cell = d * slope.shown + carry[1]
        of_cell = slope.input_gate, slope.forget_gate, slope.candidate
        of_gates = *(d_cell * each for each in of_cell), d * slope.output
        back = _sum_products(of_gates, transposed, choice), d_cell * slope.forget
        return tuple(jnp.where(kept, each, 0.0) for each in back), of_gates

    zeros = jnp.zeros(gradient.shape[1:], jnp.float32)
    given = gradient, slopes, keep
    transposed = _transposed(recurrent, choice)
    start = zeros, zeros
    of_gates = _scan_back(choice, step, transposed, start, given)
    return of_gates, None, _outer_products(_before(states, keep), of_gates, choice)


lstm_scan.defvjp(_lstm_forward, _lstm_backward)


def _states_alone(step: Step) -> Step:
    """The same step without what only a gradient reads."""

    def once(constants: Any, carry: Any, given: Any) -> tuple[Any, Array]:
        carry, (state, _) = step(constants, carry, given)
        return carry, state

    return once


def _scan(
    choice: ScanChoice,
    step: Step,
    constants: Any,
    start: Any,
    given: Any,
    *,
    reverse: bool = False,
    over: Sequence[int] = (),
) -> Any:
    """What ``step`` gives at every step, stacked, from a start of zeros.

    ``over`` names leaves of ``given`` that it may be written over, one for each output.
    """

    def in_place(constants: Any, start: Any, given: Any) -> Any:
        once = partial(step, constants)
        # Of one row XLA makes products of vectors, and computes what they read anew
        # from the arrays: written over, all of them would be copied at every step.
        free = over if jax.tree.leaves(start)[0].shape[0] > 1 else ()
        return scan_in_place(once, start, given, over=free, reverse=reverse)

    def plain(constants: Any, start: Any, given: Any) -> Any:
        once, unroll = partial(step, constants), choice.unroll
        return jax.lax.scan(once, start, given, reverse=reverse, unroll=unroll)[1]

    features = jax.tree.leaves(start)[0].shape[-1]
    kernel = choice.gate_fusion is GateFusion.KERNEL
    paths: dict[str, Callable[..., Any]] = {"default": plain}
    if choice.unroll == 1:
        paths["cpu"] = in_place
    if kernel and fits_kernel(constants, features):
        paths["cuda"] = partial(scan_kernel, step, reverse=reverse)
    return jax.lax.platform_dependent(constants, start, given, **paths)


def _scan_back(
    choice: ScanChoice, step: Step, constants: Any, start: Any, given: Any
) -> Any:
    """Gradients of four gates, each written over its slope: the leaves after the first,
    which is the gradient of the state.
    """
    over = range(1, 5)
    return _scan(choice, step, constants, start, given, reverse=True, over=over)


def _before(states: Array, keep: Array) -> Array:
    """The state that each step reads: that of the step before, or zero."""
    moved = jnp.concatenate([jnp.zeros_like(states[:1]), states[:-1]])
    return jnp.where(keep, moved, 0.0)


def _gates_of(recurrent: Array, choice: ScanChoice) -> list[Array]:
    """The matrices that stay inside the scan: one a gate, or all in one."""
    recurrent = recurrent.astype(choice.dtype)
    if choice.gate_fusion is GateFusion.FUSED:
        return [recurrent]
    return jnp.split(recurrent, recurrent.shape[1] // recurrent.shape[0], axis=1)


def _transposed(recurrent: Array, choice: ScanChoice) -> list[Array]:
    """The transposes of :func:`_gates_of`."""
    return [matrix.T for matrix in _gates_of(recurrent, choice)]


def _product(x: Array, matrix: Array, choice: ScanChoice) -> Array:
    """``x @ matrix`` with operands of the chosen type, float32."""
    return jnp.matmul(
        x.astype(choice.dtype), matrix, preferred_element_type=jnp.float32
    )


def _products(
    state: Array, matrices: Sequence[Array], choice: ScanChoice
) -> list[Array]:
    """``h @ W`` of every gate, float32 ``[n, r]`` each."""
    if choice.gate_fusion is GateFusion.FUSED:
        found = shared_product(state.astype(choice.dtype), matrices[0])
        return jnp.split(found, found.shape[-1] // state.shape[-1], axis=-1)
    return [_product(state, matrix, choice) for matrix in matrices]


def _sum_products(
    gates: Sequence[Array], transposed: Sequence[Array], choice: ScanChoice
) -> Array:
    """What the gradients of the gates say to the state before, float32 ``[n, r]``."""
    if choice.gate_fusion is GateFusion.FUSED:
        all_gates = jnp.concatenate(gates, axis=-1).astype(choice.dtype)
        return shared_product(all_gates, transposed[0])
    pairs = zip(gates, transposed, strict=True)
    return sum(_product(gate, matrix, choice) for gate, matrix in pairs)  # type: ignore[return-value]


def _outer_products(
    before: Array, of_gates: Sequence[Array], choice: ScanChoice
) -> Array:
    """Gradient of the recurrent matrices, float32 ``[r, gates * r]``."""
    before = before.astype(choice.dtype)
    if before.shape[-1] < WIDE:
        all_gates = jnp.concatenate(of_gates, axis=-1).astype(choice.dtype)
        return outer_product(before, all_gates)
    found = [outer_product(before, gate.astype(choice.dtype)) for gate in of_gates]
    return jnp.concatenate(found, axis=1)
