import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reviewintent_jax.models.lstnet import Highway, LSTNet
from reviewintent_jax.models.lstnet_spec import Fusion, LSTNetSpec, Padding
from reviewintent_jax.models.recurrent import Candidate, GateFusion
from reviewintent_jax.models.slots import (
    last_steps,
    slot_ages,
    slot_members,
    slot_positions,
)
from reviewintent_jax.schema import InputError

FEATURES = 8
SPEC = LSTNetSpec(
    kernel_sizes=(2, 5),
    channels=3,
    padding=Padding.CAUSAL,
    recurrent_features=6,
    recurrent_layers=2,
    candidate=Candidate.RELU,
    skip_period=4,
    skip_features=2,
    fusion=Fusion.SKIP,
    highway_window=5,
    summary_features=7,
    dropout=0.0,
    gate_fusion=GateFusion.SEPARATE,
    unroll=1,
)
VALID_SPEC = dataclasses.replace(SPEC, padding=Padding.VALID)
OTHERS = [
    dataclasses.replace(SPEC, fusion=fusion, skip_period=0, skip_features=0)
    for fusion in (Fusion.ATTENTION, Fusion.TREND)
]
EACH = pytest.mark.parametrize(
    "spec", [SPEC, VALID_SPEC, *OTHERS], ids=lambda s: f"{s.fusion}-{s.padding}"
)


def random(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def variables_of(spec, features=FEATURES, seed=0):
    """All parameters random, biases too, so that each of them matters."""
    x, slot = jnp.zeros((1, 9, features)), jnp.ones((1, 1), jnp.int32)
    model = LSTNet(spec)
    shapes = jax.eval_shape(
        lambda key: model.init(key, x, slot, slot, deterministic=True),
        jax.random.key(0),
    )
    rng = np.random.default_rng(seed)
    return jax.tree.map(
        lambda s: jnp.asarray(0.5 * rng.normal(size=s.shape), s.dtype), shapes
    )


@functools.partial(jax.jit, static_argnames=("spec", "dtype"))
def forward(spec, variables, x, start, length, dtype=jnp.float32):
    return LSTNet(spec, dtype).apply(variables, x, start, length, deterministic=True)


@functools.partial(jax.jit, static_argnames="spec")
def forward_in_training(spec, variables, x, start, length, seed):
    return LSTNet(spec).apply(
        variables,
        x,
        start,
        length,
        deterministic=False,
        rngs={"dropout": jax.random.key(seed)},
    )


@functools.partial(jax.jit, static_argnames="spec")
def gradients(spec, variables, x, start, length, weight):
    """Of ``sum(weight * summary)``, with respect to parameters and inputs."""

    def loss(variables, x):
        out = LSTNet(spec).apply(variables, x, start, length, deterministic=True)
        return jnp.sum(out.summary_bkm * weight), out.summary_bkm

    return jax.grad(loss, argnums=(0, 1), has_aux=True)(variables, x)


def pack(series, steps, starts, noise=0.0, seed=9):
    """One page with each of ``series [t, d]`` from its start, noise between them."""
    page = noise * random(steps, series[0].shape[-1], seed=seed)
    for x, start in zip(series, starts, strict=True):
        page[start : start + len(x)] = x
    return page


def slots(starts, lengths):
    return jnp.asarray([starts], jnp.int32), jnp.asarray([lengths], jnp.int32)


def alone(spec, variables, x):
    """What the model says of one series on a page of just its length."""
    out = forward(spec, variables, jnp.asarray(x)[None], *slots([0], [len(x)]))
    return out.summary_bkm[0, 0]


# --- where the slots are ----------------------------------------------------------


def test_positions_are_the_picture_of_the_docstring():
    start, length = slots([0, 4], [3, 2])
    assert slot_positions(start, length, 7).tolist() == [[0, 1, 2, -1, 0, 1, -1]]


@settings(deadline=None, max_examples=30)
@given(
    st.lists(st.tuples(st.integers(0, 2), st.integers(0, 5)), min_size=1, max_size=4)
)
def test_positions_equal_a_loop(gaps_and_lengths):
    expected, starts = [], []
    for gap, length in gaps_and_lengths:
        expected += [-1] * gap
        starts.append(len(expected))
        expected += range(length)
    expected += [-1] * (30 - len(expected))
    start, length = slots(starts, [length for _, length in gaps_and_lengths])
    assert slot_positions(start, length, 30)[0].tolist() == expected


def test_last_steps_are_oldest_first_and_zero_where_missing():
    x = jnp.arange(1.0, 8.0)[None, :, None]
    start, length = slots([0, 2, 6, 0], [2, 4, 1, 0])
    found = last_steps(x, start + length - 1, length, 3)[0, ..., 0]
    assert found.tolist() == [[0, 1, 2], [4, 5, 6], [0, 0, 7], [0, 0, 0]]


def test_members_and_ages_are_the_pictures_of_their_docstrings():
    start, length = slots([0, 4], [3, 2])
    position = jnp.asarray([[-1, 0, 1, -1, -1, 0, -1]])  # the first of each is lost
    found = slot_members(start, length, position)[0].astype(int)
    assert found.tolist() == [[0, 1, 1, 0, 0, 0, 0], [0, 0, 0, 0, 0, 1, 0]]
    assert slot_ages(start, length, 7).tolist() == [[2, 1, 0, -1, 1, 0, -1]]


# --- slots do not see each other, nor padding ---------------------------------------


@EACH
def test_packed_equals_each_series_alone(spec):
    series = [random(n, FEATURES, seed=n) for n in (9, 1, 4, 12)]
    starts, lengths = [2, 11, 12, 18], [9, 1, 4, 12]
    page = pack(series, 33, starts, noise=5.0)
    variables = variables_of(spec)
    found = forward(spec, variables, page[None], *slots(starts, lengths)).summary_bkm
    for k, x in enumerate(series):
        np.testing.assert_allclose(
            found[0, k], alone(spec, variables, x), rtol=1e-5, atol=1e-5
        )


@EACH
def test_longer_page_changes_nothing(spec):
    variables, x = variables_of(spec), random(20, FEATURES)
    found = [
        forward(spec, variables, pack([x], t, [0])[None], *slots([0], [20])).summary_bkm
        for t in (32, 48)
    ]
    np.testing.assert_allclose(found[0], found[1], atol=1e-6)


@EACH
@pytest.mark.parametrize("start", [1, 5, 12])
def test_another_place_on_the_page_changes_nothing(spec, start):
    variables, x = variables_of(spec), random(20, FEATURES)
    found = [
        forward(spec, variables, pack([x], 32, [s])[None], *slots([s], [20]))
        for s in (0, start)
    ]
    np.testing.assert_allclose(
        found[0].summary_bkm, found[1].summary_bkm, rtol=1e-5, atol=1e-6
    )


@EACH
def test_perturbed_neighbours_and_padding_change_no_bit(spec):
    variables, mine = variables_of(spec), random(9, FEATURES)
    place = slots([3, 10, 19], [7, 9, 6])
    found = [
        forward(spec, variables, pack([mine], 32, [10], noise, seed)[None], *place)
        for noise, seed in ((1.0, 1), (30.0, 2))
    ]
    np.testing.assert_array_equal(
        found[0].summary_bkm[:, 1], found[1].summary_bkm[:, 1]
    )
    assert jnp.abs(found[0].summary_bkm - found[1].summary_bkm)[:, ::2].min() > 0


@EACH
def test_gradient_stays_in_the_slot(spec):
    """Each summary hears every step of its own slot, and no other step of the page."""
    # Wide enough that no step falls silent because all its ReLUs happen to be off.
    spec = dataclasses.replace(spec, channels=20, candidate=Candidate.TANH)
    variables, x = variables_of(spec), random(1, 24, FEATURES)
    start, length = [3, 10, 19], [7, 9, 4]
    for k in range(3):
        weight = np.zeros((1, 3, 7), np.float32)
        weight[:, k] = random(7, seed=4)
        (_, x_grad), _ = gradients(spec, variables, x, *slots(start, length), weight)
        inside = np.zeros(24, bool)
        inside[start[k] : start[k] + length[k]] = True
        np.testing.assert_array_equal(np.abs(x_grad[0]).sum(-1) > 0, inside)


def test_padding_that_is_not_a_number_harms_nothing():
    variables, x = variables_of(SPEC), random(6, FEATURES)
    clean, dirty = (pack([x], 11, [2])[None] for _ in range(2))
    dirty[:, :2], dirty[:, 8:] = np.nan, np.inf
    weight = jnp.ones((1, 1, 7))
    expected, found = (
        gradients(SPEC, variables, page, *slots([2], [6]), weight)
        for page in (clean, dirty)
    )
    same = jax.tree.map(np.array_equal, found, expected)
    assert jax.tree.reduce(lambda one, other: one and other, same)


@EACH
def test_empty_slots_are_zero_with_zero_gradients(spec):
    variables, x = variables_of(spec), random(1, 9, FEATURES)
    place = slots([0, 9, 4], [0, 0, 0])
    (grads, x_grad), summary = gradients(
        spec, variables, x, *place, jnp.ones((1, 3, 7))
    )
    assert not summary.any()
    for found in jax.tree.leaves((grads, x_grad)):
        assert (found == 0).all()


def test_leading_axes_are_free():
    """Windows of steps, some of them shorter: ``[b, n, w, m]`` with one slot each."""
    variables, x = variables_of(SPEC), random(2, 3, 7, FEATURES)
    start = np.array([[0, 4, 6], [2, 0, 7]])[..., None]
    out = forward(SPEC, variables, x, start, 7 - start)
    assert out.summary_bkm.shape == (2, 3, 1, 7)
    np.testing.assert_allclose(
        out.summary_bkm[0, 1, 0], alone(SPEC, variables, x[0, 1, 4:]), atol=1e-5
    )


# --- the parts, each alone ----------------------------------------------------------


def test_states_are_zero_on_padding_and_shapes_are_told():
    out = forward(SPEC, variables_of(SPEC), random(1, 9, FEATURES), *slots([2], [5]))
    shapes = {name: getattr(x, "shape", None) for name, x in out._asdict().items()}
    assert shapes == {
        "summary_bkm": (1, 1, 7),
        "fused_bkm": (1, 1, 7),
        "highway_bkm": (1, 1, 7),
        "convolved_btc": (1, 9, 6),
        "recurrent_btr": (1, 9, 6),
        "skip_btr": (1, 9, 2),
        "weight_bkt": None,
    }
    for states in (out.convolved_btc, out.recurrent_btr, out.skip_btr):
        used = np.abs(states).sum(-1)[0] > 0
        assert not used[[0, 1, 7, 8]].any()
        assert used[3:7].any()


def test_convolution_equals_a_loop_over_taps():
    variables, x = variables_of(SPEC), random(1, 12, FEATURES)
    start, length = [1, 5], [4, 6]
    convolved = forward(SPEC, variables, x, *slots(start, length)).convolved_btc[0]
    p = variables["params"]["convolution"]
    for first, steps in zip(start, length, strict=True):
        for t in range(first, first + steps):
            parts = []
            for size in SPEC.kernel_sizes:
                total = np.asarray(p[f"bias_{size}"], np.float64)
                for age in range(size):
                    if t - age >= first:
                        tap = np.asarray(p[f"kernel_{size}"])[size - 1 - age]
                        total = total + x[0, t - age].astype(np.float64) @ tap
                parts.append(np.maximum(total, 0))
            np.testing.assert_allclose(convolved[t], np.concatenate(parts), atol=1e-5)


def test_valid_padding_loses_the_steps_the_widest_kernel_cannot_fill():
    x = random(1, 12, FEATURES)
    place = slots([1, 7], [6, 4])
    convolved = [
        forward(spec, variables_of(spec), x, *place).convolved_btc[0]
        for spec in (SPEC, VALID_SPEC)
    ]
    kept = np.zeros(12, bool)
    kept[5:7] = True  # widest kernel 5: a slot of 6 keeps 2, a slot of 4 keeps none
    np.testing.assert_array_equal(
        convolved[1], np.where(kept[:, None], convolved[0], 0)
    )


@pytest.mark.parametrize("length", [3, 5, 9])
def test_highway_hears_its_window_alone(length):
    highway = Highway(window=5, features=7)
    end, lengths = jnp.asarray([[length]]), jnp.asarray([[length]])  # starts at step 1
    x = jnp.asarray(random(1, 11, FEATURES))
    variables = highway.init(jax.random.key(0), x, end, lengths)
    heard = jax.grad(lambda x: jnp.sum(highway.apply(variables, x, end, lengths)))(x)
    expected = np.zeros(11, bool)
    expected[max(1, length - 4) : length + 1] = True
    np.testing.assert_array_equal(np.abs(heard[0]).sum(-1) > 0, expected)


def test_highway_weighs_the_newest_step_by_its_last_weight_for_all_series_alike():
    highway = Highway(window=3, features=2)  # two series in, two out: no map
    x = jnp.asarray([[[1.0, 10.0], [2.0, 20.0], [3.0, 30.0]]])
    weights = {
        "weight": jnp.asarray([[0.5], [0.25], [2.0]]),
        "bias": jnp.asarray(0.125),
    }
    end = jnp.asarray([[2]])
    whole = highway.apply({"params": weights}, x, end, jnp.asarray([[3]]))
    assert whole.tolist() == [[[7.125, 70.125]]]
    short = highway.apply({"params": weights}, x, end, jnp.asarray([[1]]))
    assert short.tolist() == [[[6.125, 60.125]]]


@pytest.mark.parametrize("padding", list(Padding))
def test_attention_weighs_the_steps_of_its_own_slot_alone(padding):
    spec = dataclasses.replace(OTHERS[0], padding=padding)
    variables, x = variables_of(spec), random(1, 16, FEATURES)
    start, length = [1, 9, 14], [7, 5, 2]
    out = forward(spec, variables, x, *slots(start, length))
    lost = 0 if padding is Padding.CAUSAL else 4
    states = np.asarray(out.recurrent_btr[0])
    for k in range(3):
        steps = range(start[k] + lost, start[k] + length[k])
        weights = np.zeros(16)
        if steps:
            scores = states[steps] @ states[steps[-1]] / np.sqrt(6)
            weights[list(steps)] = np.exp(scores) / np.exp(scores).sum()
        np.testing.assert_allclose(out.weight_bkt[0, k], weights, atol=1e-6)


def test_the_trend_fusion_reads_no_more_than_the_last_trend_through_a_gate():
    spec = OTHERS[1]
    variables, x = variables_of(spec), random(1, 9, FEATURES)
    out = forward(spec, variables, x, *slots([0], [9]))
    p = jax.tree.map(np.asarray, variables["params"]["fuse"])
    h, s = np.asarray(out.convolved_btc[0, -1]), np.asarray(out.recurrent_btr[0, -1])
    asked = np.tanh(np.concatenate([h, s]) @ p["joint"]["kernel"]) @ p["gate"]["kernel"]
    gate = np.exp(asked) / np.exp(asked).sum()
    expected = (h @ p["trend"]["kernel"]) * gate
    np.testing.assert_allclose(out.fused_bkm[0, 0], expected, rtol=1e-4, atol=1e-6)
    assert out.skip_btr is None


def test_valid_padding_gives_the_skip_gru_whole_periods_counted_from_the_end():
    spec = dataclasses.replace(
        VALID_SPEC, kernel_sizes=(3,), candidate=Candidate.TANH, highway_window=0
    )
    for length, read in ((11, 8), (10, 4), (7, 4), (6, 0)):  # 4 * ((length - 3) // 4)
        out = forward(
            spec, variables_of(spec), random(1, 13, FEATURES), *slots([1], [length])
        )
        used = np.abs(out.skip_btr[0]).sum(-1) > 0
        step = np.arange(13)
        expected = (step >= 1 + length - read) & (step < 1 + length)
        np.testing.assert_array_equal(used, expected)


def test_parts_may_be_left_out():
    spec = dataclasses.replace(SPEC, skip_period=0, skip_features=0, highway_window=0)
    variables, x = variables_of(spec), random(1, 9, FEATURES)
    out = forward(spec, variables, x, *slots([0], [9]))
    assert out.skip_btr is None
    assert not out.highway_bkm.any()
    assert set(variables["params"]) == {
        "convolution",
        "recurrent_0",
        "recurrent_1",
        "fuse",
    }


def test_dropout_acts_on_convolution_and_fused_states():
    spec = dataclasses.replace(SPEC, dropout=0.4, recurrent_layers=1)
    variables, x = variables_of(spec), random(1, 9, FEATURES)

    first, again, other = (
        forward_in_training(spec, variables, x, *slots([0], [9]), seed)
        for seed in (1, 1, 2)
    )
    np.testing.assert_array_equal(first.summary_bkm, again.summary_bkm)
    np.testing.assert_array_equal(first.convolved_btc, other.convolved_btc)
    np.testing.assert_array_equal(first.highway_bkm, other.highway_bkm)
    assert jnp.abs(first.recurrent_btr - other.recurrent_btr).max() > 1e-3
    states = [
        np.asarray(first.recurrent_btr[0, -1]),
        *np.asarray(first.skip_btr[0, -4:]),
    ]
    dense = jax.tree.map(np.asarray, variables["params"]["fuse"]["dense"])
    undropped = np.concatenate(states) @ dense["kernel"] + dense["bias"]
    assert np.abs(first.fused_bkm[0, 0] - undropped).max() > 1e-3


def test_bfloat16_keeps_states_summary_and_parameters_float32():
    variables, x = variables_of(SPEC), jnp.asarray(random(1, 9, FEATURES))
    place = slots([0, 5], [5, 4])
    exact = forward(SPEC, variables, x, *place)
    rough = forward(SPEC, variables, x, *place, dtype=jnp.bfloat16)
    assert rough.convolved_btc.dtype == jnp.bfloat16
    assert rough.recurrent_btr.dtype == rough.summary_bkm.dtype == jnp.float32
    scale = np.abs(exact.summary_bkm).max()
    np.testing.assert_allclose(rough.summary_bkm, exact.summary_bkm, atol=0.03 * scale)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("kernel_sizes", ()),
        ("kernel_sizes", (3, 3)),
        ("kernel_sizes", (0, 3)),
        ("recurrent_layers", 4),
        ("skip_features", 0),
        ("highway_window", -1),
        ("dropout", 1.0),
        ("unroll", 0),
    ],
)
def test_impossible_sizes_are_refused_by_name(field, value):
    with pytest.raises(InputError, match=f"lstnet.{field}"):
        dataclasses.replace(SPEC, **{field: value})
