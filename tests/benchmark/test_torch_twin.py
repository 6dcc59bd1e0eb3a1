"""The peers compute what ours computes: PyTorch's LSTNet head, and its BERT."""

import importlib.util

import jax
import numpy as np
import pytest

from reviewintent_jax.benchmark.full_pages import full_pages
from reviewintent_jax.benchmark.torch_bert import make_bert
from reviewintent_jax.benchmark.torch_twin import make_classifier, take_weights
from reviewintent_jax.data.pages import PageSpec
from reviewintent_jax.models.pretrained import load_encoder, read_spec
from reviewintent_jax.models.recurrent import Candidate
from reviewintent_jax.models.review_intent import (
    ReviewIntent,
    ReviewIntentSpec,
    init_params,
)
from tests.models.lstnet_cases import SPEC

pytestmark = [
    pytest.mark.torch,
    pytest.mark.skipif(
        importlib.util.find_spec("torch") is None, reason="needs PyTorch"
    ),
    pytest.mark.filterwarnings("ignore"),
]
LENGTHS = (13, 5, 16, 9)


@pytest.fixture(scope="module")
def batch_of():
    """One review a page, and the same right-padded."""

    def make(vocabulary):
        rng = np.random.default_rng(0)
        layout = PageSpec(16, 16, 16, 1)
        ids = np.zeros((4, 16), np.int32)
        for row, length in enumerate(LENGTHS):
            ids[row, :length] = rng.integers(5, vocabulary, length)
        return ids, (ids > 0).astype(np.int64), layout

    return make


def moved(x):
    return x + 0.05 * np.cos(np.arange(x.size).reshape(x.shape))


def test_an_equal_head_gives_equal_answers(tiny_encoder, batch_of):
    import dataclasses

    import torch
    import transformers

    spec = dataclasses.replace(read_spec(tiny_encoder), has_pooler=False)
    lstnet = dataclasses.replace(SPEC, candidate=Candidate.TANH, recurrent_layers=2)
    ids, mask, layout = batch_of(spec.vocab_size)
    model = ReviewIntent(ReviewIntentSpec(spec, lstnet, 3, 0.0, 16, None))
    page = full_pages(model.spec, layout, 4, 16, window=0)._replace(
        token_ids_bt=ids,
        segment_ids_bt=mask.astype(np.int32),
        position_ids_bt=np.where(mask, np.arange(16), 0).astype(np.int32),
        slot_length_bk=np.array(LENGTHS, np.int32)[:, None],
    )
    encoder = load_encoder(str(tiny_encoder)).params
    encoder = {name: tree for name, tree in encoder.items() if name != "pooler"}
    params = init_params(model, page, seed=1, encoder=encoder)
    # Away from zero, where a wrong place would not show.
    params = {
        part: tree if part == "encoder" else jax.tree.map(moved, tree)
        for part, tree in params.items()
    }
    ours = model.apply({"params": params}, page, deterministic=True).logits_bky[:, 0]
    theirs = transformers.AutoModel.from_pretrained(
        str(tiny_encoder), add_pooling_layer=False
    )
    width = spec.hidden_size
    twin = make_classifier(torch, theirs, width, lstnet, 3, 0.0).eval()
    take_weights(torch, twin, jax.device_get(params))
    with torch.inference_mode():
        said = twin(torch.tensor(ids, dtype=torch.long), torch.tensor(mask)).numpy()
    np.testing.assert_allclose(said, ours, atol=1e-5)


def test_the_plain_bert_is_that_of_transformers(tiny_encoder, batch_of):
    import torch
    import transformers

    spec = read_spec(tiny_encoder)
    ids, mask, _ = batch_of(spec.vocab_size)
    given = torch.tensor(ids, dtype=torch.long), torch.tensor(mask)
    theirs = transformers.AutoModel.from_pretrained(
        str(tiny_encoder), add_pooling_layer=False
    ).eval()
    ours = make_bert(torch, spec).eval()
    state = theirs.state_dict()
    left = ours.load_state_dict(state, strict=False)
    assert not left.missing_keys
    with torch.inference_mode():
        exact = theirs(input_ids=given[0], attention_mask=given[1]).last_hidden_state
        said = ours(input_ids=given[0], attention_mask=given[1]).last_hidden_state
    kept = mask.astype(bool)
    np.testing.assert_allclose(said.numpy()[kept], exact.numpy()[kept], atol=1e-5)
