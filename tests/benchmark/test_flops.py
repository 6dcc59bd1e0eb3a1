"""Operations counted from a spec, against a walk through the traced program."""

import dataclasses
import math

import jax
import pytest
from jax.extend.core import jaxprs_in_params

from reviewintent_jax.benchmark.case_flops import count_case_flops
from reviewintent_jax.benchmark.flops import (
    count_flops,
    count_masked_flops,
    count_window_flops,
    page_work,
    review_work,
)
from reviewintent_jax.data.pages import PageSpec, empty_pages
from reviewintent_jax.data.tokens import SpecialIds
from reviewintent_jax.models.encoder_spec import ComputeDtype
from reviewintent_jax.models.forecaster import (
    Anchor,
    Forecaster,
    ForecasterSpec,
    OutputActivation,
)
from reviewintent_jax.models.heading import Heading, HeadingSpec
from reviewintent_jax.models.history import HistorySpec
from reviewintent_jax.models.lstnet_spec import Fusion
from reviewintent_jax.models.masked_language import MaskedLanguage, MaskedLanguageSpec
from reviewintent_jax.models.msdp_net import MsdpNet
from reviewintent_jax.models.reader_spec import ReaderKind, ReaderSpec, Reads
from reviewintent_jax.models.recurrent import GateFusion
from reviewintent_jax.models.review_intent import (
    ReviewIntent,
    ReviewIntentSpec,
    init_params,
)
from reviewintent_jax.models.word_reader import WordsSpec
from reviewintent_jax.schema import HistoryBatch, MaskedBatch
from tests.conftest import tiny_encoder_spec
from tests.models.lstnet_cases import SPEC
from tests.models.test_msdp_net import SPEC as MSDP
from tests.models.test_msdp_net import batch as cases  # noqa: F401  (a fixture)

PAGES = PageSpec(page_tokens=24, chunk_tokens=12, max_tokens=24, slots=3)


def products(jaxpr):
    """Operations of all products in a traced program, scans as often as they run."""
    total = 0
    for equation in jaxpr.eqns:
        params = equation.params
        if equation.primitive.name == "dot_general":
            left = equation.invars[0].aval.shape
            contracted = math.prod(
                left[axis] for axis in params["dimension_numbers"][0][0]
            )
            total += 2 * math.prod(equation.outvars[0].aval.shape) * contracted
            continue
        assert equation.primitive.name not in ("while", "conv_general_dilated")
        # The branches are the same product, laid out for one device or another.
        within = [each.jaxpr for each in params.get("branches", ())[:1]]
        within = within or jaxprs_in_params(params)
        inner = sum(products(each) for each in within)
        total += inner * params.get("length", 1)
    return total


def history_of(step_features):
    lstnet = dataclasses.replace(SPEC, kernel_sizes=(1, 3), skip_period=0)
    return HistorySpec(lstnet, step_features, covariates=2, classes=4, head_dropout=0.0)


def spec_of(reader=SPEC, history=None, classes=3, encoder=True, **words):
    encoder = tiny_encoder_spec(97) if encoder else None
    sizes = classes, 0.0, PAGES.chunk_tokens, history
    return ReviewIntentSpec(encoder, reader, *sizes, **words)


def reader_of(kind, reads=Reads.TOKENS, *, both=False, sizes=(2,), features=5):
    fixed = {"layers": 2, "bidirectional": both, "dropout": 0.0}
    return ReaderSpec(
        kind=kind, reads=reads, features=features, kernel_sizes=sizes, **fixed
    )


LSTM, GRU = reader_of(ReaderKind.LSTM, both=True), reader_of(ReaderKind.GRU)
CLS = reader_of(ReaderKind.MEAN, Reads.CLS)
WORDS = WordsSpec(11, 7, reader_of(ReaderKind.LSTM), ComputeDtype.FLOAT32)


SPECS = {
    "skip": spec_of(),
    "no_skip": spec_of(dataclasses.replace(SPEC, skip_period=0)),
    "attention": spec_of(dataclasses.replace(SPEC, fusion=Fusion.ATTENTION)),
    "trend": spec_of(dataclasses.replace(SPEC, fusion=Fusion.TREND)),
    "no_highway": spec_of(dataclasses.replace(SPEC, highway_window=0)),
    "fused_gates": spec_of(dataclasses.replace(SPEC, gate_fusion=GateFusion.FUSED)),
    "history": spec_of(history=history_of(2)),
    "whole_history": spec_of(history=history_of(-1)),
    "history_without_text": spec_of(history=history_of(0)),
    "intention_alone": spec_of(history=history_of(2), classes=0),
    "sequential": spec_of(LSTM),
    "gru": spec_of(GRU),
    "wide_cnn": spec_of(reader_of(ReaderKind.CNN, sizes=(2, 3), features=3)),
    "tcn": spec_of(reader_of(ReaderKind.TCN, sizes=(3,))),
    "mean": spec_of(reader_of(ReaderKind.MEAN)),
    "parallel": spec_of(CLS, words=WORDS, head_features=6),
    "words_alone": spec_of(encoder=False, words=WORDS),
}


@pytest.fixture(params=SPECS)
def traced(request):
    """A spec, two pages, and the model's sums as a function of its parameters."""
    spec = SPECS[request.param]
    history = None
    window = 0 if spec.history is None else 5
    if window:
        slots = 2, PAGES.slots
        history = HistoryBatch(
            jax.numpy.zeros((*slots, window), int),
            jax.numpy.zeros((*slots, 2)),
            jax.numpy.zeros(slots, int),
            jax.numpy.zeros(slots),
        )
    page = empty_pages(2, SpecialIds(2, 3, 0), PAGES, words=True)
    page = page._replace(history=history)
    model = ReviewIntent(spec)
    params = jax.eval_shape(lambda: init_params(model, page, seed=0, encoder=None))

    def total(params):
        output = model.apply({"params": params}, page, deterministic=True)
        answers = output.logits_bky, output.intent_bky, output.text_intent_bky
        return sum(answer.sum() for answer in answers if answer is not None)

    work = page_work(2, PAGES.page_tokens, PAGES.slots, PAGES.chunk_tokens, window)
    return count_flops(spec, work), total, params


def test_an_answer_takes_the_products_of_the_traced_program(traced):
    flops, total, params = traced
    assert flops.answer == products(jax.make_jaxpr(total)(params).jaxpr)


def test_an_update_takes_the_products_of_the_traced_gradient(traced):
    flops, total, params = traced
    walked = products(jax.make_jaxpr(jax.grad(total))(params).jaxpr)
    assert flops.update == walked


def test_a_page_executes_its_padding_and_a_review_uses_its_tokens():
    """The examples of the docstrings."""
    assert page_work(2, 12, 3, 6) == (24, 144, 6, 72, 72, 0)
    assert review_work((6, 3), 8) == (9, 45, 1, 9, 8, 0)


def test_bert_base_takes_what_its_sizes_say():
    """170 million operations a token in dense layers (Devlin et al.: 85 M weights)."""
    encoder = dataclasses.replace(
        tiny_encoder_spec(30522),
        hidden_size=768,
        num_layers=12,
        num_heads=12,
        intermediate_size=3072,
        type_vocab_size=0,
    )
    spec = dataclasses.replace(SPECS["skip"], encoder=encoder)
    flops = count_flops(spec, review_work((128,), 9))
    assert flops.forward["encoder"] == 128 * 2 * 84_934_656
    assert flops.forward["attention"] == 12 * 4 * 128 * 128 * 768


@pytest.mark.parametrize("anchor", Anchor)
def test_windows_take_the_products_of_the_traced_program(anchor):
    lstnet = dataclasses.replace(SPEC, summary_features=3)
    forecaster = ForecasterSpec(lstnet, 12, OutputActivation.NONE, Anchor.NONE)
    anchors = (Anchor.NONE, anchor, Anchor.NONE)
    value, length = jax.numpy.ones((2, 12, 3)), jax.numpy.full(2, 12)
    for spec, model in (
        (forecaster, Forecaster(forecaster)),
        (found := HeadingSpec(forecaster, anchors, 0.0), Heading(found)),
    ):
        init = lambda model=model: model.init(  # noqa: E731
            jax.random.key(0), value, length, deterministic=True
        )
        params = jax.eval_shape(init)

        def total(params, model=model):
            output = model.apply(params, value, length, deterministic=True)
            return sum(part.sum() for part in output[: len(output) - 1])

        flops = count_window_flops(spec, 2, 12)
        assert flops.answer == products(jax.make_jaxpr(total)(params).jaxpr)
        gradient = jax.make_jaxpr(jax.grad(total))(params)
        assert flops.update == products(gradient.jaxpr)


def assert_counted(flops, total, params):
    assert flops.answer == products(jax.make_jaxpr(total)(params).jaxpr)
    assert flops.update == products(jax.make_jaxpr(jax.grad(total))(params).jaxpr)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"use": (True, False, False)},
        {"use": (False, True, False), "intents": 0},
        {"use": (False, False, True), "categories": (), "value": False},
    ],
    ids=["all", "text", "behaviour", "fields"],
)
def test_cases_take_the_products_of_the_traced_program(cases, changes):  # noqa: F811
    spec = dataclasses.replace(MSDP, **changes)
    if not spec.categories:
        cases = cases._replace(category_bc=cases.category_bc[:, :0])
    model = MsdpNet(spec)
    given = jax.random.key(0), cases
    params = jax.eval_shape(lambda: model.init(*given, deterministic=True))

    def total(params):
        said = model.apply(params, cases, deterministic=True)
        answers = said.intent_by, said.value_b, said.hazard_bj
        return sum(answer.sum() for answer in answers if answer is not None)

    assert_counted(count_case_flops(spec, 4, 6, 2), total, params)


def test_guesses_take_the_products_of_the_traced_program():
    encoder = dataclasses.replace(tiny_encoder_spec(97), has_pooler=False)
    spec = MaskedLanguageSpec(encoder, 12)
    zeros = jax.numpy.zeros((2, 24), int)
    asked = jax.numpy.zeros((2, 4), int)
    batch = MaskedBatch(zeros, zeros, zeros, asked, asked, zeros[:, :1])
    model = MaskedLanguage(spec)
    given = jax.random.key(0), batch
    params = jax.eval_shape(lambda: model.init(*given, deterministic=True))

    def total(params):
        return model.apply(params, batch, deterministic=True).logits_buv.sum()

    flops = count_masked_flops(spec, page_work(2, 24, 1, 12), 8)
    assert_counted(flops, total, params)


def test_an_unrolled_program_takes_what_is_counted_and_a_loop_hides_most_of_it():
    """XLA counts the body of a loop once, however often it runs."""
    steps = 12
    lstnet = dataclasses.replace(
        SPEC, channels=64, recurrent_features=96, skip_features=32, summary_features=8
    )
    value, length = jax.numpy.ones((16, steps, 8)), jax.numpy.full(16, steps)

    def flops_of(unroll):
        own = dataclasses.replace(lstnet, unroll=unroll)
        spec = ForecasterSpec(own, steps, OutputActivation.NONE, Anchor.NONE)
        model = Forecaster(spec)
        init = lambda: model.init(  # noqa: E731
            jax.random.key(0), value, length, deterministic=True
        )
        params = jax.eval_shape(init)
        answer = lambda params: model.apply(  # noqa: E731
            params, value, length, deterministic=True
        )[0]
        lowered = jax.jit(answer).lower(params)
        return count_window_flops(spec, 16, steps).answer, lowered.cost_analysis()

    counted, unrolled = flops_of(steps)
    same, rolled = flops_of(1)
    assert counted == same
    # What is no product (gates, activations, masks) comes on top.
    assert counted <= unrolled["flops"] < 1.15 * counted
    assert rolled["flops"] < 0.7 * counted
