"""Sizes of MSDP-Net by config, to the last parameter, and what a config must fit."""

import importlib

import jax
import numpy as np
import pytest

from reviewintent_jax.build import plain_values
from reviewintent_jax.build_msdp import read_msdp_config
from reviewintent_jax.data.msdp_features import (
    EVENT_NUMBERS,
    MsdpFit,
    Standard,
    blank_batch,
)
from reviewintent_jax.schema import InputError
from reviewintent_jax.training.msdp_losses import msdp_parameters
from reviewintent_jax.training.state import count_parameters

VECTOR = 384  # of MiniLM

# What the data give: kinds and items of events, names of categories, numbers.
SIZES = {
    "msdp_cdnow": (1, 32, (), 4, 0),
    "msdp_online_retail": (2, 200, (), 4, 0),
    "msdp_members": (1, 12, (3, 4, 3), 2, VECTOR),
    "msdp_olist": (0, 0, (56, 25), 11, VECTOR),
    "msdp_womens_clothing": (0, 0, (3, 6, 18), 2, VECTOR),
    "msdp_amazon_musical": (1, 200, (), 0, VECTOR),
}
COUNTS = {
    "msdp_cdnow": 16_653,
    "msdp_online_retail": 17_968,
    "msdp_members": 33_421,
    "msdp_olist": 24_417,
    "msdp_womens_clothing": 23_046,
    "msdp_amazon_musical": 31_594,
}


def config_of(name):
    return importlib.import_module(f"configs.{name}").get_config()


def fit_of(kinds, items, categories, numbers):
    nothing = Standard(np.zeros(1), np.ones(1))
    return MsdpFit(
        kinds=tuple(f"kind {k}" for k in range(kinds)),
        items=tuple(f"item {i}" for i in range(items)),
        categories={
            f"column {c}": tuple(f"name {n}" for n in range(names))
            for c, names in enumerate(categories)
        },
        numbers=tuple(f"number {n}" for n in range(numbers)),
        event=Standard(np.zeros(len(EVENT_NUMBERS)), np.ones(len(EVENT_NUMBERS))),
        number=nothing,
        value=nothing,
    )


def parameters(name):
    config = read_msdp_config(plain_values(config_of(name)))
    *sizes, vector = SIZES[name]
    fit, schema = fit_of(*sizes), config.schema()
    model, batch = config.model(fit, vector), blank_batch(schema, fit, vector)

    def init():
        made = model.init(jax.random.key(0), batch, deterministic=True)["params"]
        return dict(made) | msdp_parameters(config.loss, schema.targets.tasks)

    return sum(count_parameters(jax.eval_shape(init)).values())


@pytest.mark.parametrize("name", SIZES)
def test_every_config_has_so_many_parameters(name):
    assert parameters(name) == COUNTS[name]


def test_without_texts_no_encoder_is_looked_for():
    config = config_of("msdp_cdnow")
    config.encoder.source = "no/such/folder/anywhere"
    assert read_msdp_config(plain_values(config)).schema().sources == (
        False,
        True,
        True,
    )


def test_a_misspelt_setting_is_answered_with_its_neighbour():
    values = plain_values(config_of("msdp_members"))
    values["events"]["itme"] = values["events"].pop("item")
    with pytest.raises(InputError, match=r"no setting config.events.itme"):
        read_msdp_config(values)
