"""BERT-LSTNet-Softmax and its kin: packed pages of reviews -> sentiment and intention.

In: :class:`~reviewintent_jax.schema.PageBatch`. Out: :class:`~reviewintent_jax.schema.
ModelOutput`. The encoder reads every token once; a reader (LSTNet, or in its place a
bidirectional LSTM, ...) reads the token states of each slot as one series, the chunks
of a long review included; a softmax head answers. Word vectors with a reader of their
own may stand beside the encoder, or in its place. Where intention is asked about, a
second LSTNet reads the summaries of the last reviews of a subject as one series, and a
second head answers.
"""

import dataclasses
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from reviewintent_jax.models.encoder import Encoder, EncoderFamily, EncoderSpec
from reviewintent_jax.models.first_weights import FirstParameters
from reviewintent_jax.models.heads import SoftmaxHead
from reviewintent_jax.models.history import History, HistorySpec
from reviewintent_jax.models.lstnet import LSTNet
from reviewintent_jax.models.lstnet_spec import LSTNetSpec
from reviewintent_jax.models.reader_spec import ReaderSpec
from reviewintent_jax.models.readers import Reader
from reviewintent_jax.models.word_reader import WordReader, WordsSpec
from reviewintent_jax.schema import InputError, ModelOutput, PageBatch

_FAMILIES = {
    EncoderFamily.BERT: "BERT",
    EncoderFamily.ROBERTA: "RoBERTa",
    EncoderFamily.XLM_ROBERTA: "XLM-R",
    EncoderFamily.DISTILBERT: "DistilBERT",
}
"""What people call the families of encoders."""


@dataclasses.dataclass(frozen=True)
class ReviewIntentSpec:
    """What a model of reviews is made of.

    Attributes:
      encoder: sizes and family of the encoder; None = word vectors in its place.
      reader: what reads the encoder's states, an LSTNet for BERT-LSTNet-Softmax; unused
        without an encoder.
      classes: number of sentiment classes, 2 or more; 0 = intention alone, which needs
        a history.
      head_dropout: probability of dropping a summary feature, in [0, 1).
      block_tokens: tokens of a page that attention looks at together; no chunk of a
        review crosses the border of such a block.
      history: what reads runs of reviews; None = sentiment only.
      words: word vectors, whose summary is put after that of the encoder; None = none.
      head_features: of a dense layer with ReLU between summaries and softmax; 0 = none.
      whole: no review is longer than a chunk, so none crosses the border of a block;
        LSTNet's recurrent layers then read the blocks of a page side by side, which
        changes speed only.
    """

    encoder: EncoderSpec | None
    reader: LSTNetSpec | ReaderSpec
    classes: int
    head_dropout: float
    block_tokens: int
    history: HistorySpec | None
    words: WordsSpec | None = None
    head_features: int = 0
    whole: bool = False

    def __post_init__(self) -> None:
        """Refuse a model that reads or answers nothing."""
        if not self.classes and self.history is None:
            raise InputError("There is neither sentiment nor intention to learn.")
        if self.encoder is None and self.words is None:
            raise InputError(
                "There is neither an encoder nor are there word vectors.",
                where="fields encoder.weights, words.vectors",
                fix="Set --config.words.vectors=trained, or --config.encoder.weights="
                "pretrained.",
            )

    @property
    def dtype(self) -> jnp.dtype:
        """Type of activations."""
        read = self.encoder or self.words
        assert read is not None
        return jnp.dtype(read.dtype.value)

    @property
    def title(self) -> str:
        """What people call it.

        Examples: ``BERT-LSTNet-Softmax``, ``BERT-BiLSTM-Softmax``, ``BERT-[CLS]-Softmax
        + LSTM over word vectors``.
        """
        parts = []
        if self.encoder is not None:
            lstnet = isinstance(self.reader, LSTNetSpec)
            reader = "LSTNet" if lstnet else self.reader.title  # pyright: ignore
            parts.append(f"{_FAMILIES[self.encoder.family]}-{reader}-Softmax")
        if self.words is not None:
            parts.append(f"{self.words.reader.title} over word vectors")
        return " + ".join(parts)

    @property
    def summary_features(self) -> int:
        """Size m of the summary of a review: the encoder's part, then the words'."""
        found = 0 if self.words is None else self.words.summary_features
        if self.encoder is None:
            return found
        if isinstance(self.reader, LSTNetSpec):
            return found + self.reader.summary_features
        return found + self.reader.summary_features(self.encoder.hidden_size)


class ReviewIntent(nn.Module):
    """Encoder, reader and softmax head in one; parameters ``encoder`` and ``lstnet``
    (or ``reader`` where that is no LSTNet), ``words``, ``sentiment`` and ``history``,
    each where the model has it.
    """

    spec: ReviewIntentSpec

    def setup(self) -> None:
        """Names the parts; the names are the top level of the parameter tree."""
        spec, dtype = self.spec, self.spec.dtype
        if spec.encoder is not None:
            self.encoder = Encoder(spec.encoder, spec.block_tokens)
            if isinstance(spec.reader, LSTNetSpec):
                block = spec.block_tokens if spec.whole else 0
                self.lstnet = LSTNet(spec.reader, dtype=dtype, block=block)
            else:
                self.reader = Reader(spec.reader, spec.block_tokens, dtype=dtype)
        if spec.words is not None:
            self.words = WordReader(spec.words)
        if spec.classes:
            self.sentiment = SoftmaxHead(
                spec.classes, spec.head_dropout, dtype, spec.head_features
            )
        if spec.history is not None:
            self.history = History(spec.history, dtype=dtype)

    def __call__(self, batch: PageBatch, *, deterministic: bool) -> ModelOutput:
        """Scores every slot of every page.

        Args:
          batch: pages; only tokens, segments, positions and slots are read, and words,
            windows and covariates of histories where the model has a use for them.
          deterministic: True turns dropout off; otherwise the ``dropout`` key is used.
        """
        hidden_btd, summaries = None, []
        if self.spec.encoder is not None:
            hidden_btd, summary_bkm = self._read_tokens(batch, deterministic)
            summaries.append(summary_bkm)
        if self.spec.words is not None:
            summaries.append(self._read_words(batch, deterministic))
        review_bkm = jnp.concatenate(summaries, axis=-1)
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

    def _read_tokens(
        self, batch: PageBatch, deterministic: bool
    ) -> tuple[jax.Array, jax.Array]:
        """Return the states of all tokens, and the summary of every slot."""
        tokens_bt = jnp.asarray(batch.token_ids_bt)
        segments_bt = jnp.asarray(batch.segment_ids_bt)
        positions_bt = jnp.asarray(batch.position_ids_bt)
        slots = jnp.asarray(batch.slot_start_bk), jnp.asarray(batch.slot_length_bk)
        hidden_btd = self.encoder(
            tokens_bt, segments_bt, positions_bt, deterministic=deterministic
        ).hidden_btd
        if isinstance(self.spec.reader, LSTNetSpec):
            read = self.lstnet(hidden_btd, *slots, deterministic=deterministic)
            return hidden_btd, read.summary_bkm
        return hidden_btd, self.reader(hidden_btd, *slots, deterministic=deterministic)

    def _read_words(self, batch: PageBatch, deterministic: bool) -> jax.Array:
        """Return the summary of the words of every slot."""
        if batch.words is None:
            raise ValueError("the model reads words, but the batch has none")
        return self.words(
            jnp.asarray(batch.words.word_ids_bt),
            jnp.asarray(batch.slot_start_bk),
            jnp.asarray(batch.words.word_length_bk),
            deterministic=deterministic,
        )


def without_history(model: ReviewIntent) -> ReviewIntent:
    """The part of a model that reads single reviews; it takes the same parameters."""
    return ReviewIntent(dataclasses.replace(model.spec, history=None))


def init_params(
    model: ReviewIntent, batch: PageBatch, *, seed: int, encoder: Any | None
) -> dict[str, Any]:
    """Parameters before training, at once; see :func:`first_params`."""
    return first_params(model, batch, seed=seed, encoder=encoder).draw()


def first_params(
    model: ReviewIntent,
    batch: PageBatch,
    *,
    seed: int,
    encoder: Any | None,
    vectors: np.ndarray | None = None,
    more: Mapping[str, Any] = MappingProxyType({}),
) -> FirstParameters:
    """Parameters before training: ``encoder`` as given, the rest drawn from ``seed``.

    Args:
      model: the model.
      batch: any batch of the right layout; one page is enough.
      seed: of the random parts.
      encoder: parameter tree of the encoder, or None to draw that as well (a model that
        never saw text: for tests and ablations).
      vectors: float32 ``[v, d]`` of words, NaN where they are drawn; None = all are.
      more: given parameters of other parts.
    """

    def draw(key: jax.Array) -> dict[str, Any]:
        params = model.init(key, batch, deterministic=True)["params"]
        # What is not returned is not computed: no time is spent on a random encoder.
        return {k: v for k, v in params.items() if encoder is None or k != "encoder"}

    def finish(drawn: dict[str, Any]) -> dict[str, Any]:
        if vectors is not None:
            table = drawn["words"]["table"]["embedding"]
            drawn["words"]["table"]["embedding"] = jnp.where(
                jnp.isnan(vectors), table, vectors
            )
        given = {} if encoder is None else {"encoder": encoder}
        return {**given, **drawn, **more}

    return FirstParameters(draw, seed, finish)
