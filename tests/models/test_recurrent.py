import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reviewintent_jax.models.recurrent import (
    GRU,
    LSTM,
    Candidate,
    GateFusion,
    fold_phases,
    unfold_phases,
)
from tests.models.recurrent_cases import (
    ALL,
    BATCH,
    INPUTS,
    NONE,
    STATES,
    STEPS,
    marks,
    parameters,
    random_x,
)


def plain_loop(variables, x_td, reset, valid, candidate, period):
    """The equations, one number after another, for one series."""
    p = {k: np.asarray(v, np.float64) for k, v in variables["params"].items()}
    sigmoid = lambda a: 1 / (1 + np.exp(-a))  # noqa: E731
    activation = {"relu": lambda a: np.maximum(a, 0), "tanh": np.tanh}[candidate]
    w_r, w_z, w_n = np.split(p["input_kernel"], 3, axis=1)
    b_r, b_z, b_n = np.split(p["input_bias"], 3)
    u_r, u_z, u_n = np.split(p["recurrent_kernel"], 3, axis=1)
    states = []
    for t, x in enumerate(np.asarray(x_td, np.float64)):
        if not valid[t]:
            states.append(np.zeros(len(p["candidate_bias"])))
            continue
        fresh = reset[t] or t < period
        h = np.zeros(len(p["candidate_bias"])) if fresh else states[t - period]
        r = sigmoid(x @ w_r + b_r + h @ u_r)
        z = sigmoid(x @ w_z + b_z + h @ u_z)
        n = activation(x @ w_n + b_n + r * (h @ u_n + p["candidate_bias"]))
        states.append((1 - z) * n + z * h)
    return np.stack(states)


def test_fold_is_the_picture_of_its_docstring():
    x = jnp.asarray([1, 2, 3, 4, 5])[:, None]
    assert fold_phases(x, 2)[..., 0].tolist() == [[1, 2], [3, 4], [5, 0]]


@settings(deadline=None, max_examples=25)
@given(
    lead=st.lists(st.integers(1, 3), max_size=2),
    steps=st.integers(1, 11),
    period=st.integers(1, 13),
)
def test_unfold_undoes_fold(lead, steps, period):
    x = np.random.default_rng(0).normal(size=(*lead, steps, 3))
    folded = fold_phases(jnp.asarray(x), period)
    assert folded.shape[0] == -(-steps // period)
    np.testing.assert_array_equal(
        unfold_phases(folded, tuple(lead), steps), x.astype(np.float32)
    )


@pytest.mark.parametrize("period", [1, 3, 12])
@pytest.mark.parametrize("candidate", list(Candidate))
def test_equals_a_plain_loop(candidate, period):
    gru = GRU(STATES, candidate, period=period)
    x = random_x(BATCH, STEPS, INPUTS)
    reset, valid = marks(0, 4), marks(0, 1, 2, 4, 5, 6, 7)
    variables = parameters(gru, x)
    states = gru.apply(variables, x, reset, valid)
    for b in range(BATCH):
        expected = plain_loop(variables, x[b], reset[b], valid[b], candidate, period)
        np.testing.assert_allclose(states[b], expected, atol=2e-6)


def test_equals_linen_values_and_gradients():
    ours, linen = GRU(STATES, Candidate.TANH), nn.RNN(nn.GRUCell(STATES))
    x = random_x(BATCH, STEPS, INPUTS)
    variables, weight = parameters(ours, x), random_x(BATCH, STEPS, STATES, seed=2)

    def as_linen(p):
        w = dict(zip("rzn", jnp.split(p["input_kernel"], 3, axis=1), strict=True))
        b = dict(zip("rzn", jnp.split(p["input_bias"], 3), strict=True))
        u = dict(zip("rzn", jnp.split(p["recurrent_kernel"], 3, axis=1), strict=True))
        cell = {f"i{g}": {"kernel": w[g], "bias": b[g]} for g in "rzn"}
        cell |= {f"h{g}": {"kernel": u[g]} for g in "rzn"}
        cell["hn"]["bias"] = p["candidate_bias"]
        return {"params": {"cell": cell}}

    def run_ours(p, x):
        states = ours.apply({"params": p}, x, NONE, ALL)
        return jnp.sum(states * weight), states

    def run_linen(p, x):
        states = linen.apply(as_linen(p), x)
        return jnp.sum(states * weight), states

    both = [
        jax.grad(f, argnums=(0, 1), has_aux=True)(variables["params"], x)
        for f in (run_ours, run_linen)
    ]
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=1e-5), *both)


@pytest.mark.torch
@pytest.mark.parametrize("layers", [1, 2, 3])
def test_equals_torch_values_and_gradients(layers):
    torch = pytest.importorskip("torch")
    theirs = torch.nn.GRU(INPUTS, STATES, layers, batch_first=True)
    x = random_x(BATCH, STEPS, INPUTS)
    weight = random_x(BATCH, STEPS, STATES, seed=2)
    x_torch = torch.tensor(np.asarray(x), requires_grad=True)
    out = theirs(x_torch)[0]
    (out * torch.tensor(np.asarray(weight))).sum().backward()

    def translated(arrays):
        """Torch's four arrays of each layer in our names."""
        found = []
        for i in range(layers):
            w, u, b, c = (
                arrays[f"{kind}_l{i}"].numpy()
                for kind in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
            )
            found.append(
                {
                    "input_kernel": w.T,
                    "input_bias": b,
                    "recurrent_kernel": u.T,
                    "candidate_bias": c[2 * STATES :],
                }
            )
        return found

    weights = {k: v.detach() for k, v in theirs.named_parameters()}
    stack = translated(weights)
    for i, layer in enumerate(stack):  # b_hr and b_hz are only ever added to b_i*
        added = weights[f"bias_hh_l{i}"].numpy().copy()
        added[2 * STATES :] = 0
        layer["input_bias"] = layer["input_bias"] + added

    def run(stack, x):
        for layer in stack:
            gru = GRU(STATES, Candidate.TANH)
            x = gru.apply({"params": layer}, x, NONE, ALL)
        return jnp.sum(x * weight), x

    stack = jax.tree.map(jnp.asarray, stack)
    (grads, x_grad), states = jax.grad(run, argnums=(0, 1), has_aux=True)(stack, x)
    np.testing.assert_allclose(states, out.detach().numpy(), atol=1e-5)
    np.testing.assert_allclose(x_grad, x_torch.grad.numpy(), atol=1e-5)
    expected = translated({k: v.grad for k, v in theirs.named_parameters()})
    jax.tree.map(
        lambda a, b: np.testing.assert_allclose(a, b, atol=1e-5), grads, expected
    )


@pytest.mark.parametrize("gate_fusion", list(GateFusion))
@pytest.mark.parametrize("unroll", [1, 4])
def test_fusion_and_unroll_change_speed_only(gate_fusion, unroll):
    x = random_x(BATCH, STEPS, INPUTS)
    base = GRU(STATES, Candidate.RELU, period=2)
    same = base.clone(gate_fusion=gate_fusion, unroll=unroll)
    variables = parameters(base, x)
    np.testing.assert_allclose(
        same.apply(variables, x, marks(0, 3), ALL),
        base.apply(variables, x, marks(0, 3), ALL),
        atol=1e-6,
    )


@pytest.mark.parametrize("layer", [GRU, LSTM])
def test_fused_gates_of_many_wide_rows_change_speed_only(layer):
    """From 64 rows and features on, the product of all gates is laid out anew."""
    rows, steps, features = 66, 5, 65
    fixed = (features, Candidate.TANH) if layer is GRU else (features,)
    base, x = layer(*fixed), random_x(rows, steps, INPUTS)
    starts, valid = np.zeros((2, rows, steps), bool)
    starts[::3, 2], valid[:, :-1] = True, True
    variables = jax.tree.map(lambda p: 0.2 * p, parameters(base, x))
    weight = random_x(rows, steps, features)

    def run(variables, x, fusion):
        marked = map(jnp.asarray, (starts, valid))
        states = base.clone(gate_fusion=fusion).apply(variables, x, *marked)
        return jnp.sum(states * weight), states

    both = jax.jit(jax.grad(run, (0, 1), has_aux=True), static_argnums=2)
    apart = both(variables, x, GateFusion.SEPARATE)
    together = both(variables, x, GateFusion.FUSED)
    jax.tree.map(
        lambda a, b: np.testing.assert_allclose(a, b, atol=1e-4), apart, together
    )


@pytest.mark.parametrize("period", [2, 4])
def test_phases_are_independent_by_gradient(period):
    """State t hears step s exactly when s <= t and both are of one phase."""
    gru, x = GRU(STATES, Candidate.TANH, period=period), random_x(STEPS, INPUTS)
    variables = parameters(gru, x)
    heard = jax.jacobian(lambda x: gru.apply(variables, x, NONE[0], ALL[0]).sum(-1))(x)
    t, s = np.indices((STEPS, STEPS))
    np.testing.assert_array_equal(
        np.abs(heard).sum(-1) > 0, (s <= t) & ((t - s) % period == 0)
    )


def test_nothing_passes_a_reset():
    gru, x = GRU(STATES, Candidate.TANH), random_x(STEPS, INPUTS)
    variables = parameters(gru, x)
    heard = jax.jacobian(
        lambda x: gru.apply(variables, x, marks(0, 4)[0], ALL[0]).sum(-1)
    )(x)
    t, s = np.indices((STEPS, STEPS))
    np.testing.assert_array_equal(
        np.abs(heard).sum(-1) > 0, (s <= t) & ((s >= 4) == (t >= 4))
    )


def test_a_step_that_is_not_valid_is_zero_and_leaves_nothing_behind():
    gru, x = GRU(STATES, Candidate.RELU), random_x(BATCH, STEPS, INPUTS)
    variables, valid = parameters(gru, x), marks(0, 1, 4, 5, 6, 7, 8)
    noisy = x.at[:, 2:4].set(jnp.inf)
    states = gru.apply(variables, noisy, marks(0), valid)
    assert not states[:, 2:4].any()
    alone = gru.apply(variables, x[:, 4:], marks(0, length=5), ALL[:, 4:])
    np.testing.assert_allclose(states[:, 4:], alone, atol=1e-6)


def test_leading_axes_are_free():
    gru, x = GRU(STATES, Candidate.TANH, period=2), random_x(2, 3, STEPS, INPUTS)
    variables = parameters(gru, x)
    reset, valid = jnp.zeros((2, 3, STEPS), bool), jnp.ones((2, 3, STEPS), bool)
    states = gru.apply(variables, x, reset, valid)
    assert states.shape == (2, 3, STEPS, STATES)
    one = gru.apply(variables, x[1, 2], NONE[0], ALL[0])
    np.testing.assert_allclose(states[1, 2], one, atol=1e-6)


def test_bfloat16_products_keep_float32_states_and_parameters():
    exact = GRU(STATES, Candidate.TANH)
    rough = exact.clone(dtype=jnp.bfloat16)
    x = random_x(BATCH, STEPS, INPUTS)
    variables = parameters(rough, x)
    states = rough.apply(variables, x.astype(jnp.bfloat16), NONE, ALL)
    assert states.dtype == jnp.float32
    assert {a.dtype for a in jax.tree.leaves(variables)} == {np.dtype("float32")}
    np.testing.assert_allclose(states, exact.apply(variables, x, NONE, ALL), atol=0.03)
    assert jnp.abs(states - exact.apply(variables, x, NONE, ALL)).max() > 1e-5


def test_recurrent_matrices_start_orthogonal_and_input_ones_glorot():
    gru, x = GRU(32, Candidate.RELU), random_x(1, 1, 48)
    off = jnp.zeros((1, 1), bool)
    found = jax.jit(gru.init)(jax.random.key(3), x, off, ~off)["params"]
    for block in jnp.split(found["recurrent_kernel"], 3, axis=1):
        np.testing.assert_allclose(block.T @ block, np.eye(32), atol=1e-5)
    limit = np.sqrt(6 / (48 + 32))  # of one gate, not of the three side by side
    largest = jnp.abs(found["input_kernel"]).max()
    assert 0.98 * limit < largest <= limit
    assert not found["input_bias"].any()
    assert not found["candidate_bias"].any()


def lstm_loop(variables, x_td, reset, valid, period):
    """The equations of the LSTM, one number after another, for one series."""
    p = {k: np.asarray(v, np.float64) for k, v in variables["params"].items()}
    sigmoid = lambda a: 1 / (1 + np.exp(-a))  # noqa: E731
    zero = np.zeros(p["recurrent_kernel"].shape[0])
    states, cells = [], []
    for t, x in enumerate(np.asarray(x_td, np.float64)):
        if not valid[t]:
            states.append(zero)
            cells.append(zero)
            continue
        fresh = reset[t] or t < period
        h, c = (zero, zero) if fresh else (states[t - period], cells[t - period])
        gates = x @ p["input_kernel"] + p["input_bias"] + h @ p["recurrent_kernel"]
        i, f, g, o = np.split(gates, 4)
        cells.append(sigmoid(f) * c + sigmoid(i) * np.tanh(g))
        states.append(sigmoid(o) * np.tanh(cells[-1]))
    return np.stack(states)


@pytest.mark.parametrize("gate_fusion", list(GateFusion))
@pytest.mark.parametrize("period", [1, 3])
def test_lstm_equals_a_plain_loop(period, gate_fusion):
    lstm = LSTM(STATES, period=period, gate_fusion=gate_fusion, unroll=2)
    x = random_x(BATCH, STEPS, INPUTS)
    reset, valid = marks(0, 4), marks(0, 1, 2, 4, 5, 6, 7)
    variables = parameters(lstm, x)
    states = lstm.apply(variables, x, reset, valid)
    for b in range(BATCH):
        expected = lstm_loop(variables, x[b], reset[b], valid[b], period)
        np.testing.assert_allclose(states[b], expected, atol=2e-6)


def test_lstm_equals_linen_values_and_gradients():
    ours, linen = LSTM(STATES), nn.RNN(nn.LSTMCell(STATES))
    x = random_x(BATCH, STEPS, INPUTS)
    variables, weight = parameters(ours, x), random_x(BATCH, STEPS, STATES, seed=2)

    def as_linen(p):
        parts = {k: jnp.split(v, 4, axis=-1) for k, v in p.items()}
        cell = {}
        for n, gate in enumerate("ifgo"):
            cell[f"i{gate}"] = {"kernel": parts["input_kernel"][n]}
            recurrent, bias = parts["recurrent_kernel"][n], parts["input_bias"][n]
            cell[f"h{gate}"] = {"kernel": recurrent, "bias": bias}
        return {"params": {"cell": cell}}

    def run_ours(p, x):
        states = ours.apply({"params": p}, x, NONE, ALL)
        return jnp.sum(states * weight), states

    def run_linen(p, x):
        states = linen.apply(as_linen(p), x)
        return jnp.sum(states * weight), states

    both = [
        jax.grad(f, argnums=(0, 1), has_aux=True)(variables["params"], x)
        for f in (run_ours, run_linen)
    ]
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=1e-5), *both)


@pytest.mark.torch
@pytest.mark.parametrize("layers", [1, 2])
def test_lstm_equals_torch_values_and_gradients(layers):
    torch = pytest.importorskip("torch")
    theirs = torch.nn.LSTM(INPUTS, STATES, layers, batch_first=True)
    x = random_x(BATCH, STEPS, INPUTS)
    weight = random_x(BATCH, STEPS, STATES, seed=2)
    x_torch = torch.tensor(np.asarray(x), requires_grad=True)
    out = theirs(x_torch)[0]
    (out * torch.tensor(np.asarray(weight))).sum().backward()
    arrays = {k: v.detach().numpy() for k, v in theirs.named_parameters()}
    grads_torch = {k: v.grad.numpy() for k, v in theirs.named_parameters()}
    stack = [
        {
            "input_kernel": arrays[f"weight_ih_l{i}"].T,
            "input_bias": arrays[f"bias_ih_l{i}"] + arrays[f"bias_hh_l{i}"],
            "recurrent_kernel": arrays[f"weight_hh_l{i}"].T,
        }
        for i in range(layers)
    ]

    def run(stack, x):
        for layer in stack:
            x = LSTM(STATES).apply({"params": layer}, x, NONE, ALL)
        return jnp.sum(x * weight), x

    stack = jax.tree.map(jnp.asarray, stack)
    (grads, x_grad), states = jax.grad(run, argnums=(0, 1), has_aux=True)(stack, x)
    np.testing.assert_allclose(states, out.detach().numpy(), atol=1e-5)
    np.testing.assert_allclose(x_grad, x_torch.grad.numpy(), atol=1e-5)
    for i, layer in enumerate(grads):
        for ours, name in (
            (layer["input_kernel"].T, f"weight_ih_l{i}"),
            (layer["input_bias"], f"bias_ih_l{i}"),
            (layer["recurrent_kernel"].T, f"weight_hh_l{i}"),
        ):
            np.testing.assert_allclose(ours, grads_torch[name], atol=1e-5)
