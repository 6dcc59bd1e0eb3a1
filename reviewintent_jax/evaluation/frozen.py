"""Answers one batch after another in the least time: for services.

In: what scores (:func:`~reviewintent_jax.evaluation.scoring.make_score_step`), the
parameters, and a batch of the layout that all will have. Out: a function from a batch
on the host to its logits there.

A call of the scoring step hands over a few hundred arrays, and on a GPU that takes as
long as the answer. Here the parameters are constants of the program, a batch travels as
one array, and the program itself puts the answer where the host reads it, so that
nobody is asked for a copy.
"""

import math
from collections.abc import Callable
from typing import Any

import jax
import numpy as np
from jax.sharding import SingleDeviceSharding

from reviewintent_jax.schema import InputError, PageBatch

_MOST_BYTES = 1_900_000_000  # of constants: a program is at most 2 GiB
_HOST = "pinned_host"  # memory of the host that a device writes to by itself


class FrozenScorer:
    """What a model with fixed parameters says of batches of one layout.

    It compiles at its first call. Other parameters want another one. Texts become
    batches before it (``data.pages``), and logits become answers after it: temperature
    and threshold of a run (``training.trained.Trained``) are not in it.

    Example::

        scorer = FrozenScorer(
            make_score_step(trained.model), trained.params, first_batch
        )
        logits_bky = scorer(batch)  # as many pages as the first batch has

    Args:
      score: ``(parameters, batch) -> answers`` of any shape, which JAX can trace.
      params: of the model; on a GPU in the types they are multiplied in
        (``models.encoder.narrow_kernels``), which halves what is read.
      like: any batch of the layout: shapes and types of all arrays are kept.

    Raises:
      InputError: the parameters are too many for constants of a program, or numbers of
        the batch have another size than 4 bytes.
    """

    def __init__(
        self,
        score: Callable[[Any, PageBatch], jax.Array],
        params: Any,
        like: PageBatch,
    ) -> None:
        size = sum(leaf.nbytes for leaf in jax.tree.leaves(params))
        if size > _MOST_BYTES:
            raise InputError(
                f"Parameters of {size / 1e9:.1f} GB cannot be constants of a program; "
                f"at most {_MOST_BYTES / 1e9:.1f} GB can.",
                fix="Score with make_score_step, or give kernels in bfloat16.",
            )
        self._outline, self._layout, _ = _taken_apart(like)
        for shape, dtype in self._layout:
            if dtype.itemsize != 4:
                raise InputError(
                    f"A batch has an array {list(shape)} of {dtype}, and only numbers "
                    "of 4 bytes can be sent.",
                    fix="Make it int32 or float32.",
                )

        def answer(words: jax.Array) -> jax.Array:
            return score(params, self._unpacked(words))

        device = jax.local_devices()[0]
        kinds = {memory.kind for memory in device.addressable_memories()}
        place = SingleDeviceSharding(device, memory_kind=_HOST)
        self._program = jax.jit(answer, out_shardings=place if _HOST in kinds else None)

    def __call__(self, batch: PageBatch) -> np.ndarray:
        """What ``score`` says of the batch, up to rounding.

        Raises:
          ValueError: the batch has another layout.
        """
        return np.asarray(self._program(self._packed(batch)))

    def _packed(self, batch: PageBatch) -> np.ndarray:
        """All arrays of a batch, bit by bit, as one."""
        outline, layout, arrays = _taken_apart(batch)
        if outline != self._outline or layout != self._layout:
            raise ValueError(f"a batch of {layout} where {self._layout} was promised")
        return np.concatenate([each.ravel().view(np.int32) for each in arrays])

    def _unpacked(self, words: jax.Array) -> PageBatch:
        """What :func:`_packed` made one, inside the program."""
        leaves, start = [], 0
        for shape, dtype in self._layout:
            part = words[start : start + math.prod(shape)].reshape(shape)
            start += math.prod(shape)
            leaves.append(jax.lax.bitcast_convert_type(part, dtype))
        return jax.tree.unflatten(self._outline, leaves)


def _taken_apart(batch: PageBatch) -> tuple[Any, list, list[np.ndarray]]:
    """How the arrays belong together, their shapes and types, and the arrays."""
    leaves, outline = jax.tree.flatten(batch)
    arrays = [np.asarray(leaf) for leaf in leaves]
    return outline, [(each.shape, each.dtype) for each in arrays], arrays
