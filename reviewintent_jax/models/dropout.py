"""Dropout at half the price of random bits.

In: a random key and a rate. Out: what every element is to be multiplied by.

On CPU the random bits of a BERT's dropout cost as much as a good part of its products.
Sixteen bits decide each element instead of thirty-two; the rate is rounded to the next
1/65536 and the scale is that of the rounded rate, so the mean is kept exactly.
"""

import jax
import jax.numpy as jnp

_LEVELS = 1 << 16


def kept_scale(
    key: jax.Array, rate: float, shape: tuple[int, ...], dtype: jnp.dtype
) -> jax.Array:
    """0 with probability ``rate`` (0 <= rate < 1), else 1 / (1 - rate); ``shape``."""
    dropped = round(rate * _LEVELS)
    bits = jax.random.bits(key, shape, dtype=jnp.uint16)
    scale = _LEVELS / (_LEVELS - dropped)
    return jnp.where(bits >= dropped, jnp.asarray(scale, dtype), jnp.asarray(0, dtype))
