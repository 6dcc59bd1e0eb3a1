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

_PEERS = {"PyTorch": False, "PyTorch, torch.compile": True}
_ORDERS = {"padded": False, "grouped by length": True}


class Trainings:
    """Training by every system, which are made once for all data sets.

    Attributes:
      not_measured: peers, and why not.
    """

    def __init__(self) -> None:
        self.not_measured: dict[str, str] = {}
        self._own: _Ours | None = None
        self._peers: dict[str, _Torch] = {}

    def measure(self, plan: Plan, name: str) -> dict[str, Any]:
        """Rates, useful operations and ratios to ours, of one data set.

        Args:
          plan: the same in every call.
          name: one of ``plan.data``.
        """
        if self._own is None:
            self._own = self._make(plan)
        lengths = review_lengths(name, plan.reviews, plan.cap)
        ids = _drawn(plan, lengths)
        runs = {"ours": self._own.rounds(ids)}
        for label, peer in self._peers.items():
            for order, grouped in _ORDERS.items():
                try:
                    run = peer.rounds(ids, grouped=grouped)
                    run(2)
                    runs[f"{label}, {order}"] = run
                except Exception as error:
                    said = f"{type(error).__name__}: {error}"[:300]
                    self.not_measured[f"{label}, {order}, {name}"] = said
        return {
            "first_update_seconds": self._own.first_seconds,
            "systems": _in_turns(plan, runs, lengths),
            "not_measured": self.not_measured,
        }

    def _make(self, plan: Plan) -> "_Ours":
        own = _Ours(plan, max(_slots(plan, name) for name in plan.data))
        for label, compiled in _PEERS.items():
            if compiled and not plan.compile_torch:
                continue
            try:
                self._peers[label] = _Torch(plan, compiled=compiled)
            except ImportError as error:
                self.not_measured[label] = str(error)
        return own


def _slots(plan: Plan, name: str) -> int:
    """Slots of a page, for reviews as long as those of a data set."""
    lengths = review_lengths(name, plan.reviews, plan.cap)
    return max(2, round(_ROOM * plan.cap / float(lengths.mean())))


def _drawn(plan: Plan, lengths: np.ndarray) -> Ids:
    """Random tokens of so many reviews, without the first and the last of each."""
    rng, vocabulary = np.random.default_rng(1), plan.encoder.vocab_size
    return [rng.integers(3, vocabulary, n - 2, np.int32) for n in lengths]


def _in_turns(plan: Plan, runs: dict[str, Run], lengths: np.ndarray) -> dict[str, Any]:
    """Rounds of all systems, one after another."""
    rates: dict[str, list[float]] = {name: [] for name in runs}
    tokens: dict[str, list[float]] = {name: [] for name in runs}
    share: dict[str, float] = {}
    for _ in range(plan.rounds):
        for name, run in runs.items():
            run(1)  # what the other system gave back is taken again
            round_ = functools.partial(run, plan.updates)
            (reviews, useful, places), took = watched(round_)
            _release()
            rates[name].append(reviews / took["seconds"])
            tokens[name].append(useful / took["seconds"])
            share[name] = useful / places
    work = float(np.mean([_useful(plan, int(n)) for n in lengths]) / np.mean(lengths))
    return {
        name: {
            "reviews_per_second": spread(rates[name]),
            "useful_flops": spread([work * each for each in tokens[name]]),
            "useful_share": share[name],
            "ours_is_faster": ratios(rates["ours"], rates[name]),
        }
        for name in runs
    }


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
        self._device = "cuda" if torch.cuda.is_available() else "cpu"
        torch.manual_seed(0)
        torch.set_float32_matmul_precision("high")
        bert: Any = make_bert(torch, plan.encoder)
        width = plan.encoder.hidden_size
        model = make_classifier(torch, bert, width, plan.lstnet, 2, 0.1)
        self._model = model.to(self._device).train()
        if compiled:
            model.encoder = torch.compile(model.encoder, dynamic=True)
        self._optimizer, self._schedule = make_torch_optimizer(
            torch, model, plan.optimizer, fused=True
        )

    def rounds(self, ids: Ids, *, grouped: bool) -> Run:
        """Rounds of updates on these reviews, as many tokens in each as ours has."""
        framed = [np.concatenate([[1], each, [2]]) for each in ids]
        sizes = np.array([len(each) for each in framed])
        size = max(1, round(self._plan.train_tokens / float(sizes.mean())))
        stream = length_batches(sizes, size, grouped=grouped, seed=0)
        cuda = self._device == "cuda"

        def run(updates: int) -> tuple[int, int, int]:
            counted = [self._update(framed, next(stream)) for _ in range(updates)]
            if cuda:
                self._torch.cuda.synchronize()
            reviews, useful, places = (sum(each) for each in zip(*counted, strict=True))
            return reviews, useful, places

        return run

    def _update(self, framed: Ids, batch: np.ndarray) -> tuple[int, int, int]:
        torch, own = self._torch, [framed[place] for place in batch.tolist()]
        longest = -(-max(map(len, own)) // 8) * 8  # as collators for tensor cores do
        padded, mask = np.zeros((2, len(own), longest), np.int64)
        for row, each in enumerate(own):
            padded[row, : len(each)], mask[row, : len(each)] = each, 1
        given = [torch.from_numpy(each).to(self._device) for each in (padded, mask)]
        labels = torch.from_numpy(batch % 2).to(self._device)
        with torch.autocast(self._device, torch.bfloat16):
            logits = self._model(*given)
        loss = torch.nn.functional.cross_entropy(logits.float(), labels)
        self._optimizer.zero_grad()
        loss.backward()
        most = self._plan.optimizer.clip_norm
        torch.nn.utils.clip_grad_norm_(self._model.parameters(), most)
        self._optimizer.step()
        self._schedule.step()
        return len(own), int(mask.sum()), padded.size
