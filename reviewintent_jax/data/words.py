"""Stage 7, paged: token ids -> ids of whole words, for models that read word vectors.

In: the tokens of a review, which may be parts of words. Out: the words that they spell,
lower-cased, as ids of a vocabulary; what it lacks is id 0. Words are read from tokens,
not from texts, so prepared data need nothing more, and what training does to tokens
(deletion, replacement, shuffling) happens to words as well.

The words are the tokenizer's: a BERT's separates every punctuation mark, so ``don't``
is three words, ``don``, ``'`` and ``t``.
"""

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from reviewintent_jax.data.token_shards import TokenStore
from reviewintent_jax.data.tokens import ReviewTokenizer, TokenList
from reviewintent_jax.schema import InputError

UNKNOWN = 0
"""Id of every word that the vocabulary lacks."""

_TOGETHER = 4096  # reviews read at a time
_WORDPIECE = "##"  # goes on with a word
_BEGINS = ("▁", "Ġ")  # begin one: SentencePiece, byte-level BPE


class WordSplitter:
    """Splits the ids of a review into those of each word.

    A piece begins a word where the tokenizer's vocabulary marks it so (``##`` marks the
    others of WordPiece, ``▁`` and ``Ġ`` the first ones elsewhere). A piece without a
    letter or a digit is a word of its own.
    """

    def __init__(self, tokenizer: ReviewTokenizer) -> None:
        pieces = tokenizer.pieces()
        wordpiece = any(piece.startswith(_WORDPIECE) for piece in pieces)
        self._spelt = [
            piece.removeprefix(_WORDPIECE)
            if wordpiece
            else piece.lstrip("".join(_BEGINS))
            for piece in pieces
        ]
        alone = [not any(map(str.isalnum, piece)) for piece in self._spelt]
        self._alone_v = np.array(alone, bool)
        begins = [
            not piece.startswith(_WORDPIECE) if wordpiece else piece.startswith(_BEGINS)
            for piece in pieces
        ]
        self._begins_v = np.array(begins, bool) | self._alone_v

    def __call__(self, ids: np.ndarray) -> list[np.ndarray]:
        """The ids of each word, in order.

        Example (WordPiece): ``tea ##pot , leak ##s`` -> ``[tea ##pot] [,] [leak ##s]``.
        """
        if not len(ids):
            return []
        begins = self._begins_v[ids]
        begins[1:] |= self._alone_v[ids[:-1]]
        begins[0] = True
        return np.split(ids, np.flatnonzero(begins)[1:])

    def spell(self, word: Iterable[int]) -> str:
        """The word that some ids spell, lower-cased."""
        return "".join(self._spelt[piece] for piece in word).lower()


class Vocabulary:
    """Words by id; id 0 stands for all others.

    Attributes:
      words: the words, ``words[0]`` being ``""``.
    """

    def __init__(self, words: Sequence[str]) -> None:
        self.words = tuple(words)
        self._id_of = {word: number for number, word in enumerate(self.words) if number}

    def __len__(self) -> int:
        return len(self.words)

    def id_of(self, word: str) -> int:
        """The word's id; 0 where there is none."""
        return self._id_of.get(word, UNKNOWN)

    def sha256(self) -> str:
        """Hash of the words in their order."""
        return hashlib.sha256("\n".join(self.words).encode()).hexdigest()

    def save(self, path: Path) -> None:
        """Writes the words as JSON."""
        path.write_text(json.dumps(self.words, ensure_ascii=False), "utf-8")

    @classmethod
    def load(cls, path: Path) -> "Vocabulary":
        """Reads what :meth:`save` wrote.

        Raises:
          InputError: the file is not there, or is none of ours.
        """
        try:
            return cls(json.loads(path.read_text("utf-8")))
        except (OSError, ValueError) as error:
            raise InputError(
                f"The words of the run cannot be read: {error}.",
                where=str(path),
                fix="Start its training command again, which writes them anew.",
            ) from None


class WordLookup:
    """Ids of the words that a review's tokens spell."""

    def __init__(self, tokenizer: ReviewTokenizer, vocabulary: Vocabulary) -> None:
        self.vocabulary = vocabulary
        self._split = WordSplitter(tokenizer)
        self._known: dict[bytes, int] = {}  # words of the vocabulary, as tokens

    def __call__(self, ids: np.ndarray) -> np.ndarray:
        """int32 id of every word; no more of them than there are tokens."""
        words = self._split(np.asarray(ids, np.int32))
        return np.array([self._id_of(word) for word in words], np.int32)

    def _id_of(self, word: np.ndarray) -> int:
        key = word.tobytes()
        found = self._known.get(key)
        if found is None:
            found = self.vocabulary.id_of(self._split.spell(word.tolist()))
            if found != UNKNOWN:
                self._known[key] = found
        return found


def fit_vocabulary(
    store: TokenStore | TokenList,
    reviews: np.ndarray,
    tokenizer: ReviewTokenizer,
    *,
    most: int,
    min_count: int,
) -> Vocabulary:
    """The most frequent words of some reviews, the most frequent first.

    Args:
      store: token ids of all reviews.
      reviews: those to count: of the training split.
      tokenizer: of the encoder.
      most: words to keep at most.
      min_count: a word that is rarer is unknown, which has a vector as well.

    Raises:
      InputError: no word is frequent enough.
    """
    split = WordSplitter(tokenizer)
    counted: Counter[bytes] = Counter()
    for begin in range(0, len(reviews), _TOGETHER):
        for ids in store.read(reviews[begin : begin + _TOGETHER]):
            counted.update(word.tobytes() for word in split(ids))
    spelt: Counter[str] = Counter()
    for word, count in counted.items():
        spelt[split.spell(np.frombuffer(word, np.int32).tolist())] += count
    for name in tokenizer.special_names():
        del spelt[name.lower()]  # such as [UNK], which is no word
    enough = [(-n, word) for word, n in spelt.items() if n >= min_count and word]
    if not enough:
        raise InputError(
            f"No word stands {min_count} times in the training reviews.",
            where="field words.min_count",
            fix="Lower it, or give more reviews.",
        )
    return Vocabulary(["", *(word for _, word in sorted(enough)[:most])])
