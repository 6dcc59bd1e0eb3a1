"""What tests of recurrent layers share: sizes, random parameters, marks of steps."""

import jax
import jax.numpy as jnp
import numpy as np

BATCH, STEPS, INPUTS, STATES = 2, 9, 5, 4


def parameters(gru, x, seed=0):
    """All parameters random, biases too, so that each of them matters."""
    off = jnp.zeros(x.shape[:-1], bool)
    shapes = jax.eval_shape(gru.init, jax.random.key(0), x, off, ~off)
    rng = np.random.default_rng(seed)
    return jax.tree.map(
        lambda s: jnp.asarray(0.5 * rng.normal(size=s.shape), s.dtype), shapes
    )


def random_x(*shape, seed=1):
    return jnp.asarray(np.random.default_rng(seed).normal(size=shape), jnp.float32)


def marks(*steps, batch=BATCH, length=STEPS):
    found = np.zeros((batch, length), bool)
    found[:, list(steps)] = True
    return jnp.asarray(found)


NONE, ALL = marks(), marks(*range(STEPS))
