"""What devices say to each other in an update: parameters, nothing of a batch."""

import dataclasses

import jax
import pytest

from configs import demo
from reviewintent_jax.benchmark.collectives import bytes_by_kind
from reviewintent_jax.benchmark.programs import compile_update
from reviewintent_jax.build import make_model, plain_values
from reviewintent_jax.configuration import read_config
from reviewintent_jax.data.pages import empty_pages
from reviewintent_jax.data.tokens import SpecialIds
from reviewintent_jax.models import products
from reviewintent_jax.models.review_intent import init_params
from reviewintent_jax.training.sharding import MeshSpec, make_mesh
from tests.conftest import tiny_encoder_spec

SPECIAL = SpecialIds(2, 3, 0)


@pytest.fixture(autouse=True)
def as_on_accelerators(monkeypatch):
    """Products of all steps laid out as on GPU and TPU, although this is a CPU."""
    monkeypatch.setattr(products, "_flat_product", products._product)
    monkeypatch.setattr(products, "_flat_outer", products._outer)


@pytest.fixture(scope="module", params=[32, 16], ids=["long", "whole"])
def parts(request):
    """Model, optimizer and an empty page of a small config.

    Reviews are longer than a block of a page, or never.
    """
    config = demo.get_config()
    config.lstnet.channels = 16
    config.pages.update(page_tokens=32, chunk_tokens=16, slots=4)
    config.pages.max_tokens = request.param
    read = read_config(plain_values(config))
    encoder = dataclasses.replace(
        tiny_encoder_spec(96), hidden_size=64, intermediate_size=128
    )
    model = make_model(read, encoder, 2, None)
    return model, read.optimizer, empty_pages(1, SPECIAL, read.pages)


def traffic(parts, mesh, pages):
    """Bytes by kind of one update on eight devices."""
    built = make_mesh(MeshSpec(*mesh))
    program = compile_update(*parts, built, pages=pages, options={})
    return bytes_by_kind(program.collectives)


def parameter_bytes(parts):
    model, _, page = parts
    params = jax.eval_shape(lambda: init_params(model, page, seed=0, encoder=None))
    return sum(4 * leaf.size for leaf in jax.tree.leaves(params))


@pytest.mark.slow
def test_copies_of_a_model_sum_its_gradients_once_and_say_no_more(parts):
    said = traffic(parts, (8, 1, 1), pages=16)
    assert list(said) == ["all-reduce"]
    # Beside them a few numbers of a batch: its loss, its accuracy, its weight.
    assert 0 <= said["all-reduce"] - parameter_bytes(parts) < 100


@pytest.mark.slow
@pytest.mark.parametrize("mesh", [(1, 8, 1), (2, 4, 1)], ids=str)
def test_parts_of_a_model_are_put_together_whatever_the_batch(parts, mesh):
    small, large = (traffic(parts, mesh, pages) for pages in (64, 128))
    assert small == large
    # Each parameter goes round at most twice, each gradient once.
    assert sum(small.values()) < 3 * parameter_bytes(parts)


@pytest.mark.slow
def test_a_device_holds_nothing_of_the_pages_of_others(parts):
    """Dropout included, whose masks are those of the whole batch on one device."""
    model, optimizer, page = parts
    held = {}
    for devices in (2, 8):
        mesh = make_mesh(MeshSpec(devices, 1, 1))
        program = compile_update(
            model, optimizer, page, mesh, pages=32 * devices, options={}
        )
        held[devices] = program.peak_bytes - program.state_bytes
    assert held[8] < 1.02 * held[2]
