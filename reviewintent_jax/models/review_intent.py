"""BERT-LSTNet-Softmax: packed pages of reviews -> sentiment and intention.

In: :class:`~reviewintent_jax.schema.PageBatch`. Out: :class:`~reviewintent_jax.schema.
ModelOutput`. The encoder reads every token once; LSTNet reads the token states of each
slot as one series, the chunks of a long review included; a softmax head answers. Where
intention is asked about, a second LSTNet reads the summaries of the last reviews of a
subject as one series, and a second head answers.
"""

import dataclasses
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from reviewintent_jax.models.encoder import Encoder, EncoderSpec
from reviewintent_jax.models.heads import SoftmaxHead
from reviewintent_jax.models.history import History, HistorySpec
from reviewintent_jax.models.lstnet import LSTNet
from reviewintent_jax.models.lstnet_spec import LSTNetSpec
from reviewintent_jax.schema import InputError, ModelOutput, PageBatch


@dataclasses.dataclass(frozen=True)
class ReviewIntentSpec:
    """What a BERT-LSTNet-Softmax is made of.

    Attributes:
      encoder: sizes and family of the encoder.
      lstnet: the text LSTNet.
      classes: number of sentiment classes, 2 or more; 0 = intention alone, which needs
        a history.
      head_dropout: probability of dropping a summary feature, in [0, 1).
      block_tokens: tokens of a page that attention looks at together; no chunk of a
        review crosses the border of such a block.
      history: what reads runs of reviews; None = sentiment only.
    """

    encoder: EncoderSpec
    lstnet: LSTNetSpec
    classes: int
    head_dropout: float
    block_tokens: int
    history: HistorySpec | None

    def __post_init__(self) -> None:
        """Refuse a model that answers nothing."""
        if not self.classes and self.history is None:
            raise InputError("There is neither sentiment nor intention to learn.")


class ReviewIntent(nn.Module):
    """Encoder, text LSTNet and softmax head in one; parameters ``encoder``, ``lstnet``
    and ``sentiment`` (unless intention alone is asked about), and ``history`` where
    intention is asked about.
    """

    spec: ReviewIntentSpec

    def setup(self) -> None:
        """Names the parts; the names are the top level of the parameter tree."""
        dtype = jnp.dtype(self.spec.encoder.dtype.value)
        self.encoder = Encoder(self.spec.encoder, self.spec.block_tokens)
        self.lstnet = LSTNet(self.spec.lstnet, dtype=dtype)
        if self.spec.classes:
            self.sentiment = SoftmaxHead(
                self.spec.classes, self.spec.head_dropout, dtype=dtype
            )
        if self.spec.history is not None:
            self.history = History(self.spec.history, dtype=dtype)

    def __call__(self, batch: PageBatch, *, deterministic: bool) -> ModelOutput:
        """Scores every slot of every page.

        Args:
          batch: pages; only tokens, segments, positions and slots are read, and
            windows and covariates of histories where the model has a use for them.
          deterministic: True turns dropout off; otherwise the ``dropout`` key is used.
        """
        tokens_bt = jnp.asarray(batch.token_ids_bt)
        segments_bt = jnp.asarray(batch.segment_ids_bt)
        positions_bt = jnp.asarray(batch.position_ids_bt)
        slots = jnp.asarray(batch.slot_start_bk), jnp.asarray(batch.slot_length_bk)
        hidden_btd = self.encoder(
            tokens_bt, segments_bt, positions_bt, deterministic=deterministic
        ).hidden_btd
        review_bkm = self.lstnet(
            hidden_btd, *slots, deterministic=deterministic
        ).summary_bkm
        logits_bky = None
        if self.spec.classes:
            logits_bky = self.sentiment(review_bkm, deterministic=deterministic)
        output = ModelOutput(hidden_btd, review_bkm, logits_bky)
        if self.spec.history is None:
            return output
        if batch.history is None:
            raise ValueError("the model reads histories, but the batch has none")
        said = self.history(
            review_bkm,
            logits_bky,
            jnp.asarray(batch.history.covariate_bkx),
            jnp.asarray(batch.history.window_slots_bkw),
            deterministic=deterministic,
        )
        return output._replace(**said._asdict())


def without_history(model: ReviewIntent) -> ReviewIntent:
    """The part of a model that reads single reviews; it takes the same parameters."""
    return ReviewIntent(dataclasses.replace(model.spec, history=None))


def init_params(
    model: ReviewIntent, batch: PageBatch, *, seed: int, encoder: Any | None
) -> dict[str, Any]:
    """Parameters before training: ``encoder`` as given, the rest drawn from ``seed``.

    Args:
      model: the model.
      batch: any batch of the right layout; one page is enough.
      seed: of the random parts.
      encoder: parameter tree of the encoder, or None to draw that as well (a model that
        never saw text: for tests and ablations).
    """

    def draw(key: jax.Array) -> dict[str, Any]:
        params = model.init(key, batch, deterministic=True)["params"]
        # What is not returned is not computed: no time is spent on a random encoder.
        return {k: v for k, v in params.items() if encoder is None or k != "encoder"}

    drawn = jax.jit(draw)(jax.random.key(seed))
    return dict(drawn) if encoder is None else {"encoder": encoder, **drawn}
