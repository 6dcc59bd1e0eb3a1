"""The scorer for services says what the scoring step says."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from reviewintent_jax.benchmark.full_pages import full_pages
from reviewintent_jax.benchmark.gpu_plan import tiny_plan
from reviewintent_jax.data.pages import PageSpec
from reviewintent_jax.evaluation import frozen
from reviewintent_jax.evaluation.frozen import FrozenScorer
from reviewintent_jax.evaluation.scoring import make_score_step
from reviewintent_jax.models.review_intent import ReviewIntent, init_params
from reviewintent_jax.schema import InputError

TOKENS = 32
MODEL = ReviewIntent(tiny_plan().model(TOKENS))
LAYOUT = PageSpec(TOKENS, TOKENS, TOKENS, 2)


@pytest.fixture(scope="module")
def params():
    return init_params(MODEL, pages(1), seed=0, encoder=None)


def pages(number, tokens=16):
    return full_pages(MODEL.spec, LAYOUT, number, tokens, window=0)


def test_answers_are_those_of_the_scoring_step(params):
    score = make_score_step(MODEL)
    scorer = FrozenScorer(score, params, pages(3))
    first = pages(3)
    other = first._replace(
        token_ids_bt=np.asarray(first.token_ids_bt)[:, ::-1],  # not in one piece
        slot_length_bk=jnp.asarray(first.slot_length_bk) - 3,  # on a device
    )
    answers = [scorer(batch) for batch in (first, other, first)]
    for batch, answer in zip((first, other, first), answers, strict=True):
        assert isinstance(answer, np.ndarray)
        np.testing.assert_allclose(answer, score(params, batch), atol=1e-6)
    assert not np.allclose(answers[0], answers[1])


def test_parameters_stay_what_they_were(params):
    given = jax.tree.map(jnp.array, params)
    scorer = FrozenScorer(make_score_step(MODEL), given, pages(1))
    before = scorer(pages(1))
    jax.tree.map(lambda x: x.delete(), given)
    np.testing.assert_array_equal(scorer(pages(1)), before)


@pytest.mark.parametrize(
    "batch",
    [
        pages(2),
        pages(1)._replace(token_ids_bt=np.zeros((1, TOKENS), np.float32)),
        pages(1)._replace(history=pages(1).slot_start_bk),
    ],
)
def test_another_layout_is_refused(params, batch):
    scorer = FrozenScorer(make_score_step(MODEL), params, pages(1))
    with pytest.raises(ValueError, match="was promised"):
        scorer(batch)


def test_too_many_parameters_are_refused(params, monkeypatch):
    monkeypatch.setattr(frozen, "_MOST_BYTES", 1_000)
    with pytest.raises(InputError, match="cannot be constants of a program"):
        FrozenScorer(make_score_step(MODEL), params, pages(1))


@pytest.mark.parametrize("kind", [np.int64, np.float16, np.bool_])
def test_numbers_of_another_size_are_refused(params, kind):
    batch = pages(1)._replace(label_bk=np.ones((1, 2), kind))
    with pytest.raises(InputError, match="only numbers of 4 bytes"):
        FrozenScorer(make_score_step(MODEL), params, batch)


def test_single_numbers_and_rows_out_of_order_are_sent_as_they_are():
    def score(params, batch):
        return batch.label_bk * params["by"], batch.token_ids_bt

    turned = np.arange(6, dtype=np.int32).reshape(2, 3).T
    batch = pages(1)._replace(label_bk=np.float32(2.5), token_ids_bt=turned)
    program = FrozenScorer(lambda *given: score(*given)[0], {"by": jnp.ones(())}, batch)
    assert program(batch) == 2.5
    other = FrozenScorer(lambda *given: score(*given)[1], {"by": jnp.ones(())}, batch)
    np.testing.assert_array_equal(other(batch), turned)
