"""Serves stage 7: a text file of word vectors (GloVe's layout) -> a matrix.

Each line is a word and its numbers, separated by blanks; the first line may instead be
the two counts that word2vec's text files begin with. gzip and zstd are read as well.
"""

import logging
import re
from pathlib import Path
from typing import NamedTuple

import numpy as np

from reviewintent_jax.data.opening import BROKEN_ARCHIVE, decompressed
from reviewintent_jax.data.words import UNKNOWN, Vocabulary
from reviewintent_jax.schema import InputError

log = logging.getLogger("reviewintent")

_PROBLEMS_SHOWN = 3
_SHOWN = 30  # characters of a line
_BLANKS = re.compile(r"[ \t]+")
_NOTHING = np.zeros(0, np.float32)


class WordVectors(NamedTuple):
    """What a file says of a vocabulary.

    Attributes:
      vector_vd: float32 vector of every word; NaN where the file has none.
      lines: lines of the file.
      malformed: lines that are no word with so many numbers; they are left out. Of a
        word that the vocabulary lacks the numbers are counted, and not read.
      repeated: lines of words that came before; the first line counts.
    """

    vector_vd: np.ndarray
    lines: int
    malformed: int
    repeated: int

    @property
    def found(self) -> int:
        """Words of the vocabulary that the file has."""
        return int((~np.isnan(self.vector_vd[:, 0])).sum())


def read_vectors(
    path: str | Path, vocabulary: Vocabulary, features: int
) -> WordVectors:
    """Vectors of the words of a vocabulary, streamed; others are passed over.

    Args:
      path: the file.
      vocabulary: words to look for, lower-cased.
      features: numbers of a vector.

    Raises:
      InputError: the file cannot be read or is no text in UTF-8; its vectors have
        another size; or it has none of the words.
    """
    path = Path(path).expanduser()
    vector_vd = np.full((len(vocabulary), features), np.nan, np.float32)
    sizes: dict[int, int] = {}  # numbers on a line -> lines
    problems: list[str] = []
    lines = malformed = repeated = 0
    try:
        with path.open("rb") as stream:
            for lines, line in enumerate(decompressed(stream), 1):
                word, numbers = _parts(line, lines, path, features)
                if lines == 1 and _is_count(word, numbers):
                    continue
                sizes[len(numbers)] = sizes.get(len(numbers), 0) + 1
                number = vocabulary.id_of(word)
                vector = _vector(numbers, features, looked_for=number != UNKNOWN)
                if vector is None:
                    malformed += 1
                    if len(problems) < _PROBLEMS_SHOWN:
                        problems.append(f"line {lines}: {_shown(word, numbers)}")
                    continue
                if number == UNKNOWN:
                    continue
                if np.isnan(vector_vd[number, 0]):
                    vector_vd[number] = vector
                else:
                    repeated += 1
    except BROKEN_ARCHIVE as error:
        raise InputError(
            f"The compressed file is damaged or cut short ({error}).", where=str(path)
        ) from error
    except OSError as error:
        raise InputError(
            f"The word vectors cannot be read: {error.strerror or error}.",
            where=f"{path} (field words.path)",
            fix="Give --config.words.path a text file of vectors, such as "
            "glove.6B.300d.txt; or --config.words.vectors=trained.",
        ) from None
    found = WordVectors(vector_vd, lines, malformed, repeated)
    _check(found, path, features, sizes)
    if malformed or repeated:
        said = f" ({'; '.join(problems)})" if problems else ""
        log.warning(
            "%s: %s lines are no word with %d numbers%s and are left out; %s repeat a "
            "word that came before",
            *(path, f"{malformed:,}", features, said, f"{repeated:,}"),
        )
    return found


def _parts(line: bytes, number: int, path: Path, features: int) -> tuple[str, list]:
    """The word of a line and its numbers as they are written.

    Some of GloVe's words have blanks in them, so numbers are counted from the end.
    """
    try:
        text = line.decode("utf-8").strip(" \t\r\n")
    except UnicodeDecodeError as error:
        raise InputError(
            f"The word vectors are no text in UTF-8: {error.reason}.",
            where=f"{path}, line {number}",
            fix="Give the text file, not a binary one; or convert it to UTF-8.",
        ) from None
    parts = _BLANKS.split(text)  # words may hold blanks of other kinds
    if len(parts) - 1 > features:
        word = parts[: len(parts) - features]
        if not _is_number(word[-1]):
            return " ".join(word).lower(), parts[len(parts) - features :]
    return parts[0].lower(), parts[1:]


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _is_count(word: str, numbers: list[str]) -> bool:
    return word.isdecimal() and len(numbers) == 1 and numbers[0].isdecimal()


def _shown(word: str, numbers: list[str]) -> str:
    """The beginning of a line, and how many numbers it should have."""
    begun = " ".join([word, *numbers])[:_SHOWN]
    return f"{begun!r}, {len(numbers)} fields after the word"


def _vector(
    numbers: list[str], features: int, *, looked_for: bool
) -> np.ndarray | None:
    """The numbers, if there are so many and all are finite.

    Those of a word that nobody looks for are counted alone: reading them is what takes
    the time.
    """
    if len(numbers) != features:
        return None
    if not looked_for:
        return _NOTHING
    try:
        vector = np.array(numbers, np.float32)
    except ValueError:
        return None
    return vector if np.isfinite(vector).all() else None


def _check(
    found: WordVectors, path: Path, features: int, sizes: dict[int, int]
) -> None:
    """Refuses a file that gives the vocabulary nothing, and says why."""
    usual = max(sizes, key=sizes.__getitem__, default=0)
    if not found.lines:
        raise InputError("The file of word vectors is empty.", where=str(path))
    if usual != features and found.malformed > found.lines / 2:
        raise InputError(
            f"The word vectors have {usual} numbers, not {features}.",
            where=str(path),
            fix=f"Set --config.words.features={usual}."
            if usual
            else "Each line must be a word and its numbers, separated by blanks.",
        )
    if not found.found:
        raise InputError(
            f"The file has a vector for none of the {len(found.vector_vd) - 1:,} words "
            f"of the training reviews ({found.malformed:,} of its {found.lines:,} "
            "lines cannot be read).",
            where=str(path),
            fix="Give vectors of the language of the reviews.",
        )
