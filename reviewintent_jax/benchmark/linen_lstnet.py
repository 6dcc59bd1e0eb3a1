"""A whole LSTNet of linen's layers, for rows of one length.

What people would write with linen who want an LSTNet: ``nn.Conv``,
``nn.RNN(nn.GRUCell)``, the skip-GRU by turning phases into rows, the last states, a
dense layer and the linear highway. Every row is one series and full, so nothing is
masked. With :func:`linen_weights` it gives our answers to 1e-5, which a test holds.
"""

from collections.abc import Mapping
from typing import Any

import flax.linen as nn
import jax.numpy as jnp
from jaxtyping import Array, Float

from reviewintent_jax.models.lstnet_spec import Fusion, LSTNetSpec, Padding
from reviewintent_jax.models.recurrent import Candidate

_ACTIVATIONS = {Candidate.RELU: nn.relu, Candidate.TANH: jnp.tanh}
_GATES = "r", "z", "n"  # as our matrices hold them


class LinenLSTNet(nn.Module):
    """An LSTNet with fusion ``skip``, of linen's own layers; no dropout."""

    spec: LSTNetSpec

    @nn.compact
    def __call__(self, x_btd: Float[Array, "b t d"]) -> Float[Array, "b m"]:
        """Return the summary of every row."""
        spec = self.spec
        assert spec.fusion is Fusion.SKIP
        padding = "CAUSAL" if spec.padding is Padding.CAUSAL else "VALID"
        longest = max(spec.kernel_sizes)
        convolved = []
        for size in spec.kernel_sizes:
            convolution = nn.Conv(
                spec.channels, (size,), padding=padding, name=f"convolution_{size}"
            )
            lost = longest - size if spec.padding is Padding.VALID else 0
            convolved.append(nn.relu(convolution(x_btd))[:, lost:])
        read = jnp.concatenate(convolved, axis=-1)
        states: Any = read  # nn.RNN gives a carry too, where it is asked for one
        for layer in range(spec.recurrent_layers):
            states = self._gru(spec.recurrent_features, f"recurrent_{layer}")(states)
        last = [states[:, -1]]
        if spec.skip_period:
            last.append(self._skipped(read))
        dense = nn.Dense(spec.summary_features, name="fuse")
        return dense(jnp.concatenate(last, axis=-1)) + self._highway(x_btd)

    def _gru(self, features: int, name: str) -> nn.RNN:
        activation = _ACTIVATIONS[self.spec.candidate]
        cell = nn.GRUCell(features, activation_fn=activation, name=f"{name}_cell")
        return nn.RNN(cell, name=name)

    def _skipped(self, x_btc: Array) -> Array:
        """The last states of the skip-GRU, one a phase, oldest first, side by side."""
        rows, steps, channels = x_btc.shape
        periods, cut, back = skip_layout(self.spec, steps)
        period = self.spec.skip_period
        x_btc = jnp.pad(x_btc[:, cut:], ((0, 0), (0, back), (0, 0)))
        phases = x_btc.reshape(rows, periods, period, channels).swapaxes(1, 2)
        phases = phases.reshape(rows * period, periods, channels)
        states: Any = self._gru(self.spec.skip_features, "skip")(phases)
        states = states.reshape(rows, period, periods, -1).swapaxes(1, 2)
        states = states.reshape(rows, periods * period, -1)
        return states[:, steps - cut - period : steps - cut].reshape(rows, -1)

    def _highway(self, x_btd: Array) -> Array | float:
        spec = self.spec
        window = min(spec.highway_window, x_btd.shape[1])
        if not window:
            return 0.0
        weight = self.param(
            "highway",
            nn.initializers.constant(1 / spec.highway_window),
            (spec.highway_window,),
        )
        bias = self.param("highway_bias", nn.initializers.zeros, ())
        read = jnp.einsum("btd,t->bd", x_btd[:, -window:], weight[-window:]) + bias
        if x_btd.shape[-1] == spec.summary_features:
            return read
        return nn.Dense(spec.summary_features, use_bias=False, name="map")(read)


def skip_layout(spec: LSTNetSpec, steps: int) -> tuple[int, int, int]:
    """How convolved steps become whole periods.

    Args:
      spec: with a ``skip_period``.
      steps: that the convolution left, more than a period.

    Returns:
      Periods; first steps to leave out (valid padding reads whole periods alone, as the
      authors' code does); zeros to put behind the last.

    Example: 10 steps, period 4: ``(3, 0, 2)`` with causal padding; ``(2, 2, 0)`` with
    valid padding.
    """
    period = spec.skip_period
    assert steps > period
    if spec.padding is Padding.VALID:
        periods = (steps - 1) // period  # of length - k, one less than is left
        return periods, steps - periods * period, 0
    periods = -(-steps // period)
    return periods, 0, periods * period - steps


def linen_weights(ours: Mapping[str, Any]) -> dict[str, Any]:
    """Parameters of our LSTNet as those of :class:`LinenLSTNet`."""
    found: dict[str, Any] = {"fuse": ours["fuse"]["dense"]}
    for name, value in ours["convolution"].items():
        part, size = name.split("_")
        found.setdefault(f"convolution_{size}", {})[part] = value
    for name in ours:
        if name.startswith("recurrent") or name == "skip":
            found[f"{name}_cell"] = _cell_weights(ours[name])
    if "highway" in ours:
        found["highway"] = ours["highway"]["weight"][:, 0]
        found["highway_bias"] = ours["highway"]["bias"]
        if "map" in ours["highway"]:
            found["map"] = ours["highway"]["map"]
    return found


def _cell_weights(layer: Mapping[str, Any]) -> dict[str, Any]:
    """One of our GRUs as a ``linen.GRUCell``."""
    cell = {}
    for gate, kernel, bias, recurrent in zip(
        _GATES,
        jnp.split(layer["input_kernel"], 3, axis=1),
        jnp.split(layer["input_bias"], 3),
        jnp.split(layer["recurrent_kernel"], 3, axis=1),
        strict=True,
    ):
        cell[f"i{gate}"] = {"kernel": kernel, "bias": bias}
        cell[f"h{gate}"] = {"kernel": recurrent}
    cell["hn"]["bias"] = layer["candidate_bias"]
    return cell
