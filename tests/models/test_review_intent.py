"""The whole model: a review's answer does not depend on where or with whom it lies."""

import dataclasses
import functools
import re

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from reviewintent_jax.data.pages import (
    PageSpec,
    ReviewFields,
    build_pages,
    empty_pages,
    plan_pages,
    slot_lengths,
)
from reviewintent_jax.data.tokens import SpecialIds
from reviewintent_jax.models.lstnet_spec import Fusion, LSTNetSpec, Padding
from reviewintent_jax.models.recurrent import Candidate, GateFusion
from reviewintent_jax.models.review_intent import (
    ReviewIntent,
    ReviewIntentSpec,
    init_params,
)
from tests.conftest import tiny_encoder_spec

SPECIAL = SpecialIds(2, 3, 0)
LSTNET = LSTNetSpec(
    kernel_sizes=(2, 5),
    channels=6,
    padding=Padding.CAUSAL,
    recurrent_features=7,
    recurrent_layers=2,
    candidate=Candidate.RELU,
    skip_period=4,
    skip_features=3,
    fusion=Fusion.SKIP,
    highway_window=9,
    summary_features=8,
    dropout=0.1,
    gate_fusion=GateFusion.SEPARATE,
    unroll=1,
)
REVIEWS = [
    np.random.default_rng(n).integers(5, 90, n).astype(np.int32)
    for n in (3, 11, 7, 30, 1, 22, 14)
]


def model_of(block):
    spec = ReviewIntentSpec(tiny_encoder_spec(97), LSTNET, 3, 0.1, block, None)
    return ReviewIntent(spec)


@pytest.fixture(scope="module")
def params():
    page = empty_pages(1, SPECIAL, PageSpec(16, 16, 16, 1))
    drawn = init_params(model_of(16), page, seed=1, encoder=None)
    # A livelier encoder than at the start, so that a leak would be seen.
    livelier = jax.tree.map(lambda p: p * 3 if p.ndim > 1 else p, drawn["encoder"])
    return drawn | {"encoder": livelier}


def pages_of(reviews, spec, shuffle=None):
    lengths = slot_lengths(np.array([len(r) for r in reviews]), spec).slot_n
    plan = plan_pages(np.arange(len(reviews)), lengths, spec, shuffle=shuffle)
    fields = ReviewFields(np.zeros(len(reviews), int), np.ones(len(reviews)))
    return build_pages(
        plan,
        range(plan.pages),
        reviews.__getitem__,
        fields,
        SPECIAL,
        spec,
        size=plan.pages,
    )


def answers(params, reviews, spec, shuffle=None):
    """Logits by review."""
    batch = pages_of(reviews, spec, shuffle)
    apply = jax.jit(model_of(spec.chunk_tokens).apply, static_argnames="deterministic")
    output = apply({"params": params}, batch, deterministic=True)
    filled = batch.review_bk >= 0
    found = np.empty((len(reviews), 3))
    found[batch.review_bk[filled]] = np.asarray(output.logits_bky)[filled]
    return found


WHOLE = PageSpec(32, 32, 32, 9)


def test_packed_reviews_answer_as_each_would_alone(params):
    alone = [answers(params, [review], WHOLE)[0] for review in REVIEWS]
    np.testing.assert_allclose(answers(params, REVIEWS, WHOLE), alone, atol=2e-5)


@pytest.mark.parametrize("page_tokens", [64, 96])
def test_longer_pages_and_more_slots_change_nothing(params, page_tokens):
    longer = PageSpec(page_tokens, 32, 32, 13)
    np.testing.assert_allclose(
        answers(params, REVIEWS, longer), answers(params, REVIEWS, WHOLE), atol=2e-5
    )


def test_blocks_of_whole_reviews_are_read_side_by_side(params):
    """With every review in one chunk, scans are as long as a block, not as a page."""
    batch = pages_of(REVIEWS, PageSpec(96, 32, 32, 13))
    found, scans = [], []
    for whole in (False, True):
        model = ReviewIntent(dataclasses.replace(model_of(32).spec, whole=whole))
        apply = functools.partial(model.apply, deterministic=True)
        found.append(jax.jit(apply)({"params": params}, batch).logits_bky)
        said = str(jax.make_jaxpr(apply)({"params": params}, batch))
        scans.append(set(map(int, re.findall(r"length=(\d+)", said))))
    np.testing.assert_allclose(*found, atol=1e-6)
    assert scans == [{96, 24}, {32, 8}]


def test_the_order_of_packing_changes_nothing(params):
    shuffled = answers(params, REVIEWS, WHOLE, np.random.default_rng(4))
    np.testing.assert_allclose(shuffled, answers(params, REVIEWS, WHOLE), atol=2e-5)


def test_no_gradient_crosses_from_one_review_to_another(params):
    batch = jax.tree.map(jnp.asarray, pages_of(REVIEWS[:3], WHOLE))
    model = model_of(32)

    @jax.jit
    def embed(params):
        encoder = model.bind({"params": params}).encoder
        ids = batch.token_ids_bt, batch.position_ids_bt
        return encoder.embed(*ids, deterministic=True)

    embedded = embed(params)

    def first_logits(embedded_btd):
        bound = model.bind({"params": params})
        hidden = bound.encoder.transform(
            embedded_btd, batch.segment_ids_bt, deterministic=True
        ).hidden_btd
        slots = batch.slot_start_bk, batch.slot_length_bk
        review = bound.lstnet(hidden, *slots, deterministic=True).summary_bkm
        return bound.sentiment(review, deterministic=True)[0, 0].sum()

    gradient = jax.jit(jax.grad(first_logits))(embedded)
    start, length = batch.slot_start_bk[0, 0], batch.slot_length_bk[0, 0]
    inside = np.zeros(embedded.shape[:2], bool)
    inside[0, start : start + length] = True
    assert np.abs(gradient[inside]).min() > 0
    assert not gradient[~inside].any()


def test_a_long_review_is_its_chunks_encoded_apart_and_read_as_one_series(params):
    chunked = PageSpec(32, 16, 32, 2)
    review = REVIEWS[5]  # 22 ids: a chunk of 14 and one of 8
    batch = pages_of([review], chunked)
    assert batch.slot_length_bk[0, 0] == 16 + 10
    ours = answers(params, [review], chunked)[0]

    @jax.jit
    def encode(page):
        bound = model_of(16).bind({"params": params})
        ids = page.token_ids_bt, page.segment_ids_bt, page.position_ids_bt
        return bound.encoder(*ids, deterministic=True).hidden_btd[0]

    @jax.jit
    def read(series):
        bound = model_of(16).bind({"params": params})
        slots = jnp.array([[0]]), jnp.array([[26]])
        summary = bound.lstnet(series[None], *slots, deterministic=True).summary_bkm
        return bound.sentiment(summary, deterministic=True)[0, 0]

    small = PageSpec(16, 16, 16, 1)
    first, second = (encode(pages_of([p], small)) for p in (review[:14], review[14:]))
    wanted = read(jnp.concatenate([first, second[:10]]))
    np.testing.assert_allclose(ours, wanted, atol=2e-5)


def test_the_end_of_a_long_review_counts(params):
    chunked = PageSpec(32, 16, 32, 2)
    changed = REVIEWS[5].copy()
    changed[1] = changed[1] % 80 + 7  # the beginning, in the first chunk
    late = REVIEWS[5].copy()
    late[-1] = late[-1] % 80 + 7
    plain, early, end = (
        answers(params, [r], chunked)[0] for r in (REVIEWS[5], changed, late)
    )
    assert np.abs(plain - early).max() > 1e-4
    assert np.abs(plain - end).max() > 1e-4


def test_empty_pages_give_finite_answers_and_gradients(params):
    batch = empty_pages(2, SPECIAL, WHOLE)

    def total(p):
        output = model_of(32).apply({"params": p}, batch, deterministic=True)
        return output.logits_bky.sum()

    value, gradient = jax.jit(jax.value_and_grad(total))(params)
    assert np.isfinite(value)
    chex.assert_tree_all_finite(gradient)


def test_given_encoder_weights_are_taken_as_they_are(params):
    page = empty_pages(1, SPECIAL, WHOLE)
    made = init_params(model_of(32), page, seed=9, encoder=params["encoder"])
    chex.assert_trees_all_equal(made["encoder"], params["encoder"])
    again = init_params(model_of(32), page, seed=9, encoder=params["encoder"])
    chex.assert_trees_all_equal(made, again)


def test_bfloat16_is_near_float32(params):
    spec = model_of(32).spec
    half = dataclasses.replace(spec.encoder, dtype="bfloat16")
    model = ReviewIntent(dataclasses.replace(spec, encoder=half))
    batch = pages_of(REVIEWS, WHOLE)
    outputs = [
        jax.jit(lambda p, m=m: m.apply({"params": p}, batch, deterministic=True))(
            params
        )
        for m in (model, model_of(32))
    ]
    assert outputs[0].hidden_btd.dtype == jnp.bfloat16
    assert outputs[0].logits_bky.dtype == jnp.float32
    filled = batch.review_bk >= 0
    gap = np.abs(outputs[0].logits_bky - outputs[1].logits_bky)[filled].max()
    assert gap < 0.1 * np.abs(outputs[1].logits_bky[filled]).max()
