"""Peak memory of a process while it does something."""

import numpy as np
import pytest

from reviewintent_jax.benchmark.process_memory import peak_of

MIB = 1 << 20


def test_a_peak_is_what_was_held_at_once_and_not_before():
    def hold(mib):
        return lambda: np.ones(mib * MIB, np.uint8).sum()

    small = peak_of(hold(1))
    if small is None:
        pytest.skip("this system does not tell")
    large, again = peak_of(hold(256)), peak_of(hold(1))
    assert large - small > 200 * MIB
    assert again - small < 100 * MIB
