import dataclasses
import importlib.util
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from reviewintent_jax.models.lstnet import LSTNet
from reviewintent_jax.models.lstnet_spec import Fusion, LSTNetSpec, Padding
from reviewintent_jax.models.recurrent import Candidate, GateFusion

REFERENCE = Path(__file__).parents[1] / "reference"
GOLDEN_SPECS = {
    "text": LSTNetSpec(
        kernel_sizes=(2, 3, 5),
        channels=4,
        padding=Padding.CAUSAL,
        recurrent_features=6,
        recurrent_layers=2,
        candidate=Candidate.RELU,
        skip_period=3,
        skip_features=2,
        fusion=Fusion.SKIP,
        highway_window=4,
        summary_features=7,
        dropout=0.0,
        gate_fusion=GateFusion.SEPARATE,
        unroll=1,
    ),
    "forecast": LSTNetSpec(
        kernel_sizes=(3,),
        channels=6,
        padding=Padding.VALID,
        recurrent_features=5,
        recurrent_layers=1,
        candidate=Candidate.TANH,
        skip_period=4,
        skip_features=2,
        fusion=Fusion.SKIP,
        highway_window=6,
        summary_features=8,
        dropout=0.0,
        gate_fusion=GateFusion.FUSED,
        unroll=2,
    ),
    "attention": LSTNetSpec(
        kernel_sizes=(2, 4),
        channels=3,
        padding=Padding.CAUSAL,
        recurrent_features=5,
        recurrent_layers=2,
        candidate=Candidate.RELU,
        skip_period=0,
        skip_features=0,
        fusion=Fusion.ATTENTION,
        highway_window=3,
        summary_features=4,
        dropout=0.0,
        gate_fusion=GateFusion.SEPARATE,
        unroll=1,
    ),
    "trend": LSTNetSpec(
        kernel_sizes=(3,),
        channels=5,
        padding=Padding.CAUSAL,
        recurrent_features=4,
        recurrent_layers=2,
        candidate=Candidate.TANH,
        skip_period=0,
        skip_features=0,
        fusion=Fusion.TREND,
        highway_window=0,
        summary_features=6,
        dropout=0.0,
        gate_fusion=GateFusion.FUSED,
        unroll=1,
    ),
}
PAGE = 40


def pack(series, starts, noise):
    """A page with each of ``series [t, d]`` from its start, noise between them."""
    page = noise * np.random.default_rng(9).normal(size=(PAGE, series[0].shape[-1]))
    for x, start in zip(series, starts, strict=True):
        page[start : start + len(x)] = x
    return page.astype(np.float32)


def ours_from_torch(arrays, spec, prefix):
    """The twin's parameters (or their gradients) under our names."""

    def take(name):
        return jnp.asarray(arrays[prefix + name])

    def gru(name, layer, gradient):
        hidden = take(f"{name}.bias_hh_l{layer}")
        newest = 2 * len(hidden) // 3  # b_hr and b_hz are only ever added to b_i*
        added = jnp.zeros_like(hidden) if gradient else hidden.at[newest:].set(0)
        return {
            "input_kernel": take(f"{name}.weight_ih_l{layer}").T,
            "input_bias": take(f"{name}.bias_ih_l{layer}") + added,
            "recurrent_kernel": take(f"{name}.weight_hh_l{layer}").T,
            "candidate_bias": hidden[newest:],
        }

    def lstm(name, layer, gradient):
        hidden = take(f"{name}.bias_hh_l{layer}")
        return {
            "input_kernel": take(f"{name}.weight_ih_l{layer}").T,
            "input_bias": take(f"{name}.bias_ih_l{layer}")
            + (0 if gradient else hidden),
            "recurrent_kernel": take(f"{name}.weight_hh_l{layer}").T,
        }

    gradient = prefix.endswith("grad/")
    convolution = {}
    for size in spec.kernel_sizes:
        kernel = take(f"conv.{size}.weight")
        convolution[f"kernel_{size}"] = jnp.transpose(kernel, (2, 1, 0))
        convolution[f"bias_{size}"] = take(f"conv.{size}.bias")
    found = {"convolution": convolution}
    if spec.fusion is Fusion.TREND:
        parts = ("trend", "joint", "gate")
        found["fuse"] = {part: {"kernel": take(f"{part}.weight").T} for part in parts}
    else:
        dense = {"kernel": take("fuse.weight").T, "bias": take("fuse.bias")}
        found["fuse"] = {"dense": dense}
    for layer in range(spec.recurrent_layers):
        cell = lstm if spec.fusion is Fusion.TREND else gru
        found[f"recurrent_{layer}"] = cell("recurrent", layer, gradient)
    if spec.skip_period and spec.fusion is Fusion.SKIP:
        found["skip"] = gru("skip", 0, gradient)
    if spec.highway_window:
        found["highway"] = {
            "weight": take("highway.weight").T,
            "bias": take("highway.bias")[0],
        }
        if prefix + "map.weight" in arrays:
            found["highway"]["map"] = {"kernel": take("map.weight").T}
    return {"params": found}


def spec_from_twin(sizes, base):
    """Our spec of the twin's sizes; what only changes speed is taken from a golden."""
    ours = {f.name for f in dataclasses.fields(LSTNetSpec)}
    fields = {k: v for k, v in dataclasses.asdict(sizes).items() if k in ours}
    fields["padding"] = Padding(sizes.padding)
    fields["candidate"] = Candidate(sizes.candidate)
    fields["fusion"] = Fusion(sizes.fusion)
    return dataclasses.replace(base, **fields)


def assert_equals_twin(arrays, spec, case):
    """All series of ``case`` on one packed page: summaries and gradients, at 1e-5."""
    count = sum(key.startswith(f"{case}/summary/") for key in arrays)
    each = {
        kind: [arrays[f"{case}/{kind}/{i}"] for i in range(count)]
        for kind in ("x", "x_grad", "summary", "weight")
    }
    lengths = [len(x) for x in each["x"]]
    starts = np.cumsum([1, *(n + 1 for n in lengths)])[:-1].tolist()
    page = pack(each["x"], starts, noise=1.0)[None]
    variables = ours_from_torch(arrays, spec, f"{case}/param/")
    place = jnp.asarray([starts]), jnp.asarray([lengths])
    weight = np.stack(each["weight"])[None]

    def loss(variables, x):
        out = LSTNet(spec).apply(variables, x, *place, deterministic=True)
        return jnp.sum(out.summary_bkm * weight), out.summary_bkm

    differentiate = jax.jit(jax.grad(loss, argnums=(0, 1), has_aux=True))
    (grads, x_grad), summary = differentiate(variables, page)

    def same(found, expected):
        """Within 1e-5 of the largest value, where that is above 1."""
        scale = max(1.0, np.abs(expected).max())
        np.testing.assert_allclose(found / scale, expected / scale, atol=1e-5)

    same(summary[0], np.stack(each["summary"]))
    same(x_grad[0], pack(each["x_grad"], starts, noise=0.0))
    jax.tree.map(same, grads, ours_from_torch(arrays, spec, f"{case}/param_grad/"))


@pytest.mark.parametrize("case", GOLDEN_SPECS)
def test_equals_the_golden_file(case):
    with np.load(REFERENCE / "golden" / "lstnet.npz") as arrays:
        assert_equals_twin(dict(arrays), GOLDEN_SPECS[case], case)


@pytest.fixture(scope="module")
def twin():
    pytest.importorskip("torch")
    path = REFERENCE / "make_golden_lstnet.py"
    module_spec = importlib.util.spec_from_file_location("lstnet_twin", path)
    module = importlib.util.module_from_spec(module_spec)
    module_spec.loader.exec_module(module)
    return module


@pytest.mark.torch
@pytest.mark.parametrize("case", GOLDEN_SPECS)
def test_the_golden_file_is_what_the_twin_says(twin, case):
    sizes, lengths = twin.CASES[case]
    assert spec_from_twin(sizes, GOLDEN_SPECS[case]) == GOLDEN_SPECS[case]
    found = twin.run_twin(sizes, lengths, list(twin.CASES).index(case))
    with np.load(REFERENCE / "golden" / "lstnet.npz") as golden:
        for key, value in found.items():
            np.testing.assert_allclose(
                golden[f"{case}/{key}"], value, rtol=1e-6, atol=1e-6
            )


@pytest.mark.torch
@pytest.mark.parametrize(
    "changes",
    [
        {"recurrent_layers": 3, "candidate": "tanh", "skip_period": 1},
        {"padding": "valid", "kernel_sizes": (3, 7), "skip_period": 5},
        {"skip_period": 0, "skip_features": 0, "kernel_sizes": (1,)},
        {"skip_period": 14, "highway_window": 0, "recurrent_layers": 1},
        {"highway_window": 20, "summary_features": 8, "kernel_sizes": (9,)},
        {"padding": "valid", "kernel_sizes": (2,), "skip_period": 3},
        {"fusion": "attention", "recurrent_layers": 1, "candidate": "tanh"},
        {"fusion": "trend", "recurrent_layers": 1, "highway_window": 9},
        {"fusion": "attention", "recurrent_layers": 3},
        {"fusion": "attention", "padding": "valid", "kernel_sizes": (2, 3)},
        {"fusion": "trend", "padding": "valid", "kernel_sizes": (2, 3)},
    ],
    ids=lambda changes: "-".join(changes),
)
def test_equals_the_live_twin(twin, changes):
    sizes = dataclasses.replace(twin.CASES["text"][0], **changes)
    found = twin.run_twin(sizes, (10, 3, 13), seed=7)
    arrays = {f"live/{key}": value for key, value in found.items()}
    assert_equals_twin(arrays, spec_from_twin(sizes, GOLDEN_SPECS["text"]), "live")
