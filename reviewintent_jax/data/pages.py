"""Stage 7, paged: token ids -> fixed pages that hold several whole reviews.

In: the ids of reviews (no special tokens). Out: :class:`~reviewintent_jax.schema.
PageBatch`. Shapes are static, so the model compiles once; packing leaves about one
token in a hundred unused where padding every review would waste a third or more.

A review longer than a chunk is not cut but split: every chunk gets its own special
tokens and its own attention, and the chunks follow each other in the page, so that
LSTNet reads them as one series. A page is a row of blocks of ``chunk_tokens``; no chunk
crosses the border of a block, so attention can be computed block by block.
"""

import dataclasses
from array import array
from collections.abc import Callable, Iterable
from typing import NamedTuple

import numpy as np

from reviewintent_jax.data.ids import SpecialIds
from reviewintent_jax.data.windows import HistoryFields, empty_history, write_history
from reviewintent_jax.schema import NO_LABEL, InputError, PageBatch, WordBatch

_WINDOW = 4096  # reviews sorted by length together; the shuffle decides who is in one


@dataclasses.dataclass(frozen=True)
class PageSpec:
    """Sizes of a page, in tokens, special tokens included.

    Attributes:
      page_tokens: length of a page; a multiple of ``chunk_tokens``.
      chunk_tokens: what attention spans; at least 3, at most the encoder's limit.
      max_tokens: longest review kept whole; what is beyond is cut, counted and
        reported. At most ``page_tokens``.
      slots: most reviews in one page; at least 1.
    """

    page_tokens: int
    chunk_tokens: int
    max_tokens: int
    slots: int

    def __post_init__(self) -> None:
        if self.chunk_tokens < 3 or self.page_tokens % self.chunk_tokens:
            raise InputError(
                f"pages.page_tokens ({self.page_tokens}) must be a multiple of"
                f" pages.chunk_tokens ({self.chunk_tokens}), which must be 3 or more."
            )
        if not 3 <= self.max_tokens <= self.page_tokens:
            raise InputError(
                f"pages.max_tokens ({self.max_tokens}) must lie between 3 and"
                f" pages.page_tokens ({self.page_tokens}).",
                fix="A page must hold the longest review: raise page_tokens.",
            )
        if self.slots < 1:
            raise InputError("pages.slots must be 1 or more.")


class SlotLengths(NamedTuple):
    """How long reviews are once framed: ``slot_n`` tokens, of ``kept_n`` ids."""

    slot_n: np.ndarray
    kept_n: np.ndarray


def slot_lengths(id_count_n: np.ndarray, spec: PageSpec) -> SlotLengths:
    """Lengths in the page of reviews with so many ids, cut at ``max_tokens``.

    Example: chunks of 6 hold 4 ids each. 4 ids -> 6 tokens; 5 ids -> 6 + 3 = 9; with
    ``max_tokens=10`` a review of 20 ids keeps 4 + 2 and takes 6 + 4 = 10.
    """
    body = spec.chunk_tokens - 2
    whole, rest = divmod(spec.max_tokens, spec.chunk_tokens)
    most = whole * body + max(rest - 2, 0)
    kept = np.minimum(np.asarray(id_count_n, np.int64), most)
    chunks = np.maximum(-(-kept // body), 1)
    return SlotLengths(kept + 2 * chunks, kept)


class PagePlan(NamedTuple):
    """Where every review goes. Slots of page ``p`` are ``offset_p[p]:offset_p[p+1]``.

    Attributes:
      review_n: int64 index of the review of each slot, pages one after another.
      start_n: int32 first token of the slot in its page.
      offset_p: int64 [pages + 1].
      own_n: bool, False where the review of the slot is context: it is counted on
        another page, and here for the windows of later reviews only.
    """

    review_n: np.ndarray
    start_n: np.ndarray
    offset_p: np.ndarray
    own_n: np.ndarray

    @property
    def pages(self) -> int:
        """Number of pages."""
        return len(self.offset_p) - 1

    def reviews_on(self, pages: int) -> int:
        """Reviews that the first ``pages`` pages count."""
        return int(self.own_n[: self.offset_p[pages]].sum())

    @classmethod
    def of_slots(
        cls,
        review_n: np.ndarray,
        page_n: np.ndarray,
        start_n: np.ndarray,
        own_n: np.ndarray,
        *,
        pages: int,
        shuffle: np.random.Generator | None,
    ) -> "PagePlan":
        """Puts slots given in any order page by page, the pages shuffled if asked."""
        rank = np.arange(pages)
        if shuffle is not None:
            rank[shuffle.permutation(pages)] = np.arange(pages)
        page_n, start_n = rank[page_n], np.asarray(start_n, np.int32)
        slot_order = np.lexsort((start_n, page_n))
        counts = np.bincount(page_n, minlength=pages)
        return cls(
            review_n[slot_order],
            start_n[slot_order],
            np.concatenate([np.zeros(1, np.int64), counts.cumsum()]),
            own_n[slot_order],
        )


NO_PAGES = PagePlan(
    np.zeros(0, np.int64),
    np.zeros(0, np.int32),
    np.zeros(1, np.int64),
    np.zeros(0, bool),
)
"""The plan of nothing."""


def plan_pages(
    review_n: np.ndarray,
    slot_length_n: np.ndarray,
    spec: PageSpec,
    *,
    shuffle: np.random.Generator | None = None,
) -> PagePlan:
    """Packs reviews into pages, best fit first.

    Args:
      review_n: indices of the reviews to place.
      slot_length_n: their lengths, from :func:`slot_lengths`.
      spec: sizes.
      shuffle: shuffles who shares a page, and the order of pages. None keeps the order
        of input as far as packing allows.

    Example: pages of 12, chunks of 12, lengths 4, 3, 5 -> one page with starts 0, 5, 9
    (longest first).
    """
    review_n = np.asarray(review_n, np.int64)
    order = (
        np.arange(len(review_n))
        if shuffle is None
        else shuffle.permutation(len(review_n))
    )
    packer = _Packer(spec)
    for begin in range(0, len(order), _WINDOW):
        window = order[begin : begin + _WINDOW]
        longest_first = window[np.argsort(-slot_length_n[window], kind="stable")]
        for item in longest_first.tolist():
            packer.place(item, int(slot_length_n[item]))
    return PagePlan.of_slots(
        review_n[np.asarray(packer.items, np.int64)],
        np.asarray(packer.page_of, np.int64),
        np.asarray(packer.start_of, np.int32),
        np.ones(len(packer.items), bool),
        pages=packer.pages,
        shuffle=shuffle,
    )


class _Packer:
    """Best fit over blocks: ``free[c]`` lists blocks with c tokens left.

    ``mask`` has bit c set while ``free[c]`` is not empty, so the tightest block that
    still takes a chunk is the lowest set bit from its length on.
    """

    def __init__(self, spec: PageSpec) -> None:
        self.spec = spec
        self.blocks = spec.page_tokens // spec.chunk_tokens
        self.pages = 0
        # Arrays: a list of ten million numbers takes four times the memory.
        self.items = array("q")
        self.page_of = array("q")
        self.start_of = array("i")
        self._used = array("i")
        self._free: list[list[int]] = [[] for _ in range(spec.chunk_tokens + 1)]
        self._mask = 0
        # Empty blocks at the end of open pages, by how many: long reviews go there.
        self._runs: list[list[int]] = [[] for _ in range(self.blocks + 1)]

    def place(self, item: int, length: int) -> None:
        size = self.spec.chunk_tokens
        whole, tail = divmod(length, size)
        block = self._tightest(tail) if whole == 0 else None
        if block is None:
            block = self._first_of_run(whole + (tail > 0))
            self._give(block + whole, size - tail)
            start = block % self.blocks * size
        else:
            left = self._taken_from
            start = (block % self.blocks + 1) * size - left
            self._give(block, left - tail)
        page = block // self.blocks
        self._used[page] += 1
        self.items.append(item)
        self.page_of.append(page)
        self.start_of.append(start)

    def _tightest(self, length: int) -> int | None:
        while fits := self._mask >> length:
            left = length + (fits & -fits).bit_length() - 1
            blocks = self._free[left]
            block = blocks.pop()
            if not blocks:
                self._mask &= ~(1 << left)
            if self._used[block // self.blocks] < self.spec.slots:
                self._taken_from = left
                return block
            # The page has no slot left: its free tokens stay unused.
        return None

    def _give(self, block: int, left: int) -> None:
        if 0 < left < self.spec.chunk_tokens:
            self._free[left].append(block)
            self._mask |= 1 << left

    def _first_of_run(self, needed: int) -> int:
        for size in range(needed, self.blocks + 1):
            while self._runs[size]:
                page = self._runs[size].pop()
                if self._used[page] < self.spec.slots:
                    self._keep_run(page, size - needed)
                    return page * self.blocks + self.blocks - size
        page = self.pages
        self.pages += 1
        self._used.append(0)
        self._keep_run(page, self.blocks - needed)
        return page * self.blocks

    def _keep_run(self, page: int, size: int) -> None:
        if size:
            self._runs[size].append(page)


class ReviewFields(NamedTuple):
    """What a page says of its reviews beside their tokens, by review index."""

    label_n: np.ndarray
    weight_n: np.ndarray
    history: HistoryFields | None = None


def build_pages(
    plan: PagePlan,
    pages: Iterable[int],
    ids_of: Callable[[int], np.ndarray],
    fields: ReviewFields,
    special: SpecialIds,
    spec: PageSpec,
    *,
    size: int,
    words_of: Callable[[np.ndarray], np.ndarray] | None = None,
) -> PageBatch:
    """Fills ``size`` pages; those beyond ``pages`` stay empty (the last, short batch).

    Args:
      plan: from :func:`plan_pages`.
      pages: which pages of the plan; -1 leaves one empty.
      ids_of: review index -> its int32 ids, no special tokens.
      fields: labels and weights by review index, and histories if there are any.
      special: ids that frame a chunk and fill the page.
      spec: sizes.
      size: pages in the batch (``b``).
      words_of: token ids of a review -> ids of its words; None = no words are read.
    """
    batch = empty_pages(size, special, spec, words=words_of is not None)
    if fields.history is not None:
        batch = batch._replace(history=empty_history(size, spec.slots, fields.history))
    for b, page in enumerate(pages):
        if page < 0:
            continue
        begin, end = plan.offset_p[page], plan.offset_p[page + 1]
        segment = 0
        for k, slot in enumerate(range(begin, end)):
            review, start = int(plan.review_n[slot]), int(plan.start_n[slot])
            ids = ids_of(review)
            length, segment = _write_review(
                batch, b, start, ids, segment, special, spec
            )
            if words_of is not None and batch.words is not None:
                kept = int(slot_lengths(np.array([len(ids)]), spec).kept_n[0])
                _write_words(batch.words, b, k, start, words_of(ids[:kept]))
            batch.slot_start_bk[b, k] = start
            batch.slot_length_bk[b, k] = length
            if plan.own_n[slot]:
                batch.label_bk[b, k] = fields.label_n[review]
                batch.weight_bk[b, k] = fields.weight_n[review]
                batch.review_bk[b, k] = review
        if fields.history is not None and batch.history is not None:
            review_k, own_k = plan.review_n[begin:end], plan.own_n[begin:end]
            write_history(batch.history, b, review_k, own_k, fields.history)
    return batch


def empty_pages(
    size: int, special: SpecialIds, spec: PageSpec, *, words: bool = False
) -> PageBatch:
    """``size`` pages without a review: all padding, all slots empty.

    ``words`` says whether there are places for words beside those for tokens.
    """
    tokens, slots = (size, spec.page_tokens), (size, spec.slots)
    no_words = WordBatch(np.full(tokens, -1, np.int32), np.zeros(slots, np.int32))
    return PageBatch(
        token_ids_bt=np.full(tokens, special.pad, np.int32),
        segment_ids_bt=np.zeros(tokens, np.int32),
        position_ids_bt=np.zeros(tokens, np.int32),
        slot_start_bk=np.zeros(slots, np.int32),
        slot_length_bk=np.zeros(slots, np.int32),
        label_bk=np.full(slots, NO_LABEL, np.int32),
        weight_bk=np.zeros(slots, np.float32),
        review_bk=np.full(slots, -1, np.int32),
        words=no_words if words else None,
    )


def _write_words(
    words: WordBatch, b: int, k: int, start: int, word_l: np.ndarray
) -> None:
    """Writes the words of one review where its tokens begin."""
    words.word_ids_bt[b, start : start + len(word_l)] = word_l  # pyright: ignore
    words.word_length_bk[b, k] = len(word_l)  # pyright: ignore


def _write_review(
    batch: PageBatch,
    b: int,
    start: int,
    ids: np.ndarray,
    segment: int,
    special: SpecialIds,
    spec: PageSpec,
) -> tuple[int, int]:
    """Writes the chunks of one review; returns its length and the last segment."""
    body = spec.chunk_tokens - 2
    kept = int(slot_lengths(np.array([len(ids)]), spec).kept_n[0])
    at = start
    for begin in range(0, max(kept, 1), body):
        piece = ids[begin : min(begin + body, kept)]
        end = at + len(piece) + 2
        segment += 1
        batch.token_ids_bt[b, at] = special.first
        batch.token_ids_bt[b, at + 1 : end - 1] = piece
        batch.token_ids_bt[b, end - 1] = special.last
        batch.segment_ids_bt[b, at:end] = segment
        batch.position_ids_bt[b, at:end] = np.arange(end - at)
        at = end
    return at - start, segment
