"""Files of results: written whole or not at all."""

import json
from pathlib import Path
from typing import Any

import pandas as pd

Facts = dict[str, Any]
"""Part of ``metrics.json``: plain JSON values."""


def write_table(path: Path, table: pd.DataFrame) -> None:
    """Writes Parquet as :func:`write_json` writes JSON: whole or not at all."""
    part = path.with_name(path.name + ".part")
    table.to_parquet(part, index=False)
    part.replace(path)


def write_json(path: Path, values: Any) -> None:
    """Writes JSON under a temporary name and renames it, so that it is never half."""
    part = path.with_name(path.name + ".part")
    part.write_text(json.dumps(values, indent=2, ensure_ascii=False) + "\n", "utf-8")
    part.replace(path)
