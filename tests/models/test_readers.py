"""Readers beside LSTNet: each slot alone, each kind against a plain loop."""

import dataclasses

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from reviewintent_jax.models.reader_spec import ReaderKind, ReaderSpec, Reads
from reviewintent_jax.models.readers import Reader, chunk_firsts
from reviewintent_jax.schema import InputError

BLOCK, PAGE, WIDTH = 6, 30, 5
SPEC = ReaderSpec(
    kind=ReaderKind.LSTM,
    reads=Reads.TOKENS,
    features=4,
    layers=2,
    bidirectional=True,
    kernel_sizes=(2, 3),
    dropout=0.0,
)
SPECS = {
    "lstm": SPEC,
    "gru": dataclasses.replace(SPEC, kind=ReaderKind.GRU, bidirectional=False),
    "cnn": dataclasses.replace(SPEC, kind=ReaderKind.CNN),
    "tcn": dataclasses.replace(SPEC, kind=ReaderKind.TCN, kernel_sizes=(3,), layers=3),
    "mean": dataclasses.replace(SPEC, kind=ReaderKind.MEAN),
    "cls_lstm": dataclasses.replace(SPEC, reads=Reads.CLS),
    "cls_mean": dataclasses.replace(SPEC, kind=ReaderKind.MEAN, reads=Reads.CLS),
}
SERIES = [
    np.random.default_rng(n).normal(size=(n, WIDTH)).astype(np.float32)
    for n in (5, 1, 12, 3)
]
STARTS = (0, 5, 12, 24)  # one gap, and an empty slot after them


def page_of(series, starts, *, noise=1.0):
    page = noise * np.random.default_rng(9).normal(size=(PAGE, WIDTH))
    for x, start in zip(series, starts, strict=True):
        page[start : start + len(x)] = x
    lengths = [len(x) for x in series] + [0]
    slots = jnp.array([[*starts, 0]]), jnp.array([lengths])
    return jnp.asarray(page[None], jnp.float32), *slots


def drawn(spec):
    """Livelier weights than at the start, so that a leak would be seen."""
    reader = Reader(spec, BLOCK)
    page = page_of(SERIES, STARTS)
    variables = reader.init(jax.random.key(3), *page, deterministic=True)
    lively = jax.tree.map(
        lambda p: 2 * p + 0.3 * jnp.cos(jnp.arange(p.size)).reshape(p.shape), variables
    )
    run = jax.jit(lambda v, *page: reader.apply(v, *page, deterministic=True))
    return lively, run


@pytest.fixture(params=SPECS, scope="module")
def case(request):
    spec = SPECS[request.param]
    return (spec, *drawn(spec))


def test_packed_slots_answer_as_each_would_alone(case):
    spec, variables, run = case
    together = run(variables, *page_of(SERIES, STARTS))[0]
    assert together.shape == (len(SERIES) + 1, spec.summary_features(WIDTH))
    assert together.dtype == jnp.float32
    for k, x in enumerate(SERIES):
        alone = run(variables, *page_of([x], (7,), noise=50.0))[0, 0]
        np.testing.assert_allclose(together[k], alone, atol=1e-5)
    assert not together[-1].any()


def test_no_gradient_leaves_a_slot(case):
    spec, variables, run = case
    page, *slots = page_of(SERIES, STARTS)
    gradient = jax.grad(lambda x: run(variables, x, *slots)[0, 2].sum())(page)
    inside = np.zeros(PAGE, bool)
    inside[12:24] = True
    assert not np.asarray(gradient)[0, ~inside].any()
    read = [12, 18] if spec.reads is Reads.CLS else [12, 23]
    if spec.kind is not ReaderKind.CNN:  # of which a step may be nowhere the largest
        assert np.abs(gradient[0, jnp.array(read)]).min() > 0
    chex.assert_tree_all_finite(gradient)


def test_the_mean_is_the_mean():
    _, run = drawn(SPECS["mean"])
    found = run({}, *page_of(SERIES, STARTS))[0]
    for k, x in enumerate(SERIES):
        np.testing.assert_allclose(found[k], x.mean(0), atol=1e-6)


def test_the_first_states_are_those_of_the_chunks():
    page, *slots = page_of(SERIES, STARTS)
    states, chunks = chunk_firsts(page, *slots, BLOCK)
    np.testing.assert_array_equal(chunks[0], [1, 1, 2, 1, 0])
    np.testing.assert_array_equal(states[0, 2, :2], page[0, jnp.array([12, 18])])
    _, run = drawn(SPECS["cls_mean"])
    found = run({}, page, *slots)[0]
    np.testing.assert_allclose(found[0], SERIES[0][0], atol=1e-6)
    np.testing.assert_allclose(found[2], SERIES[2][[0, 6]].mean(0), atol=1e-6)


def test_the_cnn_takes_the_largest_answer_of_every_filter():
    variables, run = drawn(SPECS["cnn"])
    found = run(variables, *page_of(SERIES, STARTS))[0]
    weights = variables["params"]["convolution"]
    for k, x in enumerate(SERIES):
        wanted = []
        for size in SPEC.kernel_sizes:
            padded = np.concatenate([np.zeros((size - 1, WIDTH)), x])
            kernel, bias = weights[f"kernel_{size}"], weights[f"bias_{size}"]
            answers = [
                np.einsum("sd,sdc->c", padded[t : t + size], kernel) + bias
                for t in range(len(x))
            ]
            wanted.append(np.maximum(answers, 0).max(0))
        np.testing.assert_allclose(found[k], np.concatenate(wanted), atol=1e-5)


def test_the_tcn_looks_twice_as_far_back_in_every_block():
    variables, run = drawn(SPECS["tcn"])
    found = run(variables, *page_of(SERIES, STARTS))[0]
    for k, x in enumerate(SERIES):
        for layer in range(3):
            block = jax.device_get(variables["params"][f"block_{layer}"])
            kept, dilation = x, 2**layer
            if "widen" in block:
                kept = x @ block["widen"]["kernel"] + block["widen"]["bias"]
            for number in range(2):
                weights = block[f"convolution_{number}"]
                padded = np.concatenate([np.zeros((2 * dilation, x.shape[1])), x])
                x = np.stack(
                    [
                        np.einsum(
                            "sd,sdc->c",
                            padded[t : t + 2 * dilation + 1 : dilation],
                            weights["kernel_3"],
                        )
                        + weights["bias_3"]
                        for t in range(len(x))
                    ]
                )
                x = np.maximum(x, 0)
            x = np.maximum(x + kept, 0)
        np.testing.assert_allclose(found[k], x[-1], rtol=1e-4, atol=1e-4)


def test_dropout_acts_in_training_alone_and_on_what_a_layer_reads():
    spec = dataclasses.replace(SPEC, dropout=0.5)
    page = page_of(SERIES, STARTS)
    reader = Reader(spec, BLOCK)
    variables = reader.init(jax.random.key(3), *page, deterministic=True)
    still = reader.apply(variables, *page, deterministic=True)
    moved = [
        reader.apply(
            variables, *page, deterministic=False, rngs={"dropout": jax.random.key(n)}
        )
        for n in (1, 1, 2)
    ]
    np.testing.assert_array_equal(moved[0], moved[1])
    assert jnp.abs(moved[0] - moved[2]).max() > 1e-3
    assert jnp.abs(moved[0] - still).max() > 1e-3


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"features": 0}, "features and layers"),
        ({"dropout": 1.0}, "dropout is 1.0"),
        ({"kind": ReaderKind.CNN, "kernel_sizes": (2, 2)}, r"are \(2, 2\)"),
        ({"kind": ReaderKind.TCN, "kernel_sizes": (2, 3)}, "one kernel size, not 2"),
    ],
)
def test_what_cannot_be_built_is_refused(changes, said):
    with pytest.raises(InputError, match=said):
        dataclasses.replace(SPEC, **changes)


def test_titles():
    titles = {name: spec.title for name, spec in SPECS.items()}
    assert titles["lstm"] == "BiLSTM"
    assert titles["gru"] == "GRU"
    assert titles["tcn"] == "TCN"
    assert (titles["mean"], titles["cls_mean"]) == ("mean", "[CLS]")
