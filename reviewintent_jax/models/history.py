"""Windows of reviews -> what follows them: ``review_bkm`` -> ``intent_bky``.

Stage: after the text LSTNet. In: the summary of every review of a page, each computed
once, what else is known of it, and which slots each window reads. Out: a summary of
every window and the logits of the intention after it. The gather stays inside the page,
so sharding the leading axis needs no communication.
"""

import dataclasses
from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from reviewintent_jax.models.heads import SoftmaxHead
from reviewintent_jax.models.lstnet import LSTNet
from reviewintent_jax.models.lstnet_spec import LSTNetSpec
from reviewintent_jax.schema import InputError


@dataclasses.dataclass(frozen=True)
class HistorySpec:
    """What reads a run of reviews.

    Attributes:
      lstnet: the history LSTNet; its steps are reviews.
      step_features: features that a linear map keeps of each review's summary; 0 =
        none: of a text its sentiment alone is read; -1 = all of it, as it is.
      covariates: number x of covariates of a review, 0 or more.
      classes: number of intention classes, 2 or more.
      head_dropout: probability of dropping a summary feature, in [0, 1).
    """

    lstnet: LSTNetSpec
    step_features: int
    covariates: int
    classes: int
    head_dropout: float

    def __post_init__(self) -> None:
        """Refuse sizes that make no model."""
        if self.covariates < 0:
            raise InputError("The number of covariates must not be negative.")
        if self.step_features < -1:
            raise InputError(
                f"step_features is {self.step_features}; it must be -1 (all), 0 (none) "
                "or more."
            )
        if self.classes < 2:
            raise InputError(
                f"Intention has {self.classes} class(es); there must be 2 or more."
            )


class HistoryOutput(NamedTuple):
    """What a run of reviews says.

    Attributes:
      window_bkm: float32 summary of every window; 0 where there is none.
      intent_bky: float32 logits of the intention after it.
      text_intent_bky: float32 logits from the anchor's summary alone.
    """

    window_bkm: Array
    intent_bky: Array
    text_intent_bky: Array


def gather_windows(
    step_bkx: Float[Array, "*b k x"], window_slots_bkw: Int[Array, "*b k w"]
) -> Float[Array, "*b k w x"]:
    """The steps of every window, from the slots of its own page; missing ones are 0.

    Example: slots hold [a b c]; windows [[-1, 0], [0, 1], [1, 2]] ->
    [[0 a], [a b], [b c]].
    """
    flat = jnp.maximum(window_slots_bkw, 0)
    flat = flat.reshape(*flat.shape[:-2], -1, 1)
    taken = jnp.take_along_axis(step_bkx, flat, axis=-2)
    taken = taken.reshape(*window_slots_bkw.shape, step_bkx.shape[-1])
    return jnp.where((window_slots_bkw >= 0)[..., None], taken, 0.0)


class History(nn.Module):
    """History LSTNet and its head; parameters ``step`` (where ``step_features`` is 1
    or more), ``lstnet``, ``intention`` and ``text_intention``.

    A step is what is known of one review::

        [step_features of its summary | log-probabilities of its sentiment, less their
         mean | covariates]

    Histories are few beside reviews, and a window holds seven of them: read whole, the
    summaries are a thousand numbers for every answer, and the history LSTNet learns
    them by heart. What the sentiment head has learned of them from every review is one
    number or two. No gradient goes back through it: sentiment is what its own labels
    make it.

    Each window is one slot of an LSTNet of its own, right-aligned, so that a short
    history is a short series and not a padded one. Beside it stands a head that reads
    the anchor's text alone: what it misses is what the history adds. No gradient goes
    back from it, so it moves nothing but itself.

    Attributes:
      spec: what it is made of.
      dtype: of activations; parameters and answers are float32 always.
    """

    spec: HistorySpec
    dtype: Any = jnp.float32

    @nn.compact
    def __call__(
        self,
        review_bkm: Float[Array, "*b k m"],
        sentiment_bky: Float[Array, "*b k y"] | None,
        covariate_bkx: Float[Array, "*b k x"],
        window_slots_bkw: Int[Array, "*b k w"],
        *,
        deterministic: bool,
    ) -> HistoryOutput:
        """Read every window; see :class:`~reviewintent_jax.schema.HistoryBatch`.

        ``sentiment_bky`` are logits; None where the model has no sentiment.
        """
        spec, head = self.spec, (self.spec.classes, self.spec.head_dropout, self.dtype)
        if covariate_bkx.shape[-1] != spec.covariates:
            raise ValueError(
                f"the model reads {spec.covariates} covariates, the batch has "
                f"{covariate_bkx.shape[-1]}"
            )
        parts = []
        if spec.step_features > 0:
            keep = nn.Dense(spec.step_features, dtype=self.dtype, name="step")
            parts.append(keep(review_bkm).astype(jnp.float32))
        elif spec.step_features < 0:
            parts.append(review_bkm)
        if sentiment_bky is not None:
            log_prob_bky = jax.nn.log_softmax(jax.lax.stop_gradient(sentiment_bky))
            mean_bk1 = log_prob_bky.mean(axis=-1, keepdims=True)
            parts.append(log_prob_bky - mean_bk1)
        step_bkx = jnp.concatenate([*parts, covariate_bkx], axis=-1)
        if not step_bkx.shape[-1]:
            raise InputError(
                "The history model has nothing to read: history.step_features is 0, "
                "and there are neither covariates nor a sentiment. Set one of them."
            )
        steps_bkwx = gather_windows(step_bkx, window_slots_bkw)
        length_bk1 = jnp.sum(window_slots_bkw >= 0, axis=-1, keepdims=True)
        start_bk1 = window_slots_bkw.shape[-1] - length_bk1
        read = LSTNet(spec.lstnet, dtype=self.dtype, name="lstnet")
        summary = read(steps_bkwx, start_bk1, length_bk1, deterministic=deterministic)
        window_bkm = summary.summary_bkm[..., 0, :]
        ask = SoftmaxHead(*head, name="intention")
        ask_text = SoftmaxHead(*head, name="text_intention")
        text_bkm = jax.lax.stop_gradient(review_bkm)
        return HistoryOutput(
            window_bkm=window_bkm,
            intent_bky=ask(window_bkm, deterministic=deterministic),
            text_intent_bky=ask_text(text_bkm, deterministic=deterministic),
        )
