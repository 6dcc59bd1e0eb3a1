"""What an LSTNet is made of, as data."""

import dataclasses
import enum

from reviewintent_jax.models.recurrent import Candidate, GateFusion
from reviewintent_jax.schema import InputError


class Padding(enum.StrEnum):
    """What the convolution does where its kernel reaches before the slot's start."""

    CAUSAL = "causal"  # missing steps are zero: as many outputs as inputs
    VALID = "valid"  # no output there (the reference code): the first k - 1 are lost


class Fusion(enum.StrEnum):
    """How the recurrent states of a slot become its summary."""

    SKIP = "skip"  # dense over the last GRU state and the last p skip states
    ATTENTION = "attention"  # dense over the last GRU state and attention over them all
    TREND = "trend"  # a trend times an attention gate (BERT-LSTNet's equations 8-13)


@dataclasses.dataclass(frozen=True)
class LSTNetSpec:
    """What an LSTNet is made of.

    Attributes:
      kernel_sizes: steps each convolution sees, distinct, 1 or more each.
      channels: convolution channels for each kernel size, 1 or more; concatenated.
      padding: causal, or valid as in the reference code. Valid drops the first
        ``k - 1`` steps of every slot, where k is the largest kernel size, and the
        skip-GRU then reads only the last ``floor((length - k) / skip_period)`` whole
        periods, as the reference code does.
      recurrent_features: size of the recurrent state, 1 or more.
      recurrent_layers: recurrent layers, 1 to 3.
      candidate: activation of the GRU's candidate, also in the skip-GRU; the LSTM that
        fusion ``trend`` has in the GRU's place uses tanh, as published.
      skip_period: steps between linked states of the skip-GRU; 0 leaves it out. Only
        fusion ``skip`` has a skip-GRU; the others do without, whatever stands here.
      skip_features: size of the skip-GRU's state; 1 or more if there is one.
      fusion: how states become a summary.
      highway_window: last steps the linear autoregression reads; 0 leaves it out.
      summary_features: size m of a slot's summary, 1 or more.
      dropout: probability of dropping a feature in training, in [0, 1); applied, as in
        the reference code, to the convolution and to the states that are fused.
      gate_fusion: how the recurrent products are computed; changes speed only.
      unroll: scan steps per compiled loop iteration, 1 or more; changes speed only.
    """

    kernel_sizes: tuple[int, ...]
    channels: int
    padding: Padding
    recurrent_features: int
    recurrent_layers: int
    candidate: Candidate
    skip_period: int
    skip_features: int
    fusion: Fusion
    highway_window: int
    summary_features: int
    dropout: float
    gate_fusion: GateFusion
    unroll: int

    def __post_init__(self) -> None:
        """Refuse sizes that make no model."""
        sizes = self.kernel_sizes
        skip_floor = 1 if self.skip_period else 0
        rules = {
            "kernel_sizes": (
                bool(sizes) and min(sizes) >= 1 and len(set(sizes)) == len(sizes),
                "one or more different sizes, each 1 or more",
            ),
            "channels": (self.channels >= 1, "1 or more"),
            "recurrent_features": (self.recurrent_features >= 1, "1 or more"),
            "recurrent_layers": (1 <= self.recurrent_layers <= 3, "1, 2 or 3"),
            "skip_period": (self.skip_period >= 0, "0 (none) or more"),
            "skip_features": (
                self.skip_features >= skip_floor,
                "1 or more when there is a skip_period",
            ),
            "highway_window": (self.highway_window >= 0, "0 (none) or more"),
            "summary_features": (self.summary_features >= 1, "1 or more"),
            "dropout": (0.0 <= self.dropout < 1.0, "in [0, 1)"),
            "unroll": (self.unroll >= 1, "1 or more"),
        }
        for field, (holds, want) in rules.items():
            if not holds:
                raise InputError(
                    f"LSTNet cannot be built with {field} = {getattr(self, field)!r}",
                    where=f"lstnet.{field}",
                    fix=f"It must be {want}.",
                )
