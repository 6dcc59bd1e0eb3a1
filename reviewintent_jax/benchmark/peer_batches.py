"""Batches as PyTorch's users make them: shuffled, or grouped by length.

In: lengths of reviews. Out: endless batches of numbers of reviews.
"""

import itertools
from collections.abc import Iterator

import numpy as np

_POOL = 50  # batches that are sorted by length together, as in transformers' trainer


def length_batches(
    lengths: np.ndarray, size: int, *, grouped: bool, seed: int
) -> Iterator[np.ndarray]:
    """Yields batches for ever; each epoch is another random order.

    Args:
      lengths: of the reviews.
      size: reviews in a batch.
      grouped: as ``group_by_length`` of transformers' trainer does it: the random order
        is cut into pools of 50 batches, and each pool is sorted by length.
      seed: of the orders.
    """
    for epoch in itertools.count():
        random = np.random.default_rng([seed, epoch])
        order = random.permutation(len(lengths))
        if grouped:
            pools = np.split(order, range(_POOL * size, len(order), _POOL * size))
            sort = lambda pool: pool[np.argsort(lengths[pool], kind="stable")]  # noqa: E731
            order = np.concatenate([sort(pool) for pool in pools])
        found = np.split(order, range(size, len(order), size))
        for place in random.permutation(len(found)):
            yield found[place]
