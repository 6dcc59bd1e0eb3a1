"""What the main paper prints of its costs (its Table 2), beside what its sizes imply.

In: the sizes of BERT-base and of the LSTNet of a config. Out: parameters and operations
of the whole, counted, beside the printed ones.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import jax

from reviewintent_jax.benchmark.encoders import ENCODERS
from reviewintent_jax.benchmark.flops import count_flops, review_work
from reviewintent_jax.build import make_model
from reviewintent_jax.configuration import read_config
from reviewintent_jax.data.ids import SpecialIds
from reviewintent_jax.data.pages import empty_pages
from reviewintent_jax.models.review_intent import init_params
from reviewintent_jax.training.state import count_parameters

SOURCE = "doi:10.4018/JOEUC.335122, Table 2, its own model"
CLAIMED = {
    "Amazon": {
        "parameters_m": 336.96,
        "gflops": 3.54,
        "ms": 5.34,
        "training_s": 326.27,
    },
    "Yelp": {"parameters_m": 319.24, "gflops": 3.65, "ms": 5.61, "training_s": 336.84},
    "IMDB": {"parameters_m": 337.50, "gflops": 3.52, "ms": 5.32, "training_s": 326.63},
    "Twitter": {
        "parameters_m": 318.05,
        "gflops": 3.63,
        "ms": 5.63,
        "training_s": 337.42,
    },
}
"""By data set: parameters in millions, 10**9 operations, inference, training."""

_TOKENS = 128


def measure_claimed(*, values: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Yields ``parameters`` by part and ``flops`` of an answer to 128 tokens, counted.

    Args:
      values: of a config on reviews; its LSTNet and its head are read.
    """
    config = read_config(values)
    model = make_model(config, ENCODERS["BERT-base"], 2, None)
    page = empty_pages(1, SpecialIds(2, 3, 0), config.pages)
    params = jax.eval_shape(lambda: init_params(model, page, seed=0, encoder=None))
    work = review_work((_TOKENS,), config.lstnet.highway_window)
    yield {
        "encoder": "BERT-base",
        "tokens": _TOKENS,
        "parameters": count_parameters(params),
        "flops": count_flops(model.spec, work).forward,
        "source": SOURCE,
        "claimed": CLAIMED,
    }
