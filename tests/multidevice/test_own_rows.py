"""Kernels, interpreted, on meshes: each device takes its rows, and nothing changes."""

import dataclasses
import functools
import re

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from jax.experimental import pallas

from reviewintent_jax.models import encoder_layer, scans
from reviewintent_jax.models.attention_kernels import BlockAttention, attend_blocks
from reviewintent_jax.models.dropout import key_words
from reviewintent_jax.models.encoder_spec import AttentionPath, EpiloguePath
from reviewintent_jax.models.norm_kernels import AddNorm, add_and_normalise
from reviewintent_jax.models.own_rows import ROW_AXES, on_own_rows
from reviewintent_jax.models.review_intent import ReviewIntent
from reviewintent_jax.models.scan_kernels import scan_kernel
from reviewintent_jax.training.sharding import MeshSpec, answers_on, make_mesh, on_mesh
from tests.multidevice.runs import run_of

MESHES = [(8, 1, 1), (1, 8, 1), (2, 4, 1), (2, 2, 2)]
WORDS = jnp.stack(key_words(jax.random.key(3, impl="rbg")))
BLOCKS, TOKENS, HEADS, SIZE = 8, 16, 2, 16
ROWS, FEATURES = 64, 64
STEPS = 5


def draw(*shape):
    return np.random.default_rng(sum(shape)).normal(size=shape).astype(np.float32)


def placed(mesh, given, cut):
    """Arrays as they lie in a run: cut along their rows, or whole on every device."""
    specs = [
        jax.P() if axis is None else jax.P(*[None] * axis, ROW_AXES) for axis in cut
    ]
    return [
        jax.device_put(x, jax.sharding.NamedSharding(mesh, spec))
        for x, spec in zip(given, specs, strict=True)
    ]


def attention(*, interpret=True):
    """Answers, and gradients of products and biases, with dropout."""
    segments = np.repeat([1, 2, 0], [7, 6, 3])[None].repeat(BLOCKS, axis=0)
    choice = BlockAttention(0.3, interpret=interpret)

    def found(product, bias, segments, turned):
        def total(product, bias):
            said = attend_blocks(choice, product, bias, segments, WORDS)
            return (said * turned).sum(), said

        return jax.grad(total, (0, 1), has_aux=True)(product, bias)

    product = draw(BLOCKS, TOKENS, 3, HEADS, SIZE)
    turned = draw(BLOCKS, TOKENS, HEADS, SIZE)
    return found, (product, draw(3, HEADS, SIZE), segments, turned), (0, None, 0, 0)


def norm(*, interpret=True):
    """The same of the end of a sub-layer."""
    choice = AddNorm(1e-3, 0.3, interpret=interpret)

    def found(x, product, turned, *own):
        def total(x, product, *own):
            said = add_and_normalise(choice, x, product, *own, WORDS)
            return (said * turned).sum(), said

        return jax.grad(total, range(5), has_aux=True)(x, product, *own)

    rows = [draw(ROWS, FEATURES) + shift for shift in range(3)]
    own = [draw(FEATURES) + shift for shift in range(3)]
    return found, (*rows, *own), (0, 0, 0, None, None, None)


def scan(*, interpret=True):
    """States of a recurrence."""

    def step(matrix, state, given):
        state = jnp.tanh(state @ matrix + given["x"]) * given["keep"]
        return state, {"state": state, "twice": 2 * state}

    def found(matrix, start, given):
        return scan_kernel(
            step, matrix, start, given, reverse=True, interpret=interpret
        )

    keep = draw(STEPS, ROWS, 1) > 0
    given = {"x": draw(STEPS, ROWS, SIZE), "keep": keep}
    start = np.zeros((ROWS, SIZE), np.float32)
    return found, (draw(SIZE, SIZE), start, given), (None, 0, 1)


@pytest.mark.parametrize("sizes", MESHES, ids=str)
@pytest.mark.parametrize("kernel", [attention, norm, scan])
def test_a_kernel_says_the_same_on_any_mesh(kernel, sizes):
    found, given, cut = kernel()
    wanted = jax.jit(found)(*given)
    mesh = make_mesh(MeshSpec(*sizes))
    program = jax.jit(on_mesh(mesh, found)).lower(*placed(mesh, given, cut)).compile()
    said = program(*placed(mesh, given, cut))
    assert len(jax.tree.leaves(said)) == len(jax.tree.leaves(wanted))
    for a, b in zip(jax.tree.leaves(said), jax.tree.leaves(wanted), strict=True):
        np.testing.assert_allclose(a, b, atol=2e-5)
    assert "all-gather" not in program.as_text()


@pytest.mark.parametrize(("kernel", "calls"), [(attention, 2), (norm, 2), (scan, 1)])
def test_a_program_for_gpus_calls_its_kernels_on_each(kernel, calls):
    """Lowered for them, which no GPU is needed for; forwards and backwards."""
    found, given, cut = kernel(interpret=False)
    mesh = make_mesh(MeshSpec(2, 2, 1))
    h200 = jax.sharding.AbstractDevice("NVIDIA H200", num_cores=132, platform="gpu")
    of_gpus = mesh.abstract_mesh.update(abstract_device=h200)

    def known(*given):
        with jax.sharding.use_abstract_mesh(of_gpus):
            return found(*given)

    traced = jax.jit(known).trace(*placed(mesh, given, cut))
    program = traced.lower(lowering_platforms=("cuda",)).as_text()
    assert len(re.findall(r"custom_call @\S*triton", program)) == calls
    assert len(re.findall(r"sdy\.manual_computation", program)) == calls


@pytest.mark.parametrize(
    ("sizes", "rows", "own"),
    [
        ((8, 1, 1), 64, 8),
        ((2, 2, 2), 64, 16),
        ((1, 1, 8), 64, 64),
        ((8, 1, 1), 12, 12),  # no multiple of the devices
    ],
    ids=str,
)
def test_a_device_is_given_its_rows_and_their_number(sizes, rows, own):
    seen = []

    def kernel(first, x, offset):
        seen.append(x.shape)
        number = first + jnp.arange(len(x), dtype=jnp.uint32)
        return [x * 0 + number[:, None] + offset, x.sum(axis=0)]

    def found(x, offset):
        return on_own_rows(kernel, (x, offset), cut=(0, None), found=(0, None))

    mesh = make_mesh(MeshSpec(*sizes))
    x, offset = draw(rows, 3), np.float32(0.5)
    numbers, total = answers_on(mesh, found)(x, offset)
    assert seen == [(own, 3)]
    np.testing.assert_array_equal(numbers[:, 0], np.arange(rows) + 0.5)
    np.testing.assert_allclose(total, x.sum(axis=0), atol=1e-5)


def test_one_device_is_asked_for_nothing():
    def found(x):
        return jnp.sin(x)

    assert on_mesh(make_mesh(MeshSpec(1, 1, 1)), found) is found


@pytest.fixture
def interpreted(monkeypatch):
    """Takes the ways of a GPU, whose kernels are interpreted.

    Says which were, and the most programs that one was made of: for attention the
    blocks of a device, for the ends of sub-layers its tokens.
    """
    choose, call, seen = jax.lax.platform_dependent, pallas.pallas_call, {}

    def chosen(*given, cuda=None, **others):
        if cuda is None:
            return choose(*given, **others)
        return functools.partial(cuda, interpret=True)(*given)

    def called(program, **options):
        name = program.__module__.rsplit(".", 1)[-1]
        seen[name] = max(seen.get(name, 0), options["grid"][0])
        return call(program, **options)

    monkeypatch.setattr(scans.jax.lax, "platform_dependent", chosen)
    monkeypatch.setattr(pallas, "pallas_call", called)
    for name in ("BlockAttention", "AddNorm"):
        own = functools.partial(getattr(encoder_layer, name), interpret=True)
        monkeypatch.setattr(encoder_layer, name, own)
    return seen


def suited(experiment):
    """The same with an encoder of sizes that the kernels take, and with them."""
    spec = experiment.model.spec
    encoder = dataclasses.replace(
        spec.encoder,
        hidden_size=64,
        attention=AttentionPath.KERNEL,
        epilogues=EpiloguePath.KERNEL,
    )
    model = ReviewIntent(dataclasses.replace(spec, encoder=encoder))
    return dataclasses.replace(experiment, model=model, encoder_params=None)


KERNELS = {"attention_kernels", "norm_kernels", "scan_kernels"}


def on_one_and_four(experiment_of, interpreted, work):
    """What ``work`` says of each experiment, and which kernels it took."""
    said, kernels = [], []
    for sizes in ((1, 1, 1), (2, 2, 1)):
        interpreted.clear()
        said.append(work(suited(experiment_of(sizes))))
        kernels.append(dict(interpreted))
    return said, kernels


@pytest.fixture
def fitting(tiny_config):
    """Recurrent layers of sizes that the kernel takes, and with it."""
    tiny_config.lstnet.update(
        gate_fusion="kernel", recurrent_features=16, skip_features=16
    )


@pytest.mark.slow
@pytest.mark.parametrize("pieces", [1, 2])
def test_updates_by_kernels_are_those_of_one_device(
    fitting, built, interpreted, pieces
):
    def losses(experiment):
        return run_of(experiment, optax.sgd(0.01), steps=2)[0]

    (one, four), (all_rows, own_rows) = on_one_and_four(
        lambda sizes: built(sizes, accumulate=pieces), interpreted, losses
    )
    assert one[0] != one[1]
    np.testing.assert_allclose(four, one, atol=1e-6, rtol=0)
    assert all_rows.keys() == own_rows.keys() == KERNELS
    for name in KERNELS - {"scan_kernels"}:
        # A quarter, of what four devices can share: empty pages may fill it up.
        assert own_rows[name] < all_rows[name] / 2


@pytest.mark.slow
def test_validation_by_kernels_says_the_same_and_each_takes_its_own(
    fitting, built, interpreted
):
    def scores(experiment):
        state = experiment.first_state(optax.sgd(0.01)).draw()
        interpreted.clear()
        return experiment.validation()(state.params)

    (one, four), (all_rows, own_rows) = on_one_and_four(built, interpreted, scores)
    np.testing.assert_allclose(
        list(four.values()), list(one.values()), atol=1e-5, rtol=0
    )
    assert all_rows.keys() == own_rows.keys() == KERNELS
    for name in KERNELS - {"scan_kernels"}:
        assert own_rows[name] == all_rows[name] / 4
