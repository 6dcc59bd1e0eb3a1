"""What a trained model can be asked about single rows."""

from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from reviewintent_jax.data.labels import LabelMap
from reviewintent_jax.models.encoder import Encoder, narrow_kernels
from reviewintent_jax.models.encoder_spec import ComputeDtype
from reviewintent_jax.schema import InputError
from reviewintent_jax.training.trained import make_scorer
from tests.conftest import tiny_encoder_spec


def test_a_run_that_knows_subjects_alone_points_to_their_file():
    trained = SimpleNamespace(
        intention=object(),
        labels=LabelMap.empty(),
        data=SimpleNamespace(intention=SimpleNamespace(over_time=True)),
    )
    with pytest.raises(InputError, match="--subjects=FILE"):
        make_scorer(trained, None)


@pytest.mark.parametrize("dtype", list(ComputeDtype))
def test_narrow_kernels_give_the_same_answers(dtype):
    spec = tiny_encoder_spec(97)
    spec = type(spec)(**{**vars(spec), "dtype": dtype})
    ids = jnp.asarray(np.random.default_rng(0).integers(1, 97, (2, 8)))
    given = ids, jnp.ones_like(ids), jnp.broadcast_to(jnp.arange(8), ids.shape)
    encoder = Encoder(spec, 8)
    params = encoder.init(jax.random.key(0), *given, deterministic=True)["params"]
    narrow = narrow_kernels(params, dtype)
    one, other = (
        encoder.apply({"params": each}, *given, deterministic=True).hidden_btd
        for each in (params, narrow)
    )
    np.testing.assert_array_equal(one.astype(jnp.float32), other.astype(jnp.float32))
    kernel = narrow["layer_0"]["feed_forward"]["up"]["kernel"]
    assert kernel.dtype == jnp.dtype(dtype)
    assert narrow["embeddings"]["token"]["embedding"].dtype == jnp.float32
