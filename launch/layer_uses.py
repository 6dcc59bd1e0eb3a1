"""The three uses that LSTNet has, in the sizes of their configs."""

from typing import Any

from configs import base, forecast
from reviewintent_jax.benchmark.recurrent import Use

_PAGES = 4  # of 512 tokens: 32 reviews of usual length
_WINDOWS = 192  # the slots of two pages, a window each


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
