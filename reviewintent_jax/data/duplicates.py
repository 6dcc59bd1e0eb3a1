"""Stage 3, cleaned texts -> which of them are the same, exactly or nearly.

Texts arrive in chunks and are forgotten at once. What stays of each, on disk, is a
hash, one byte per permutation of its MinHash signature and four bytes per band (64
permutations: 125 bytes). In memory, one band at a time is compared.
"""

import dataclasses
import hashlib
import sys
import unicodedata
from collections.abc import Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import NamedTuple

import numpy as np
import scipy  # whose parts are imported where they are first used
from rensa import RMinHash  # pyright: ignore[reportAttributeAccessIssue]  (Rust)

from reviewintent_jax.data.columns import ColumnFiles
from reviewintent_jax.schema import InputError, check_seed

SHINGLE_WORDS = 3
_SHINGLE_LETTERS = 8  # for writing without spaces between words
_LETTERS_PER_WORD = 20  # more than this on average: there are no spaces between words
_RECALL = 0.99  # share of pairs at the threshold that at least one band must catch
_ROUNDS = 12  # leaders tried in a bucket before its odd ones out are let go
_DIGEST_ROWS = 4096
_COMPARE_ROWS = 1 << 17
_BY_CHANCE = 1 / 256  # two bytes of unrelated signatures agree that often


@dataclasses.dataclass(frozen=True)
class DuplicateSpec:
    """What counts as the same text.

    Attributes:
      near_threshold: Jaccard similarity of the sets of three-word shingles, above 0 and
        at most 1, from which two texts are near duplicates. 1.0: exact duplicates only.
      permutations: length of the MinHash signature, 16 to 1024. The similarity is
        estimated with standard error sqrt(J (1 - J) / permutations).
      seed: seed of the signatures, 0 to 2**32 - 1.
    """

    near_threshold: float
    permutations: int
    seed: int

    def __post_init__(self):
        if not 0.0 < self.near_threshold <= 1.0:
            raise InputError(
                f"near_threshold is {self.near_threshold}.",
                where="field duplicates.near_threshold",
                fix="Give a similarity above 0 and at most 1 (1: exact only).",
            )
        if not 16 <= self.permutations <= 1024:
            raise InputError(
                f"permutations is {self.permutations}.",
                where="field duplicates.permutations",
                fix="Give a number from 16 to 1024; 64 is plenty for most data.",
            )
        check_seed(self.seed, "duplicates.seed")


class Duplicates(NamedTuple):
    """Which texts are the same.

    Example::

        text             exact_first_n  cluster_n
        "Great tea!"           0            0
        "It leaks."            1            1
        "great  TEA"           0            0

    Attributes:
      exact_first_n: int64, the first text that is equal but for case, punctuation and
        white space; the text itself if it is the first.
      cluster_n: int32, number of its cluster of near duplicates, exact ones included;
        clusters are numbered by their first text.
    """

    exact_first_n: np.ndarray
    cluster_n: np.ndarray


class Signatures(NamedTuple):
    """What is kept of some texts to compare them with others.

    Attributes:
      hash_n: uint64 of the folded text.
      byte_np: uint8 [n, permutations] lowest bytes of the MinHash signature.
      key_nb: uint32 [n, bands].
      short_n: bool, too short to have near duplicates.

    The last three are empty where only exact duplicates count.
    """

    hash_n: np.ndarray
    byte_np: np.ndarray
    key_nb: np.ndarray
    short_n: np.ndarray


def sign(texts: Sequence[str], spec: DuplicateSpec) -> Signatures:
    """Signatures of texts; how they are cut into chunks changes nothing."""
    parts = [
        _sign_some([fold(text) for text in texts[begin : begin + _DIGEST_ROWS]], spec)
        for begin in range(0, max(len(texts), 1), _DIGEST_ROWS)
    ]
    return Signatures(*(np.concatenate(column) for column in zip(*parts, strict=True)))


def _sign_some(folded: Sequence[str], spec: DuplicateSpec) -> Signatures:
    """Signatures of a few texts, from the lowest bytes and one key per band."""
    count, permutations = len(folded), spec.permutations
    digests = b"".join(
        hashlib.blake2b(text.encode("utf-8", "replace"), digest_size=8).digest()
        for text in folded
    )
    hash_n = np.frombuffer(digests, "<u8")
    if spec.near_threshold == 1.0 or not count:
        bands = band_shape(spec.near_threshold, permutations)[0]
        byte_np = np.zeros((0, permutations), np.uint8)
        return Signatures(
            hash_n, byte_np, np.zeros((0, bands), np.uint32), np.zeros(0, bool)
        )
    whole = [text.encode("utf-8", "replace").decode("utf-8") for text in folded]
    shingled = [shingles(text) for text in whole]  # lone surrogates are no text
    matrix = RMinHash.digest_matrix_from_token_sets(shingled, permutations, spec.seed)
    flat = chain.from_iterable(matrix.to_rows())
    digest_np = np.fromiter(flat, np.uint32, count * permutations)
    digest_np = digest_np.reshape(count, permutations)
    bands, rows = band_shape(spec.near_threshold, permutations)
    banded = digest_np[:, : bands * rows].reshape(count, bands, rows)
    short_n = np.array([len(each) < 2 for each in shingled], bool)
    return Signatures(hash_n, digest_np.astype(np.uint8), _mix(banded), short_n)


class DuplicateIndex:
    """Collects texts chunk by chunk, then says which are the same."""

    def __init__(self, spec: DuplicateSpec, folder: Path | None = None):
        """``folder``: on the disk that is to hold the signatures; None = a temporary
        one."""
        self.spec = spec
        self._bands = band_shape(spec.near_threshold, spec.permutations)[0]
        self._columns = ColumnFiles(folder)

    def add(self, signatures: Signatures) -> None:
        """Takes the next texts, signed."""
        for name, values in signatures._asdict().items():
            self._columns.add(name, values)

    def finish(self) -> Duplicates:
        """Compares everything that was added.

        Exact duplicates are told by a 64-bit hash: among a million texts, the chance of
        a single false pair is 3e-8.
        """
        columns = self._columns.finish()
        if not columns:
            return Duplicates(np.zeros(0, np.int64), np.zeros(0, np.int32))
        signed = Signatures(**columns)
        exact_first_n = _first_equal(signed.hash_n)
        if self.spec.near_threshold < 1.0:
            distinct_u = np.flatnonzero(exact_first_n == np.arange(len(exact_first_n)))
            pairs = self._near_pairs(distinct_u, signed)
        else:
            pairs = np.zeros((0, 2), np.int64)
        first_n = _first_of_component(exact_first_n, pairs)
        number_n = np.cumsum(first_n == np.arange(len(first_n)), dtype=np.int32) - 1
        return Duplicates(exact_first_n, number_n[first_n])

    def _near_pairs(self, distinct_u: np.ndarray, signed: Signatures) -> np.ndarray:
        """Pairs [?, 2] of texts whose estimated similarity reaches the threshold."""
        candidate_u = distinct_u[~signed.short_n[distinct_u]]
        # b-bit MinHash (Li and Koenig 2010): agreement = J + (1 - J) / 256
        share = _BY_CHANCE + (1.0 - _BY_CHANCE) * self.spec.near_threshold
        needed = int(np.ceil(share * self.spec.permutations - 1e-9))
        found = [np.zeros((0, 2), np.int64)]
        for band in range(self._bands):
            key_u = signed.key_nb[candidate_u, band]
            found += _linked_in_buckets(candidate_u, key_u, signed.byte_np, needed)
        return np.concatenate(found)


def fold(text: str) -> str:
    """Casefolded, without punctuation, single spaces; emoji stay, they carry meaning.

    A text of nothing but punctuation keeps it: ``!!!`` is not ``???``.
    """
    folded = " ".join(text.translate(_FOLD).casefold().split())
    return folded or " ".join(text.split())


def shingles(folded: str) -> list[str]:
    """Three-word shingles of a folded text; runs of letters where words have no spaces.

    One shingle or none (up to three words) means: too short to have near duplicates.
    """
    words = folded.split(" ")
    if len(folded) > _LETTERS_PER_WORD * len(words):
        size = _SHINGLE_LETTERS
        return [folded[i : i + size] for i in range(len(folded) - size + 1)]
    triples = zip(words, words[1:], words[2:], strict=False)
    return [f"{a} {b} {c}" for a, b, c in triples]


def band_shape(threshold: float, permutations: int) -> tuple[int, int]:
    """Bands and rows per band: the longest rows that still find what they should.

    A pair of similarity J shares at least one of b bands of r rows with probability
    1 - (1 - J**r)**b (Leskovec, Rajaraman and Ullman, chapter 3.4.2).
    """
    for rows in range(permutations, 1, -1):
        bands = permutations // rows
        if 1.0 - (1.0 - threshold**rows) ** bands >= _RECALL:
            return bands, rows
    return permutations, 1


def _mix(banded: np.ndarray) -> np.ndarray:
    """uint32 [n, bands, rows] -> uint32 [n, bands]: one hash per band."""
    key = np.zeros(banded.shape[:-1], np.uint64)
    for row in range(banded.shape[-1]):
        key = (key ^ banded[..., row]) * np.uint64(0x9E3779B97F4A7C15)
        key ^= key >> np.uint64(32)
    return key.astype(np.uint32)


def _linked_in_buckets(
    text_u: np.ndarray, key_u: np.ndarray, byte_np: np.ndarray, needed: int
) -> Iterator[np.ndarray]:
    """Links texts that share a key, in time linear in the size of the bucket.

    Every member is compared with the one before it and with the bucket's leader (its
    first member). Those that are not like the leader form a bucket again, with the
    first of them as the leader, a few times over.

    Example: bucket a a' b b' (b differs): round 1 compares a'-a, b-a, b'-a and
    a'-a, b-a', b'-b; round 2 has b b' left and compares b'-b.
    """
    if not len(key_u):
        return
    order = np.argsort(key_u, kind="stable")
    key_u = key_u[order]
    same_u = key_u[1:] == key_u[:-1]
    # Most keys are alone in their bucket; nothing more is kept of them.
    shared_u = np.append(same_u, False) | np.insert(same_u, 0, False)
    text_u, key_u = text_u[order[shared_u]], key_u[shared_u]
    del order, same_u, shared_u
    for round_ in range(_ROUNDS):
        new_u = np.ones(len(key_u), bool)
        new_u[1:] = key_u[1:] != key_u[:-1]
        start_u = np.flatnonzero(new_u)
        leader_u = np.repeat(start_u, np.diff(np.append(start_u, len(key_u))))
        member = np.flatnonzero(~new_u)
        if not len(member):
            return
        if round_ == 0:
            before = np.stack([text_u[member - 1], text_u[member]], axis=1)
            yield before[_alike(before, byte_np, needed)]
        pairs = np.stack([text_u[leader_u[member]], text_u[member]], axis=1)
        alike = _alike(pairs, byte_np, needed)
        yield pairs[alike]
        rest = member[~alike]
        text_u, key_u = text_u[rest], key_u[rest]


def _alike(pairs: np.ndarray, byte_np: np.ndarray, needed: int) -> np.ndarray:
    """bool [pairs]: whether at least ``needed`` signature bytes agree."""
    alike = np.empty(len(pairs), bool)
    for begin in range(0, len(pairs), _COMPARE_ROWS):
        a, b = pairs[begin : begin + _COMPARE_ROWS].T
        agree = np.count_nonzero(byte_np[a] == byte_np[b], axis=1)
        alike[begin : begin + _COMPARE_ROWS] = agree >= needed
    return alike


def _first_equal(hash_n: np.ndarray) -> np.ndarray:
    """int64, index of the first equal hash of each.

    Example: ``[7, 9, 7]`` -> ``[0, 1, 0]``.
    """
    order = np.argsort(hash_n, kind="stable")  # equal ones in the order of their index
    sorted_n = hash_n[order]
    same_n = np.zeros(len(hash_n), bool)
    same_n[1:] = sorted_n[1:] == sorted_n[:-1]
    del sorted_n
    again = np.flatnonzero(same_n)
    starts = np.flatnonzero(~same_n[again - 1]) if len(again) else again
    # Runs of equal hashes: each repeats the text before its first repetition.
    lengths = np.diff(np.append(starts, len(again)))
    first_n = np.arange(len(hash_n))
    first_n[order[again]] = np.repeat(order[again[starts] - 1], lengths)
    return first_n


def _first_of_component(exact_first_n: np.ndarray, pairs: np.ndarray) -> np.ndarray:
    """The smallest text index connected to each text."""
    found_n = exact_first_n.copy()
    if not len(pairs):
        return found_n
    # Only texts of pairs form a graph; the others are few bytes each.
    text_u, place = np.unique(pairs, return_inverse=True)
    a, b = place.reshape(pairs.shape).T
    graph = scipy.sparse.coo_array(
        (np.ones(len(a), bool), (a, b)), shape=(len(text_u),) * 2
    )
    _, component_u = scipy.sparse.csgraph.connected_components(graph, directed=False)
    _, first_c = np.unique(component_u, return_index=True)
    found_n[text_u] = text_u[first_c[component_u]]
    return found_n[exact_first_n]  # copies follow the text that they repeat


def _fold_table() -> dict[int, str | None]:
    """Punctuation, separators and signs to space; invisible characters to nothing.

    Letters, marks (vowels in many scripts), digits, currencies and emoji stay.
    """
    table: dict[int, str | None] = {}
    blocks = chain(range(0x3100), range(0xFE00, 0x10000))
    for code in chain(blocks, range(0xE0000, min(0xE0200, sys.maxunicode))):
        kind = unicodedata.category(chr(code))
        if kind == "Cf" or 0xFE00 <= code <= 0xFE0F:
            table[code] = None
        elif kind[0] in "PZC" or kind == "Sk" or chr(code) in "<>=+|~":
            table[code] = " "
    # an apostrophe joins: don't = dont
    return table | dict.fromkeys(map(ord, "'’ʼ`"))


_FOLD = _fold_table()
