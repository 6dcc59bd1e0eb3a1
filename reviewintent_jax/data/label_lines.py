"""Stage 1, raw: lines that begin with a label -> RawRow, the file naming the split.

The layout of the sentence-polarity sets (SST, MR, CR)::

    stsa.binary.train    1 a stirring , funny film
                         0 they presume their audience wo n't sit still
    stsa.binary.dev      0 one long string of cliches .
"""

import itertools
from collections.abc import Iterator
from pathlib import Path

from reviewintent_jax.data.opening import MAX_CHARACTERS, Lines, as_written
from reviewintent_jax.schema import InputError, RawRow

COLUMNS = ("label", "text", "split")
"""Columns of such a file, whatever it is called."""


def open_label_lines(lines: Lines) -> tuple[tuple[str, ...], Iterator[RawRow]]:
    """Column names, and the rows; blank lines are no rows.

    A line without a text after its label is a problem row.

    Raises:
      InputError: there is nothing.
    """
    rows = _rows(lines, split_of(lines.name))
    first = next(rows, None)
    if first is None:
        raise InputError("The file is empty.", where=lines.name)
    return COLUMNS, itertools.chain([first], rows)


def split_of(name: str) -> str:
    """The split that a file's name says, which is its ending, compression aside.

    Example: ``stsa.binary.dev.gz`` -> ``dev``.
    """
    path = Path(name)
    while path.suffix.lower() in (".gz", ".gzip", ".zst", ".zstd"):
        path = path.with_suffix("")
    return path.suffix.removeprefix(".").lower()


def _rows(lines: Lines, split: str) -> Iterator[RawRow]:
    for line in lines:
        lines.begin_record()
        label, _, text = line.strip().partition(" ")
        if not label:
            continue
        fields = {"label": label, "text": text.strip(), "split": split}
        problem = ""
        if len(line) >= MAX_CHARACTERS:
            problem = f"longer than {MAX_CHARACTERS} characters"
        elif not fields["text"]:
            problem = "a label without a text after it"
        raw = as_written(line) if problem else ""
        yield RawRow(lines.name, lines.number, fields, problem, raw)
