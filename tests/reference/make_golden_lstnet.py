"""LSTNet written again in PyTorch, from the paper, and the golden file made with it.

    python tests/reference/make_golden_lstnet.py    # writes golden/lstnet.npz

Nothing here imports the package under test. One series at a time, no padding, no packed
pages, the phases of the skip layer one after the other in a Python loop, float64: slow
and plain on purpose. Needs PyTorch, which the package does not.
"""

import dataclasses
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.nn import functional

GOLDEN = Path(__file__).parent / "golden" / "lstnet.npz"


@dataclasses.dataclass(frozen=True)
class Sizes:
    """What the twin is made of; the same names as in the package."""

    kernel_sizes: tuple[int, ...]
    channels: int
    padding: str
    recurrent_features: int
    recurrent_layers: int
    candidate: str
    skip_period: int
    skip_features: int
    highway_window: int
    summary_features: int
    features_in: int
    fusion: str = "skip"


CASES = {
    "text": (
        Sizes(
            kernel_sizes=(2, 3, 5),
            channels=4,
            padding="causal",
            recurrent_features=6,
            recurrent_layers=2,
            candidate="relu",
            skip_period=3,
            skip_features=2,
            highway_window=4,
            summary_features=7,
            features_in=8,
        ),
        (11, 2, 7),
    ),
    "forecast": (
        Sizes(
            kernel_sizes=(3,),
            channels=6,
            padding="valid",
            recurrent_features=5,
            recurrent_layers=1,
            candidate="tanh",
            skip_period=4,
            skip_features=2,
            highway_window=6,
            summary_features=8,
            features_in=8,
        ),
        (13, 5),
    ),
    "attention": (
        Sizes(
            kernel_sizes=(2, 4),
            channels=3,
            padding="causal",
            recurrent_features=5,
            recurrent_layers=2,
            candidate="relu",
            skip_period=0,
            skip_features=0,
            highway_window=3,
            summary_features=4,
            features_in=6,
            fusion="attention",
        ),
        (9, 1, 6),
    ),
    "trend": (
        Sizes(
            kernel_sizes=(3,),
            channels=5,
            padding="causal",
            recurrent_features=4,
            recurrent_layers=2,
            candidate="tanh",
            skip_period=0,
            skip_features=0,
            highway_window=0,
            summary_features=6,
            features_in=7,
            fusion="trend",
        ),
        (8, 3),
    ),
}
"""Sizes, and the lengths of the series that are run."""


def run_gru(gru: nn.GRU, x: torch.Tensor, candidate: str) -> torch.Tensor:
    """States ``[t, r]`` of the last layer; a loop where torch has no such candidate."""
    if candidate == "tanh":
        return gru(x[:, None])[0][:, 0]
    for layer in range(gru.num_layers):
        w_ih, w_hh, b_ih, b_hh = gru._flat_weights[4 * layer : 4 * layer + 4]
        h, states = x.new_zeros(gru.hidden_size), []
        for x_t in x:
            i_r, i_z, i_n = (w_ih @ x_t + b_ih).chunk(3)
            h_r, h_z, h_n = (w_hh @ h + b_hh).chunk(3)
            r, z = torch.sigmoid(i_r + h_r), torch.sigmoid(i_z + h_z)
            h = (1 - z) * torch.relu(i_n + r * h_n) + z * h
            states.append(h)
        x = torch.stack(states)
    return x


class Twin(nn.Module):
    """LSTNet over one series ``[t, d]`` -> ``[m]``."""

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        self.sizes = s = sizes
        self.conv = nn.ModuleDict(
            {str(k): nn.Conv1d(s.features_in, s.channels, k) for k in s.kernel_sizes}
        )
        convolved = s.channels * len(s.kernel_sizes)
        kind = nn.LSTM if s.fusion == "trend" else nn.GRU
        self.recurrent = kind(convolved, s.recurrent_features, s.recurrent_layers)
        if s.fusion == "skip":
            states = s.recurrent_features + s.skip_period * s.skip_features
            self.fuse = nn.Linear(states, s.summary_features)
            if s.skip_period:
                self.skip = nn.GRU(convolved, s.skip_features)
        elif s.fusion == "attention":
            self.fuse = nn.Linear(2 * s.recurrent_features, s.summary_features)
        else:
            both, m = convolved + s.recurrent_features, s.summary_features
            self.trend = nn.Linear(convolved, m, bias=False)
            self.joint = nn.Linear(both, m, bias=False)
            self.gate = nn.Linear(m, m, bias=False)
        if s.highway_window:
            self.highway = nn.Linear(s.highway_window, 1)
            if s.features_in != s.summary_features:
                self.map = nn.Linear(s.features_in, s.summary_features, bias=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        s = self.sizes
        convolved = self.convolve(x)
        summary = getattr(self, f"fuse_{s.fusion}")(convolved)
        if s.highway_window:
            window = x[-s.highway_window :]
            window = functional.pad(window, (0, 0, s.highway_window - len(window), 0))
            linear = self.highway(window.T)[:, 0]
            if s.features_in != s.summary_features:
                linear = self.map(linear)
            summary = summary + linear
        return summary

    def fuse_skip(self, convolved: torch.Tensor) -> torch.Tensor:
        s = self.sizes
        if len(convolved):
            states = [run_gru(self.recurrent, convolved, s.candidate)[-1]]
        else:
            states = [convolved.new_zeros(s.recurrent_features)]
        states += [self.phase(convolved, age) for age in reversed(range(s.skip_period))]
        return self.fuse(torch.cat(states))

    def fuse_attention(self, convolved: torch.Tensor) -> torch.Tensor:
        states = run_gru(self.recurrent, convolved, self.sizes.candidate)
        scores = states @ states[-1] / self.sizes.recurrent_features**0.5
        context = torch.softmax(scores, dim=0) @ states
        return self.fuse(torch.cat([context, states[-1]]))

    def fuse_trend(self, convolved: torch.Tensor) -> torch.Tensor:
        seasonal = self.recurrent(convolved[:, None])[0][-1, 0]
        h = convolved[-1]
        gate = self.gate(torch.tanh(self.joint(torch.cat([h, seasonal]))))
        return self.trend(h) * torch.softmax(gate, dim=0)

    def convolve(self, x: torch.Tensor) -> torch.Tensor:
        """``[t, d]`` -> ``[t, c]``, or shorter by the widest kernel less one."""
        longest, parts = max(self.sizes.kernel_sizes), []
        for size in self.sizes.kernel_sizes:
            padded = functional.pad(x.T, (size - 1, 0))
            parts.append(torch.relu(self.conv[str(size)](padded)).T)
        whole = torch.cat(parts, dim=1)
        return whole if self.sizes.padding == "causal" else whole[longest - 1 :]

    def phase(self, convolved: torch.Tensor, age: int) -> torch.Tensor:
        """The skip state ``age`` steps before the end; zero before the start."""
        if self.sizes.padding == "valid":  # as the authors' code: whole periods only
            periods = (len(convolved) - 1) // self.sizes.skip_period
            steps = max(periods, 0) * self.sizes.skip_period
            convolved = convolved[len(convolved) - steps :]
        newest = len(convolved) - 1 - age
        if newest < 0:
            return convolved.new_zeros(self.sizes.skip_features)
        steps = convolved[newest % self.sizes.skip_period : newest + 1]
        chain = steps[:: self.sizes.skip_period]
        return run_gru(self.skip, chain, self.sizes.candidate)[-1]


def run_twin(
    sizes: Sizes, lengths: tuple[int, ...], seed: int
) -> dict[str, np.ndarray]:
    """Random weights and series, all summaries, and gradients of their weighted sum.

    Keys: ``param/NAME``, ``param_grad/NAME``, and ``x/I``, ``x_grad/I``, ``summary/I``,
    ``weight/I`` for the I-th series.
    """
    generator = torch.Generator().manual_seed(seed)
    twin = Twin(sizes).double()
    with torch.no_grad():
        for parameter in twin.parameters():
            parameter.copy_(
                0.6 * torch.randn(parameter.shape, generator=generator).double()
            )
    found, loss = {}, torch.zeros((), dtype=torch.float64)
    series = []
    for i, length in enumerate(lengths):
        x = torch.randn(length, sizes.features_in, generator=generator).double()
        weight = torch.randn(sizes.summary_features, generator=generator).double()
        series.append(x.requires_grad_())
        summary = twin(x)
        loss = loss + (summary * weight).sum()
        found |= {f"x/{i}": x, f"weight/{i}": weight, f"summary/{i}": summary}
    loss.backward()
    found |= {f"x_grad/{i}": x.grad for i, x in enumerate(series)}
    for name, parameter in twin.named_parameters():
        found |= {f"param/{name}": parameter, f"param_grad/{name}": parameter.grad}
    return {k: v.detach().numpy().astype(np.float32) for k, v in found.items()}


def main() -> None:
    """Write the golden file."""
    arrays = {}
    for seed, (name, (sizes, lengths)) in enumerate(CASES.items()):
        found = run_twin(sizes, lengths, seed)
        arrays |= {f"{name}/{key}": value for key, value in found.items()}
    np.savez_compressed(GOLDEN, **arrays)
    print(f"{GOLDEN}: {len(arrays)} arrays, {GOLDEN.stat().st_size} bytes")


if __name__ == "__main__":
    main()
