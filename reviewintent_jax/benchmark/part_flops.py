"""Operations of the matrix products of the parts that models are made of.

In: the spec of a part and how much it reads (:class:`Work`). Out: :class:`Products`,
forward and backward. :mod:`~reviewintent_jax.benchmark.flops` adds them up. Names are
those of the modules under ``models/``.
"""

import dataclasses
import itertools
from typing import NamedTuple

from reviewintent_jax.models.encoder_spec import EncoderSpec
from reviewintent_jax.models.lstnet_spec import Fusion, LSTNetSpec
from reviewintent_jax.models.reader_spec import ReaderKind, ReaderSpec, Reads


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


class Products(NamedTuple):
    """Operations of some products, and of those of their gradients."""

    forward: int
    backward: int

    @classmethod
    def of(cls, forward: int, operands: int = 2) -> "Products":
        """A product of which so many operands have a gradient: each takes one more."""
        return cls(forward, operands * forward)


def flops_of(parts: dict[str, list[Products]]) -> Flops:
    """The sums of the products of each part."""
    return Flops(
        {part: sum(each.forward for each in found) for part, found in parts.items()},
        {part: sum(each.backward for each in found) for part, found in parts.items()},
    )


def dense_products(rows: int, *widths: int) -> list[Products]:
    """Of dense layers one after another, between the widths in turn."""
    return [
        Products.of(2 * rows * before * after)
        for before, after in itertools.pairwise(widths)
    ]


def encoder_products(spec: EncoderSpec, work: Work) -> dict[str, list[Products]]:
    """Of an encoder, by part: ``encoder`` (its dense layers) and ``attention``."""
    width, layers = spec.hidden_size, spec.num_layers
    dense = 4 * width * width + 2 * width * spec.intermediate_size
    return {
        "encoder": [
            Products.of(2 * work.tokens * dense * layers),
            # Types of tokens are looked up by a product; they themselves are data.
            Products.of(2 * work.tokens * spec.type_vocab_size * width, operands=1),
        ],
        "attention": [Products.of(4 * work.attended * width * layers)],
    }


def reader_products(spec: ReaderSpec, width: int, work: Work) -> list[Products]:
    """Of a reader over steps of ``width`` features that are learned.

    First tokens of chunks count as one a slot, which they are where no review is long.
    """
    chunk = spec.reads is Reads.CLS
    steps = work.slots if chunk else work.tokens
    if spec.kind is ReaderKind.MEAN:
        # Those of one slot are added up; of many, by a product with what is no weight.
        return [] if chunk else [Products.of(2 * work.slot_steps * width, 1)]
    found, sizes = [], spec.kernel_sizes
    if spec.kind is ReaderKind.CNN:
        wide = max(sizes) * width > sum(sizes) * spec.features
        taps = sum(sizes) if wide else max(sizes) * len(sizes)
        return [Products.of(2 * steps * width * taps * spec.features)]
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


def _dilated(width: int, spec: ReaderSpec, steps: int) -> list[Products]:
    """Of a block of a TCN: two convolutions, and what brings its input to its width."""
    features, (size,) = spec.features, spec.kernel_sizes
    inputs = [width, features] + [width] * (width != features)
    taps = [size, size, 1]
    return [
        Products.of(2 * steps * each * count * features)
        for each, count in zip(inputs, taps, strict=False)
    ]


def lstnet_products(
    spec: LSTNetSpec, width: int, work: Work, *, learned: bool
) -> list[Products]:
    """Of an LSTNet over steps of ``width`` features, learned ones or data."""
    found = [_convolution(spec, width, work.tokens, learned)]
    features = spec.channels * len(spec.kernel_sizes)
    gates = 4 if spec.fusion is Fusion.TREND else 3
    for _ in range(spec.recurrent_layers):
        found.append(_recurrent(features, spec.recurrent_features, gates, work.tokens))
        features = spec.recurrent_features
    found += _fusion(spec, work)
    if spec.highway_window:
        found.append(Products.of(2 * work.highway_steps * width, 1 + learned))
        if width != spec.summary_features:
            mapped = 2 * work.slots * width * spec.summary_features
            found.append(Products.of(mapped))
    return found


def _convolution(spec: LSTNetSpec, width: int, steps: int, learned: bool) -> Products:
    """Of all taps; inputs that are narrow are read by every kernel at full length."""
    sizes = spec.kernel_sizes
    wide = max(sizes) * width > sum(sizes) * spec.channels
    taps = sum(sizes) if wide else max(sizes) * len(sizes)
    return Products.of(2 * steps * width * taps * spec.channels, 1 + learned)


def _recurrent(width: int, features: int, gates: int, steps: int) -> Products:
    """Of one recurrent layer: inputs of all steps at once, then states in a scan."""
    return Products.of(2 * steps * (width + features) * features * gates)


def _fusion(spec: LSTNetSpec, work: Work) -> list[Products]:
    features, answer = spec.recurrent_features, spec.summary_features
    channels = spec.channels * len(spec.kernel_sizes)
    dense = 2 * work.slots * answer
    if spec.fusion is Fusion.ATTENTION:
        looked = Products.of(4 * work.slot_steps * features)
        return [looked, Products.of(dense * 2 * features)]
    if spec.fusion is Fusion.TREND:
        return [Products.of(dense * (channels + channels + features + answer))]
    found = [Products.of(dense * (features + spec.skip_period * spec.skip_features))]
    if spec.skip_period:
        found.append(_recurrent(channels, spec.skip_features, 3, work.tokens))
    return found
