"""Stage 2, checked: RawRow -> Review, or Rejected with its reason; nothing vanishes."""

import dataclasses
import json
import math
import re
from collections import Counter
from decimal import Decimal
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np

from reviewintent_jax.data.sources import SourceSpec
from reviewintent_jax.data.times import ORDER_UNKNOWN, UnclearOrderError, utc_seconds
from reviewintent_jax.schema import (
    RAW_CHARACTERS,
    InputError,
    RawRow,
    Rejected,
    Review,
)

_BLANK = re.compile(r"[\s\x00\u00ad\u200b-\u200f\u2060\ufeff]*")
_WHOLE = re.compile(r"[+-]?\d{1,18}\.0*")
_NULLS = frozenset(
    {"", "nan", "NaN", "NAN", "null", "NULL", "<NA>", "NaT", "N/A", "n/a", "#N/A", "NA"}
)
_TEXT_NULLS = _NULLS | {"None"}  # str(None); but a class may be called "None"
_SHOWN_CHARACTERS = 200


@dataclasses.dataclass(frozen=True)
class CheckSpec:
    """What makes a row unusable.

    Attributes:
      max_characters: a longer text (title included) is set aside; from 0, and 0 means
        that no text is too long.
    """

    max_characters: int

    def __post_init__(self) -> None:
        if self.max_characters < 0:
            raise InputError(
                f"max_characters counts from 0; {self.max_characters} is negative."
            )


def check_row(
    raw: RawRow, row: int, source: SourceSpec, spec: CheckSpec
) -> Review | Rejected:
    """The review of a row, or why there is none.

    ``row`` is the position among all rows of the source, from 0. Reasons: what the
    reader found wrong with the row; "no text"; "text is not text"; "text longer than N
    characters"; "no group"; "no time"; "time not understood", alone or with the setting
    that would say its order. A missing label or split is empty here; the stages of
    labels and splits decide what that means.
    """

    def rejected(column: str, reason: str, value: Any) -> Rejected:
        return Rejected(row, raw.file, raw.line, column, reason, _shown(value))

    if raw.problem:
        if raw.raw:
            return Rejected(row, raw.file, raw.line, "", raw.problem, raw.raw)
        return rejected("", raw.problem, dict(raw.fields))
    written = raw.fields.get(source.text)
    if isinstance(written, list | dict | tuple | np.ndarray):
        return rejected(source.text, "text is not text", written)
    body = _plain_text(written)
    if not body:
        return rejected(source.text, "no text", written)
    text = join_title(_plain_text(raw.fields.get(source.title)), body)
    if 0 < spec.max_characters < len(text):
        reason = f"text longer than {spec.max_characters} characters"
        return rejected(source.text, reason, text)
    group = plain_value(raw.fields.get(source.group))
    if source.group and not group:
        return rejected(source.group, "no group", raw.fields.get(source.group))
    time = None
    if source.time:
        moment = raw.fields.get(source.time)
        if _is_missing(moment, _TEXT_NULLS):
            return rejected(source.time, "no time", moment)
        try:
            time = utc_seconds(moment, source.date_order)
        except UnclearOrderError:
            return rejected(source.time, ORDER_UNKNOWN, moment)
        except ValueError:
            return rejected(source.time, "time not understood", moment)
    return Review(
        row=row,
        file=raw.file,
        line=raw.line,
        text=text,
        label=label_value(raw.fields.get(source.label)),
        group=group,
        time=time,
        split=plain_value(raw.fields.get(source.split)),
        slice=plain_value(raw.fields.get(source.slice)),
    )


def join_title(title: str, text: str) -> str:
    """Title and text as one: a full stop between them unless the title has its own.

    >>> join_title("Great tea", "Would buy again."), join_title("Why?", "It leaks.")
    ('Great tea. Would buy again.', 'Why? It leaks.')
    """
    if not title:
        return text
    stop = "" if title.endswith((".", "!", "?", "…", ":", "。", "！", "？")) else "."
    return f"{title}{stop} {text}"


def plain_value(value: Any) -> str:
    """A group, split or number as a stripped string; '' where it is missing.

    A whole number has no decimals, however it was stored, and a flag is 1 or 0, so
    that CSV, JSON and Parquet of the same data say the same.

    >>> plain_value(" 4.0 "), plain_value(4.0), plain_value(True), plain_value(None)
    ('4', '4', '1', '')
    """
    if _is_missing(value, _NULLS):
        return ""
    if isinstance(value, bool | np.bool_):
        return str(int(value))
    if isinstance(value, int | float | np.number | Decimal):
        if isinstance(value, int | np.integer):
            return str(value)
        number = value if isinstance(value, Decimal) else float(value)
        whole = math.isfinite(number) and number % 1 == 0
        return str(int(number)) if whole else str(number)
    if isinstance(value, list | dict | tuple):
        return json.dumps(value, ensure_ascii=False, default=str)
    text = _decoded(value).strip()
    return str(int(text.split(".")[0])) if _WHOLE.fullmatch(text) else text


def label_value(value: Any) -> str:
    """A label as a stripped string; a flag is a word here, since it is no star.

    >>> label_value(4.0), label_value(True), label_value(None)
    ('4', 'true', '')
    """
    if isinstance(value, bool | np.bool_):
        return "true" if value else "false"
    return plain_value(value)


def _plain_text(value: Any) -> str:
    """Stripped text; '' where it is missing or holds nothing that could be seen."""
    text = "" if _is_missing(value, _TEXT_NULLS) else _decoded(value).strip()
    return "" if _BLANK.fullmatch(text) else text


def _decoded(value: Any) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


def _is_missing(value: Any, nulls: frozenset[str]) -> bool:
    """None, NaN, NaT, pandas' NA, or a string that stands for nothing."""
    if value is None or type(value).__name__ == "NAType":
        return True
    if isinstance(value, str):
        return value.strip() in nulls
    if isinstance(value, list | dict | tuple | bytes | np.ndarray):
        return False
    return bool(value != value)


def _shown(value: Any) -> str:
    """The value as a short string, for people."""
    if value is None:
        return ""
    if isinstance(value, str):
        return value[:_SHOWN_CHARACTERS]
    if isinstance(value, dict):
        value = {
            key: one[:_SHOWN_CHARACTERS] if isinstance(one, str) else one
            for key, one in value.items()
        }
    return json.dumps(value, ensure_ascii=False, default=str)[:_SHOWN_CHARACTERS]


def is_rejection_log(path: Path) -> bool:
    """Whether a file may be written over as a log of rejected rows: none, or ours.

    A run that is stopped while it prepares its data leaves this log and nothing else.
    """
    if not path.exists():
        return True
    try:
        with path.open("rb") as lines:
            first = lines.readline(1 << 20)
        return not first or set(json.loads(first)) == set(Rejected._fields)
    except (OSError, ValueError, TypeError):
        return False


def shortened(rejected: Rejected) -> Rejected:
    """With its value cut to what the log keeps."""
    most = _SHOWN_CHARACTERS if rejected.field else RAW_CHARACTERS
    return rejected._replace(value=rejected.value[:most])


class RejectionLog:
    """Rows set aside, written as they come: one JSON object a line, and the counts.

    The file is made, and an older one emptied, when the log is entered. Every line
    goes to the system in one piece, so a killed run leaves whole lines.

    Attributes:
      path: the file.
      counts: rows by reason; of "reason: detail", only the reason.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.counts: Counter[str] = Counter()
        self._file = None

    @property
    def total(self) -> int:
        """Rows set aside so far."""
        return self.counts.total()

    def __enter__(self) -> Self:
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._file = self.path.open("wb", buffering=0)
        except OSError as error:
            raise InputError(
                f"Cannot write the rejected rows: {error.strerror}.",
                where=str(self.path),
            ) from error
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None

    def add(self, rejected: Rejected) -> None:
        """Write one row; its value is cut to 200 characters, a whole row to 1,000."""
        if self._file is None:
            raise ValueError("the log is not open; use it in a with statement")
        line = json.dumps(shortened(rejected)._asdict(), ensure_ascii=False) + "\n"
        self._file.write(line.encode("utf-8", "backslashreplace"))
        self.counts[rejected.reason.split(": ")[0]] += 1
