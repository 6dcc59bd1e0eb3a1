"""Training on a GPU beside PyTorch: the same network, the same lengths of reviews.

In: a :class:`~reviewintent_jax.benchmark.gpu_plan.Plan`. Out: for each data set rounds
of every system, which take turns: ours on packed pages, PyTorch's padded and grouped by
length, compiled where that works.
"""

import itertools
from collections.abc import Callable
from typing import Any

import jax
import numpy as np

from reviewintent_jax.benchmark.flops import count_flops, review_work
from reviewintent_jax.benchmark.gpu_plan import Plan
from reviewintent_jax.benchmark.lengths import review_lengths
from reviewintent_jax.benchmark.peer_batches import length_batches
from reviewintent_jax.benchmark.timing import ratios, spread, watched
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

Run = Callable[[], tuple[int, int, int]]
"""A round: its reviews, their tokens and the places for those."""


def measure_gpu_training(plan: Plan) -> dict[str, Any]:
    """Records by data set: rates, useful operations and ratios to ours."""
    return {name: _on(plan, name) for name in plan.data}


def _on(plan: Plan, name: str) -> dict[str, Any]:
    lengths = review_lengths(name, plan.reviews, plan.cap)
    rng = np.random.default_rng(1)
    vocabulary = plan.encoder.vocab_size
    ids = [rng.integers(3, vocabulary, n - 2, np.int32) for n in lengths]
    runs, notes = {"ours": _ours(plan, ids, lengths)}, {}
    for label, changes in {
        "PyTorch, padded": (False, False),
        "PyTorch, grouped by length": (True, False),
        "PyTorch, torch.compile, padded": (False, True),
        "PyTorch, torch.compile, grouped": (True, True),
    }.items():
        if changes[1] and not plan.compile_torch:
            continue
        try:
            run = _torch(plan, ids, *changes)
            run()
            runs[label] = run
        except Exception as error:
            notes[label] = f"{type(error).__name__}: {error}"[:300]
    return {"systems": _in_turns(plan, runs, lengths), "not_measured": notes}


def _in_turns(plan: Plan, runs: dict[str, Run], lengths: np.ndarray) -> dict[str, Any]:
    """Rounds of all systems, one after another."""
    rates: dict[str, list[float]] = {name: [] for name in runs}
    tokens: dict[str, list[float]] = {name: [] for name in runs}
    share: dict[str, float] = {}
    for _ in range(plan.rounds):
        for name, run in runs.items():
            (reviews, useful, places), took = watched(run)
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


def _useful(plan: Plan, tokens: int) -> int:
    work = review_work((tokens,), plan.lstnet.highway_window)
    return count_flops(plan.model(plan.cap), work).update


def _ours(plan: Plan, ids: list[np.ndarray], lengths: np.ndarray) -> Run:
    """Rounds of updates on packed pages."""
    fit = plan.cap / float(lengths.mean())
    spec = PageSpec(plan.cap, plan.cap, plan.cap, max(2, round(_ROOM * fit)))
    labels = np.random.default_rng(2).integers(0, 2, len(ids)).astype(np.int32)
    fields = ReviewFields(labels, np.ones(len(ids), np.float32))
    data = TrainBatches(
        PageSource(TokenList(ids), fields, _SPECIAL, spec),
        np.arange(len(ids)),
        batch_pages=plan.train_tokens // plan.cap,
        augment=AugmentSpec(0.0, 0.0, 0.0),
        replacement_ids=np.arange(3, 9),
        seed=0,
    )
    model = ReviewIntent(plan.model(plan.cap))
    rule = make_optimizer(plan.optimizer)
    batch = next(data.batches(Position(0, 0))).batch
    state = make_state(init_params(model, batch, seed=0, encoder=None), rule)
    update = make_train_step(
        ReviewObjective(model, None, 0.0, seed=0), rule, state, accumulate=1
    )
    stream = prefetch(data.batches(Position(0, 0)), 4)

    def run() -> tuple[int, int, int]:
        nonlocal state
        metrics, counted = None, [0, 0, 0]
        for portion in itertools.islice(stream, plan.updates):
            state, metrics = update(state, jax.device_put(portion.batch))
            counted[0] += portion.items
            counted[1] += int(np.asarray(portion.batch.slot_length_bk).sum())
            counted[2] += int(np.asarray(portion.batch.token_ids_bt).size)
        jax.block_until_ready(metrics)
        return counted[0], counted[1], counted[2]

    run()
    return run


def _torch(plan: Plan, ids: list[np.ndarray], grouped: bool, compiled: bool) -> Run:
    """Rounds of PyTorch's updates, with as many tokens in a batch as ours has."""
    import torch  # pyright: ignore[reportMissingImports]

    from reviewintent_jax.benchmark.torch_bert import make_bert
    from reviewintent_jax.benchmark.torch_optimizer import make_torch_optimizer
    from reviewintent_jax.benchmark.torch_twin import make_classifier

    device = "cuda" if torch.cuda.is_available() else "cpu"
    torch.manual_seed(0)
    torch.set_float32_matmul_precision("high")
    bert: Any = make_bert(torch, plan.encoder)
    width = plan.encoder.hidden_size
    model = make_classifier(torch, bert, width, plan.lstnet, 2, 0.1).to(device)
    if compiled:
        model.encoder = torch.compile(model.encoder, dynamic=True)
    optimizer, schedule = make_torch_optimizer(torch, model, plan.optimizer, fused=True)
    framed = [np.concatenate([[1], each, [2]]) for each in ids]
    size = max(1, round(plan.train_tokens / np.mean([len(each) for each in framed])))
    sizes = np.array([len(each) for each in framed])
    stream = length_batches(sizes, size, grouped=grouped, seed=0)

    def update(batch: np.ndarray) -> tuple[int, int, int]:
        own = [framed[place] for place in batch.tolist()]
        longest = -(-max(map(len, own)) // 8) * 8  # as collators for tensor cores do
        padded, mask = np.zeros((2, len(own), longest), np.int64)
        for row, each in enumerate(own):
            padded[row, : len(each)], mask[row, : len(each)] = each, 1
        given = [torch.from_numpy(each).to(device) for each in (padded, mask)]
        labels = torch.from_numpy(batch % 2).to(device)
        with torch.autocast(device, torch.bfloat16):
            logits = model(*given)
        loss = torch.nn.functional.cross_entropy(logits.float(), labels)
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), plan.optimizer.clip_norm)
        optimizer.step()
        schedule.step()
        return len(own), int(mask.sum()), padded.size

    def run() -> tuple[int, int, int]:
        counted = [update(next(stream)) for _ in range(plan.updates)]
        if device == "cuda":
            torch.cuda.synchronize()
        reviews, useful, places = (sum(column) for column in zip(*counted, strict=True))
        return reviews, useful, places

    model.train()
    return run
