"""How many parameters the models of some configs have, to the last one."""

import jax
import numpy as np
import pytest

from configs import pretrain_ukrainian, ukrainian
from reviewintent_jax.build import make_model, plain_values
from reviewintent_jax.build_pretrain import read_pretrain_config
from reviewintent_jax.configuration import read_config
from reviewintent_jax.data.masking import Masker
from reviewintent_jax.data.pages import empty_pages
from reviewintent_jax.data.prepared_pages import blank_page
from reviewintent_jax.data.tokens import SpecialIds
from reviewintent_jax.models.activations import Activation
from reviewintent_jax.models.encoder import ComputeDtype, EncoderFamily, EncoderSpec
from reviewintent_jax.models.masked_language import MaskedLanguage, MaskedLanguageSpec
from reviewintent_jax.training.state import count_parameters

SPECIAL = SpecialIds(0, 2, 1)
XLMR_BASE = EncoderSpec(
    family=EncoderFamily.XLM_ROBERTA,
    vocab_size=250_002,
    hidden_size=768,
    num_layers=12,
    num_heads=12,
    intermediate_size=3072,
    max_positions=514,
    position_offset=2,
    type_vocab_size=1,
    norm_eps=1e-5,
    activation=Activation.GELU,
    hidden_dropout=0.1,
    attention_dropout=0.1,
    pad_id=1,
    has_pooler=True,
    dtype=ComputeDtype.FLOAT32,
)


@pytest.fixture(scope="module")
def pretrain_config():
    return read_pretrain_config(plain_values(pretrain_ukrainian.get_config()))


def small(config):
    return config.encoder.spec(config.tokenizer.vocab_size, 1)


def tuned_counts(encoder):
    config = read_config(plain_values(ukrainian.get_config()))
    model = make_model(config, encoder, 2, None)
    page = blank_page(SPECIAL, config.pages, None, words=False)
    shapes = jax.eval_shape(
        lambda key: model.init(key, page, deterministic=True)["params"],
        jax.random.key(0),
    )
    return count_parameters(shapes)


def test_xlm_roberta_base_with_a_dense_layer_over_its_first_token():
    # 278,043,648 with its pooler, which nothing reads here.
    assert tuned_counts(XLMR_BASE) == {"encoder": 277_453_056, "sentiment": 1_538}


def test_the_small_ukrainian_model(pretrain_config):
    counts = tuned_counts(small(pretrain_config))
    assert counts == {"encoder": 1_330_304, "sentiment": 258}


def test_the_pre_training_of_it(pretrain_config):
    config = pretrain_config
    encoder = small(config)
    model = MaskedLanguage(MaskedLanguageSpec(encoder, config.pages.chunk_tokens))
    masker = Masker(config.masking, encoder.vocab_size - 1, [5], 0)
    batch = masker.hide(empty_pages(1, SPECIAL, config.pages), np.array([-1]))
    shapes = jax.eval_shape(
        lambda key: model.init(key, batch, deterministic=True)["params"],
        jax.random.key(0),
    )
    assert count_parameters(shapes) == {"encoder": 1_330_304, "lm_head": 22_768}
