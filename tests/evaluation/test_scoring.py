"""How many pages are scored at once, and that answers do not depend on it."""

import jax
import numpy as np
import pytest

from reviewintent_jax.data.batches import PageSource, eval_batches
from reviewintent_jax.data.pages import PageSpec, ReviewFields
from reviewintent_jax.data.tokens import SpecialIds, TokenList
from reviewintent_jax.evaluation.scoring import (
    make_score_step,
    pages_at_once,
    score_reviews,
)
from reviewintent_jax.models.review_intent import (
    ReviewIntent,
    ReviewIntentSpec,
    init_params,
)
from tests.conftest import tiny_encoder_spec
from tests.models.lstnet_cases import SPEC

PAGES = PageSpec(page_tokens=24, chunk_tokens=12, max_tokens=24, slots=3)
REVIEWS = np.arange(11)


@pytest.mark.parametrize(
    ("most", "page_tokens", "devices", "pages"),
    [
        (16, 512, 1, 2),
        (16, 128, 1, 8),
        (1, 128, 1, 1),
        (16, 4096, 1, 1),
        (16, 512, 4, 8),
    ],
)
def test_a_cpu_takes_about_a_thousand_tokens_a_device(
    most, page_tokens, devices, pages
):
    assert jax.default_backend() == "cpu"
    assert pages_at_once(most, page_tokens, devices) == pages


def test_other_devices_take_what_the_config_says(monkeypatch):
    monkeypatch.setattr(jax, "default_backend", lambda: "gpu")
    assert pages_at_once(16, 512) == 16


def test_answers_do_not_depend_on_how_many_pages_are_scored_at_once():
    rng = np.random.default_rng(3)
    ids = [rng.integers(5, 97, rng.integers(1, 30)) for _ in REVIEWS]
    fields = ReviewFields(np.zeros(11, np.int32), np.ones(11, np.float32))
    source = PageSource(TokenList(ids), fields, SpecialIds(2, 3, 0), PAGES)
    spec = ReviewIntentSpec(tiny_encoder_spec(97), SPEC, 3, 0.0, 12, None)
    model = ReviewIntent(spec)
    page = next(eval_batches(source, REVIEWS, batch_pages=1))
    params = init_params(model, page, seed=0, encoder=None)
    score = make_score_step(model)
    one, many = (
        score_reviews(
            score, params, eval_batches(source, REVIEWS, batch_pages=pages), REVIEWS
        )
        for pages in (1, 7)
    )
    assert np.isfinite(one).all()
    assert np.ptp(one, axis=0).min() > 1e-4  # reviews get answers of their own
    np.testing.assert_allclose(one, many, rtol=1e-5, atol=1e-6)
