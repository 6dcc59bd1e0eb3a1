"""Serves stage 6: texts -> a Unigram tokenizer laid out as that of XLM-R.

In: cleaned texts. Out: a tokenizer of the ``tokenizers`` library, cased, whose special
tokens have the ids that XLM-R gives them::

    <s> 0   <pad> 1   </s> 2   <unk> 3   pieces 4 ...   <mask> last

The model is SentencePiece's Unigram language model (Kudo 2018): pieces may hold
apostrophes and emoji, and the start of a word is marked by ``▁`` alone.
"""

import dataclasses
from collections.abc import Iterable

from tokenizers import (
    AddedToken,
    Regex,
    Tokenizer,
    decoders,
    models,
    normalizers,
    pre_tokenizers,
    processors,
    trainers,
)

from reviewintent_jax.schema import InputError

FIRST, PAD, LAST, UNKNOWN, MASK = "<s>", "<pad>", "</s>", "<unk>", "<mask>"
_SPECIAL = [FIRST, PAD, LAST, UNKNOWN]  # their places are their ids


@dataclasses.dataclass(frozen=True)
class UnigramSpec:
    """How a tokenizer is learned.

    Attributes:
      vocab_size: entries, special tokens and mask included; at least 64.
      max_piece_length: characters of the longest piece, 1 or more.
      shrinking_factor: share of the pieces that a round of pruning keeps, above 0 and
        below 1: nearer to 1 is slower, and a little better.
    """

    vocab_size: int
    max_piece_length: int
    shrinking_factor: float

    def __post_init__(self) -> None:
        if self.vocab_size < 64:
            raise InputError(
                f"tokenizer.vocab_size is {self.vocab_size}; give 64 or more."
            )
        if self.max_piece_length < 1:
            raise InputError("tokenizer.max_piece_length must be 1 or more.")
        if not 0 < self.shrinking_factor < 1:
            raise InputError("tokenizer.shrinking_factor must lie between 0 and 1.")


def train_unigram(texts: Iterable[str], spec: UnigramSpec) -> Tokenizer:
    """Learns a tokenizer; characters that the texts lack become ``<unk>`` later.

    Of little text the vocabulary is smaller than asked for. Learned twice from the same
    texts, it is not the same: the library adds up in no fixed order.

    Raises:
      InputError: there is no text at all.
    """
    tokenizer = Tokenizer(models.Unigram())
    # As SentencePiece's nmt_nfkc but for its list of control characters, which
    # cleaning has removed. Case stays: XLM-R is cased.
    tokenizer.normalizer = normalizers.Sequence(
        [normalizers.NFKC(), normalizers.Replace(Regex(" {2,}"), " ")]
    )
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Metaspace()]
    )
    tokenizer.decoder = decoders.Metaspace()
    trainer = trainers.UnigramTrainer(
        vocab_size=spec.vocab_size - 1,  # and the mask
        special_tokens=_SPECIAL,
        unk_token=UNKNOWN,
        shrinking_factor=spec.shrinking_factor,
        max_piece_length=spec.max_piece_length,
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    if tokenizer.get_vocab_size() <= len(_SPECIAL):
        raise InputError(
            "No tokenizer could be learned: the texts hold not a single piece.",
            fix="Give more text.",
        )
    tokenizer.add_special_tokens([AddedToken(MASK, lstrip=True, special=True)])
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{FIRST} $A {LAST}",
        pair=f"{FIRST} $A {LAST} {LAST} $B {LAST}",
        special_tokens=[(FIRST, 0), (LAST, 2)],
    )
    return tokenizer
