"""Word vectors and what reads them: ids of words -> one summary a slot.

Beside an encoder, whose states change with what stands around a token, or in its place:
a word has one vector, wherever it stands.
"""

import dataclasses

import flax.linen as nn
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from reviewintent_jax.models.encoder_spec import ComputeDtype
from reviewintent_jax.models.reader_spec import ReaderSpec, Reads
from reviewintent_jax.models.readers import Reader
from reviewintent_jax.schema import InputError

INITIAL_STD = 0.1
"""Standard deviation of vectors that no file gives."""


@dataclasses.dataclass(frozen=True)
class WordsSpec:
    """Word vectors and what reads them.

    Attributes:
      vocabulary: words v, that of all unknown ones (id 0) included; 2 or more.
      features: size d of a vector, 1 or more.
      reader: what reads the vectors of a slot.
      dtype: of activations.
    """

    vocabulary: int
    features: int
    reader: ReaderSpec
    dtype: ComputeDtype

    def __post_init__(self) -> None:
        """Refuse what cannot be built."""
        if self.vocabulary < 2 or self.features < 1:
            raise InputError(
                f"There are {self.vocabulary} words of {self.features} features.",
                fix="There must be a word beside the unknown one, and a feature.",
            )
        if self.reader.reads is not Reads.TOKENS:
            raise InputError(
                "Words have no first token to be read alone.",
                where="field words.reader.reads",
                fix="Set --config.words.reader.reads=tokens.",
            )

    @property
    def summary_features(self) -> int:
        """Size m of the summary."""
        return self.reader.summary_features(self.features)


class WordReader(nn.Module):
    """Vectors, then a reader; parameters ``table`` and ``reader``."""

    spec: WordsSpec

    @nn.compact
    def __call__(
        self,
        word_ids_bt: Int[Array, "*b t"],
        slot_start_bk: Int[Array, "*b k"],
        word_length_bk: Int[Array, "*b k"],
        *,
        deterministic: bool,
    ) -> Float[Array, "*b k m"]:
        """Summarise the words of every slot; see :class:`~reviewintent_jax.schema.
        WordBatch`.
        """
        spec = self.spec
        table = nn.Embed(
            spec.vocabulary,
            spec.features,
            embedding_init=nn.initializers.normal(INITIAL_STD),
            name="table",
        )
        words_btd = table(jnp.maximum(word_ids_bt, 0))
        steps = word_ids_bt.shape[-1]  # no chunks: words are one series
        read = Reader(spec.reader, steps, dtype=spec.dtype.value, name="reader")
        slots = slot_start_bk, word_length_bk
        return read(words_btd, *slots, deterministic=deterministic)
