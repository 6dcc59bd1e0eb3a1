"""Stage 1, raw: physical lines of CSV, TSV or other delimited text -> RawRow.

Read strictly, so that a quote that is never closed costs its own row and not the rest
of the file::

    id,text,label
    1,"good",5          -> row of line 2
    2,"never closed,4   -> problem row of line 3; the lines after it are given back,
    3,"bad",1           -> so line 4 is read as if nothing had happened
"""

import csv
import itertools
from collections.abc import Iterator, Sequence

from reviewintent_jax.data.opening import MAX_CHARACTERS, Lines, as_written
from reviewintent_jax.schema import InputError, RawRow

_SAMPLE_LINES = 20


def open_csv(lines: Lines, delimiters: str) -> tuple[tuple[str, ...], Iterator[RawRow]]:
    """Column names, and the rows that follow the header.

    ``delimiters`` are the candidates, the likeliest first. Blank lines are no rows. A
    row with another number of fields than the header has is a problem row.

    Raises:
      InputError: there is nothing, or the header cannot be read.
    """
    csv.field_size_limit(max(MAX_CHARACTERS, csv.field_size_limit()))
    sample = list(itertools.islice(lines, _SAMPLE_LINES))
    lines.give_back(sample)
    if not any(line.strip() for line in sample):
        raise InputError("The file is empty.", where=lines.name)
    delimiter = sniff_delimiter(sample, delimiters)
    records = _records(lines, delimiter, sample[0])
    _, names, problem = next(records)
    if problem:
        raise InputError(
            f"The header cannot be read: {problem}.", where=f"{lines.name}, line 1"
        )
    columns = name_columns(names)
    return tuple(columns), _rows(lines, records, columns, delimiter)


def sniff_delimiter(sample: Sequence[str], candidates: str) -> str:
    """The candidate that cuts the most rows into as many fields as the header has.

    Earlier candidates win ties; the first is the answer for a table of one column.

    >>> sniff_delimiter(["text;stars", "good, cheap;5"], ",;")
    ';'
    """
    best, best_share = candidates[0], 0.0
    for delimiter in candidates:
        try:
            rows = [row for row in csv.reader(sample, delimiter=delimiter) if row]
        except csv.Error:
            continue
        if len(rows) > 2:
            rows.pop()  # the sample may end within a quoted field
        width = len(rows[0]) if rows else 0
        share = sum(len(row) == width for row in rows) / max(1, len(rows))
        if width > 1 and share > best_share:
            best, best_share = delimiter, share
    return best


def name_columns(names: Sequence[str]) -> list[str]:
    """Usable column names: stripped, none empty, none twice.

    >>> name_columns(["", "text", " text", "stars"])
    ['column_1', 'text', 'text_2', 'stars']
    """
    wanted = [name.strip() or f"column_{at}" for at, name in enumerate(names, 1)]
    taken: list[str] = []
    for name in wanted:
        unique, copy = name, 1
        while unique in taken or (copy > 1 and unique in wanted):
            copy += 1
            unique = f"{name}_{copy}"
        taken.append(unique)
    return taken


def _records(
    lines: Lines, delimiter: str, header: str
) -> Iterator[tuple[int, list[str], str]]:
    """Records of a delimited text: line where each starts, its fields, its problem."""
    gaps = [name[:1] == " " for name in header.split(delimiter)[1:]]
    reader = csv.reader(
        lines,
        delimiter=delimiter,
        strict=True,
        skipinitialspace=bool(gaps) and all(gaps),  # id, text, label
    )
    while True:
        lines.begin_record()
        start = lines.number + 1
        try:
            fields, problem = next(reader), ""
        except StopIteration:
            return
        except csv.Error as error:
            lines.give_back(lines.record[1:])
            del lines.record[1:]
            fields, problem = _literal(lines.record[0], delimiter), _quoting(str(error))
        if any(len(line) >= MAX_CHARACTERS for line in lines.record):
            problem = f"longer than {MAX_CHARACTERS} characters"
        if fields:
            yield start, fields, problem


def _quoting(error: str) -> str:
    if "limit" in error:
        return f"longer than {MAX_CHARACTERS} characters, or a quote is never closed"
    if "unexpected end" in error:
        return "a quote is never closed"
    return "quotes do not pair up (a quote inside quotes must be doubled)"


def _literal(line: str, delimiter: str) -> list[str]:
    """Fields of a line whose quotes mean nothing; an overlong one has none to show."""
    whole = len(line) < MAX_CHARACTERS
    return line.rstrip("\r\n").split(delimiter) if whole else [""]


def _rows(
    lines: Lines,
    records: Iterator[tuple[int, list[str], str]],
    columns: list[str],
    delimiter: str,
) -> Iterator[RawRow]:
    width = len(columns)
    for start, fields, problem in records:
        if delimiter == "\t" and (problem or len(lines.record) > 1):
            # Many TSV files never quote. Lines that are whole rows as they stand are
            # rows, even where a quote at the start of a text seems to join them.
            literal = [_literal(line, delimiter) for line in lines.record]
            if all(len(one) == width for one in literal):
                lines.give_back(lines.record[1:])
                fields, problem = literal[0], ""
        if len(fields) > width and not any(fields[width:]):
            del fields[width:]  # a trailing delimiter
        if len(fields) != width and not problem:
            kind = "few" if len(fields) < width else "many"
            problem = f"too {kind} fields: {len(fields)}, the header has {width}"
        read = dict(zip(columns, fields, strict=False))
        # What is surplus has no column; it stays to be seen in the raw row.
        raw = as_written("".join(lines.record)) if problem else ""
        yield RawRow(lines.name, start, read, problem, raw)
