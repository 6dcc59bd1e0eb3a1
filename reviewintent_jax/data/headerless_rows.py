"""Stage 1, raw, from text files without a header: lines of fields -> RawRow.

Many public tables of purchases are columns of numbers with blanks between them and no
names above them; the config says what the columns are called::

    names customer date items dollars        00001 20210101  1   11.77
"""

from collections.abc import Iterator, Sequence
from pathlib import Path

from reviewintent_jax.data.opening import Lines, as_written
from reviewintent_jax.schema import InputError, RawRow

_DELIMITERS = (",", ";", "\t", "|")


def read_headerless(path: Path, names: Sequence[str]) -> Iterator[RawRow]:
    """Rows of a file whose lines are all data, compressed or not.

    Fields are parted by the first of ``, ; tab |`` that cuts the first line into as
    many fields as there are names, else by blanks. A line with another number of
    fields is a problem row; blank lines are no rows.

    Raises:
      InputError: the file cannot be opened, or its first line has another number of
        fields than there are names.
    """
    try:
        stream = path.open("rb")
    except OSError as error:
        reason = error.strerror or str(error)
        raise InputError(f"Cannot open: {reason}.", where=str(path)) from error
    with stream:
        lines = Lines.of_file(stream, str(path))
        delimiter: str | None = None
        began = False
        for text in lines:
            if not text.strip():
                continue
            if not began:
                delimiter, began = _delimiter(text, names, str(path)), True
            fields = [part.strip() for part in text.rstrip("\r\n").split(delimiter)]
            problem = ""
            if len(fields) != len(names):
                problem = f"{len(fields)} fields, where {len(names)} are named"
            read = dict(zip(names, fields, strict=False))
            raw = as_written(text) if problem else ""
            yield RawRow(str(path), lines.number, read, problem, raw)


def _delimiter(line: str, names: Sequence[str], where: str) -> str | None:
    """What parts the fields of a line; None = blanks."""
    for delimiter in (*_DELIMITERS, None):
        if len(line.strip("\r\n").split(delimiter)) == len(names):
            return delimiter
    raise InputError(
        f"The first line has {len(line.split())} fields, but {len(names)} columns are "
        f"named: {', '.join(names)}.",
        where=f"{where}, line 1",
        fix="Name each column of the file in the config's header setting, in order.",
    )
