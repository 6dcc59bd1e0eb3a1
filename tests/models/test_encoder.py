"""The encoder by itself: leaks, blocks, axes, dropout, types, refusals."""

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from reviewintent_jax.models import activations, attention, encoder
from reviewintent_jax.models.activations import Activation
from reviewintent_jax.models.encoder import ComputeDtype, Encoder, EncoderSpec
from reviewintent_jax.schema import InputError

SPEC = EncoderSpec(
    family=encoder.EncoderFamily.BERT,
    vocab_size=23,
    hidden_size=12,
    num_layers=2,
    num_heads=3,
    intermediate_size=20,
    max_positions=17,
    position_offset=0,
    type_vocab_size=2,
    norm_eps=1e-12,
    activation=Activation.GELU,
    hidden_dropout=0.0,
    attention_dropout=0.0,
    pad_id=0,
    has_pooler=True,
    dtype=ComputeDtype.FLOAT32,
)
BLOCK = 8
# Two blocks: segments of 3 and 4 tokens and one of padding; then 6 tokens and padding.
SEGMENTS = np.array([1, 1, 1, 2, 2, 2, 2, 0, 3, 3, 3, 3, 3, 3, 0, 0], np.int32)
POSITIONS = np.array([0, 1, 2, 0, 1, 2, 3, 0, 0, 1, 2, 3, 4, 5, 0, 1], np.int32)
IDS = np.array([5, 9, 2, 7, 1, 22, 3, 0, 4, 4, 8, 15, 6, 2, 0, 0], np.int32)


def parameters(spec, scale=0.4):
    """Large random weights without compiling an initialiser."""
    ids = jax.ShapeDtypeStruct((1,), jnp.int32)
    module = Encoder(spec, 1)
    shapes = jax.eval_shape(
        lambda key, ids: module.init(key, ids, ids, ids, deterministic=True),
        jax.random.key(0),
        ids,
    )
    rng = np.random.default_rng(0)
    draw = lambda leaf: rng.normal(0, scale, leaf.shape).astype(leaf.dtype)  # noqa: E731
    return jax.tree.map(draw, shapes)


PARAMS = parameters(SPEC)


@functools.partial(jax.jit, static_argnums=(0, 1))
def encode(spec, block, params, *ids, key=None):
    """The encoder's output; dropout where a key is given."""
    rngs = None if key is None else {"dropout": key}
    return Encoder(spec, block).apply(
        params, *ids, deterministic=key is None, rngs=rngs
    )


@functools.partial(jax.jit, static_argnums=0)
def embed(spec=SPEC, params=PARAMS):
    return Encoder(spec, BLOCK).apply(
        params, IDS, POSITIONS, deterministic=True, method="embed"
    )


@jax.jit
def hidden_of(embedded, segments):
    module = Encoder(SPEC, BLOCK)
    output = module.apply(
        PARAMS, embedded, segments, deterministic=True, method="transform"
    )
    return output.hidden_btd


@pytest.mark.parametrize("token", range(len(SEGMENTS)))
def test_a_perturbed_token_changes_its_own_segment_alone(token):
    embedded = embed()
    # Not the same for every feature: layer norm would take that off again.
    changed = embedded.at[token].add(jnp.linspace(-3.0, 3.0, embedded.shape[-1]))
    before, after = hidden_of(embedded, SEGMENTS), hidden_of(changed, SEGMENTS)
    moved = np.abs(np.asarray(after - before)).max(axis=-1) > 0
    own = (SEGMENTS[token] == SEGMENTS) & (SEGMENTS > 0)
    own[token] = True  # padding sees itself through the residual connection only
    np.testing.assert_array_equal(moved, own)


def test_a_segments_gradient_is_zero_on_all_others():
    for segment in (1, 2, 3):
        own = segment == SEGMENTS
        gradient = jax.grad(lambda x, own=own: hidden_of(x, SEGMENTS)[own, 0].sum())(
            embed()
        )
        touched = np.abs(np.asarray(gradient)).max(axis=-1) > 0
        np.testing.assert_array_equal(touched, own)


def test_padding_stays_finite_and_so_does_a_page_of_nothing_else():
    for segments in (SEGMENTS, np.zeros_like(SEGMENTS)):
        assert np.isfinite(hidden_of(embed(), segments)).all()
        gradient = jax.grad(lambda x, s=segments: hidden_of(x, s).sum())(embed())
        assert np.isfinite(gradient).all()


def test_mask_is_the_picture_in_the_docstring():
    mask = attention.segment_mask(jnp.array([[1, 1, 2, 0]]))
    picture = [[1, 1, 0, 0], [1, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 0]]
    np.testing.assert_array_equal(mask[0], np.array(picture, bool))


def test_block_length_does_not_matter_while_no_segment_crosses_a_cut():
    whole = Encoder(SPEC, 16).apply(
        PARAMS, IDS, SEGMENTS, POSITIONS, deterministic=True
    )
    cut = encode(SPEC, BLOCK, PARAMS, IDS, SEGMENTS, POSITIONS)
    np.testing.assert_allclose(whole.hidden_btd, cut.hidden_btd, atol=2e-5)


def test_attention_work_does_not_grow_with_the_page():
    """Twice the page, twice the work: products of attention stay inside a block."""

    def flops(tokens):
        ids = jax.ShapeDtypeStruct((tokens,), jnp.int32)
        run = jax.jit(
            lambda ids: Encoder(SPEC, BLOCK).apply(
                PARAMS, ids, ids, ids, deterministic=True
            )
        )
        return run.lower(ids).compile().cost_analysis()["flops"]

    assert flops(64) <= 2.1 * flops(32)


@pytest.mark.parametrize("leading", [(), (2,), (3, 2)])
def test_leading_axes_are_free(leading):
    tile = lambda ids: np.broadcast_to(ids, (*leading, 16))  # noqa: E731
    many = encode(SPEC, BLOCK, PARAMS, tile(IDS), tile(SEGMENTS), tile(POSITIONS))
    assert [x.shape for x in many.layers] == [(*leading, 16, 12)] * 3
    one = hidden_of(embed(), SEGMENTS)
    expected = np.broadcast_to(one, (*leading, 16, 12))
    np.testing.assert_allclose(many.hidden_btd, expected, atol=2e-5)


def test_last_layer_is_the_hidden_state_and_first_the_embeddings():
    output = encode(SPEC, BLOCK, PARAMS, IDS, SEGMENTS, POSITIONS)
    np.testing.assert_array_equal(output.layers[-1], output.hidden_btd)
    np.testing.assert_array_equal(output.layers[0], embed())


def test_position_offset_is_added_inside():
    spec = dataclasses.replace(SPEC, position_offset=4, max_positions=21)
    shifted = {**PARAMS["params"]}
    table = PARAMS["params"]["embeddings"]["position"]["embedding"]
    table = np.concatenate([np.full((4, 12), 9.0, np.float32), table])
    shifted["embeddings"] = {
        **shifted["embeddings"],
        "position": {"embedding": table},
    }
    np.testing.assert_array_equal(embed(spec, {"params": shifted}), embed())
    assert spec.max_tokens == SPEC.max_tokens == 17


def test_a_position_beyond_the_table_gives_nan_rather_than_another_row():
    out = Encoder(SPEC, 1).apply(
        PARAMS, IDS[:1], np.array([17]), deterministic=True, method="embed"
    )
    assert np.isnan(out).all()


# --- dropout ----------------------------------------------------------------------


def dropped(key, **rates):
    spec = dataclasses.replace(SPEC, **rates)
    output = encode(spec, BLOCK, PARAMS, IDS, SEGMENTS, POSITIONS, key=key)
    return np.asarray(output.hidden_btd)


@pytest.mark.parametrize("rate", ["hidden_dropout", "attention_dropout"])
def test_dropout_follows_its_key(rate):
    first = dropped(jax.random.key(1), **{rate: 0.3})
    np.testing.assert_array_equal(first, dropped(jax.random.key(1), **{rate: 0.3}))
    assert np.abs(first - dropped(jax.random.key(2), **{rate: 0.3})).max() > 0.01


def test_distilbert_drops_nothing_after_attention():
    spec = dataclasses.replace(SPEC, family="distilbert", hidden_dropout=0.3)
    assert spec.attention_output_dropout == 0
    assert dataclasses.replace(spec, family="roberta").attention_output_dropout == 0.3


def test_attention_dropout_gradient_equals_automatic_differentiation():
    rng = np.random.default_rng(1)
    draw = lambda *shape: jnp.asarray(rng.normal(size=shape), jnp.float32)  # noqa: E731
    query, key, value = draw(2, 3, 5, 4), draw(2, 3, 5, 4), draw(2, 3, 5, 4)
    kept = jax.random.bernoulli(jax.random.key(0), 0.6, (2, 3, 5, 5)) / 0.6
    mask = attention.segment_mask(jnp.array([[1, 1, 2, 2, 0], [1, 1, 1, 1, 1]]))

    def plain(query, key, value):
        scores = jnp.einsum("ghie,ghje->ghij", query, key) / 2
        scores = jnp.where(mask[:, None], scores, -1e9)
        seen = mask.any(axis=-1)[:, None, :, None]
        probability = jnp.where(seen, jax.nn.softmax(scores), 0) * kept
        return (jnp.einsum("ghij,ghje->ghie", probability, value) ** 2).sum()

    def ours(query, key, value):
        return (attention.attend(query, key, value, mask, kept) ** 2).sum()

    run = lambda f: jax.value_and_grad(f, (0, 1, 2))(query, key, value)  # noqa: E731
    jax.tree.map(
        lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5),
        run(ours),
        run(plain),
    )


# --- activations and types --------------------------------------------------------

PLAIN = {
    Activation.GELU: lambda x: jax.nn.gelu(x, approximate=False),
    Activation.GELU_TANH: lambda x: jax.nn.gelu(x, approximate=True),
    Activation.RELU: jax.nn.relu,
}


@pytest.mark.parametrize("kind", list(Activation))
def test_activation_and_slope_equal_jax(kind):
    x = jnp.linspace(-12, 12, 4001)  # 0 is among them
    value, slope = jax.vmap(
        jax.value_and_grad(lambda x: activations.activate(kind, x))
    )(x)
    want, want_slope = jax.vmap(jax.value_and_grad(PLAIN[kind]))(x)
    np.testing.assert_allclose(value, want, atol=2e-6)
    np.testing.assert_allclose(slope, want_slope, atol=2e-6)


def test_bfloat16_keeps_parameters_in_float32_and_stays_near():
    spec = dataclasses.replace(SPEC, dtype=ComputeDtype.BFLOAT16)
    params = parameters(spec)
    assert {leaf.dtype for leaf in jax.tree.leaves(params)} == {np.dtype(np.float32)}
    small = parameters(spec, scale=0.1)
    rough, exact = (
        encode(s, BLOCK, small, IDS, SEGMENTS, POSITIONS).hidden_btd
        for s in (spec, SPEC)
    )
    assert rough.dtype == jnp.bfloat16
    assert np.abs(np.float32(rough) - exact).max() < 0.05 * np.abs(exact).max()


# --- refusals ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("family", "gpt2"),
        ("hidden_size", 13),
        ("num_layers", 0),
        ("hidden_dropout", 1.0),
        ("attention_dropout", -0.1),
        ("position_offset", 17),
        ("type_vocab_size", -1),
        ("pad_id", 23),
        ("norm_eps", 0.0),
        ("dtype", "float16"),
        ("activation", "swish"),
    ],
)
def test_an_impossible_spec_is_refused_by_name(field, value):
    with pytest.raises(InputError, match=field):
        dataclasses.replace(SPEC, **{field: value})


def test_a_page_that_blocks_do_not_divide_is_refused():
    with pytest.raises(InputError, match=r"16 tokens.*blocks of 5"):
        Encoder(SPEC, 5).apply(PARAMS, IDS, SEGMENTS, POSITIONS, deterministic=True)


def test_type_ids_for_an_encoder_without_types_are_refused():
    spec = dataclasses.replace(SPEC, family="distilbert", type_vocab_size=0)
    with pytest.raises(InputError, match="no token types"):
        Encoder(spec, BLOCK).apply(
            parameters(spec), IDS, SEGMENTS, POSITIONS, IDS * 0, deterministic=True
        )


def test_pooling_without_a_pooler_is_refused():
    spec = dataclasses.replace(SPEC, has_pooler=False)
    params = parameters(spec)
    assert "pooler" not in params["params"]
    with pytest.raises(InputError, match="no pooler"):
        Encoder(spec, BLOCK).apply(params, jnp.zeros((2, 12)), method="pool")
