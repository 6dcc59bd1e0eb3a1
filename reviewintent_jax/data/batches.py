"""Stage 8, batched: pages -> batches in a repeatable order, prepared ahead.

In: the prepared reviews of a split. Out: :class:`~reviewintent_jax.schema.PageBatch` of
a fixed number of pages. The order is a function of (seed, epoch) alone and every batch
comes with the position that follows it, so a run that stopped goes on with exactly the
batch it would have seen.
"""

import queue
import threading
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, TypeVar

import numpy as np

from reviewintent_jax.data.augment import AugmentSpec, augment_ids
from reviewintent_jax.data.ids import SpecialIds, TokenList
from reviewintent_jax.data.pages import (
    NO_PAGES,
    PagePlan,
    PageSpec,
    ReviewFields,
    build_pages,
    plan_pages,
    slot_lengths,
)
from reviewintent_jax.schema import PageBatch

if TYPE_CHECKING:  # reading ids from disk needs a library that batches do not
    from reviewintent_jax.data.token_shards import TokenStore
    from reviewintent_jax.data.words import WordLookup

T = TypeVar("T")
_DONE = object()


class Position(NamedTuple):
    """Where the data stands: ``page`` pages of ``epoch`` (from 0) have been used."""

    epoch: int
    page: int


class Rows(NamedTuple):
    """Which rows (pages, windows) of every batch one process builds.

    A batch is filled up with empty rows until all devices get equally many, and each
    process builds those of its own devices.

    Example (batches of 3 pages on 2 processes of 2 devices): ``Rows(4, [0, 1])`` and
    ``Rows(4, [2, -1])``.

    Attributes:
      total: rows of the filled-up batch, over all processes.
      source_n: int, which row of the batch each one is; -1 = an empty one.
    """

    total: int
    source_n: np.ndarray

    def pick(self, row_n: np.ndarray) -> np.ndarray:
        """What lies in the rows of this process; -1 where there is nothing.

        Example: ``Rows(4, [2, -1])`` of ``[7, 8, 9]`` -> ``[9, -1]``; of the shorter
        ``[7, 8]`` -> ``[-1, -1]``.
        """
        filled = (self.source_n >= 0) & (self.source_n < len(row_n))
        return np.where(filled, np.append(row_n, -1)[self.source_n * filled], -1)


def all_rows(size: int) -> Rows:
    """Every row of batches of ``size`` rows: one process with one device."""
    return Rows(size, np.arange(size))


class Portion(NamedTuple):
    """What a stream of training batches yields.

    Attributes:
      batch: the rows that were asked for.
      position: after the whole batch.
      items: what the whole batch counts (labelled reviews, windows), whoever builds it.
    """

    batch: Any
    position: Position
    items: int


class Planner(Protocol):
    """Decides which reviews share a page."""

    def __call__(
        self,
        review_n: np.ndarray,
        slot_length_n: np.ndarray,
        spec: PageSpec,
        *,
        shuffle: np.random.Generator | None = None,
    ) -> PagePlan:
        """See :func:`~reviewintent_jax.data.pages.plan_pages`."""
        ...


class PageSource(NamedTuple):
    """What pages are made from: token ids (on disk or not), labels and weights.

    ``planner`` packs reviews one by one, or, where the fields have histories, subject
    by subject (:class:`~reviewintent_jax.data.subject_pages.SubjectPlanner`). ``words``
    makes words of tokens, where the model reads them.
    """

    store: "TokenStore | TokenList"
    fields: ReviewFields
    special: SpecialIds
    spec: PageSpec
    planner: Planner = plan_pages
    words: "WordLookup | None" = None


class TrainBatches:
    """Endless, shuffled, augmented batches of the training reviews.

    Every review counts exactly once an epoch. The last batch of an epoch is filled up
    with empty pages, which weigh nothing.

    Attributes:
      reviews: indices of the training reviews.
      batch_pages: pages in a batch.
    """

    def __init__(
        self,
        source: PageSource,
        reviews: np.ndarray,
        *,
        batch_pages: int,
        augment: AugmentSpec,
        replacement_ids: np.ndarray,
        seed: int,
    ) -> None:
        self.source, self.reviews, self.batch_pages = source, reviews, batch_pages
        self._augment, self._replacement_ids = augment, replacement_ids
        self._seed = seed
        self._lengths = slot_lengths(source.store.lengths()[reviews], source.spec)
        self._planned: tuple[int, PagePlan] | None = None

    def plan(self, epoch: int) -> PagePlan:
        """Which review lies where in ``epoch``; the same for every call and run."""
        if self._planned is None or self._planned[0] != epoch:
            plan = self.source.planner(
                self.reviews,
                self._lengths.slot_n,
                self.source.spec,
                shuffle=np.random.default_rng([self._seed, epoch]),
            )
            self._planned = epoch, plan
        return self._planned[1]

    def steps(self, epoch: int) -> int:
        """Batches in ``epoch``; packing makes them differ a little between epochs."""
        return -(-self.plan(epoch).pages // self.batch_pages)

    @property
    def size(self) -> int:
        """Pages in a batch."""
        return self.batch_pages

    @property
    def items(self) -> int:
        """Reviews in an epoch."""
        return len(self.reviews)

    def items_within(self, epochs: int, max_steps: int) -> int:
        """Reviews that ``epochs`` epochs read, or ``max_steps`` batches (0 = all)."""
        if not max_steps:
            return epochs * len(self.reviews)
        found, epoch = 0, 0
        while max_steps > 0 and epoch < epochs:
            plan = self.plan(epoch)
            pages = min(plan.pages, max_steps * self.batch_pages)
            found += plan.reviews_on(pages)
            max_steps -= -(-pages // self.batch_pages)
            epoch += 1
        return found

    def blank(self, rows: Rows) -> PageBatch:
        """``rows`` of a batch without a review."""
        return self._build(NO_PAGES, rows.pick(np.zeros(0, np.int64)), 0)

    def batches(
        self, position: Position, rows: Rows | None = None
    ) -> Iterator[Portion]:
        """Yields batches for ever, from ``position`` on; ``rows`` of each, or all."""
        epoch, page = position
        rows = rows or all_rows(self.batch_pages)
        while True:
            plan = self.plan(epoch)
            while page < plan.pages:
                end = min(page + self.batch_pages, plan.pages)
                batch = self._build(plan, rows.pick(np.arange(page, end)), epoch)
                items = plan.reviews_on(end) - plan.reviews_on(page)
                page = end
                after = (
                    Position(epoch, page)
                    if page < plan.pages
                    else Position(epoch + 1, 0)
                )
                yield Portion(batch, after, items)
            epoch, page = epoch + 1, 0

    def _build(self, plan: PagePlan, pages: np.ndarray, epoch: int) -> PageBatch:
        held = _ids_on(self.source.store, plan, pages)

        def ids_of(review: int) -> np.ndarray:
            return augment_ids(
                held[review],
                self._augment,
                key=(self._seed, epoch, review),
                replacement_ids=self._replacement_ids,
            )

        source = self.source
        return build_pages(
            plan,
            pages,
            ids_of,
            source.fields,
            source.special,
            source.spec,
            size=len(pages),
            words_of=source.words,
        )


def eval_batches(
    source: PageSource,
    reviews: np.ndarray,
    *,
    batch_pages: int,
    rows: Rows | None = None,
) -> Iterator[PageBatch]:
    """Yields batches that hold every review of ``reviews`` once; no shuffle.

    Of each batch only ``rows`` are built; None = all.
    """
    rows = rows or all_rows(batch_pages)
    lengths = slot_lengths(source.store.lengths()[reviews], source.spec)
    plan = source.planner(reviews, lengths.slot_n, source.spec)
    for begin in range(0, plan.pages, batch_pages):
        pages = rows.pick(np.arange(begin, min(begin + batch_pages, plan.pages)))
        yield build_pages(
            plan,
            pages,
            _ids_on(source.store, plan, pages).__getitem__,
            source.fields,
            source.special,
            source.spec,
            size=len(rows.source_n),
            words_of=source.words,
        )


def _ids_on(
    store: "TokenStore | TokenList", plan: PagePlan, pages: np.ndarray
) -> dict[int, np.ndarray]:
    """Ids of the reviews on some pages, all read at once; page -1 holds none."""
    reviews = [plan.review_n[plan.offset_p[page] : plan.offset_p[page + 1]]
               for page in pages if page >= 0]  # fmt: skip
    review_n = np.unique(np.concatenate([np.zeros(0, np.int64), *reviews]))
    return dict(zip(review_n.tolist(), store.read(review_n), strict=True))


def pages_per_batch(mean_slot_length: float, batch_reviews: int, spec: PageSpec) -> int:
    """Pages that hold about ``batch_reviews`` reviews; at least 1.

    Example: reviews of 60 tokens on average, 32 a batch, pages of 128 -> 15.
    """
    return max(1, round(batch_reviews * mean_slot_length / spec.page_tokens))


def prefetch(items: Iterator[T], depth: int) -> Iterator[T]:
    """Runs ``items`` in a thread, ``depth`` items ahead; errors are raised here."""
    ready: queue.Queue = queue.Queue(maxsize=depth)
    stopped = threading.Event()

    def put(item: object) -> None:
        while not stopped.is_set():
            try:
                return ready.put(item, timeout=0.1)
            except queue.Full:
                continue

    def produce() -> None:
        try:
            for item in items:
                put(item)
                if stopped.is_set():
                    return
            put(_DONE)
        except BaseException as error:  # handed to the reader, whatever it is
            put(error)

    thread = threading.Thread(target=produce, daemon=True, name="prefetch")
    thread.start()
    try:
        while (item := ready.get()) is not _DONE:
            if isinstance(item, BaseException):
                raise item
            yield item
    finally:
        stopped.set()
        thread.join(timeout=5)
