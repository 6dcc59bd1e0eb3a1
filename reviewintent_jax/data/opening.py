"""Serves stage 1: bytes -> physical lines, whatever the compression and the encoding.

gzip and zstd are known by their first bytes, not by the file's name. A damaged archive
raises InputError after everything before the damage was handed out.
"""

import codecs
import gzip
import io
import logging
import zlib
from typing import BinaryIO

import charset_normalizer
import zstandard

from reviewintent_jax.schema import RAW_CHARACTERS, InputError

MAX_CHARACTERS = 1 << 24
"""Longest field or line that is read, in characters; a longer one is a problem row."""

_HEAD_BYTES = 1 << 18
_GZIP, _ZSTD = b"\x1f\x8b", b"\x28\xb5\x2f\xfd"
BROKEN_ARCHIVE = (EOFError, gzip.BadGzipFile, zlib.error, zstandard.ZstdError)
"""What reading a damaged or truncated archive raises."""

_BOMS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),  # before UTF-16, whose mark is its beginning
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_LEGACY_ENCODINGS = [
    *("cp1252", "cp1251", "cp1250", "cp1253", "cp1254", "cp1255", "cp1256"),
    *("koi8_r", "shift_jis", "euc_jp", "gb18030", "big5", "euc_kr"),
]

_log = logging.getLogger(__name__)


class _Prefixed(io.RawIOBase):
    """A stream that serves ``head`` first, then the rest; so that heads can be peeked.

    ``failure`` is what reading the head ran into; it is raised once the head is served.
    """

    def __init__(
        self, head: bytes, rest: BinaryIO, failure: Exception | None = None
    ) -> None:
        self._head, self._rest, self._failure = memoryview(head), rest, failure

    def readable(self) -> bool:
        return True

    def readinto(self, target, /) -> int:
        if not self._head:
            if self._failure is not None:
                raise self._failure
            data = memoryview(_some(self._rest, len(target)))
        else:
            data, self._head = self._head[: len(target)], self._head[len(target) :]
        target[: len(data)] = data
        return len(data)


class _Unzstd(io.RawIOBase):
    """Decompresses zstd frames; unlike zstandard's reader it notices a missing end."""

    def __init__(self, source: BinaryIO) -> None:
        self._source = source
        self._frame = zstandard.ZstdDecompressor().decompressobj()
        self._begun = False
        self._plain = memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, target, /) -> int:
        while not self._plain:
            data = self._frame.unused_data if self._frame.eof else b""
            if self._frame.eof:
                self._frame = zstandard.ZstdDecompressor().decompressobj()
                self._begun = False
            data = data or _some(self._source, 1 << 14)
            if not data:
                if self._begun:
                    raise EOFError("the zstd frame has no end")
                return 0
            self._begun = True
            self._plain = memoryview(self._frame.decompress(data))
        part, self._plain = self._plain[: len(target)], self._plain[len(target) :]
        target[: len(part)] = part
        return len(part)


def _some(stream: BinaryIO, size: int) -> bytes:
    """Up to ``size`` bytes, without waiting for more than the first of them."""
    return getattr(stream, "read1", stream.read)(size) or b""


def _peek(stream: BinaryIO, least: int) -> tuple[bytes, io.BufferedReader]:
    """At least ``least`` bytes (fewer at the end), and the stream from its start."""
    head, failure = bytearray(), None
    try:
        while len(head) < least and (piece := _some(stream, _HEAD_BYTES)):
            head += piece
    except BROKEN_ARCHIVE as error:
        failure = error
    begun = _Prefixed(bytes(head), stream, failure)
    return bytes(head), io.BufferedReader(begun, 1 << 16)


def decompressed(stream: BinaryIO) -> BinaryIO:
    """The stream's plain bytes, through gzip or zstd where its first bytes say so."""
    head, stream = _peek(stream, 4)
    if head.startswith(_GZIP):
        return gzip.GzipFile(fileobj=stream, mode="rb")  # type: ignore[return-value]
    if head.startswith(_ZSTD):
        return io.BufferedReader(_Unzstd(stream), 1 << 16)
    return stream


def as_written(record: str) -> str:
    """A record as evidence: without its line end, cut at 1,000 characters.

    Where it was cut, it ends in ``...``.
    """
    record = record.rstrip("\r\n")
    whole = len(record) <= RAW_CHARACTERS
    return record if whole else record[: RAW_CHARACTERS - 3] + "..."


def detect_encoding(head: bytes) -> str:
    """Name of the encoding of a text that starts with ``head`` (at most 256 KiB).

    A byte order mark decides; else UTF-16 without a mark is known by its NULs; else
    UTF-8 if the head decodes, or nearly does (one bad byte among many good characters
    is damage, not another encoding); else charset-normalizer's best guess, with
    Windows-1252 preferred when it fits about as well.
    """
    for mark, name in _BOMS:
        if head.startswith(mark):
            return name
    pairs = len(head) // 2
    if pairs and head[1::2].count(0) > 0.4 * pairs and head[::2].count(0) < pairs / 9:
        return "utf-16-le"
    if pairs and head[::2].count(0) > 0.4 * pairs and head[1::2].count(0) < pairs / 9:
        return "utf-16-be"
    text = codecs.getincrementaldecoder("utf-8")("replace").decode(head)
    damaged = text.count("\ufffd")
    if not damaged or sum(letter > "\x7f" for letter in text) > 20 * damaged:
        return "utf-8"
    matches = charset_normalizer.from_bytes(head, cp_isolation=_LEGACY_ENCODINGS)
    best = matches.best()
    if best is None:
        return "cp1252"
    for match in matches:
        names = [match.encoding, *(same.encoding for same in match.submatch)]
        worse = match.percent_chaos > best.percent_chaos
        if "cp1252" in names and not worse:
            if best.percent_coherence - match.percent_coherence < 3:
                return "cp1252"
            break
    return best.encoding


class Lines:
    """Physical lines of a text, counted; the lines of one record can be given back.

    A line of ``MAX_CHARACTERS`` was cut to that length.

    Undecodable bytes become U+FFFD; a warning at the end counts the lines that hold it.

    Attributes:
      name: what to call the source in messages.
      encoding: the encoding that was taken, as Python calls it.
      number: lines handed out so far, so the number (from 1) of the latest one.
      record: the lines handed out since ``begin_record``.
    """

    def __init__(self, stream: BinaryIO, name: str, *, head_bytes: int) -> None:
        self.name, self.number = name, 0
        self.record: list[str] = []
        self._again: list[str] = []
        self._damaged, self._first_damaged = 0, 0
        head, plain = _peek(decompressed(stream), head_bytes)
        encoding = detect_encoding(head[:_HEAD_BYTES])
        self.encoding = encoding
        self._text = io.TextIOWrapper(plain, encoding, errors="replace", newline="")

    @classmethod
    def of_file(cls, stream: BinaryIO, name: str) -> "Lines":
        """Lines of a file: looks well into it before it settles on an encoding."""
        return cls(stream, name, head_bytes=_HEAD_BYTES)

    @classmethod
    def of_pipe(cls, stream: BinaryIO, name: str) -> "Lines":
        """Lines of a pipe: settles on an encoding from what is there already."""
        return cls(stream, name, head_bytes=1)

    def __iter__(self) -> "Lines":
        return self

    def __next__(self) -> str:
        line = self._again.pop() if self._again else self._read()
        if not line:
            self._say_damage()
            raise StopIteration
        self.number += 1
        self.record.append(line)
        return line

    def announce(self) -> None:
        """Say which encoding was taken, if it is a surprise."""
        if self.encoding not in ("utf-8", "utf-8-sig"):
            _log.warning("%s is not UTF-8; read as %s", self.name, self.encoding)

    def begin_record(self) -> None:
        """Forget the lines handed out so far; a new record starts."""
        self.record.clear()

    def give_back(self, lines: list[str]) -> None:
        """Hand these lines, the latest ones, out again."""
        self._again.extend(reversed(lines))
        self.number -= len(lines)

    def _read(self) -> str:
        try:
            line = self._text.readline(MAX_CHARACTERS)
            if len(line) == MAX_CHARACTERS and not line.endswith(("\n", "\r")):
                rest = line  # to be skipped: a line of this length is a cut one
                while rest and not rest.endswith(("\n", "\r")):
                    rest = self._text.readline(1 << 16)
        except BROKEN_ARCHIVE as error:
            raise InputError(
                f"The compressed file is damaged or cut short ({error}).",
                where=f"{self.name}, after line {self.number}, the last that is whole",
                fix="Copy or download the file again.",
            ) from error
        if "\ufffd" in line:
            self._damaged += 1
            self._first_damaged = self._first_damaged or self.number + 1
        return line

    def _say_damage(self) -> None:
        if self._damaged:
            _log.warning(
                "%s: %d lines hold bytes that could not be decoded (now U+FFFD), "
                "the first is line %d",
                *(self.name, self._damaged, self._first_damaged),
            )
            self._damaged = 0
