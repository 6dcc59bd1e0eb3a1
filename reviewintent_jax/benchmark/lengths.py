"""How long the reviews of published data sets are: ``lengths.json``, counts alone.

In: a name. Out: lengths in tokens, special ones included, drawn as often as they occur.
The counts were made with the word pieces of uncased BERT; nothing of the texts is kept.
"""

import json
from pathlib import Path

import numpy as np

_FILE = Path(__file__).with_name("lengths.json")


def length_names() -> tuple[str, ...]:
    """The data sets there are."""
    return tuple(json.loads(_FILE.read_text("utf-8")))


def review_lengths(name: str, reviews: int, cap: int, seed: int = 0) -> np.ndarray:
    """int ``[reviews]`` tokens of reviews of a data set, longer ones cut at ``cap``."""
    counts = json.loads(_FILE.read_text("utf-8"))[name]
    length = np.array([int(each) for each in counts])
    count = np.array(list(counts.values()))
    rng = np.random.default_rng(seed)
    drawn = rng.choice(length, reviews, p=count / count.sum())
    return np.minimum(drawn, cap)
