"""Where a few measures are heading: windows -> their next values and directions.

A :class:`~reviewintent_jax.models.forecaster.Forecaster` reads the window; beside its
forecast stands a softmax for each measure, which reads the same recurrent state, the
last values and the changes that are forecast, and answers whether the measure will
fall, stay or rise.
"""

import dataclasses
from typing import NamedTuple

import flax.linen as nn
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from reviewintent_jax.models.forecaster import (
    Anchor,
    Forecaster,
    ForecasterSpec,
    ForecastOutput,
)
from reviewintent_jax.models.heads import SoftmaxHead

DIRECTION_CLASSES = 3
"""Falling, steady, rising."""


@dataclasses.dataclass(frozen=True)
class HeadingSpec:
    """What answers about directions are made of.

    Attributes:
      forecaster: what reads windows and forecasts the next values; its own anchor is
        ``none``.
      anchors: [s], from where each measure counts.
      head_dropout: probability of dropping a feature before the softmax, in [0, 1).
    """

    forecaster: ForecasterSpec
    anchors: tuple[Anchor, ...]
    head_dropout: float


class HeadingOutput(NamedTuple):
    """Everything that is computed; jit drops what nobody reads.

    Attributes:
      forecast_bs: float32, scaled values after each window.
      direction_bsy: float32 logits of falling, steady and rising.
      forecaster: all of the forecaster, counted from the anchors.
    """

    forecast_bs: Array
    direction_bsy: Array
    forecaster: ForecastOutput


class Heading(nn.Module):
    """Parameters ``forecaster`` and ``direction_0``, ``direction_1``, ..."""

    spec: HeadingSpec

    @nn.compact
    def __call__(
        self,
        value_bts: Float[Array, "b t s"],
        length_b: Int[Array, "b"],
        *,
        deterministic: bool,
    ) -> HeadingOutput:
        """Read every window.

        Args:
          value_bts: scaled values, newest step last.
          length_b: steps that are there, at the end of each window; what stands
            before them is ignored.
          deterministic: True turns dropout off.
        """
        value_bts = jnp.asarray(value_bts)
        last_bs = value_bts[:, -1]
        counts_s = np.array([each is Anchor.LAST for each in self.spec.anchors])
        anchor_bs = jnp.where(counts_s[None], last_bs, 0.0)
        read = Forecaster(self.spec.forecaster, name="forecaster")(
            value_bts - anchor_bs[:, None], length_b, deterministic=deterministic
        )
        forecast_bs = read.forecast_bs + anchor_bs
        change_bs = forecast_bs - last_bs
        state_br = read.lstnet.recurrent_btr[:, -1]
        seen_bm = jnp.concatenate([state_br, last_bs, change_bs], axis=-1)
        seen_bkm = seen_bm[:, None]  # one slot
        logits = [
            SoftmaxHead(
                DIRECTION_CLASSES, self.spec.head_dropout, name=f"direction_{s}"
            )(seen_bkm, deterministic=deterministic)
            for s in range(change_bs.shape[-1])
        ]
        direction_bsy = jnp.concatenate(logits, axis=-2)
        return HeadingOutput(forecast_bs, direction_bsy, read)
