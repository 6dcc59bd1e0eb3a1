"""A whole LSTNet of PyTorch's layers, for rows of one length.

What people would write with PyTorch who want an LSTNet: ``nn.Conv1d``, ``nn.GRU``, the
skip-GRU by turning phases into rows, the last states, a linear layer and the linear
highway. Every row is one series and full; ``torch_twin.py`` reads padded rows with the
same layers. With :func:`take_lstnet` it gives our answers to 1e-5, which a test holds.
PyTorch is given by the caller, who knows whether it is there.
"""

from collections.abc import Mapping
from typing import Any

import jax
import numpy as np

from reviewintent_jax.benchmark.linen_lstnet import skip_layout
from reviewintent_jax.models.lstnet_spec import Fusion, LSTNetSpec, Padding


def make_torch_lstnet(torch: Any, width: int, spec: LSTNetSpec) -> Any:
    """An LSTNet with fusion ``skip`` as one module of PyTorch; no dropout.

    Called with ``[b, t, d]``, it returns ``[b, m]``. The candidate of ``nn.GRU`` is
    tanh, whatever the spec says.

    Args:
      torch: the module.
      width: features of a step.
      spec: of the LSTNet.
    """
    assert spec.fusion is Fusion.SKIP
    nn = torch.nn
    channels, size = spec.channels * len(spec.kernel_sizes), spec.recurrent_features

    class LSTNet(nn.Module):
        """Convolution, recurrent, recurrent-skip, fusion and highway."""

        def __init__(self) -> None:
            super().__init__()
            self.convolutions = nn.ModuleList(
                nn.Conv1d(width, spec.channels, each) for each in spec.kernel_sizes
            )
            self.recurrent = nn.GRU(
                channels, size, spec.recurrent_layers, batch_first=True
            )
            fused = size
            if spec.skip_period:
                self.skip = nn.GRU(channels, spec.skip_features, batch_first=True)
                fused += spec.skip_period * spec.skip_features
            self.fuse = nn.Linear(fused, spec.summary_features)
            window = spec.highway_window
            self.highway = nn.Parameter(torch.full((window,), 1 / max(window, 1)))
            self.highway_bias = nn.Parameter(torch.zeros(()))
            if width != spec.summary_features:
                self.map = nn.Linear(width, spec.summary_features, bias=False)

        def forward(self, x: Any) -> Any:
            read = self.convolved(x)
            _, states = self.recurrent(read)
            last = [states[-1]]
            if spec.skip_period:
                last.append(_skipped(torch, self.skip, read, spec))
            return self.fuse(torch.cat(last, dim=1)) + self.linear(x)

        def convolved(self, x: Any) -> Any:
            return _convolved(torch, self.convolutions, x, spec)

        def linear(self, x: Any) -> Any:
            window = min(spec.highway_window, x.shape[1])
            if not window:
                return 0
            share = self.highway[-window:]
            read = torch.einsum("btd,t->bd", x[:, -window:], share) + self.highway_bias
            return self.map(read) if width != spec.summary_features else read

    return LSTNet()


def _convolved(torch: Any, kernels: Any, x: Any, spec: LSTNetSpec) -> Any:
    """Convolutions ``[b, t, d]`` -> ``[b, t, c]``, ReLU; valid padding loses steps."""
    functional, longest = torch.nn.functional, max(spec.kernel_sizes)
    causal = spec.padding is Padding.CAUSAL
    rows, found = x.transpose(1, 2), []
    for kernel in kernels:
        own = kernel.kernel_size[0]
        given = functional.pad(rows, (own - 1, 0)) if causal else rows
        lost = 0 if causal else longest - own
        found.append(functional.relu(kernel(given))[..., lost:])
    return torch.cat(found, dim=1).transpose(1, 2)


def _skipped(torch: Any, gru: Any, x: Any, spec: LSTNetSpec) -> Any:
    """The last states of the skip-GRU, one a phase, oldest first ``[b, p r]``."""
    (rows, steps, channels), period = x.shape, spec.skip_period
    periods, cut, back = skip_layout(spec, steps)
    x = torch.nn.functional.pad(x[:, cut:], (0, 0, 0, back))
    phases = x.reshape(rows, periods, period, channels).transpose(1, 2)
    states, _ = gru(phases.reshape(-1, periods, channels))
    states = states.reshape(rows, period, periods, -1).transpose(1, 2)
    states = states.reshape(rows, periods * period, -1)
    return states[:, steps - cut - period : steps - cut].flatten(1)


def take_lstnet(torch: Any, module: Any, ours: Mapping[str, Any]) -> None:
    """Gives a module of PyTorch, this one or the twin's head, our LSTNet's weights."""

    def put(target: Any, value: Any) -> None:
        with torch.no_grad():
            target.copy_(torch.tensor(np.array(value)))

    ours = jax.device_get(ours)
    for kernel in module.convolutions:
        size = kernel.kernel_size[0]
        put(kernel.weight, ours["convolution"][f"kernel_{size}"].transpose(2, 1, 0))
        put(kernel.bias, ours["convolution"][f"bias_{size}"])
    layers = [(module.recurrent, n, ours[f"recurrent_{n}"])
              for n in range(module.recurrent.num_layers)]  # fmt: skip
    if "skip" in ours:
        layers.append((module.skip, 0, ours["skip"]))
    for layer, number, its in layers:
        candidate = np.array(its["candidate_bias"])
        unused = np.zeros(2 * len(candidate), candidate.dtype)
        put(getattr(layer, f"weight_ih_l{number}"), its["input_kernel"].T)
        put(getattr(layer, f"weight_hh_l{number}"), its["recurrent_kernel"].T)
        put(getattr(layer, f"bias_ih_l{number}"), its["input_bias"])
        put(getattr(layer, f"bias_hh_l{number}"), np.append(unused, candidate))
    put(module.fuse.weight, ours["fuse"]["dense"]["kernel"].T)
    put(module.fuse.bias, ours["fuse"]["dense"]["bias"])
    if "highway" in ours:
        put(module.highway, np.array(ours["highway"]["weight"])[:, 0])
        put(module.highway_bias, ours["highway"]["bias"])
        if "map" in ours["highway"]:
            put(module.map.weight, ours["highway"]["map"]["kernel"].T)
