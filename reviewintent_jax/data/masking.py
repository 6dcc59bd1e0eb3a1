"""Stage 8 of pre-training: pages -> pages with hidden tokens, and what they were.

In: :class:`~reviewintent_jax.schema.PageBatch`. Out: :class:`~reviewintent_jax.schema.
MaskedBatch`. The rule is BERT's (Devlin et al. 2019, 3.1): 15 % of the tokens are asked
for; of these 80 % become the mask, 10 % another piece and 10 % stay as they are.

What is drawn is a function of (seed, stream, epoch, page) alone. Neither how many
devices or processes share a batch nor where a run was stopped changes a mask.
"""

import dataclasses
import math
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from reviewintent_jax.data.batches import (
    PageSource,
    Portion,
    Position,
    Rows,
    TrainBatches,
    all_rows,
    eval_batches,
)
from reviewintent_jax.data.tokens import ReviewTokenizer
from reviewintent_jax.schema import NO_LABEL, InputError, MaskedBatch, PageBatch

_TRAINING, _HELD_OUT = 0, 1  # streams of random numbers


@dataclasses.dataclass(frozen=True)
class MaskingSpec:
    """Which tokens are asked for, and what stands in their place.

    Attributes:
      share: of the tokens of a page that are asked for, above 0 and at most 0.5.
      mask: share of these that become the mask.
      random: share of these that become another piece, drawn at random; the rest stay
        as they are. ``mask + random`` is at most 1.
    """

    share: float
    mask: float
    random: float

    def __post_init__(self) -> None:
        if not 0 < self.share <= 0.5:
            raise InputError(
                f"masking.share is {self.share}; give a share above 0, at most 0.5."
            )
        if min(self.mask, self.random) < 0 or self.mask + self.random > 1:
            raise InputError(
                f"masking.mask is {self.mask} and masking.random {self.random}; neither"
                " may be negative, nor both together be above 1."
            )

    def places(self, page_tokens: int) -> int:
        """Most tokens of a page that are asked for: the size of the axis ``u``."""
        return math.ceil(self.share * page_tokens)


class Masker(NamedTuple):
    """Hides tokens of pages.

    Attributes:
      spec: how many, and how.
      mask_id: what stands in place of most of them.
      piece_ids: int32 ids that stand for pieces of text; only such tokens are asked
        for, and only such take their place.
      seed: of all draws.
    """

    spec: MaskingSpec
    mask_id: int
    piece_ids: np.ndarray
    seed: int

    @classmethod
    def of(cls, tokenizer: ReviewTokenizer, spec: MaskingSpec, seed: int) -> "Masker":
        """For texts of a tokenizer.

        Raises:
          InputError: it has no mask.
        """
        mask = tokenizer.mask_id
        if mask is None:
            raise InputError(
                "The tokenizer has no mask, which pre-training needs.",
                where=str(tokenizer.folder),
                fix="Use the tokenizer of a masked language model.",
            )
        return cls(spec, mask, tokenizer.replacement_ids(), seed)

    def hide(self, batch: PageBatch, page_n: np.ndarray, *key: int) -> MaskedBatch:
        """The pages with hidden tokens.

        Args:
          batch: pages.
          page_n: int, number of each page in its epoch; -1 = an empty page.
          key: numbers from 0 that tell this stream of pages from others.

        Example (page of 8 tokens, share .3): 6 pieces -> 2 are asked for, in 3 places::

            token_ids   <s> very good tea </s> <s> leaks </s>   becomes
            token_ids   <s> very <mask> tea </s> <s> leaks </s>
            place_bu    [2, 6, 0]    target_bu  [good, leaks, NO_LABEL]
        """
        token_bt = np.array(batch.token_ids_bt)
        shape = len(token_bt), self.spec.places(token_bt.shape[1])
        place_bu = np.zeros(shape, np.int32)
        target_bu = np.full(shape, NO_LABEL, np.int32)
        is_piece_bt = np.isin(token_bt, self.piece_ids)
        for b, page in enumerate(page_n.tolist()):
            pieces = np.flatnonzero(is_piece_bt[b])
            if page < 0 or not len(pieces):
                continue
            rng = np.random.default_rng([self.seed, *key, page])
            wanted = max(1, round(self.spec.share * len(pieces)))
            asked = np.sort(rng.permutation(pieces)[:wanted])
            place_bu[b, : len(asked)] = asked
            target_bu[b, : len(asked)] = token_bt[b, asked]
            draw, other = rng.random(len(asked)), rng.choice(self.piece_ids, len(asked))
            masked = draw < self.spec.mask
            replaced = ~masked & (draw < self.spec.mask + self.spec.random)
            token_bt[b, asked[masked]] = self.mask_id
            token_bt[b, asked[replaced]] = other[replaced]
        return MaskedBatch(
            token_ids_bt=token_bt,
            segment_ids_bt=np.asarray(batch.segment_ids_bt),
            position_ids_bt=np.asarray(batch.position_ids_bt),
            place_bu=place_bu,
            target_bu=target_bu,
            review_bk=np.asarray(batch.review_bk),
        )


class MaskedBatches:
    """Endless batches of training pages with masks that are new in every epoch."""

    def __init__(self, pages: TrainBatches, masker: Masker) -> None:
        self._pages, self._masker = pages, masker

    @property
    def size(self) -> int:
        """Pages in a batch."""
        return self._pages.size

    @property
    def items(self) -> int:
        """Texts in an epoch."""
        return self._pages.items

    def items_within(self, epochs: int, max_steps: int) -> int:
        """Texts that ``epochs`` epochs read, or ``max_steps`` batches (0 = all)."""
        return self._pages.items_within(epochs, max_steps)

    def blank(self, rows: Rows) -> MaskedBatch:
        """``rows`` of a batch without a text."""
        empty = rows.pick(np.zeros(0, np.int64))
        return self._masker.hide(self._pages.blank(rows), empty, _TRAINING, 0)

    def batches(
        self, position: Position, rows: Rows | None = None
    ) -> Iterator[Portion]:
        """Yields batches for ever, from ``position`` on; ``rows`` of each, or all."""
        rows = rows or all_rows(self.size)
        for portion in self._pages.batches(position, rows):
            epoch, begin = position
            end = min(begin + self.size, self._pages.plan(epoch).pages)
            page_n = rows.pick(np.arange(begin, end))
            masked = self._masker.hide(portion.batch, page_n, _TRAINING, epoch)
            yield portion._replace(batch=masked)
            position = portion.position


def held_out_batches(
    source: PageSource,
    texts: np.ndarray,
    masker: Masker,
    *,
    batch_pages: int,
    rows: Rows | None = None,
) -> Iterator[MaskedBatch]:
    """Every text of ``texts`` once, with masks that are always the same."""
    rows = rows or all_rows(batch_pages)
    some = eval_batches(source, texts, batch_pages=batch_pages, rows=rows)
    for number, batch in enumerate(some):
        page_n = number * batch_pages + np.arange(batch_pages)
        yield masker.hide(batch, rows.pick(page_n), _HELD_OUT, 0)
