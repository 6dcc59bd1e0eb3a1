"""Dropout whose random numbers cost next to nothing.

In: features of any shape and a key. Out: the same, some of them zero. Srivastava et al.
(2014, JMLR 15), with what is kept scaled up in training.

Whether a number is kept is a hash of its place and of the key: a few integer operations
that the compiler does in the loop that multiplies by them, and does again where the
gradient needs them, instead of an array of random bits that is drawn, kept and read. On
two CPU cores the bits of MiniLM's attention alone took 33 ms a layer at 900 tokens
(``jax.random.bernoulli``, ``rbg`` keys); the hash takes under 1 ms. The places are
those of the whole array, so masks do not depend on how it lies on devices.
"""

import math

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

_WORD = 1 << 32
_ODD = np.uint32(0x9E3779B9)  # the golden ratio's fraction: a word without a pattern


class Dropout(nn.Module):
    """Drops features in training; no parameters.

    Attributes:
      rate: probability of dropping a number, in [0, 1).
    """

    rate: float

    @nn.compact
    def __call__(self, x: jax.Array, *, deterministic: bool) -> jax.Array:
        """The same shape and type; as it was if ``deterministic`` or the rate is 0."""
        if deterministic or self.rate == 0:
            return x
        return x * kept(self.make_rng("dropout"), x.shape, self.rate).astype(x.dtype)

    def words(self) -> jax.Array:
        """What decides here, for who drops the same by a kernel: uint32 ``[2]``."""
        return jnp.stack(key_words(self.make_rng("dropout")))


def kept(key: jax.Array, shape: tuple[int, ...], rate: float) -> jax.Array:
    """What to multiply by: 0 with probability ``rate``, else ``1 / (1 - rate)``.

    Args:
      key: decides all.
      shape: of the result, float32.
      rate: in [0, 1).
    """
    return keep_places(_places(shape), *key_words(key), rate)


def key_words(key: jax.Array) -> tuple[jax.Array, jax.Array]:
    """What of a key decides: two words of 32 bits."""
    words = jax.random.key_data(key).reshape(-1)
    first, second = words[0], words[1]
    for word in words[2:]:  # keys of kind rbg have four, of which two repeat the others
        first, second = second, _mixed(_mixed(first + _ODD) ^ word)
    return first, second


def keep_places(
    places: jax.Array, first: jax.Array, second: jax.Array, rate: float
) -> jax.Array:
    """:func:`kept` of some places alone.

    Args:
      places: uint32, where each number stands when the whole array is read row by row.
      first: of :func:`key_words`.
      second: of :func:`key_words`.
      rate: in [0, 1).
    """
    bits = _mixed(_mixed(places + first) ^ second)
    limit = jnp.uint32(min(round((1 - rate) * _WORD), _WORD - 1))
    return jnp.where(bits < limit, jnp.float32(1 / (1 - rate)), jnp.float32(0))


def _places(shape: tuple[int, ...]) -> jax.Array:
    """Where each number stands when the array is read row by row, uint32."""
    total = jnp.zeros(shape, jnp.uint32)
    for axis in range(len(shape)):
        stride = np.uint32(math.prod(shape[axis + 1 :]) % _WORD)
        total += jax.lax.broadcasted_iota(jnp.uint32, shape, axis) * stride
    return total


def _mixed(word: jax.Array) -> jax.Array:
    """A hash of 32 bits in which every bit moves every other: ``lowbias32``.

    Constants of the search by C. Wellons ("Hash Prospector", 2018; those of 2022).
    """
    word = (word ^ (word >> 16)) * np.uint32(0x21F0AAAD)
    word = (word ^ (word >> 15)) * np.uint32(0xD35A2D97)
    return word ^ (word >> 15)
