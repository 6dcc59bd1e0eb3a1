"""Token ids without a tokenizer: what frames a chunk, and ids that lie in memory."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np


class SpecialIds(NamedTuple):
    """Ids that frame every chunk: ``first`` body ``last``; ``pad`` fills the page."""

    first: int
    last: int
    pad: int


class TokenList:
    """Ids of a few reviews in memory; reads like a store on disk
    (:class:`~reviewintent_jax.data.token_shards.TokenStore`).
    """

    def __init__(self, ids: Sequence[np.ndarray]) -> None:
        self._ids = ids

    def __len__(self) -> int:
        return len(self._ids)

    def __getitem__(self, index: int) -> np.ndarray:
        return self._ids[index]

    def read(self, reviews: Sequence[int] | np.ndarray) -> list[np.ndarray]:
        """int32 ids of some reviews, in the order asked for."""
        return [self._ids[index] for index in reviews]

    def lengths(self) -> np.ndarray:
        """Number of ids of every review, int64, special tokens not counted."""
        return np.array([len(ids) for ids in self._ids], np.int64)
