"""Attention on its own: what it says, and what XLA makes of it on a CPU."""

import re

import jax
import jax.numpy as jnp
import numpy as np

from reviewintent_jax.models.attention import attend, segment_mask

GROUPS, HEADS, TOKENS, SIZE = 4, 12, 128, 32
LAYERS = 3


def drawn(layers):
    keys = jax.random.split(jax.random.key(0), 3 * layers)
    shape = GROUPS, HEADS, TOKENS, SIZE
    found = [jax.random.normal(key, shape) for key in keys]
    return [tuple(found[at : at + 3]) for at in range(0, len(found), 3)]


def segments():
    """Blocks that begin with two reviews and end with padding."""
    ids = np.zeros((GROUPS, TOKENS), np.int32)
    for group in range(GROUPS):
        ids[group, : 10 + 4 * group] = 1
        ids[group, 10 + 4 * group : 50] = 2
    return jnp.asarray(ids)


def test_a_token_reads_the_mean_of_its_own_review():
    ((query, key, value),) = drawn(1)
    ids = segments()
    found = np.asarray(attend(query, key, value, segment_mask(ids), None))
    for group in range(GROUPS):
        for review in (1, 2):
            own = np.asarray(ids[group] == review)
            for head in range(HEADS):
                q, k, v = (
                    np.asarray(x[group, head], np.float64)[own]
                    for x in (query, key, value)
                )
                weight = np.exp(q @ k.T / np.sqrt(SIZE))
                mean = weight @ v / weight.sum(axis=1, keepdims=True)
                np.testing.assert_allclose(found[group, head][own], mean, atol=2e-6)
        assert not found[group][:, np.asarray(ids[group] == 0)].any()


def test_layers_share_no_array_of_all_pairs_of_tokens():
    """On a CPU each layer would read it from memory, which no cache holds."""

    def layers(given, ids):
        mask = segment_mask(ids)
        return sum(attend(*each, mask, None) for each in given)

    program = jax.jit(layers).lower(drawn(LAYERS), segments()).compile().as_text()
    entry = program[program.index("ENTRY") :]
    assert re.search(rf"f32\[{GROUPS},{HEADS},{TOKENS},{SIZE}\]", entry)
    assert not re.search(rf"f32\[{GROUPS},{HEADS},{TOKENS},{TOKENS}\]\S* \w", entry)
