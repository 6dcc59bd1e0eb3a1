"""Stage 7, paged: whole subjects -> pages, so that windows never leave their page.

In: the reviews of a split, subject after subject, and the window that ends at each.
Out: :class:`~reviewintent_jax.data.pages.PagePlan`. Every review counts on exactly one
page. A subject that exceeds a page goes on on the next one, which begins with the
reviews that its windows still need: they are *context*, encoded there once more, but
not counted.

Example (pages of 4 slots, windows of 3, one shopper with reviews 0 to 5)::

    page 0   0 1 2 3            counts 0 1 2 3
    page 1   2 3 4 5            counts     4 5      2 and 3 are context
"""

import dataclasses
import itertools
from collections import deque
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from reviewintent_jax.data.pages import PagePlan, PageSpec
from reviewintent_jax.schema import InputError

_TOGETHER = 4096  # reviews whose runs are sorted by length together
_TRIES = 8  # pages that are tried before a new one is begun


class Chain(NamedTuple):
    """Reviews of a split one after another, a subject's side by side, oldest first.

    Attributes:
      item_n: place of each review in the array of reviews that are planned.
      first_n: place in this chain of the oldest review that the window ending at each
        review, or at any later one, reads.
    """

    item_n: np.ndarray
    first_n: np.ndarray


class Run(NamedTuple):
    """A stretch of a chain that lies on one page: context, then reviews that count.

    ``begin:own`` is context and ``own:end`` counts, as places in the chain.
    """

    begin: int
    own: int
    end: int


@dataclasses.dataclass(frozen=True)
class SubjectPlanner:
    """Packs subject by subject; a :class:`~reviewintent_jax.data.batches.Planner`.

    Attributes:
      order_n: int64, all reviews, subject after subject, oldest first.
      window_nw: int64 by review index, reviews of the window that ends at each, oldest
        first; -1 = missing. A run without gaps of ``order_n``; reviews outside the
        split that is planned are passed over.
    """

    order_n: np.ndarray
    window_nw: np.ndarray

    def __call__(
        self,
        review_n: np.ndarray,
        slot_length_n: np.ndarray,
        spec: PageSpec,
        *,
        shuffle: np.random.Generator | None = None,
    ) -> PagePlan:
        """Packs the subjects of ``review_n`` into pages, largest first.

        Args:
          review_n: the reviews to place; windows reach into these alone.
          slot_length_n: their lengths, in the same order.
          spec: sizes.
          shuffle: shuffles which subjects share a page, and the order of pages.

        Raises:
          InputError: a page cannot hold every window.
        """
        check_window_fits(self.window_nw.shape[1], spec)
        review_n = np.asarray(review_n, np.int64)
        chain = make_chain(review_n, self.order_n, self.window_nw)
        length_n = np.asarray(slot_length_n)[chain.item_n].tolist()
        runs = list(_runs(chain.first_n, length_n, spec))
        order = (
            range(len(runs))
            if shuffle is None
            else shuffle.permutation(len(runs)).tolist()
        )
        packer = _RunPacker(spec, length_n)
        for together in _batches([runs[i] for i in order]):
            for run in sorted(
                together, key=lambda run: -sum(length_n[run.begin : run.end])
            ):
                packer.place(run)
        at_n = np.array(packer.place_of, np.int64)
        return PagePlan.of_slots(
            review_n[chain.item_n[at_n]],
            np.array(packer.page_of, np.int64),
            np.array(packer.start_of, np.int32),
            np.array(packer.own_of, bool),
            pages=packer.pages,
            shuffle=shuffle,
        )


def check_window_fits(window: int, spec: PageSpec) -> None:
    """Refuses sizes with which some window of ``window`` reviews would find no page.

    Example: pages of 1,024 tokens in chunks of 128 hold 8 reviews of up to 128 tokens
    or 4 of up to 256, whatever their lengths, so windows of 7 fit with the first.

    Raises:
      InputError: says how long a page must be.
    """
    if spec.slots < window:
        raise InputError(
            f"A window of {window} reviews does not fit on a page of {spec.slots}.",
            where="field pages.slots",
            fix=f"Set --config.pages.slots={window} or more.",
        )
    chunk = spec.chunk_tokens
    if spec.max_tokens <= chunk:
        blocks = -(-window // (chunk // spec.max_tokens))
    else:
        blocks = window * -(-spec.max_tokens // chunk)
    if blocks * chunk > spec.page_tokens:
        less = ""
        if spec.max_tokens > chunk:
            less = (
                "Read less of each: set "
                f"--config.pages.max_tokens={chunk} and --config.pages.page_tokens="
                f"{max(window * chunk, spec.page_tokens)}. Or read all of it: "
            )
        raise InputError(
            f"A window of {window} reviews of up to {spec.max_tokens} tokens does not "
            f"always fit on a page of {spec.page_tokens:,} tokens.",
            where="fields pages.page_tokens and pages.max_tokens",
            fix=f"{less}Set --config.pages.page_tokens={blocks * chunk} or more.",
        )


def make_chain(
    review_n: np.ndarray, order_n: np.ndarray, window_nw: np.ndarray
) -> Chain:
    """Lines up the reviews of a split, with what their windows need.

    Example: the split [5, 2, 9], order [2, 4, 5, 9], where 4 is of another split;
    windows of 2 are [-1, 2], [4, 5], [-1, 9] -> items [1, 0, 2] (reviews 2, 5, 9), all
    of which need themselves alone: first [0, 1, 2]. With windows of 3, [2, 4, 5] needs
    review 2: first [0, 0, 2].
    """
    item_of = np.full(len(order_n), -1, np.int64)
    item_of[review_n] = np.arange(len(review_n))
    item_n = item_of[order_n]
    item_n = item_n[item_n >= 0]
    if len(item_n) != len(review_n):
        raise ValueError("every review of the split must stand in the order once")
    place = np.arange(len(item_n))
    place_of = np.full(len(order_n) + 1, -1, np.int64)  # the last is for "missing"
    place_of[review_n[item_n]] = place
    step_nw = place_of[window_nw[review_n[item_n]]]
    first_n = np.where(step_nw >= 0, step_nw, place[:, None]).min(axis=1)
    if (step_nw > place[:, None]).any() or (
        place - first_n >= window_nw.shape[1]
    ).any():
        raise ValueError("a window must be a run of reviews that ends at its anchor")
    return Chain(item_n, np.minimum.accumulate(first_n[::-1])[::-1])


def _runs(
    first_n: np.ndarray, length_n: Sequence[int], spec: PageSpec
) -> Iterator[Run]:
    """Cuts a chain into runs that fit on a page, only where a page is full."""
    borders = np.flatnonzero(first_n == np.arange(len(first_n))).tolist()
    first = first_n.tolist()
    for own, end in zip(borders, [*borders[1:], len(first)], strict=True):
        while True:
            begin = first[own]
            fitting = begin + _fitting(length_n[begin:end], spec)
            yield Run(begin, own, fitting)
            if fitting == end:
                break
            own = fitting


def _fitting(length_n: Sequence[int], spec: PageSpec) -> int:
    """How many of these reviews, from the first on, one page holds."""
    ends = itertools.accumulate(length_n[: spec.slots])
    most = sum(1 for end in ends if end <= spec.page_tokens)
    fits, too_many = 0, most + 1
    while too_many - fits > 1:
        # All at first: most subjects fit as they are.
        count = most if not fits and too_many > most else (fits + too_many) // 2
        if _lay_all(length_n[:count], [], spec) is None:
            too_many = count
        else:
            fits = count
    return fits


def _lay_all(
    lengths: Sequence[int], left: list[int], spec: PageSpec
) -> list[int] | None:
    """First tokens of more reviews on a page; None if there is no room for all.

    The longest is laid first, so that the short ones fill the gaps. ``left`` is as in
    :func:`_lay`; where there is no room it is spoilt.
    """
    starts = [0] * len(lengths)
    # Python's sort is stable, so equal lengths keep their order.
    for i in sorted(range(len(lengths)), key=lambda i: -lengths[i]):
        start = _lay(lengths[i], left, spec)
        if start is None:
            return None
        starts[i] = start
    return starts


def _lay(length: int, left: list[int], spec: PageSpec) -> int | None:
    """First token of one more review on a page, best fit; None if there is no room.

    ``left`` holds the free tokens at the end of each block that is begun; it is
    updated. A review longer than a block begins with a block of its own, since no chunk
    crosses the border of blocks.
    """
    size = spec.chunk_tokens
    whole, tail = divmod(length, size)
    if not whole:
        fits = [(free, block) for block, free in enumerate(left) if free >= tail]
        if fits:
            free, block = min(fits)
            left[block] = free - tail
            return (block + 1) * size - free
    if (len(left) + whole + (tail > 0)) * size > spec.page_tokens:
        return None
    start = len(left) * size
    left.extend([0] * whole + ([size - tail] if tail else []))
    return start


def _batches(runs: list[Run]) -> Iterator[list[Run]]:
    """Neighbouring runs, about ``_TOGETHER`` reviews at a time."""
    together: list[Run] = []
    reviews = 0
    for run in runs:
        together.append(run)
        reviews += run.end - run.begin
        if reviews >= _TOGETHER:
            yield together
            together, reviews = [], 0
    if together:
        yield together


class _RunPacker:
    """Best fit of runs over pages: ``open[room]`` lists pages with so much room.

    Room is what the untouched blocks hold and the largest gap in the others. The sum of
    all gaps would find pages with many small gaps first, which take nothing: pages were
    filled to 25 % instead of 95 % so. ``mask`` has bit r set while ``open[r]`` is not
    empty, so the tightest page is the lowest set bit from a run's tokens on. One that
    has the room but not the shape goes to the back of its list.
    """

    def __init__(self, spec: PageSpec, length_n: Sequence[int]) -> None:
        self.spec, self.length_n = spec, length_n
        self.pages = 0
        self.place_of: list[int] = []
        self.page_of: list[int] = []
        self.start_of: list[int] = []
        self.own_of: list[bool] = []
        self._left: list[list[int]] = []  # free tokens of each block that is begun
        self._used: list[int] = []  # slots
        self._open: dict[int, deque[int]] = {}
        self._mask = 0

    def place(self, run: Run) -> None:
        """Puts a run on the tightest page that takes it, or on a new one."""
        tokens = sum(self.length_n[run.begin : run.end])
        bits = self._mask >> tokens
        for _ in range(_TRIES):
            if not bits:
                break
            room = tokens + (bits & -bits).bit_length() - 1
            page = self._open[room].pop()
            if self._put(page, run):
                if not self._open[room]:
                    self._mask &= ~(1 << room)
                return
            self._open[room].appendleft(page)
            bits &= bits - 1
        self.pages += 1
        self._left.append([])
        self._used.append(0)
        if not self._put(self.pages - 1, run):
            raise AssertionError("a run was cut too long for a page")

    def _put(self, page: int, run: Run) -> bool:
        lengths = self.length_n[run.begin : run.end]
        if self._used[page] + len(lengths) > self.spec.slots:
            return False
        left = self._left[page].copy()
        starts = _lay_all(lengths, left, self.spec)
        if starts is None:
            return False
        self._left[page] = left
        self._used[page] += len(lengths)
        self.place_of += range(run.begin, run.end)
        self.page_of += [page] * len(lengths)
        self.start_of += starts
        self.own_of += [at >= run.own for at in range(run.begin, run.end)]
        self._reopen(page)
        return True

    def _reopen(self, page: int) -> None:
        left, size = self._left[page], self.spec.chunk_tokens
        room = self.spec.page_tokens - len(left) * size + max(left, default=0)
        if room and self._used[page] < self.spec.slots:
            self._open.setdefault(room, deque()).append(page)
            self._mask |= 1 << room
