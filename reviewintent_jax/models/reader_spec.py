"""What reads the states of a slot, beside an LSTNet, as data."""

import dataclasses
import enum

from reviewintent_jax.schema import InputError


class ReaderKind(enum.StrEnum):
    """How the states of a slot become one summary."""

    LSTM = "lstm"  # last states of an LSTM
    GRU = "gru"  # the same of a GRU, candidate tanh
    CNN = "cnn"  # the largest answer of every filter (Kim 2014)
    TCN = "tcn"  # last state of dilated causal convolutions (Bai et al. 2018)
    MEAN = "mean"  # the mean of the states: nothing is learned here


class Reads(enum.StrEnum):
    """Which states of an encoder are read."""

    TOKENS = "tokens"  # all of a review
    CLS = "cls"  # that of the first token of each chunk: one for most reviews


@dataclasses.dataclass(frozen=True)
class ReaderSpec:
    """What reads the states of a slot.

    Attributes:
      kind: how states become a summary.
      reads: which of an encoder's states; words have no first token, so all of theirs.
      features: of a recurrent state in one direction, or filters of each kernel size, 1
        or more; ``mean`` has those that it reads.
      layers: recurrent layers, or blocks of a TCN, 1 or more; others have none.
      bidirectional: LSTM and GRU: a second scan from the end; its last state is the one
        at the first step, and the summary holds both.
      kernel_sizes: steps that a filter of CNN or TCN sees, 1 or more each; a TCN has
        one size.
      dropout: probability of dropping a feature that a layer reads, in [0, 1).
    """

    kind: ReaderKind
    reads: Reads
    features: int
    layers: int
    bidirectional: bool
    kernel_sizes: tuple[int, ...]
    dropout: float

    def __post_init__(self) -> None:
        """Refuse what cannot be built."""
        if min(self.features, self.layers) < 1:
            raise InputError("A reader's features and layers must be 1 or more.")
        if not 0 <= self.dropout < 1:
            raise InputError(f"A reader's dropout is {self.dropout}, not in [0, 1).")
        if self.kind in (ReaderKind.CNN, ReaderKind.TCN):
            self._check_kernels()

    def _check_kernels(self) -> None:
        sizes = self.kernel_sizes
        if not sizes or min(sizes) < 1 or len(set(sizes)) < len(sizes):
            raise InputError(
                f"A reader's kernel_sizes are {sizes}.",
                fix="Give distinct sizes, 1 or more each.",
            )
        if self.kind is ReaderKind.TCN and len(sizes) != 1:
            raise InputError(
                f"A TCN has one kernel size, not {len(sizes)}: {sizes}.",
                fix="Give one, such as kernel_sizes=(3,).",
            )

    @property
    def title(self) -> str:
        """What people call it: ``BiLSTM``, ``TCN``, ``mean``, ``[CLS]``."""
        if self.kind is ReaderKind.MEAN:
            return "[CLS]" if self.reads is Reads.CLS else "mean"
        both = self.bidirectional and self.kind in (ReaderKind.LSTM, ReaderKind.GRU)
        return ("Bi" if both else "") + self.kind.value.upper()

    def summary_features(self, width: int) -> int:
        """Size m of the summary of states that have ``width`` features."""
        if self.kind is ReaderKind.MEAN:
            return width
        if self.kind is ReaderKind.CNN:
            return self.features * len(self.kernel_sizes)
        both = self.bidirectional and self.kind is not ReaderKind.TCN
        return self.features * (2 if both else 1)
