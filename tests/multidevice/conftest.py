"""Experiments on any mesh of the devices of a test."""

import pytest

from reviewintent_jax.build import build_experiment, plain_values
from reviewintent_jax.schema import RunFolder


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Of one run, whose data are prepared once."""
    return RunFolder(tmp_path_factory.mktemp("run"))


@pytest.fixture
def built(tiny_config, folder):
    """Mesh sizes -> the experiment; dropout and augmentation are on."""

    def build(sizes, **changes):
        names = "data", "fsdp", "tensor"
        tiny_config.mesh.update(dict(zip(names, sizes, strict=True)))
        tiny_config.train.update(changes)
        return build_experiment(plain_values(tiny_config), folder)

    return build
