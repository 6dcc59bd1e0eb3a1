"""What every command says when it is stopped."""

import pytest
from absl import app

from launch import runtime
from reviewintent_jax.schema import InputError, TransientError


@pytest.mark.parametrize(
    ("error", "code"),
    [(InputError, runtime.INPUT_ERROR), (TransientError, runtime.FAILED)],
)
def test_what_may_pass_ends_otherwise_than_a_mistake(error, code, monkeypatch, capsys):
    def fail(*_, **__):
        raise error("Something is wrong.")

    monkeypatch.setattr(app, "run", fail)
    with pytest.raises(SystemExit) as ended:
        runtime.run(lambda _: None)
    assert ended.value.code == code
    assert "Error: Something is wrong." in capsys.readouterr().err


def stopped(main, monkeypatch, capsys, **options):
    """Exit code and stderr of a command that is stopped with Ctrl-C at once."""

    def interrupt(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(app, "run", interrupt)
    with pytest.raises(SystemExit) as ended:
        runtime.run(main, **options)
    return ended.value.code, capsys.readouterr().err


def test_a_stopped_command_promises_no_checkpoint(monkeypatch, capsys):
    code, said = stopped(lambda _: None, monkeypatch, capsys)
    assert code == runtime.INTERRUPTED
    assert said == "\nStopped. The same command begins again from the start.\n"


def test_a_command_may_say_what_else_it_would_do(monkeypatch, capsys):
    _, said = stopped(lambda _: None, monkeypatch, capsys, after_stop="Go on.")
    assert said == "\nStopped. Go on.\n"
