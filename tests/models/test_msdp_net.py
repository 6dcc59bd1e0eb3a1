"""MSDP-Net: masks, fusion weights, sources that are left out, shapes."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from reviewintent_jax.models.lstnet_spec import Fusion, LSTNetSpec, Padding
from reviewintent_jax.models.msdp_net import MaskedAttention, MsdpNet, MsdpSpec
from reviewintent_jax.models.recurrent import Candidate, GateFusion
from reviewintent_jax.schema import CaseBatch, InputError

LSTNET = LSTNetSpec(
    kernel_sizes=(1, 2),
    channels=3,
    padding=Padding.CAUSAL,
    recurrent_features=5,
    recurrent_layers=1,
    candidate=Candidate.TANH,
    skip_period=0,
    skip_features=0,
    fusion=Fusion.ATTENTION,
    highway_window=2,
    summary_features=11,
    dropout=0.0,
    gate_fusion=GateFusion.SEPARATE,
    unroll=1,
)
SPEC = MsdpSpec(
    use=(True, True, True),
    features=11,
    lstnet=LSTNET,
    kinds=4,
    items=7,
    item_features=6,
    categories=(3, 5),
    category_features=2,
    numbers=4,
    text_features=9,
    intents=2,
    value=True,
    intervals=8,
    dropout=0.0,
    source_dropout=0.0,
)


@pytest.fixture
def batch():
    rng = np.random.default_rng(0)
    return CaseBatch(
        event_number_bex=rng.standard_normal((4, 6, 5)).astype(np.float32),
        event_kind_be=rng.integers(0, 4, (4, 6)).astype(np.int32),
        event_item_be=rng.integers(0, 7, (4, 6)).astype(np.int32),
        event_length_b=np.array([6, 2, 0, 3], np.int32),
        text_bkd=rng.standard_normal((4, 2, 9)).astype(np.float32),
        text_there_bk=np.array([[1, 1], [1, 0], [1, 0], [0, 0]], bool),
        category_bc=rng.integers(0, 3, (4, 2)).astype(np.int32),
        number_bf=rng.standard_normal((4, 4)).astype(np.float32),
        there_bi=np.array([[1, 1, 1], [1, 1, 0], [1, 0, 1], [0, 0, 0]], bool),
        intent_b=np.zeros(4, np.int32),
        value_b=np.zeros(4, np.float32),
        value_known_b=np.zeros(4, np.float32),
        interval_b=np.zeros(4, np.int32),
        came_b=np.zeros(4, np.float32),
        row_b=np.arange(4, dtype=np.int32),
    )


@pytest.fixture
def params(batch):
    made = MsdpNet(SPEC).init(jax.random.key(0), batch, deterministic=True)["params"]
    # Places begin alike; moved, so that a test can tell them apart.
    made["fusion"]["place"] = jax.random.normal(jax.random.key(1), (3, 11))
    return made


def answer(params, batch, spec=SPEC):
    return MsdpNet(spec).apply({"params": params}, batch, deterministic=True)


def test_weights_sum_to_one_over_what_is_there(params, batch):
    said = answer(params, batch)
    weight = np.asarray(said.weight_bi)
    np.testing.assert_allclose(weight.sum(1), [1, 1, 1, 0], atol=1e-6)
    assert (weight[~batch.there_bi] == 0).all()
    assert (weight[batch.there_bi] > 0).all()
    assert said.intent_by.shape == (4, 2)
    assert said.value_b.shape == (4,)
    assert said.hazard_bj.shape == (4, 8)
    assert all(np.isfinite(np.asarray(x)).all() for x in said)


def test_attention_is_that_of_a_plain_loop():
    rng = np.random.default_rng(2)
    x = rng.standard_normal((2, 3, 4)).astype(np.float32)
    there = np.array([[1, 0, 1], [1, 1, 1]], bool)
    module = MaskedAttention(places=True)
    made = module.init(jax.random.key(0), x, there)
    made["params"]["place"] = jnp.asarray(rng.standard_normal((3, 4)), jnp.float32)
    joined, weight = module.apply(made, x, there)
    p = jax.tree.map(np.asarray, made["params"])
    for b in range(2):
        seen = [i for i in range(3) if there[b, i]]
        question = np.mean([x[b, i] for i in seen], axis=0) @ p["question"]["kernel"]
        scores = []
        for i in seen:
            key = x[b, i] @ p["key"]["kernel"] + p["key"]["bias"]
            heard = np.tanh(key + question + p["place"][i])
            scores.append((heard @ p["score"]["kernel"])[0])
        odds = np.exp(scores) / np.exp(scores).sum()
        np.testing.assert_allclose(np.asarray(weight)[b, seen], odds, rtol=1e-5)
        wanted = sum(o * x[b, i] for o, i in zip(odds, seen, strict=True))
        np.testing.assert_allclose(np.asarray(joined)[b], wanted, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    ("field", "case", "place"),
    [
        ("event_number_bex", 1, (slice(0, 4),)),  # before its two events
        ("event_number_bex", 2, ()),  # it has none
        ("text_bkd", 1, (1,)),
        ("number_bf", 1, ()),
        ("text_bkd", 0, ()),
    ],
)
def test_what_is_not_there_changes_nothing_and_what_is_there_does(
    params, batch, field, case, place
):
    moved = getattr(batch, field).copy()
    moved[(case, *place)] *= -3.0
    moved[(case, *place)] += 5.0
    before, after = (
        answer(params, batch),
        answer(params, batch._replace(**{field: moved})),
    )
    same = np.allclose(before.trunk_bm[case], after.trunk_bm[case], atol=1e-6)
    assert same == (case != 0)
    others = [n for n in range(4) if n != case]
    np.testing.assert_allclose(
        np.asarray(before.trunk_bm)[others],
        np.asarray(after.trunk_bm)[others],
        atol=1e-6,
    )


@pytest.mark.slow
def test_gradients_are_finite_even_of_a_case_without_sources(params, batch):
    def loss(params):
        said = answer(params, batch)
        return said.hazard_bj.sum() + said.value_b.sum() + said.intent_by[:, 1].sum()

    leaves = jax.tree.leaves(jax.grad(loss)(params))
    assert all(np.isfinite(np.asarray(leaf)).all() for leaf in leaves)


def test_a_source_that_is_left_out_has_no_parameters_and_no_weight(batch):
    spec = dataclasses.replace(SPEC, use=(False, True, False), value=False, intents=0)
    made = MsdpNet(spec).init(jax.random.key(0), batch, deterministic=True)["params"]
    names = {"behaviour", "behaviour_norm", "fusion", "trunk", "hazard"}
    assert made.keys() == names
    said = answer(made, batch, spec)
    assert said.intent_by is None
    assert said.value_b is None
    np.testing.assert_allclose(
        said.weight_bi, [[0, 1, 0], [0, 1, 0], [0, 0, 0], [0, 0, 0]]
    )


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"use": (False, False, False)}, "without a source"),
        ({"features": 0}, "features must be 1"),
        ({"dropout": 1.0}, "network.dropout"),
        ({"source_dropout": 1.0}, "network.source_dropout"),
        ({"intents": 0, "value": False, "intervals": 0}, "without a head"),
    ],
)
def test_sizes_that_make_no_network_are_refused(change, said):
    with pytest.raises(InputError, match=said):
        dataclasses.replace(SPEC, **change)


@pytest.mark.slow
def test_sources_are_hidden_in_training_but_never_all(params, batch):
    spec, cases = dataclasses.replace(SPEC, source_dropout=0.4), 400
    many = CaseBatch(*(np.repeat(each[:3], cases, axis=0) for each in batch))

    def weights(net, **how):
        return np.asarray(MsdpNet(net).apply({"params": params}, many, **how).weight_bi)

    key = {"dropout": jax.random.key(3)}
    seen_bi = weights(spec, deterministic=False, rngs=key) > 0
    assert seen_bi.any(axis=1).all()
    assert not (seen_bi & ~many.there_bi).any()
    # Of three sources one is hidden with 0.4, save where all three would be, 0.4 ** 3.
    share = seen_bi[:cases].mean()
    assert share == pytest.approx(0.6 + 0.4**3, abs=0.05)
    still = weights(spec, deterministic=True)
    np.testing.assert_array_equal(still, weights(SPEC, deterministic=True))


def test_a_source_alone_is_never_hidden(params, batch):
    spec = dataclasses.replace(SPEC, use=(False, True, False), source_dropout=0.9)
    said = MsdpNet(spec).apply(
        {"params": params},
        batch,
        deterministic=False,
        rngs={"dropout": jax.random.key(4)},
    )
    np.testing.assert_allclose(said.weight_bi[:, 1], [1, 1, 0, 0])
