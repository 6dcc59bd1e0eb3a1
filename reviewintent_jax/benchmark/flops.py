"""Floating-point operations of the matrix products of a model, from its spec alone.

In: a :class:`~reviewintent_jax.models.review_intent.ReviewIntentSpec` and how much is
read. Out: operations of every part, forward and backward. A multiplication and an
addition count as two, as in the peaks that makers of devices publish; what is no matrix
product (softmax, norms, activations, lookups) is left out, as is usual for MFU.

Two questions, one count:

- what a device *executes* for pages: padding, empty slots and all of a block's keys
  included (:func:`page_work`);
- what of that is *useful*: the tokens of a review, each seeing its own chunk
  (:func:`review_work`).
"""

import dataclasses
import itertools
from collections.abc import Sequence
from typing import NamedTuple

from reviewintent_jax.models.encoder_spec import EncoderSpec
from reviewintent_jax.models.forecaster import ForecasterSpec
from reviewintent_jax.models.heading import DIRECTION_CLASSES, HeadingSpec
from reviewintent_jax.models.history import HistorySpec
from reviewintent_jax.models.lstnet_spec import Fusion, LSTNetSpec
from reviewintent_jax.models.reader_spec import ReaderKind, ReaderSpec, Reads
from reviewintent_jax.models.review_intent import ReviewIntentSpec
from reviewintent_jax.models.word_reader import WordsSpec


class Work(NamedTuple):
    """How much is read.

    Attributes:
      tokens: steps that the encoder and the recurrent layers take.
      attended: pairs of a token and a token that it looks at.
      slots: reviews, empty slots included where they are computed too.
      slot_steps: steps that are looked at for each slot, all slots together.
      highway_steps: the same for the highway, which looks at the last ones alone.
      window: steps in the window of a slot; read only where there are histories.
    """

    tokens: int
    attended: int
    slots: int
    slot_steps: int
    highway_steps: int
    window: int


@dataclasses.dataclass(frozen=True)
class Flops:
    """Operations of the parts of a model.

    Attributes:
      forward: of an answer, by part: ``encoder``, ``attention``, ``lstnet`` or
        ``reader``, ``words``, ``sentiment`` and ``history``, where the model has them.
      backward: of the gradient of all parameters, without the forward pass.
    """

    forward: dict[str, int]
    backward: dict[str, int]

    @property
    def answer(self) -> int:
        """Of a forward pass."""
        return sum(self.forward.values())

    @property
    def update(self) -> int:
        """Of a forward and a backward pass."""
        return self.answer + sum(self.backward.values())


def page_work(
    pages: int, page_tokens: int, slots: int, block_tokens: int, window: int = 0
) -> Work:
    """What is executed for ``pages`` pages of ``slots`` slots each.

    Example: 2 pages of 12 tokens, 3 slots, blocks of 6 -> 24 tokens, each looking at
    the 6 of its block, and 6 slots that look at the 12 steps of their pages.
    """
    tokens, filled = pages * page_tokens, pages * slots
    steps = filled * page_tokens
    return Work(tokens, tokens * block_tokens, filled, steps, steps, window)


def review_work(chunks: Sequence[int], highway_window: int, window: int = 0) -> Work:
    """What is useful in one review whose chunks have so many tokens.

    Example: chunks of 6 and 3 tokens, a highway of 8 -> 9 tokens, 36 + 9 pairs, 9
    steps and 8 for the highway.
    """
    tokens = sum(chunks)
    pairs = sum(size * size for size in chunks)
    return Work(tokens, pairs, 1, tokens, min(tokens, highway_window), window)


class _Products(NamedTuple):
    """Operations of some products, and of those of their gradients."""

    forward: int
    backward: int

    @classmethod
    def of(cls, forward: int, operands: int = 2) -> "_Products":
        """A product of which so many operands have a gradient: each takes one more."""
        return cls(forward, operands * forward)


def count_flops(spec: ReviewIntentSpec, work: Work) -> Flops:
    """Operations of ``spec`` reading ``work``."""
    parts: dict[str, list[_Products]] = {}
    if spec.encoder is not None:
        width, layers = spec.encoder.hidden_size, spec.encoder.num_layers
        parts["encoder"] = _encoder(spec.encoder, work.tokens)
        parts["attention"] = [_Products.of(4 * work.attended * width * layers)]
        if isinstance(spec.reader, LSTNetSpec):
            parts["lstnet"] = _lstnet(spec.reader, width, work, learned=True)
        else:
            parts["reader"] = _reader(spec.reader, width, work)
    if spec.words is not None:
        parts["words"] = _words(spec.words, work)
    parts["sentiment"] = _head(spec, work)
    if spec.history is not None:
        parts["history"] = _history(spec.history, spec, work)
    return _flops_of(parts)


def _encoder(spec: EncoderSpec, tokens: int) -> list[_Products]:
    width = spec.hidden_size
    dense = 4 * width * width + 2 * width * spec.intermediate_size
    return [
        _Products.of(2 * tokens * dense * spec.num_layers),
        # Types of tokens are looked up by a product; they themselves are data.
        _Products.of(2 * tokens * spec.type_vocab_size * width, operands=1),
    ]


def _head(spec: ReviewIntentSpec, work: Work) -> list[_Products]:
    """Of the head of sentiment, if there is one."""
    if not spec.classes:
        return []
    sizes = [spec.summary_features, spec.classes]
    if spec.head_features:
        sizes.insert(1, spec.head_features)
    pairs = itertools.pairwise(sizes)
    return [_Products.of(2 * work.slots * before * after) for before, after in pairs]


def _words(spec: WordsSpec, work: Work) -> list[_Products]:
    """Of the reader; words stand where tokens do, though there are fewer of them."""
    return _reader(spec.reader, spec.features, work)


def _reader(spec: ReaderSpec, width: int, work: Work) -> list[_Products]:
    """Of a reader over steps of ``width`` features that are learned.

    First tokens of chunks count as one a slot, which they are where no review is long.
    """
    chunk = spec.reads is Reads.CLS
    steps = work.slots if chunk else work.tokens
    if spec.kind is ReaderKind.MEAN:
        # Those of one slot are added up; of many, by a product with what is no weight.
        return [] if chunk else [_Products.of(2 * work.slot_steps * width, 1)]
    found, sizes = [], spec.kernel_sizes
    if spec.kind is ReaderKind.CNN:
        wide = max(sizes) * width > sum(sizes) * spec.features
        taps = sum(sizes) if wide else max(sizes) * len(sizes)
        return [_Products.of(2 * steps * width * taps * spec.features)]
    for _ in range(spec.layers):
        if spec.kind is ReaderKind.TCN:
            found += _dilated(width, spec, steps)
            width = spec.features
            continue
        gates = 4 if spec.kind is ReaderKind.LSTM else 3
        directions = 2 if spec.bidirectional else 1
        scan = _recurrent(width, spec.features, gates, steps)
        found += [scan] * directions
        width = spec.features * directions
    return found


def _dilated(width: int, spec: ReaderSpec, steps: int) -> list[_Products]:
    """Of a block of a TCN: two convolutions, and what brings its input to its width."""
    features, (size,) = spec.features, spec.kernel_sizes
    inputs = [width, features] + [width] * (width != features)
    taps = [size, size, 1]
    return [
        _Products.of(2 * steps * each * count * features)
        for each, count in zip(inputs, taps, strict=False)
    ]


def _lstnet(
    spec: LSTNetSpec, width: int, work: Work, *, learned: bool
) -> list[_Products]:
    """Of an LSTNet over steps of ``width`` features, learned ones or data."""
    found = [_convolution(spec, width, work.tokens, learned)]
    features = spec.channels * len(spec.kernel_sizes)
    gates = 4 if spec.fusion is Fusion.TREND else 3
    for _ in range(spec.recurrent_layers):
        found.append(_recurrent(features, spec.recurrent_features, gates, work.tokens))
        features = spec.recurrent_features
    found += _fusion(spec, work)
    if spec.highway_window:
        found.append(_Products.of(2 * work.highway_steps * width, 1 + learned))
        if width != spec.summary_features:
            mapped = 2 * work.slots * width * spec.summary_features
            found.append(_Products.of(mapped))
    return found


def _convolution(spec: LSTNetSpec, width: int, steps: int, learned: bool) -> _Products:
    """Of all taps; inputs that are narrow are read by every kernel at full length."""
    sizes = spec.kernel_sizes
    wide = max(sizes) * width > sum(sizes) * spec.channels
    taps = sum(sizes) if wide else max(sizes) * len(sizes)
    return _Products.of(2 * steps * width * taps * spec.channels, 1 + learned)


def _recurrent(width: int, features: int, gates: int, steps: int) -> _Products:
    """Of one recurrent layer: inputs of all steps at once, then states in a scan."""
    return _Products.of(2 * steps * (width + features) * features * gates)


def _fusion(spec: LSTNetSpec, work: Work) -> list[_Products]:
    features, answer = spec.recurrent_features, spec.summary_features
    channels = spec.channels * len(spec.kernel_sizes)
    dense = 2 * work.slots * answer
    if spec.fusion is Fusion.ATTENTION:
        looked = _Products.of(4 * work.slot_steps * features)
        return [looked, _Products.of(dense * 2 * features)]
    if spec.fusion is Fusion.TREND:
        return [_Products.of(dense * (channels + channels + features + answer))]
    found = [_Products.of(dense * (features + spec.skip_period * spec.skip_features))]
    if spec.skip_period:
        found.append(_recurrent(channels, spec.skip_features, 3, work.tokens))
    return found


def _history(spec: HistorySpec, model: ReviewIntentSpec, work: Work) -> list[_Products]:
    """Of windows of ``work.window`` reviews, one for every slot."""
    summary, classes = model.summary_features, 2 * work.slots * spec.classes
    kept = spec.step_features if spec.step_features >= 0 else summary
    width = kept + model.classes + spec.covariates
    steps = work.slots * work.window
    window = Work(steps, 0, work.slots, steps, steps, 0)
    found = _lstnet(spec.lstnet, width, window, learned=kept > 0)
    if spec.step_features > 0:
        found.append(_Products.of(2 * work.slots * summary * kept))
    found.append(_Products.of(classes * spec.lstnet.summary_features))
    # The head of the text alone sends no gradient back.
    found.append(_Products.of(classes * summary, operands=1))
    return found


def count_window_flops(
    spec: ForecasterSpec | HeadingSpec, windows: int, steps: int
) -> Flops:
    """Operations of a model of windows of numbers, of ``steps`` steps each.

    By part: ``lstnet`` and, where directions are asked about, ``directions``.
    """
    heading = spec if isinstance(spec, HeadingSpec) else None
    lstnet = (heading.forecaster if heading else spec).lstnet  # type: ignore[union-attr]
    series, total = lstnet.summary_features, windows * steps
    work = Work(total, 0, windows, total, total, 0)
    parts = {"lstnet": _lstnet(lstnet, series, work, learned=False)}
    if heading is not None:
        seen = lstnet.recurrent_features + 2 * series
        asked = 2 * windows * series * seen * DIRECTION_CLASSES
        parts["directions"] = [_Products.of(asked)]
    return _flops_of(parts)


def _flops_of(parts: dict[str, list[_Products]]) -> Flops:
    return Flops(
        {part: sum(each.forward for each in found) for part, found in parts.items()},
        {part: sum(each.backward for each in found) for part, found in parts.items()},
    )
