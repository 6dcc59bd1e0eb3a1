"""Stage 1, raw: physical lines of JSON lines -> RawRow."""

import itertools
import json
import re
from collections.abc import Iterator
from typing import Any

from reviewintent_jax.data.opening import MAX_CHARACTERS, Lines, as_written
from reviewintent_jax.schema import InputError, RawRow

_LOOK_AHEAD = 100  # rows whose keys make the columns
_LONE_SURROGATE = re.compile("[\ud800-\udfff]")


def open_jsonl(lines: Lines) -> tuple[tuple[str, ...], Iterator[RawRow]]:
    """Column names (keys of the first 100 rows, in order of appearance), and the rows.

    Blank lines are no rows; a line that is no JSON object is a problem row.

    Raises:
      InputError: there is nothing, or one JSON array instead of lines.
    """
    rows = _rows(lines)
    begun = list(itertools.islice(rows, _LOOK_AHEAD))
    if not begun:
        raise InputError("The file is empty.", where=lines.name)
    columns = dict.fromkeys(key for row in begun for key in row.fields)
    return tuple(columns), itertools.chain(begun, rows)


def _rows(lines: Lines) -> Iterator[RawRow]:
    for line in lines:
        lines.begin_record()
        if not line.strip():
            continue
        if lines.number == 1 and line.lstrip().startswith("["):
            raise InputError(
                "The file is one JSON array, not one JSON object a line.",
                where=lines.name,
                fix="Convert it: jq -c '.[]' reviews.json > reviews.jsonl",
            )
        fields, problem = _parsed(line)
        raw = as_written(line) if problem else ""
        yield RawRow(lines.name, lines.number, fields, problem, raw)


def _parsed(line: str) -> tuple[dict[str, Any], str]:
    if len(line) >= MAX_CHARACTERS:
        return {}, f"longer than {MAX_CHARACTERS} characters"
    try:
        value = json.loads(line)
    except json.JSONDecodeError as error:  # its own words count lines from this line
        at = min(error.pos, len(line.rstrip())) + 1
        return {}, f"not valid JSON: at character {at}"
    except RecursionError:
        return {}, "not valid JSON: nested too deeply"
    except ValueError:
        return {}, "not valid JSON: a number of too many digits"
    if not isinstance(value, dict):
        return {}, "a JSON value that is no object"
    return (_mended(value) if "\\u" in line else value), ""


def _mended(value: Any) -> Any:
    """The value with lone surrogates, which no encoding can write, made U+FFFD."""
    if isinstance(value, str):
        return _LONE_SURROGATE.sub("\ufffd", value)
    if isinstance(value, list):
        return [_mended(one) for one in value]
    if isinstance(value, dict):
        return {_mended(key): _mended(one) for key, one in value.items()}
    return value
