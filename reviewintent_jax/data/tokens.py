"""Stage 6, tokenised: text -> vocabulary ids (on disk: token_shards.py).

In: cleaned texts. Out: per review the ids of its tokens *without* special tokens, which
stage 7 adds to every chunk. Everything about the vocabulary, casing included, is taken
from the tokenizer's own files.
"""

import hashlib
import json
import re
import shutil
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from tokenizers import BertWordPieceTokenizer, Tokenizer

from reviewintent_jax.data.ids import SpecialIds, TokenList
from reviewintent_jax.schema import InputError

__all__ = ["ReviewTokenizer", "SpecialIds", "TokenList"]

TOKENIZER_FILES = (
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "vocab.txt",
    "vocab.json",
    "merges.txt",
    "sentencepiece.bpe.model",
)
_PAD_NAMES = ("[PAD]", "<pad>")
_MASK_NAMES = ("[MASK]", "<mask>")
_NO_PIECE = re.compile(
    r"\[(?:PAD|UNK|CLS|SEP|MASK|BOS|EOS|unused\d+)\]"
    r"|<(?:pad|unk|mask|s|/s|cls|sep|unused\d+|\|endoftext\|)>"
    r"|<?madeupword\d+>?"
)
"""Entries that stand for no piece of text; vocab.txt does not mark them as special."""


class ReviewTokenizer:
    """Sub-word tokenizer of a Hugging Face folder, with no truncation and no padding.

    Attributes:
      folder: where its files lie.
      special: ids that frame every chunk.
      mask_id: the id that hides a token in pre-training; None where there is none.
      vocab_size: one past the highest id.

    Raises:
      InputError: the folder holds no tokenizer, does not say whether it is cased, or
        its tokenizer does not frame a text with exactly two special tokens.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = Path(folder)
        self._tokenizer = _open_tokenizer(self.folder)
        # Folders may carry baked-in truncation and padding; both would falsify lengths.
        self._tokenizer.no_truncation()
        self._tokenizer.no_padding()
        self.special = _special_ids(self._tokenizer, self.folder)
        self.mask_id = _first_known(self._tokenizer, _MASK_NAMES)
        self._vocabulary = self._tokenizer.get_vocab()
        self.vocab_size = max(self._vocabulary.values()) + 1

    def encode(self, texts: Sequence[str]) -> list[np.ndarray]:
        """Returns one int32 array of ids for each text, special tokens left out."""
        encodings = self._tokenizer.encode_batch_fast(
            list(texts), add_special_tokens=False
        )
        return [np.asarray(encoding.ids, np.int32) for encoding in encodings]

    def replacement_ids(self) -> np.ndarray:
        """Ids that augmentation may put into a text, int32, ascending.

        Pieces of real text alone: no special tokens, wherever in the vocabulary they
        lie, no mask, no unknown and no places kept free such as ``[unused7]``.
        """
        added = self._tokenizer.get_added_tokens_decoder()
        barred = {number for number, token in added.items() if token.special}
        barred |= set(self.special)
        real = [
            number
            for name, number in self._vocabulary.items()
            if number not in barred and not _NO_PIECE.fullmatch(name)
        ]
        return np.array(sorted(real), np.int32)

    def pieces(self) -> list[str]:
        """Every piece of the vocabulary by id; ``""`` where an id has none."""
        found = [""] * self.vocab_size
        for name, number in self._vocabulary.items():
            found[number] = name
        return found

    def special_names(self) -> list[str]:
        """Names of entries that stand for no piece of text, such as ``[UNK]``."""
        return [name for name in self._vocabulary if _NO_PIECE.fullmatch(name)]

    def id_of(self, piece: str) -> int | None:
        """Id of one vocabulary entry; None where there is none."""
        return self._tokenizer.token_to_id(piece)

    def fingerprint(self) -> str:
        """Hash of what decides the ids."""
        return hashlib.sha256(self._tokenizer.to_str().encode()).hexdigest()

    def save(self, folder: Path) -> None:
        """Copies the tokenizer's files, so that a run can score without its origin."""
        folder.mkdir(parents=True, exist_ok=True)
        if self.folder.resolve() != folder.resolve():
            for name in TOKENIZER_FILES:
                if (self.folder / name).is_file():
                    shutil.copyfile(self.folder / name, folder / name)
        if not (folder / "tokenizer.json").is_file():
            self._tokenizer.save(str(folder / "tokenizer.json"))


def _open_tokenizer(folder: Path) -> Tokenizer:
    if (folder / "tokenizer.json").is_file():
        return Tokenizer.from_file(str(folder / "tokenizer.json"))
    if (folder / "vocab.txt").is_file():
        lowercase = _stated_lowercase(folder)
        tokenizer = BertWordPieceTokenizer(
            str(folder / "vocab.txt"), lowercase=lowercase
        )
        return Tokenizer.from_str(tokenizer.to_str())
    if any((folder / n).is_file() for n in ("vocab.json", "sentencepiece.bpe.model")):
        # transformers converts the older formats; it is slow to import, so only here.
        from transformers import AutoTokenizer

        backend = AutoTokenizer.from_pretrained(str(folder)).backend_tokenizer
        return Tokenizer.from_str(backend.to_str())
    raise InputError(
        "The encoder's folder holds no tokenizer.",
        where=str(folder),
        fix=f"Expected one of {', '.join(TOKENIZER_FILES)} in it.",
    )


def _stated_lowercase(folder: Path) -> bool:
    """Casing as ``tokenizer_config.json`` states it; a guess would be silent damage."""
    path = folder / "tokenizer_config.json"
    stated = json.loads(path.read_text("utf-8")) if path.is_file() else {}
    if "do_lower_case" not in stated:
        raise InputError(
            "The tokenizer's files do not say whether it is cased.",
            where=str(folder),
            fix='Put {"do_lower_case": true} (or false) into tokenizer_config.json.',
        )
    return bool(stated["do_lower_case"])


def _special_ids(tokenizer: Tokenizer, folder: Path) -> SpecialIds:
    framed = tokenizer.encode("").ids
    pad = _first_known(tokenizer, _PAD_NAMES)
    if len(framed) != 2 or pad is None:
        raise InputError(
            "The tokenizer must put one special token before and one after a text,"
            f" and know a padding token; an empty text became {framed}, padding {pad}.",
            where=str(folder),
            fix="Use the tokenizer that belongs to a BERT, RoBERTa or XLM-R model.",
        )
    return SpecialIds(framed[0], framed[1], pad)


def _first_known(tokenizer: Tokenizer, names: Sequence[str]) -> int | None:
    """Id of the first of some entries that there is."""
    found = (tokenizer.token_to_id(name) for name in names)
    return next((number for number in found if number is not None), None)
