"""Answers from summaries: ``summary_bkm`` -> ``logits_bky``."""

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
