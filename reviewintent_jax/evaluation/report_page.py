"""What every report begins with: reading a run's files, and templates for its page."""

import json
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jinja2

from reviewintent_jax.schema import InputError, RunFolder

TEXT_SHOWN = 600  # characters of a mistake's text
VALUE_SHOWN = 160  # characters of a rejected value

log = logging.getLogger("reviewintent")


def read_metrics(run: RunFolder) -> dict[str, Any]:
    """Read ``metrics.json``.

    Raises:
      InputError: it is not there, or not readable.
    """
    fix = "Evaluate the run first: python -m launch.evaluate --workdir=..."
    try:
        return json.loads(run.metrics.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InputError(
            "This run has no scores yet.", where=str(run.metrics), fix=fix
        ) from None
    except json.JSONDecodeError as error:
        raise InputError(
            f"The scores are not readable: {error}.", where=str(run.metrics), fix=fix
        ) from None


def read_lines(path: Path) -> Iterator[dict[str, Any]]:
    """Read JSON lines, if any; a half-written line (a killed run) is passed over."""
    if not path.exists():
        return
    with path.open(encoding="utf-8", errors="replace") as lines:
        for line in lines:
            try:
                yield json.loads(line)
            except json.JSONDecodeError:
                log.warning("%s: a line is not JSON and was passed over", path)


def page_environment() -> jinja2.Environment:
    """Set up templates: texts escaped, absent parts falsy, figures formatted."""
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("reviewintent_jax.evaluation", ""),
        autoescape=True,
        undefined=jinja2.ChainableUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(
        score=lambda value: _formatted(value, "{:.3f}"),
        fine=lambda value: _formatted(value, "{:.4f}"),
        signed=lambda value: _formatted(value, "{:+.3f}").replace("-", "−"),
        value=lambda value: _formatted(value, "{:.6g}"),
        number=lambda value: _formatted(value, "{:,.0f}"),
        percent=lambda value: _formatted(value, "{:.1%}"),
        duration=_duration,
        moment=lambda value: str(value)[:16].replace("T", " ") + " UTC",
        text_shown=lambda value: _shorten(value, TEXT_SHOWN),
        value_shown=lambda value: _shorten(value, VALUE_SHOWN),
    )
    return environment


def _formatted(value: Any, pattern: str) -> str:
    """Format a number; a dash for what is absent or undefined."""
    if value is None or isinstance(value, jinja2.Undefined):
        return "–"
    return pattern.format(value)


def _duration(seconds: Any) -> str:
    """Write seconds for people: 42 -> 42 s, 252 -> 4 min 12 s, 7500 -> 2 h 5 min."""
    if seconds is None or isinstance(seconds, jinja2.Undefined):
        return "–"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def _shorten(value: Any, limit: int) -> str:
    """Cut a text to ``limit`` characters, the last an ellipsis."""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= limit else text[: limit - 1] + "…"
