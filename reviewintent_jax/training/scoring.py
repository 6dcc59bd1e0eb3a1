"""Scores splits on a mesh: every process builds its own pages, all get all answers.

In: a model, its parameters as they lie on the mesh, prepared reviews. Out: one row of
logits a review, the same on every process.
"""

from collections.abc import Callable
from typing import Any

import jax
import numpy as np
from flax import linen as nn
from jax.sharding import Mesh

from reviewintent_jax.data.batches import PageSource, eval_batches, prefetch
from reviewintent_jax.data.progress import Progress
from reviewintent_jax.evaluation.scoring import make_score_step, pages_at_once
from reviewintent_jax.schema import InputError, PageBatch
from reviewintent_jax.training.placement import Placement
from reviewintent_jax.training.sharding import answers_on


class SplitScorer:
    """Runs a model over reviews; compiled once for all the splits it scores.

    Args:
      model: the network.
      mesh: where its parameters lie.
      most_pages: in a batch, at most.
      page_tokens: of a page.
    """

    def __init__(
        self, model: nn.Module, mesh: Mesh, most_pages: int, page_tokens: int
    ) -> None:
        self._placement = Placement(mesh)
        pages = pages_at_once(most_pages, page_tokens, self._placement.parts)
        self._rows = self._placement.rows(pages)
        self._batch_pages = pages
        score = make_score_step(model)

        def answer(params: Any, batch: PageBatch) -> tuple[jax.Array, jax.Array]:
            # With the logits come the reviews they belong to, of all processes.
            return score(params, batch), jax.numpy.asarray(batch.review_bk)

        self._answer: Callable = answers_on(mesh, answer)

    def __call__(
        self,
        params: Any,
        source: PageSource,
        reviews: np.ndarray,
        progress: Progress | None = None,
    ) -> np.ndarray:
        """Logits ``[n, z]`` of some reviews (ascending).

        Results are read one batch late, so that the devices never wait for the host.
        ``progress`` is moved on by the reviews of each batch.

        Raises:
          InputError: there is no review.
        """
        if not len(reviews):
            raise InputError("There is not a single review to score.")
        pages, rows = self._batch_pages, self._rows
        batches = eval_batches(source, reviews, batch_pages=pages, rows=rows)
        logits_nz: np.ndarray | None = None
        waiting: list[tuple[jax.Array, jax.Array]] = []

        def collect() -> None:
            nonlocal logits_nz
            said_bkz, review_bk = map(np.asarray, waiting.pop(0))
            if logits_nz is None:
                shape = len(reviews), said_bkz.shape[-1]
                logits_nz = np.full(shape, np.nan, np.float32)
            filled = review_bk >= 0
            where = np.searchsorted(reviews, review_bk[filled])
            logits_nz[where] = said_bkz[filled]
            if progress is not None:
                progress.update(int(filled.sum()))

        for batch in prefetch(batches, 4):
            waiting.append(self._answer(params, self._placement.put(batch, rows)))
            if len(waiting) > 1:
                collect()
        collect()
        assert logits_nz is not None
        return logits_nz
