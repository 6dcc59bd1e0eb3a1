"""Answers from summaries: classes, numbers, and the hazards of intervals of time."""

from typing import Any

import flax.linen as nn
import jax.numpy as jnp
from jaxtyping import Array, Float

from reviewintent_jax.models.dropout import Dropout


class SoftmaxHead(nn.Module):
    """Dropout, then one dense layer: the logits that a softmax turns into classes.

    With ``hidden_features``, a dense layer with ReLU comes before them. Parameters:
    ``classify``, and ``hidden`` where there is one.

    Attributes:
      classes: number of classes y, 2 or more.
      dropout: probability of dropping a summary feature in training, in [0, 1).
      dtype: of the matrix product; parameters and logits are float32 always.
      hidden_features: of the dense layer with ReLU; 0 = there is none.
    """

    classes: int
    dropout: float
    dtype: Any = jnp.float32
    hidden_features: int = 0

    @nn.compact
    def __call__(
        self, summary_bkm: Float[Array, "*b k m"], *, deterministic: bool
    ) -> Float[Array, "*b k y"]:
        """Return float32 logits; ``deterministic`` turns dropout off."""
        if self.hidden_features:
            init = nn.initializers.glorot_uniform()
            hidden = nn.Dense(
                self.hidden_features, dtype=self.dtype, kernel_init=init, name="hidden"
            )
            summary_bkm = nn.relu(hidden(summary_bkm))
        dropped = Dropout(self.dropout)(summary_bkm, deterministic=deterministic)
        logits = nn.Dense(
            self.classes,
            dtype=self.dtype,
            kernel_init=nn.initializers.glorot_uniform(),
            name="classify",
        )(dropped)
        return logits.astype(jnp.float32)


class RegressionHead(nn.Module):
    """Dropout, then one dense layer: one number for each summary.

    Attributes:
      dropout: probability of dropping a summary feature in training, in [0, 1).
    """

    dropout: float

    @nn.compact
    def __call__(
        self, summary_bm: Float[Array, "*b m"], *, deterministic: bool
    ) -> Float[Array, "*b"]:
        """Return float32 numbers; ``deterministic`` turns dropout off."""
        dropped = Dropout(self.dropout)(summary_bm, deterministic=deterministic)
        return nn.Dense(1, name="regress")(dropped).astype(jnp.float32)[..., 0]


class HazardHead(nn.Module):
    """Dropout, then one dense layer: the logit of the hazard of each interval.

    The discrete hazard ``h[j] = sigmoid(logit[j])`` is the probability that what has
    not come before interval j comes in it (Gensheimer and Narasimhan 2019). The bias
    begins at ``bias``, so that the first hazards are small.

    Attributes:
      intervals: number of intervals j, 1 or more.
      dropout: probability of dropping a summary feature in training, in [0, 1).
      bias: first logit of every interval.
    """

    intervals: int
    dropout: float
    bias: float = -2.0

    @nn.compact
    def __call__(
        self, summary_bm: Float[Array, "*b m"], *, deterministic: bool
    ) -> Float[Array, "*b j"]:
        """Return float32 logits; ``deterministic`` turns dropout off."""
        dropped = Dropout(self.dropout)(summary_bm, deterministic=deterministic)
        dense = nn.Dense(
            self.intervals,
            bias_init=nn.initializers.constant(self.bias),
            name="hazard",
        )
        return dense(dropped).astype(jnp.float32)
