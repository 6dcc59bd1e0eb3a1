"""The first Ctrl-C is noted, the second does what it always did."""

import signal
import threading

import pytest

from reviewintent_jax.training.stopping import Preempted, StopRequest


@pytest.fixture(autouse=True)
def a_foreground():
    """A program started in the background ignores Ctrl-C, and so would the tests."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def test_the_first_is_noted_and_the_second_interrupts():
    before = signal.getsignal(signal.SIGINT)
    with StopRequest() as stop:
        assert not stop.reached(0)
        signal.raise_signal(signal.SIGINT)
        assert stop.reached(1)
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
    assert signal.getsignal(signal.SIGINT) is before


def test_without_a_signal_all_is_as_before():
    before = signal.getsignal(signal.SIGINT)
    with StopRequest() as stop:
        pass
    assert not stop.reached(0)
    assert signal.getsignal(signal.SIGINT) is before


def test_in_another_thread_nothing_is_touched():
    before, seen = signal.getsignal(signal.SIGINT), []

    def work():
        with StopRequest() as stop:
            seen.append((stop.reached(0), signal.getsignal(signal.SIGINT) is before))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen == [(False, True)]


def test_sigterm_is_noted_and_leaves_as_what_it_is():
    before = signal.getsignal(signal.SIGTERM)
    with StopRequest() as stop:
        signal.raise_signal(signal.SIGTERM)
        assert stop.reached(7)
        with pytest.raises(Preempted, match="after step 7"):
            stop.leave(7)
    assert signal.getsignal(signal.SIGTERM) is before


def test_ctrl_c_leaves_as_ctrl_c():
    with StopRequest() as stop:
        signal.raise_signal(signal.SIGINT)
        assert stop.reached(7)
        with pytest.raises(KeyboardInterrupt):
            stop.leave(7)
