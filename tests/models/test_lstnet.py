import dataclasses
import functools

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from lstnet_cases import (
    EACH,
    FEATURES,
    SPEC,
    VALID_SPEC,
    alone,
    forward,
    forward_in_training,
    gradients,
    pack,
    random,
    slots,
    variables_of,
)

from reviewintent_jax.models.lstnet import Highway, LSTNet
from reviewintent_jax.models.recurrent import Candidate
from reviewintent_jax.schema import InputError

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
@pytest.mark.parametrize("block", [10, 20])
def test_blocks_that_no_slot_crosses_change_nothing(spec, block):
    variables, x = variables_of(spec), random(2, 40, FEATURES)
    # A block of 10 is no multiple of the skip period, and its last steps hold nothing.
    place = slots([0, 6, 10, 20, 23, 30], [6, 4, 9, 3, 6, 10])
    place = [jnp.concatenate([each, each[:, ::-1]]) for each in place]

    @functools.partial(jax.jit, static_argnames="block")
    def answer(variables, x, block):
        model = LSTNet(spec, block=block)
        return model.apply(variables, x, *place, deterministic=True)

    @functools.partial(jax.jit, static_argnames="block")
    def slopes(variables, x, block):
        def loss(variables, x):
            return jnp.sum(jnp.sin(answer(variables, x, block).summary_bkm))

        return jax.grad(loss, argnums=(0, 1))(variables, x)

    whole, cut = (answer(variables, x, size) for size in (0, block))
    chex.assert_trees_all_close(cut, whole, atol=1e-6)
    whole, cut = (slopes(variables, x, size) for size in (0, block))
    chex.assert_trees_all_close(cut, whole, rtol=1e-5, atol=2e-5)


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


@EACH
def test_padding_that_is_not_a_number_harms_nothing(spec):
    variables, x = variables_of(spec), random(6, FEATURES)
    clean, dirty = (pack([x], 11, [2])[None] for _ in range(2))
    dirty[:, :2], dirty[:, 8:] = np.nan, np.inf
    weight = jnp.ones((1, 1, 7))
    expected, found = (
        gradients(spec, variables, page, *slots([2], [6]), weight)
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


def test_skip_phases_of_packed_slots_are_independent_by_gradient():
    """A skip state hears the steps of its own phase and slot, up to its own."""
    kind = {"candidate": Candidate.TANH, "channels": 20}
    spec = dataclasses.replace(SPEC, kernel_sizes=(1,), **kind)
    variables, place = variables_of(spec), slots([1, 9], [7, 6])
    slot_of = np.repeat([-1, 0, -1, 1, -1], [1, 7, 1, 6, 1])
    heard = jax.jacobian(
        lambda x: forward(spec, variables, x[None], *place).skip_btr[0].sum(-1)
    )(jnp.asarray(random(16, FEATURES)))
    t, s = np.indices((16, 16))
    own = (slot_of[t] == slot_of[s]) & (slot_of[t] >= 0)
    expected = own & (s <= t) & ((t - s) % spec.skip_period == 0)
    np.testing.assert_array_equal(np.abs(heard).sum(-1) > 0, expected)


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
