"""A program that is compiled beside other work is the same program."""

import threading

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from reviewintent_jax.compiling import compiled_ahead


def doubled(x):
    return 2 * jnp.sin(x)


def test_it_answers_as_the_function_does():
    x = np.linspace(0, 1, 7, dtype=np.float32)
    call = compiled_ahead(jax.jit(doubled).lower(x))
    np.testing.assert_array_equal(call(x), jax.jit(doubled)(x))
    np.testing.assert_array_equal(call(2 * x), jax.jit(doubled)(2 * x))


class Slow:
    """Compiles when it is told to, and its program says where."""

    def __init__(self):
        self.told = threading.Event()

    def compile(self):
        assert self.told.wait(60)
        where = threading.current_thread()
        return lambda: where


def test_the_caller_goes_on_meanwhile():
    slow = Slow()
    call = compiled_ahead(slow)  # fails after a minute, if the caller waits
    slow.told.set()
    assert call() is not threading.current_thread()


class Broken:
    def compile(self):
        raise ValueError("no such kernel")


def test_what_went_wrong_is_raised_by_every_call():
    call = compiled_ahead(Broken())
    for _ in range(2):
        with pytest.raises(ValueError, match="no such kernel"):
            call()
