"""Histories: each window reads its own reviews, once encoded, and nothing else."""

import dataclasses

import chex
import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.special

from reviewintent_jax.data.pages import (
    PageSpec,
    ReviewFields,
    build_pages,
    empty_pages,
    slot_lengths,
)
from reviewintent_jax.data.subject_pages import SubjectPlanner
from reviewintent_jax.data.tokens import SpecialIds
from reviewintent_jax.data.windows import HistoryFields, empty_history
from reviewintent_jax.models.history import HistorySpec, gather_windows
from reviewintent_jax.models.lstnet import LSTNet
from reviewintent_jax.models.lstnet_spec import Fusion, LSTNetSpec, Padding
from reviewintent_jax.models.recurrent import Candidate, GateFusion
from reviewintent_jax.models.review_intent import (
    ReviewIntent,
    ReviewIntentSpec,
    init_params,
)
from reviewintent_jax.schema import InputError
from tests.conftest import tiny_encoder_spec

SPECIAL = SpecialIds(2, 3, 0)
TEXT = LSTNetSpec(
    kernel_sizes=(2,),
    channels=6,
    padding=Padding.CAUSAL,
    recurrent_features=7,
    recurrent_layers=1,
    candidate=Candidate.TANH,
    skip_period=0,
    skip_features=0,
    fusion=Fusion.SKIP,
    highway_window=3,
    summary_features=8,
    dropout=0.1,
    gate_fusion=GateFusion.SEPARATE,
    unroll=1,
)
WINDOW = dataclasses.replace(
    TEXT, kernel_sizes=(2, 3), skip_period=2, skip_features=5, summary_features=10
)
SPEC = ReviewIntentSpec(
    dataclasses.replace(tiny_encoder_spec(97), num_layers=1),
    TEXT,
    3,
    0.1,
    16,
    HistorySpec(WINDOW, step_features=5, covariates=4, classes=2, head_dropout=0.1),
)
MODEL = ReviewIntent(SPEC)
PLAIN = ReviewIntent(dataclasses.replace(SPEC, history=None))
PAGES = PageSpec(page_tokens=48, chunk_tokens=16, max_tokens=16, slots=9)
SUBJECTS = [[0, 4, 2, 7, 9], [1], [3, 8], [5, 6, 10, 11]]
W = 3
IDS = [
    np.random.default_rng(n).integers(5, 90, 7 + n % 6).astype(np.int32)
    for n in range(12)
]


def fields_of(subjects=SUBJECTS, window=W, seed=0):
    rng = np.random.default_rng(seed)
    total = len(IDS)
    window_nw = np.full((total, window), -1)
    for reviews in subjects:
        for at, review in enumerate(reviews):
            last = reviews[max(0, at + 1 - window) : at + 1]
            window_nw[review, window - len(last) :] = last
    covariate = rng.normal(size=(total, 4)).astype(np.float32)
    label = rng.integers(0, 2, total)
    history = HistoryFields(window_nw, covariate, label, np.ones(total, np.float32))
    return ReviewFields(rng.integers(0, 3, total), np.ones(total), history)


def pages_of(ids=IDS, subjects=SUBJECTS, fields=None, spec=PAGES, seed=None):
    fields = fields_of(subjects) if fields is None else fields
    split = np.sort(np.concatenate(subjects))
    rest = np.setdiff1d(np.arange(len(ids)), split)
    order = np.concatenate([*subjects, rest])
    lengths = slot_lengths(np.array([len(i) for i in ids]), spec).slot_n
    planner = SubjectPlanner(order, fields.history.window_nw)
    shuffle = None if seed is None else np.random.default_rng(seed)
    plan = planner(split, lengths[split], spec, shuffle=shuffle)
    pages = range(plan.pages)
    return build_pages(
        plan, pages, ids.__getitem__, fields, SPECIAL, spec, size=plan.pages
    )


@pytest.fixture(scope="module")
def params():
    page = empty_pages(1, SPECIAL, PAGES)
    page = page._replace(history=empty_history(1, PAGES.slots, fields_of().history))
    drawn = init_params(MODEL, page, seed=1, encoder=None)
    # Livelier than at the start, biases too, so that a leak would be seen.
    rng = np.random.default_rng(5)
    return jax.tree.map(
        lambda p: p * 2 + 0.1 * rng.normal(size=p.shape).astype(p.dtype), drawn
    )


forward = jax.jit(
    lambda params, batch: MODEL.apply({"params": params}, batch, deterministic=True)
)


def by_review(batch, value_bk):
    filled = batch.review_bk >= 0
    found = np.full((len(IDS), *value_bk.shape[2:]), np.nan)
    found[batch.review_bk[filled]] = np.asarray(value_bk)[filled]
    return found


def intention(params, **given):
    batch = pages_of(**given)
    return by_review(batch, forward(params, batch).intent_bky)


def test_windows_are_the_picture_of_the_docstring():
    slots = jnp.asarray([[[-1, 0], [0, 1], [1, 2]]])
    step = jnp.asarray([[[1.0], [2.0], [3.0]]])
    found = gather_windows(step, slots)[0, ..., 0]
    assert found.tolist() == [[0, 1], [1, 2], [2, 3]]


def test_leading_axes_are_free():
    rng = np.random.default_rng(0)
    step = jnp.asarray(rng.normal(size=(2, 3, 5, 4)))
    slots = jnp.asarray(rng.integers(-1, 5, (2, 3, 5, 6)))
    found = gather_windows(step, slots)
    for i, j in np.ndindex(2, 3):
        wanted = gather_windows(step[i, j], slots[i, j])
        assert found[i, j].tolist() == wanted.tolist()


def test_the_pages_hold_context_so_that_the_tests_below_mean_something():
    batch = pages_of()
    assert ((batch.review_bk < 0) & (batch.slot_length_bk > 0)).any()
    assert len(batch.review_bk) > 1


def test_intention_is_that_of_a_loop_over_windows(params):
    """The reference: every window by itself, its reviews stacked by hand."""
    batch, fields = pages_of(), fields_of()
    output = forward(params, batch)
    summary = by_review(batch, output.review_bkm)

    @jax.jit
    def read(series):
        """One window without padding, of just its length."""
        slot = jnp.zeros((1, 1), jnp.int32), jnp.full((1, 1), series.shape[0])
        variables = {"params": params["history"]["lstnet"]}
        out = LSTNet(WINDOW).apply(variables, series[None], *slot, deterministic=True)
        head = params["history"]["intention"]["classify"]
        said = out.summary_bkm[0, 0]
        return said, said @ head["kernel"] + head["bias"]

    keep = jax.tree.map(np.asarray, params["history"]["step"])
    log_prob = scipy.special.log_softmax(by_review(batch, output.logits_bky), axis=-1)
    parts = (
        summary @ keep["kernel"] + keep["bias"],
        log_prob - log_prob.mean(axis=-1, keepdims=True),
        fields.history.covariate_nx,
    )
    windows, intents = [], []
    for review in range(len(IDS)):
        reviews = [r for r in fields.history.window_nw[review] if r >= 0]
        steps = [np.concatenate([part[r] for part in parts]) for r in reviews]
        window, intent = read(jnp.asarray(np.stack(steps), jnp.float32))
        windows.append(window)
        intents.append(intent)
    found = by_review(batch, output.window_bkm)
    np.testing.assert_allclose(found, np.stack(windows), atol=2e-5)
    found = by_review(batch, output.intent_bky)
    np.testing.assert_allclose(found, np.stack(intents), rtol=2e-6, atol=2e-5)
    head = params["history"]["text_intention"]["classify"]
    wanted = summary @ np.asarray(head["kernel"]) + np.asarray(head["bias"])
    found = by_review(batch, output.text_intent_bky)
    np.testing.assert_allclose(found, wanted, atol=2e-5)


def test_a_review_of_another_subject_or_a_later_one_moves_not_one_bit(params):
    plain = intention(params)
    for changed, later in ((1, [1]), (9, [9]), (2, [2, 7, 9]), (5, [5, 6, 10])):
        ids, fields = list(IDS), fields_of()
        ids[changed] = (IDS[changed] + 11) % 85 + 5  # as long, so the pages are alike
        fields.history.covariate_nx[changed] += 1
        found = intention(params, ids=ids, fields=fields)
        moved = np.flatnonzero((found != plain).any(axis=1))
        assert set(moved.tolist()) <= set(later)
        assert changed in moved


def test_a_packed_window_is_that_of_the_subject_alone(params):
    packed = intention(params)
    for subject in SUBJECTS:
        alone = intention(params, subjects=[subject], fields=fields_of())
        found = alone[subject]
        np.testing.assert_allclose(packed[subject], found, rtol=1e-6, atol=2e-5)


def test_the_order_and_size_of_pages_change_nothing(params):
    larger = PageSpec(page_tokens=160, chunk_tokens=16, max_tokens=16, slots=14)
    for given in ({"seed": 3}, {"spec": larger}):
        np.testing.assert_allclose(
            intention(params, **given), intention(params), rtol=2e-6, atol=2e-5
        )


def test_a_short_history_is_a_longer_one_with_the_steps_masked(params):
    """Subject 0's fourth review, as if the two before the last were unknown."""
    fields = fields_of()
    fields.history.window_nw[7] = [-1, 2, 7]
    masked = intention(params, fields=fields)[7]
    begun = [[0, 4], [2, 7, 9], *SUBJECTS[1:]]
    short = intention(params, fields=fields_of(begun), subjects=begun)[7]
    np.testing.assert_allclose(masked, short, atol=2e-5)


def test_missing_steps_on_the_left_are_harmless(params):
    longer = fields_of(window=W + 2)
    pad = np.full((len(IDS), 2), -1)
    window = np.concatenate([pad, fields_of().history.window_nw], axis=1)
    longer = longer._replace(history=longer.history._replace(window_nw=window))
    roomy = PageSpec(page_tokens=80, chunk_tokens=16, max_tokens=16, slots=9)
    found = intention(params, fields=longer, spec=roomy)
    np.testing.assert_allclose(found, intention(params), atol=2e-5)


def test_no_gradient_goes_to_a_review_outside_the_window(params):
    batch = jax.tree.map(jnp.asarray, pages_of())
    output = forward(params, batch)
    bound = MODEL.bind({"params": params})
    history = batch.history

    @jax.jit
    @jax.grad
    def of(inputs, chosen_bk):
        review_bkm, covariate_bkx = inputs
        said = bound.history(
            review_bkm,
            output.logits_bky,
            covariate_bkx,
            history.window_slots_bkw,
            deterministic=True,
        )
        return jnp.sum(said.intent_bky[..., 0] * chosen_bk)

    inputs = output.review_bkm, history.covariate_bkx
    for b, k in np.argwhere(np.asarray(batch.review_bk) >= 0):
        chosen = jnp.zeros(batch.review_bk.shape).at[b, k].set(1.0)
        inside = np.zeros(batch.review_bk.shape, bool)
        steps = np.asarray(history.window_slots_bkw[b, k])
        inside[b, steps[steps >= 0]] = True
        for gradient in of(inputs, chosen):
            assert np.abs(gradient[inside]).max(axis=-1).min() > 0
            assert not gradient[~inside].any()


def test_intention_reads_the_sentiment_and_does_not_move_it(params):
    batch = jax.tree.map(jnp.asarray, pages_of())
    output = forward(params, batch)
    bound = MODEL.bind({"params": params})

    def intents(logits_bky):
        windows = batch.history.covariate_bkx, batch.history.window_slots_bkw
        said = bound.history(
            output.review_bkm, logits_bky, *windows, deterministic=True
        )
        return said.intent_bky

    moved = intents(output.logits_bky.at[..., 0].add(1.0)) - intents(output.logits_bky)
    anchors = np.asarray(batch.review_bk) >= 0
    assert np.abs(np.asarray(moved)[anchors]).max(axis=-1).min() > 0
    gradient = jax.grad(lambda logits: intents(logits)[..., 0].sum())(output.logits_bky)
    assert not np.asarray(gradient).any()


def test_the_summaries_may_be_read_whole_and_without_sentiment():
    history = dataclasses.replace(SPEC.history, step_features=-1)
    model = ReviewIntent(dataclasses.replace(SPEC, classes=0, history=history))
    drawn = init_params(model, pages_of(), seed=1, encoder=None)["history"]
    assert "step" not in drawn
    read = drawn["lstnet"]["convolution"]["kernel_2"].shape[1]
    assert read == TEXT.summary_features + history.covariates


def test_of_a_text_its_sentiment_alone_may_be_read():
    history = dataclasses.replace(SPEC.history, step_features=0)
    model = ReviewIntent(dataclasses.replace(SPEC, history=history))
    drawn = init_params(model, pages_of(), seed=1, encoder=None)["history"]
    assert "step" not in drawn
    read = drawn["lstnet"]["convolution"]["kernel_2"].shape[1]
    assert read == SPEC.classes + history.covariates


def test_a_history_of_nothing_is_refused():
    history = dataclasses.replace(SPEC.history, step_features=0, covariates=0)
    model = ReviewIntent(dataclasses.replace(SPEC, classes=0, history=history))
    page = pages_of()
    bare = page.history.covariate_bkx[..., :0]
    page = page._replace(history=page.history._replace(covariate_bkx=bare))
    with pytest.raises(InputError, match="nothing to read"):
        init_params(model, page, seed=1, encoder=None)
    with pytest.raises(InputError, match="step_features is -2"):
        dataclasses.replace(history, step_features=-2)


def test_the_text_head_moves_nothing_but_itself(params):
    batch = pages_of()

    @jax.jit
    @jax.grad
    def of(params):
        output = MODEL.apply({"params": params}, batch, deterministic=True)
        return output.text_intent_bky[..., 0].sum()

    gradient = of(params)
    own = gradient["history"].pop("text_intention")
    assert np.abs(own["classify"]["kernel"]).max() > 0
    assert not any(np.asarray(leaf).any() for leaf in jax.tree.leaves(gradient))


def test_each_review_is_encoded_once_however_many_windows_read_it(params):
    """The encoder gets the pages and nothing more, whatever the windows."""
    shapes = []
    batch = pages_of()

    def watch(next_fun, args, kwargs, context):
        if context.module.name == "encoder" and context.method_name == "__call__":
            shapes.append(args[0].shape)
        return next_fun(*args, **kwargs)

    with nn.intercept_methods(watch):
        jax.eval_shape(
            lambda p: MODEL.apply({"params": p}, batch, deterministic=True), params
        )
    assert shapes == [batch.token_ids_bt.shape]


def test_without_a_history_all_is_as_it_was(params):
    batch = pages_of()
    bare = batch._replace(history=None)
    drawn = init_params(PLAIN, bare, seed=1, encoder=None)
    assert set(drawn) == {"encoder", "lstnet", "sentiment"}
    both = init_params(MODEL, batch, seed=1, encoder=None)
    chex.assert_trees_all_equal(drawn, {name: both[name] for name in drawn})

    @jax.jit
    def by_parts(params):
        bound = PLAIN.bind({"params": params})
        ids = batch.token_ids_bt, batch.segment_ids_bt, batch.position_ids_bt
        hidden = bound.encoder(*ids, deterministic=True).hidden_btd
        slots = jnp.asarray(batch.slot_start_bk), jnp.asarray(batch.slot_length_bk)
        review = bound.lstnet(hidden, *slots, deterministic=True).summary_bkm
        return hidden, review, bound.sentiment(review, deterministic=True)

    wanted = by_parts(drawn)
    apply = jax.jit(lambda p, b: PLAIN.apply({"params": p}, b, deterministic=True))
    for given in (bare, batch):
        output = apply(drawn, given)
        chex.assert_trees_all_equal(tuple(output[:3]), wanted)
        assert output[3:] == (None, None, None)


def test_empty_pages_give_finite_answers_and_gradients(params):
    page = empty_pages(2, SPECIAL, PAGES)
    page = page._replace(history=empty_history(2, PAGES.slots, fields_of().history))

    def total(p):
        output = MODEL.apply({"params": p}, page, deterministic=True)
        return output.intent_bky.sum() + output.text_intent_bky.sum()

    value, gradient = jax.jit(jax.value_and_grad(total))(params)
    assert np.isfinite(value)
    chex.assert_tree_all_finite(gradient)


def test_a_batch_that_does_not_match_the_model_is_refused(params):
    batch = pages_of()
    with pytest.raises(ValueError, match="the batch has none"):
        forward(params, batch._replace(history=None))
    few = batch.history._replace(covariate_bkx=batch.history.covariate_bkx[..., :3])
    with pytest.raises(ValueError, match="4 covariates, the batch has 3"):
        forward(params, batch._replace(history=few))
