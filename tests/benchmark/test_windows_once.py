"""Windows that share no review: the same windows, laid out the obvious way."""

import jax
import numpy as np
import pytest

from reviewintent_jax.benchmark.windows_once import one_window_each
from reviewintent_jax.data.ids import SpecialIds
from reviewintent_jax.data.pages import PageSpec, empty_pages
from reviewintent_jax.models.review_intent import ReviewIntent, init_params
from reviewintent_jax.schema import HistoryBatch
from tests.benchmark.test_flops import history_of, spec_of

SPECIAL = SpecialIds(2, 3, 0)
SPEC = PageSpec(page_tokens=24, chunk_tokens=12, max_tokens=12, slots=5)
LENGTHS = (5, 4, 7)


@pytest.fixture(scope="module")
def page():
    """Reviews a b c of one subject, each the end of a window of two."""
    made = jax.tree.map(np.array, empty_pages(1, SPECIAL, SPEC))
    rng = np.random.default_rng(0)
    for slot, (start, length) in enumerate(zip((0, 5, 12), LENGTHS, strict=True)):
        here = slice(start, start + length)
        made.token_ids_bt[0, here] = rng.integers(4, 97, length)
        made.segment_ids_bt[0, here] = slot + 1
        made.position_ids_bt[0, here] = np.arange(length)
        made.slot_start_bk[0, slot], made.slot_length_bk[0, slot] = start, length
        made.label_bk[0, slot], made.weight_bk[0, slot] = slot % 2, 1
    slots = np.full((1, 5, 2), -1, np.int32)
    slots[0, :3] = [[-1, 0], [0, 1], [1, 2]]
    covariates = rng.normal(size=(1, 5, 2)).astype(np.float32)
    labels = np.array([[0, 1, 0, -1, -1]], np.int32)
    weights = np.array([[1, 1, 1, 0, 0]], np.float32)
    return made._replace(history=HistoryBatch(slots, covariates, labels, weights))


def test_each_window_has_reviews_of_its_own(page):
    each = one_window_each(page, SPEC, SPECIAL)
    filled = each.slot_length_bk[each.slot_length_bk > 0]
    assert sorted(filled) == sorted([5, 5, 4, 4, 7])
    assert (each.history.window_slots_bkw[..., -1] >= 0).sum() == 3
    assert each.weight_bk.sum() == each.history.intent_weight_bk.sum() == 3


@pytest.mark.slow
def test_its_answers_are_those_of_shared_reviews(page):
    """Both layouts hold the same windows, so the model says the same of them."""
    model = ReviewIntent(spec_of(history=history_of(2)))
    params = init_params(model, page, seed=3, encoder=None)
    said = []
    for batch in (page, one_window_each(page, SPEC, SPECIAL)):
        output = model.apply({"params": params}, batch, deterministic=True)
        anchored = np.asarray(batch.history.window_slots_bkw)[..., -1] >= 0
        found = np.asarray(output.intent_bky)[anchored]
        said.append(found[np.lexsort(found.T)])
    np.testing.assert_allclose(said[0], said[1], atol=1e-5)
