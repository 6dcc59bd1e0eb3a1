"""The three uses that LSTNet has, in the sizes of their configs."""

import dataclasses
from typing import Any

from configs import base, forecast, shop_intention
from reviewintent_jax.benchmark.recurrent import Use
from reviewintent_jax.build import plain_values
from reviewintent_jax.configuration import read_config

_PAGES = 4  # of 512 tokens: 32 reviews of usual length
_WINDOWS = 192  # the slots of two pages, a window each
_WIDTH = 384  # of MiniLM's states
_CLASSES = 2  # of a review's sentiment
_SERIES = 8  # of the table of exchange rates


def uses() -> list[Use]:
    """The three uses of LSTNet, in the sizes of their configs."""
    review: Any = base.get_config()  # a ConfigDict has no types to check
    table: Any = forecast.get_config()
    history, batch = review.history.lstnet, table.train.batch_windows
    sizes = (
        ("tokens of reviews", review.lstnet, _PAGES, review.pages.page_tokens),
        ("histories of subjects", history, _WINDOWS, review.intention.window),
        ("numeric tables", table.lstnet, batch, table.windows.window),
    )
    return [
        Use(
            name,
            rows,
            steps,
            lstnet.channels * len(lstnet.kernel_sizes),
            lstnet.recurrent_features,
            (lstnet.gate_fusion, lstnet.unroll),
        )
        for name, lstnet, rows, steps in sizes
    ]


def whole_uses() -> list[dict[str, Any]]:
    """The same three with all of their LSTNets, as plain values of ``WholeUse``.

    A page of tokens is one series and MiniLM's states are its features; histories have
    the steps of the built-in shop's, and tables as many series as exchange rates.
    """
    review = read_config(plain_values(shop_intention.get_config()))
    table: Any = forecast.get_config()  # a ConfigDict has no types to check
    history = review.history.spec(len(review.intention.covariate_names), _CLASSES)
    read = history.step_features + _CLASSES + history.covariates
    lstnets = (
        (dataclasses.asdict(review.lstnet), _WIDTH),
        (dataclasses.asdict(history.lstnet), read),
        (plain_values(table.lstnet) | {"summary_features": _SERIES}, _SERIES),
    )
    return [
        {
            "name": use.name,
            "rows": use.rows,
            "steps": use.steps,
            "inputs": inputs,
            "lstnet": lstnet,
        }
        for use, (lstnet, inputs) in zip(uses(), lstnets, strict=True)
    ]
