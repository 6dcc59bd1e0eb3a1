"""What a cell of a numeric table holds: a number, a date, or a mistake and its cure."""

import math
import re
from typing import Any

from reviewintent_jax.data.times import (
    SET_ORDER,
    DateOrder,
    UnclearOrderError,
    UnclearTimeError,
    utc_seconds,
)

_DECIMAL_COMMA = re.compile(r"[+-]?\d+,\d+")
_GROUPED = re.compile(
    r"[+-]?\d{1,3}([,.'\u2019 \u00a0\u202f])\d{3}(\1\d{3})*([.,]\d+)?"
)
_COLUMNS = """--config.data.columns="('A','B')\""""
_MISSING = frozenset({"", "na", "n/a", "nan", "null", "none", "-", "?"})


def is_plain(cell: Any) -> bool:
    """Whether Python and people read the same number: 1_000 is one to Python alone."""
    return isinstance(cell, str) and "_" not in cell


def cell_problem(cell: Any, name: str, order: DateOrder) -> tuple[str, str] | None:
    """What is wrong with a cell of a series and what to do; None if it is a number.

    What to do is sentences; one that names a setting holds nothing else, since where a
    run is trained already it does not apply.
    """
    shown = str(cell)
    if cell is None or shown.strip().lower() in _MISSING:
        return (
            "A value is missing.",
            "Fill it in or remove the row: what to fill in is yours to decide. Or "
            f"leave the series out: name the others with {_COLUMNS}.",
        )
    try:
        number = None if isinstance(cell, bool) or "_" in shown else float(cell)
    except (TypeError, ValueError):
        number = None
    if number is not None:
        if math.isfinite(number):
            return None
        return f"The value {shown} is infinite.", "Put a finite number there."
    if is_date(cell, order):
        fix = f"If this is the column of dates, set --config.data.time={name}."
    elif _GROUPED.fullmatch(shown.strip()):
        fix = "Write thousands without separators and decimals with a point: 1234.5."
    elif _DECIMAL_COMMA.fullmatch(shown.strip()):
        fix = "Write decimals with a point: 1.5, not 1,5."
    else:
        fix = (
            f"Put a number there. Or name the series with {_COLUMNS}. If the first row "
            "is a header, set --config.data.header=yes."
        )
    return f"{shown[:60]!r} is no number.", fix


def date_problem(cell: Any, order: DateOrder) -> tuple[str, str]:
    """What is wrong with a cell of the dates that is not understood, and what to do."""
    write = "Write dates as 2016-07-01 or 2016-07-01 13:00:00."
    other = "Or name another column with --config.data.time=COLUMN ('' = no dates)."
    try:
        utc_seconds(cell, order)
    except UnclearTimeError as error:
        what = f"{cell!r} is no date that is understood: {error}."
        unsaid = isinstance(error, UnclearOrderError)
        return what, f"{write} {'Or set' + SET_ORDER[3:] if unsaid else other}"
    except ValueError:
        pass
    return f"{cell!r} is no date that is understood.", f"{write} {other}"


def is_number(cell: Any) -> bool:
    """Whether a cell is a number as Python reads it."""
    try:
        float(cell)
    except (TypeError, ValueError):
        return False
    return True


def is_date(cell: Any, order: DateOrder) -> bool:
    """Whether a cell is a date, clear or not, and could not be a number."""
    if cell is None or is_number(cell):
        return False
    text = cell.strip() if isinstance(cell, str) else ""
    if _GROUPED.fullmatch(text) or _DECIMAL_COMMA.fullmatch(text):
        return False
    try:
        utc_seconds(cell, order)
    except UnclearTimeError:
        return True
    except ValueError:
        return False
    return True
