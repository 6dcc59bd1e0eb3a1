"""The optimizer: AdamW with step decay and separate rates for the parts of a model.

In: a spec and a parameter tree whose top level names the parts (``encoder``,
``history`` and the rest). Out: an optax transformation. The published recipe is Adam at
1e-3 multiplied by 0.9 every 1,000 batches; that rate destroys a pre-trained encoder, so
the encoder has its own.
"""

import dataclasses
import math
from collections.abc import Hashable
from typing import Any

import jax
import optax

from reviewintent_jax.schema import InputError

_PARTS = ("encoder", "history")  # with rates of their own


@dataclasses.dataclass(frozen=True)
class OptimizerSpec:
    """AdamW and its schedule.

    Attributes:
      encoder_rate: peak learning rate of the encoder; 0 freezes it.
      head_rate: peak learning rate of everything else.
      history_rate: peak learning rate of what reads histories, of which there are fewer
        than reviews; 0 = as everything else.
      warmup_steps: updates over which both rates rise linearly; 0 = none.
      decay_every_steps: updates after which both rates are multiplied; 0 = never.
      decay_factor: what they are multiplied by, in (0, 1].
      weight_decay: decoupled decay of matrices; biases and norms are never decayed.
      clip_norm: largest global norm of the gradient; 0 = no clipping.
      beta1, beta2, epsilon: of Adam.
    """

    encoder_rate: float
    head_rate: float
    history_rate: float
    warmup_steps: int
    decay_every_steps: int
    decay_factor: float
    weight_decay: float
    clip_norm: float
    beta1: float
    beta2: float
    epsilon: float

    def __post_init__(self) -> None:
        rates = self.encoder_rate, self.head_rate, self.history_rate
        if min(*rates, self.weight_decay) < 0:
            raise InputError("optimizer: rates and weight_decay must not be negative.")
        if not 0 < self.decay_factor <= 1:
            raise InputError(
                f"optimizer.decay_factor must lie in (0, 1], not {self.decay_factor}."
            )
        if min(self.warmup_steps, self.decay_every_steps, self.clip_norm) < 0:
            raise InputError(
                "optimizer: warmup_steps, decay_every_steps and clip_norm must not be"
                " negative."
            )

    def peaks(self) -> dict[str, float]:
        """Peak rate of every part."""
        return {
            "encoder": self.encoder_rate,
            "history": self.history_rate or self.head_rate,
            "head": self.head_rate,
        }


def step_decay(peak: float, spec: OptimizerSpec) -> optax.Schedule:
    """Rate by number of updates done: linear rise, then a staircase.

    Example: peak 1, warm-up 2, times 0.5 every 3 -> .5, 1, 1, .5, .5, .5, .25 (the
    staircase counts all updates, the warm-up included).
    """
    every = spec.decay_every_steps or 1
    factor = spec.decay_factor if spec.decay_every_steps else 1.0
    decayed = optax.exponential_decay(peak, every, factor, staircase=True)
    if not spec.warmup_steps:
        return decayed

    def rate(count: Any) -> Any:
        return decayed(count) * jax.numpy.minimum(1.0, (count + 1) / spec.warmup_steps)

    return rate


def rate_at(peak: float, spec: OptimizerSpec, count: int) -> float:
    """The rate of the update after ``count`` updates, as a plain number."""
    return jax.numpy.asarray(step_decay(peak, spec)(count)).item()


def make_optimizer(spec: OptimizerSpec) -> optax.GradientTransformation:
    """The whole chain: clip, Adam, decay of matrices, a rate for each part."""
    clip = optax.clip_by_global_norm(spec.clip_norm or math.inf)
    rates: dict[Hashable, optax.GradientTransformation] = {
        part: optax.scale_by_learning_rate(step_decay(peak, spec))
        for part, peak in spec.peaks().items()
    }
    return optax.chain(
        clip,
        optax.scale_by_adam(spec.beta1, spec.beta2, spec.epsilon),
        optax.add_decayed_weights(spec.weight_decay, mask=is_decayed),
        optax.partition(rates, part_labels),
    )


def part_labels(params: dict[str, Any]) -> dict[str, Any]:
    """``encoder``, ``history`` or ``head`` for every leaf, by the tree's top level."""

    def labelled(part: str, tree: Any) -> Any:
        label = part if part in _PARTS else "head"
        return jax.tree.map(lambda _: label, tree)

    return {part: labelled(part, tree) for part, tree in params.items()}


def is_decayed(params: dict[str, Any]) -> dict[str, Any]:
    """True for matrices and tables; False for biases, norms and other vectors."""
    return jax.tree.map(lambda leaf: leaf.ndim >= 2, params)
