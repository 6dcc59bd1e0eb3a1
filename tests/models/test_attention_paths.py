"""The kernels of a GPU, run without one: the same numbers, and no leaks."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from reviewintent_jax.models.attention import attend, segment_mask
from reviewintent_jax.models.attention_paths import attend_by
from reviewintent_jax.models.encoder_spec import AttentionPath
from reviewintent_jax.schema import InputError
from tests.conftest import tiny_encoder_spec

PACKED = jnp.array([[1, 1, 1, 2, 2, 2, 2, 0], [1, 1, 1, 1, 2, 3, 3, 3]])
ALONE = jnp.array([[1, 1, 1, 1, 1, 0, 0, 0], [1, 1, 1, 1, 1, 1, 1, 1]])
SOUND = [
    (AttentionPath.CUDNN, PACKED),
    (AttentionPath.CUDNN, ALONE),
    (AttentionPath.CUDNN_LENGTHS, ALONE),
    (AttentionPath.PALLAS, PACKED),
    (AttentionPath.PALLAS, ALONE),
]


def drawn(segments):
    keys = jax.random.split(jax.random.key(1), 3)
    shape = len(segments), 2, segments.shape[1], 16
    return [jax.random.normal(key, shape) for key in keys]


@pytest.mark.parametrize(("path", "segments"), SOUND)
def test_a_path_says_what_our_own_attention_says(path, segments):
    given = drawn(segments)
    found = attend_by(path, *given, segments, interpret=True)
    exact = attend(*given, segment_mask(segments), None)
    np.testing.assert_allclose(found, exact, atol=2e-6)


@pytest.mark.parametrize(("path", "segments"), SOUND)
def test_another_review_of_the_block_changes_nothing(path, segments):
    given = drawn(segments)
    other = (segments != 1)[:, None, :, None]
    changed = [jnp.where(other, x + 1, x) for x in given]
    first, second = (
        attend_by(path, *each, segments, interpret=True) for each in (given, changed)
    )
    mine = np.asarray(segments == 1)
    for block in range(2):
        np.testing.assert_array_equal(
            first[block][:, mine[block]], second[block][:, mine[block]]
        )


def test_lengths_alone_would_let_reviews_of_a_block_leak():
    given = drawn(PACKED)
    found = attend_by(AttentionPath.CUDNN_LENGTHS, *given, PACKED, interpret=True)
    exact = attend(*given, segment_mask(PACKED), None)
    assert np.abs(found - exact).max() > 0.01


def test_paths_without_dropout_are_refused_with_it():
    spec = tiny_encoder_spec(97)
    with pytest.raises(InputError, match="attention_dropout to 0"):
        type(spec)(**{**vars(spec), "attention": AttentionPath.PALLAS})
