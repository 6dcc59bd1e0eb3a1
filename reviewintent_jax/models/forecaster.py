"""A forecaster: windows of numbers ``value_bts`` -> one future value of each series.

The same LSTNet that reads reviews: a window is a page with one slot, whose time axis
is the window and whose features are the series. Its summary has one feature a series
and is the forecast, as in the authors' code.
"""

import dataclasses
import enum
from typing import NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from reviewintent_jax.models.lstnet import LSTNet, LSTNetOutput
from reviewintent_jax.models.lstnet_spec import Fusion, LSTNetSpec, Padding
from reviewintent_jax.schema import InputError


class OutputActivation(enum.StrEnum):
    """What the summary goes through last."""

    NONE = "none"
    SIGMOID = "sigmoid"  # scaled values in (0, 1) only
    TANH = "tanh"


class Anchor(enum.StrEnum):
    """From where the model counts."""

    NONE = "none"  # the published model
    LAST = "last"  # the window's last value: taken off before, added again after


@dataclasses.dataclass(frozen=True)
class ForecasterSpec:
    """What a forecaster is made of.

    Attributes:
      lstnet: its LSTNet; ``summary_features`` is the number of series s.
      window: steps of a window.
      output: what the summary goes through last; with an anchor: ``none``.
      anchor: from where the model counts. With ``last`` it forecasts the change from
        the last value, so that the level, which drifts, need not be learned.
    """

    lstnet: LSTNetSpec
    window: int
    output: OutputActivation
    anchor: Anchor

    def __post_init__(self) -> None:
        lost = max(self.lstnet.kernel_sizes) - 1
        if self.lstnet.padding is Padding.VALID and self.window <= lost:
            raise InputError(
                f"A window of {self.window} steps is shorter than the kernel of "
                f"{lost + 1}, and nothing of it is left with valid padding.",
                where="fields windows.window, lstnet.kernel_sizes",
                fix="Give a longer window or smaller kernels, or "
                "lstnet.padding=causal.",
            )
        skips = self.lstnet.fusion is Fusion.SKIP and self.lstnet.skip_period
        left = self.window - (lost if self.lstnet.padding is Padding.VALID else 0)
        if skips and left <= self.lstnet.skip_period:
            raise InputError(
                f"A window of {self.window} steps holds no two steps that are "
                f"lstnet.skip_period = {self.lstnet.skip_period} apart.",
                where="fields windows.window, lstnet.skip_period",
                fix="Give a longer window or a shorter period; 0 leaves skips out.",
            )
        if self.anchor is Anchor.LAST and self.output is not OutputActivation.NONE:
            raise InputError(
                f"A change from the last value cannot go through {self.output}.",
                where="fields forecaster.anchor, forecaster.output",
                fix="Set forecaster.output=none or forecaster.anchor=none.",
            )


class ForecastOutput(NamedTuple):
    """Everything a forecaster computes; jit drops what nobody reads.

    Attributes:
      forecast_bs: float32, scaled values ``horizon`` steps after each window.
      lstnet: all of its LSTNet, slots axis k = 1.
    """

    forecast_bs: jax.Array
    lstnet: LSTNetOutput


class Forecaster(nn.Module):
    """LSTNet over windows; parameters ``lstnet``."""

    spec: ForecasterSpec

    @nn.compact
    def __call__(
        self,
        value_bts: Float[Array, "b t s"],
        length_b: Int[Array, "b"] | None = None,
        *,
        deterministic: bool,
    ) -> ForecastOutput:
        """Forecast every window.

        Args:
          value_bts: scaled values, newest step last.
          length_b: steps that are there, at the end of each window, 1 or more; what
            stands before them is ignored. None = all steps.
          deterministic: True turns dropout off.
        """
        value_bts = jnp.asarray(value_bts)
        windows, steps, _ = value_bts.shape
        if length_b is None:
            length_b = jnp.full(windows, steps, jnp.int32)
        last_bs = value_bts[:, -1]
        if self.spec.anchor is Anchor.LAST:
            value_bts = value_bts - last_bs[:, None]
        length_bk = jnp.asarray(length_b)[:, None]
        read = LSTNet(self.spec.lstnet, name="lstnet")(
            value_bts, steps - length_bk, length_bk, deterministic=deterministic
        )
        forecast_bs = read.summary_bkm[:, 0]
        if self.spec.output is OutputActivation.SIGMOID:
            forecast_bs = nn.sigmoid(forecast_bs)
        if self.spec.output is OutputActivation.TANH:
            forecast_bs = jnp.tanh(forecast_bs)
        if self.spec.anchor is Anchor.LAST:
            forecast_bs = forecast_bs + last_bs
        return ForecastOutput(forecast_bs, read)
