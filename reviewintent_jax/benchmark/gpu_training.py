"""Training on a GPU beside PyTorch: the same network, the same lengths of reviews.

In: a :class:`~reviewintent_jax.benchmark.gpu_plan.Plan`. Out: for each data set rounds
of every system, which take turns: ours on packed pages, PyTorch's padded and grouped by
length, compiled where that works.
"""

import functools
import itertools
import sys
from collections.abc import Callable
from typing import Any

import jax
import numpy as np

from reviewintent_jax.benchmark.flops import count_flops, review_work
from reviewintent_jax.benchmark.gpu_plan import Plan
from reviewintent_jax.benchmark.lengths import review_lengths
from reviewintent_jax.benchmark.peer_batches import length_batches
from reviewintent_jax.benchmark.timing import ratios, spread, timed, watched
from reviewintent_jax.benchmark.torch_device import torch_device
from reviewintent_jax.data.augment import AugmentSpec
from reviewintent_jax.data.batches import PageSource, Position, TrainBatches, prefetch
from reviewintent_jax.data.ids import SpecialIds, TokenList
from reviewintent_jax.data.pages import PageSpec, ReviewFields
from reviewintent_jax.models.review_intent import ReviewIntent, init_params
from reviewintent_jax.training.objective import ReviewObjective
from reviewintent_jax.training.optimizer import make_optimizer
from reviewintent_jax.training.state import make_state
from reviewintent_jax.training.step import make_train_step

_SPECIAL = SpecialIds(1, 2, 0)
_ROOM = 1.5  # slots of a page over the reviews that fit on average

Run = Callable[[int], tuple[int, int, int]]
"""So many updates: their reviews, the tokens of those and the places for tokens."""
Ids = list[np.ndarray]

_OURS = "ours"
_PEERS = {"PyTorch": False, "PyTorch, torch.compile": True}
_ORDERS = {"padded": False, "grouped by length": True}


class Trainings:
    """Training by every system, which are made once for all data sets."""

    def __init__(self) -> None:
        self._own: _Ours | None = None
        self._peers: dict[str, _Torch] = {}
        self._absent: dict[str, str] = {}

    def measure(
        self, plan: Plan, name: str, keep: Callable[[dict[str, Any]], None]
    ) -> dict[str, Any]:
        """Rates, useful operations and ratios to ours, of one data set.

        Args:
          plan: the same in every call.
          name: one of ``plan.data``.
          keep: is given the record after every round.
        """
        if self._own is None:
            self._own = self._make(plan)
        lengths = review_lengths(name, plan.reviews, plan.cap)
        ids = _drawn(plan, lengths)
        turns = _Turns(plan, lengths, dict(self._absent))
        runs = {_OURS: self._own.rounds(ids)}
        for label, peer in self._peers.items():
            for order, grouped in _ORDERS.items():
                runs[f"{label}, {order}"] = peer.rounds(ids, grouped=grouped)
        record: dict[str, Any] = {}
        for turn in range(plan.rounds):
            turns.take(runs, turn)
            record = {"first_update_seconds": self._own.first_seconds, **turns.record()}
            keep(record)
        return record

    def _make(self, plan: Plan) -> "_Ours":
        own = _Ours(plan, max(_slots(plan, name) for name in plan.data))
        for label, compiled in _PEERS.items():
            if compiled and not plan.compile_torch:
                continue
            try:
                self._peers[label] = _Torch(plan, compiled=compiled)
            except Exception as error:
                self._absent[label] = f"{type(error).__name__}: {error}"[:300]
        return own


class _Turns:
    """Rounds of all systems, one after another, there and back.

    Args:
      plan: of the rounds.
      lengths: of the reviews.
      absent: systems, and why they are not there; those that fail come to them.
    """

    def __init__(self, plan: Plan, lengths: np.ndarray, absent: dict[str, str]) -> None:
        self._plan, self._absent = plan, absent
        useful = [_useful(plan, int(n)) for n in lengths]
        self._work = float(np.mean(useful) / np.mean(lengths))
        self._rounds: dict[str, list[dict[str, float]]] = {}

    def take(self, runs: dict[str, Run], turn: int) -> None:
        """One round of each; what fails is left out from then on."""
        for name in list(runs)[:: 1 if turn % 2 == 0 else -1]:
            try:
                # First what is compiled, and memory that another system gave back.
                runs[name](1 if turn else 2)
                once = functools.partial(runs[name], self._plan.updates)
                (reviews, useful, places), took = watched(once)
            except Exception as error:
                if name == _OURS:
                    raise
                self._absent[name] = f"{type(error).__name__}: {error}"[:300]
                self._rounds.pop(name, None)
                del runs[name]
                continue
            finally:
                _release()
            found = {"reviews": reviews, "useful": useful, "places": places}
            self._rounds.setdefault(name, []).append(found | took)

    def record(self) -> dict[str, Any]:
        """What all rounds so far say."""
        ours = self._column(_OURS, "reviews")
        return {
            "systems": {name: self._system(name, ours) for name in self._rounds},
            "not_measured": self._absent,
        }

    def _column(self, name: str, what: str) -> list[float]:
        return [each[what] / each["seconds"] for each in self._rounds[name]]

    def _system(self, name: str, ours: list[float]) -> dict[str, Any]:
        rounds, rates = self._rounds[name], self._column(name, "reviews")
        total = {
            what: sum(each[what] for each in rounds)
            for what in ("useful", "places", "seconds")
        }
        return {
            "reviews_per_second": spread(rates),
            "useful_flops": spread(
                [self._work * each for each in self._column(name, "useful")]
            ),
            # Over all rounds together: one that ends an epoch has fewer tokens.
            "useful_flops_of_all": self._work * total["useful"] / total["seconds"],
            "useful_share": total["useful"] / total["places"],
            "ours_is_faster": ratios(ours, rates),
        }


def _slots(plan: Plan, name: str) -> int:
    """Slots of a page, for reviews as long as those of a data set."""
    lengths = review_lengths(name, plan.reviews, plan.cap)
    return max(2, round(_ROOM * plan.cap / float(lengths.mean())))


def _drawn(plan: Plan, lengths: np.ndarray) -> Ids:
    """Random tokens of so many reviews, without the first and the last of each."""
    rng, vocabulary = np.random.default_rng(1), plan.encoder.vocab_size
    return [rng.integers(3, vocabulary, n - 2, np.int32) for n in lengths]


def _release() -> None:
    """Gives back what PyTorch keeps for later: two systems share the memory."""
    torch: Any = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_available():
        torch.cuda.empty_cache()


def _useful(plan: Plan, tokens: int) -> int:
    work = review_work((tokens,), plan.lstnet.highway_window)
    return count_flops(plan.model(plan.cap), work).update


class _Ours:
    """Our network, and its updates on packed pages of one layout."""

    def __init__(self, plan: Plan, slots: int) -> None:
        self._plan = plan
        self._spec = PageSpec(plan.cap, plan.cap, plan.cap, slots)
        model = ReviewIntent(plan.model(plan.cap))
        rule = make_optimizer(plan.optimizer)
        # Any batch will do: the first compiles.
        ids = _drawn(plan, review_lengths(plan.data[0], plan.reviews, plan.cap))
        batch = next(self._data(ids).batches(Position(0, 0))).batch
        self._state = make_state(init_params(model, batch, seed=0, encoder=None), rule)
        objective = ReviewObjective(model, None, 0.0, seed=0)
        self._update = make_train_step(objective, rule, self._state, accumulate=1)
        took = timed(lambda: self._step(batch))
        self.first_seconds = took["seconds"]

    def _data(self, ids: Ids) -> TrainBatches:
        labels = np.random.default_rng(2).integers(0, 2, len(ids)).astype(np.int32)
        fields = ReviewFields(labels, np.ones(len(ids), np.float32))
        return TrainBatches(
            PageSource(TokenList(ids), fields, _SPECIAL, self._spec),
            np.arange(len(ids)),
            batch_pages=self._plan.train_tokens // self._plan.cap,
            augment=AugmentSpec(0.0, 0.0, 0.0),
            replacement_ids=np.arange(3, 9),
            seed=0,
        )

    def _step(self, batch: Any) -> None:
        self._state, metrics = self._update(self._state, jax.device_put(batch))
        jax.block_until_ready(metrics)

    def rounds(self, ids: Ids) -> Run:
        """Rounds of updates on these reviews."""
        stream = prefetch(self._data(ids).batches(Position(0, 0)), 4)

        def run(updates: int) -> tuple[int, int, int]:
            metrics, counted = None, [0, 0, 0]
            for portion in itertools.islice(stream, updates):
                batch = jax.device_put(portion.batch)
                self._state, metrics = self._update(self._state, batch)
                counted[0] += portion.items
                counted[1] += int(np.asarray(portion.batch.slot_length_bk).sum())
                counted[2] += int(np.asarray(portion.batch.token_ids_bt).size)
            jax.block_until_ready(metrics)
            return counted[0], counted[1], counted[2]

        return run


class _Torch:
    """The same network in PyTorch, and its updates on padded batches."""

    def __init__(self, plan: Plan, *, compiled: bool) -> None:
        import torch  # pyright: ignore[reportMissingImports]

        from reviewintent_jax.benchmark.torch_bert import make_bert
        from reviewintent_jax.benchmark.torch_optimizer import make_torch_optimizer
        from reviewintent_jax.benchmark.torch_twin import make_classifier

        self._plan, self._torch = plan, torch
        self._device = torch_device(torch)
        torch.manual_seed(0)
        torch.set_float32_matmul_precision("high")
        bert: Any = make_bert(torch, plan.encoder)
        width = plan.encoder.hidden_size
        model = make_classifier(torch, bert, width, plan.lstnet, 2, 0.1)
        self._model = model.to(self._device).train()
        if compiled:
            # By itself it would find out in three compilations that both sizes change.
            model.encoder = torch.compile(model.encoder, dynamic=True)
        self._optimizer, self._schedule = make_torch_optimizer(
            torch, model, plan.optimizer, fused=True
        )

    def rounds(self, ids: Ids, *, grouped: bool) -> Run:
        """Rounds of updates on these reviews, as many tokens in each as ours has."""
        framed = [np.concatenate([[1], each, [2]]) for each in ids]
        sizes = np.array([len(each) for each in framed])
        size = max(1, round(self._plan.train_tokens / float(sizes.mean())))
        batches = length_batches(sizes, size, grouped=grouped, seed=0)
        stream = prefetch((self._padded(framed, batch) for batch in batches), 4)
        cuda = self._device == "cuda"

        def run(updates: int) -> tuple[int, int, int]:
            counted = [self._update(*next(stream)) for _ in range(updates)]
            if cuda:
                self._torch.cuda.synchronize()
            reviews, useful, places = (sum(each) for each in zip(*counted, strict=True))
            return reviews, useful, places

        return run

    def _padded(self, framed: Ids, batch: np.ndarray) -> tuple[Any, Any, Any]:
        """Ids, mask and labels of a batch, where a device can fetch them itself."""
        torch, own = self._torch, [framed[place] for place in batch.tolist()]
        longest = -(-max(map(len, own)) // 8) * 8  # as collators for tensor cores do
        padded, mask = np.zeros((2, len(own), longest), np.int64)
        for row, each in enumerate(own):
            padded[row, : len(each)], mask[row, : len(each)] = each, 1
        given = tuple(torch.from_numpy(each) for each in (padded, mask, batch % 2))
        if self._device == "cpu":
            return given
        return tuple(each.pin_memory() for each in given)  # type: ignore[return-value]

    def _update(self, ids: Any, mask: Any, labels: Any) -> tuple[int, int, int]:
        torch = self._torch
        counted = len(ids), int(mask.sum()), ids.numel()
        ids, mask, labels = (
            each.to(self._device, non_blocking=True) for each in (ids, mask, labels)
        )
        with torch.autocast(self._device, torch.bfloat16):
            logits = self._model(ids, mask)
        loss = torch.nn.functional.cross_entropy(logits.float(), labels)
        self._optimizer.zero_grad()
        loss.backward()
        most = self._plan.optimizer.clip_norm
        torch.nn.utils.clip_grad_norm_(self._model.parameters(), most)
        self._optimizer.step()
        self._schedule.step()
        return counted
