"""What ``launch.prepare`` understands by --config and --beam."""

import sys
import types

import pytest

from launch.engines import engine_of
from launch.runtime import config_values
from reviewintent_jax.schema import InputError

BEAM = "reviewintent_jax.data.beam_blocks"


def test_without_beam_its_installation_is_named(monkeypatch):
    monkeypatch.delitem(sys.modules, BEAM, raising=False)
    monkeypatch.setitem(sys.modules, "apache_beam", None)
    with pytest.raises(InputError, match="Beam is not installed") as caught:
        engine_of("--runner=DirectRunner", 1)
    assert "pip install '.[beam]'" in caught.value.fix


def test_options_of_beam_are_quoted_as_in_a_shell(monkeypatch):
    kept = types.SimpleNamespace(on_beam=list)
    monkeypatch.setitem(sys.modules, BEAM, kept)
    assert engine_of("--a=1 --name='b c'", 1) == ["--a=1", "--name=b c"]
    with pytest.raises(InputError, match="No closing quotation"):
        engine_of("--name='b", 1)


def test_a_config_that_is_not_there_is_said():
    def read():
        raise OSError("not loaded:\n  configs/nope.py: no such file")

    with pytest.raises(InputError, match="config file cannot be read") as caught:
        config_values(read)
    assert caught.value.where == "configs/nope.py: no such file"
    with pytest.raises(InputError, match="No config was named"):
        config_values(lambda: None)
