"""MSDP-Net as a system that is measured."""

import functools
from collections.abc import Mapping, Sequence
from typing import Any

import jax
import numpy as np

from reviewintent_jax.benchmark.case_flops import count_case_flops
from reviewintent_jax.benchmark.flops import Flops
from reviewintent_jax.benchmark.system import Question
from reviewintent_jax.build_msdp import build_msdp
from reviewintent_jax.data.splits import TRAIN
from reviewintent_jax.schema import CaseBatch, InputError, RunFolder
from reviewintent_jax.training.msdp import MsdpExperiment
from reviewintent_jax.training.state import count_parameters


class CaseSystem:
    """MSDP-Net. Items are cases, of the training data; their texts have been read.

    Attributes:
      task: what the loop trains.
      reads: what a length counts.
    """

    reads, items = "events a case", "cases"

    def __init__(self, task: MsdpExperiment) -> None:
        self.task = task
        self._rows = task.windows.targets(TRAIN)

    def lengths(self, wanted: Sequence[int]) -> list[int]:
        """The only one: the newest events of a case, as many as are read."""
        del wanted
        return [self.task.windows.schema.events.recent]

    def parameters(self) -> dict[str, int]:
        """Numbers of parameters by part; nothing is computed."""
        model, batch = self.task.model, self._cases(1)

        def init() -> Any:
            made = model.init(jax.random.key(0), batch, deterministic=True)
            return made["params"]

        return count_parameters(jax.eval_shape(init))

    def question(self, items: int, length: int) -> Question:
        """``items`` cases with places for ``length`` events.

        Raises:
          InputError: the network reads another number of events.
        """
        (events,), model = self.lengths(()), self.task.model
        if length != events:
            raise InputError(f"Cases have {events} events, not {length}.")

        def answer(params: Any, batch: CaseBatch) -> tuple:
            said: Any = model.apply({"params": params}, batch, deterministic=True)
            return said.intent_by, said.value_b, said.hazard_bj

        flops = self._flops(items).answer
        return Question(jax.jit(answer), self._cases(items), flops)

    def useful(self, batch: CaseBatch) -> tuple[int, int, int]:
        """Cases that are read, places for them, and operations of an update.

        Those of events and texts in proportion to how many of them are there.
        """
        row = np.asarray(batch.row_b)
        filled = row >= 0
        flops = self._flops(int(filled.sum()))
        texts = np.asarray(batch.text_there_bk)[filled]
        events = np.asarray(batch.event_length_b)[filled]
        (most,) = self.lengths(())
        share = {
            "text": float(texts.mean()) if texts.size else 0.0,
            "behaviour": float(events.mean()) / most,
        }
        update = sum(
            share.get(part, 1.0) * (forward + flops.backward[part])
            for part, forward in flops.forward.items()
        )
        return int(filled.sum()), len(row), round(update)

    def _cases(self, items: int) -> CaseBatch:
        """So many cases, the first ones again where they are too few."""
        return self.task.windows.batch(np.resize(self._rows, items), items)

    def _flops(self, cases: int) -> Flops:
        texts = np.asarray(self._one.text_there_bk).shape[-1]
        (events,) = self.lengths(())
        return count_case_flops(self.task.model.spec, cases, events, texts)

    @functools.cached_property
    def _one(self) -> CaseBatch:
        return self._cases(1)


def build_cases(values: Mapping[str, Any], run: RunFolder) -> CaseSystem:
    """The system of a config that declares its sources."""
    return CaseSystem(build_msdp(values, run))
