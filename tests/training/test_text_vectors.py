"""Vectors of texts: the mean state of their own tokens, whoever shares their page."""

import jax
import numpy as np

from reviewintent_jax.data.pages import PageSpec
from reviewintent_jax.data.tokens import ReviewTokenizer
from reviewintent_jax.models.encoder import Encoder
from reviewintent_jax.models.pretrained import load_encoder
from reviewintent_jax.training.sharding import one_device
from reviewintent_jax.training.text_vectors import encode_texts

TEXTS = ("good tea", "the lid leaks and the box is broken", "", "nice", "good tea nice")


def test_a_text_is_the_mean_of_its_states_on_a_page_of_its_own(tiny_encoder):
    tokenizer = ReviewTokenizer(tiny_encoder)
    loaded = load_encoder(str(tiny_encoder))
    params = {k: v for k, v in loaded.params.items() if k != "pooler"}
    pages = PageSpec(page_tokens=64, chunk_tokens=32, max_tokens=64, slots=7)
    found = encode_texts(
        TEXTS, tokenizer, (loaded.spec, params), pages, one_device(), batch_pages=2
    )
    assert found.shape == (5, loaded.spec.hidden_size)
    encoder = Encoder(loaded.spec, 32)
    special = tokenizer.special

    @jax.jit
    def read(ids, segments):
        place = np.arange(32, dtype=np.int32)[None]
        said = encoder.apply(
            {"params": params}, ids, segments, place, deterministic=True
        )
        return said.hidden_btd

    for text, vector in zip(tokenizer.encode(TEXTS), found, strict=True):
        ids = [special.first, *text, special.last]
        padded = np.full((1, 32), special.pad, np.int32)
        padded[0, : len(ids)] = ids
        states = np.asarray(read(padded, (np.arange(32) < len(ids))[None].astype(int)))
        np.testing.assert_allclose(vector, states[0, : len(ids)].mean(0), atol=1e-5)


def test_no_text_is_no_vector(tiny_encoder):
    loaded = load_encoder(str(tiny_encoder))
    pages = PageSpec(page_tokens=64, chunk_tokens=32, max_tokens=64, slots=7)
    tokenizer = ReviewTokenizer(tiny_encoder)
    encoder = loaded.spec, loaded.params
    found = encode_texts((), tokenizer, encoder, pages, one_device(), batch_pages=2)
    assert found.shape == (0, loaded.spec.hidden_size)
