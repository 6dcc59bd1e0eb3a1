"""Stage 1, raw: TFDS name, table files or the built-in shop -> rows (RawRow).

This is the one door to raw data; nothing after it knows where a row came from.
"""

import dataclasses
import difflib
import enum
import itertools
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import reviewintent_jax
from reviewintent_jax.data.bazaar import BazaarSpec, simulate_shop
from reviewintent_jax.data.tables import expand_paths, read_tables, table_layout
from reviewintent_jax.data.times import DateOrder
from reviewintent_jax.schema import InputError, RawRow, check_seed


class SourceKind(enum.StrEnum):
    """Where rows come from."""

    TABLE = "table"
    TFDS = "tfds"
    SHOP = "shop"


@dataclasses.dataclass(frozen=True)
class SourceSpec:
    """Where rows come from and which of their columns matter.

    A column name is empty where the source has no such column.

    Attributes:
      kind: table files, a TensorFlow dataset or the built-in shop.
      path: for tables: a file, a glob, or several joined by commas; else empty.
      text: column of the review's text; never empty.
      title: column put before the text as "title. text".
      label: column of the label (stars, 0/1 or names).
      group: column of the user or product that must not cross splits.
      time: column of the review's time.
      date_order: what comes first in dates such as 05/06/2014.
      split: column that names the split a row belongs to; TFDS rows have ``split``.
      slice: column whose values are scored apart as well as together.
      tfds_name: for TFDS: ``name``, ``name/config`` or ``name:version``; else empty.
      tfds_folder: for TFDS: its data folder; empty for TFDS's own default.
      shop_rows: for the shop: reviews to write, at least 1.
      shop_seed: for the shop: seed, from 0.
    """

    kind: SourceKind
    path: str
    text: str
    title: str
    label: str
    group: str
    time: str
    date_order: DateOrder
    split: str
    slice: str
    tfds_name: str
    tfds_folder: str
    shop_rows: int
    shop_seed: int

    def __post_init__(self) -> None:
        if not self.text:
            raise InputError(
                "The column of the text is not named.",
                fix="Set --config.data.text=COLUMN.",
            )
        if self.kind == SourceKind.TABLE and not self.path.strip():
            raise InputError(
                "The table to read is not named.", fix="Set --config.data.path=FILE."
            )
        check_seed(self.shop_seed, "data.shop_seed")
        if self.kind == SourceKind.TFDS and not self.tfds_name.strip():
            raise InputError(
                "The TensorFlow dataset is not named.",
                fix="Set --config.data.tfds_name=NAME, such as yelp_polarity_reviews.",
            )

    @property
    def named_columns(self) -> dict[str, str]:
        """Field of this spec -> column, for those that are not empty."""
        fields = ("text", "title", "label", "group", "time", "split", "slice")
        named = {field: getattr(self, field) for field in fields}
        return {field: column for field, column in named.items() if column}


def read_rows(
    spec: SourceSpec, also: Mapping[str, str] | None = None
) -> Iterator[RawRow]:
    """Every row of the source, in its order, streamed.

    Args:
      spec: the source.
      also: columns that must be there beside those of ``spec``: field of the config
        (with its group, ``intention.subject``) -> column.

    Raises:
      InputError: at once, when a named column or the source itself does not exist;
        later, when a file turns out to be damaged.
    """
    named = spec.named_columns | dict(also or {})
    if spec.kind == SourceKind.TABLE:
        paths = expand_paths(spec.path)
        for path in paths:
            check_columns(named, table_layout(path).columns, str(path))
        return read_tables(paths)
    if spec.kind == SourceKind.TFDS:
        from reviewintent_jax.data import tfds_rows  # which needs SourceSpec

        columns, name = tfds_rows.tfds_columns(spec), f"tfds:{spec.tfds_name}"
        check_columns(named, columns, name)
        return tfds_rows.read_tfds(spec)
    rows = _shop_rows(spec)
    first = next(rows)
    check_columns(named, tuple(first.fields), first.file)
    return itertools.chain([first], rows)


def require_source(spec: SourceSpec) -> None:
    """Sees whether the source is on this machine; fetches nothing.

    Raises:
      InputError: it is not.
    """
    if spec.kind == SourceKind.TABLE:
        expand_paths(spec.path)
    if spec.kind == SourceKind.TFDS:
        from reviewintent_jax.data.tfds_rows import require_tfds  # as above

        require_tfds(spec)


def source_columns(spec: SourceSpec) -> tuple[str, ...]:
    """Names of all columns that the source has (of its first file, its first row)."""
    if spec.kind == SourceKind.TABLE:
        return table_layout(expand_paths(spec.path)[0]).columns
    if spec.kind == SourceKind.TFDS:
        from reviewintent_jax.data.tfds_rows import tfds_columns  # as above

        return tfds_columns(spec)
    return tuple(next(_shop_rows(spec)).fields)


def _shop_rows(spec: SourceSpec) -> Iterator[RawRow]:
    shop = simulate_shop(BazaarSpec(rows=spec.shop_rows, seed=spec.shop_seed))
    file = f"shop:{spec.shop_seed}"
    return (RawRow(file, line, fields) for line, fields in enumerate(shop, 1))


_OF_SEVERAL = {
    "data.columns",
    *(f"data.{group}" for group in ("texts", "categories", "numbers", "dates")),
    "events.texts",
}
"""Settings that name any number of columns."""


def check_columns(named: Mapping[str, str], columns: Sequence[str], where: str) -> None:
    """Raises InputError for the first named column that is not among ``columns``.

    ``named`` maps the config field to the column it names, for the message; a field
    without a dot is one of ``data``.
    """
    for field, column in named.items():
        if column in columns:
            continue
        near = _nearest(column, columns)
        hint = f"Did you mean {near!r}? " if near else ""
        full = field if "." in field else f"data.{field}"
        setting = f"Set --config.{full}=COLUMN."
        if full in _OF_SEVERAL:  # a comma between names would be part of one name
            setting = f"Set --config.{full}=COLUMN, or \"('A','B')\" for several."
        raise InputError(
            f"There is no column {column!r} (named "
            f"{'in' if full in _OF_SEVERAL else 'as the'} {field}).",
            where=where,
            fix=f"{hint}The columns are: {', '.join(columns)}. {setting}",
        )


def _nearest(column: str, columns: Sequence[str]) -> str:
    """The column most like ``column``, case and punctuation aside; '' if none is."""

    def plain(name: str) -> str:
        return re.sub(r"[\W_]+", "", name.lower())

    by_plain = {plain(name): name for name in reversed(columns)}
    close = difflib.get_close_matches(plain(column), by_plain, n=1, cutoff=0.5)
    if close:
        return by_plain[close[0]]
    parts = [name for name in columns if plain(column) and plain(column) in plain(name)]
    return parts[0] if parts else ""


def source_places(spec: SourceSpec) -> list[Path]:
    """Files and folders that are read, which nothing may be written over.

    Raises:
      InputError: a table does not exist.
    """
    if spec.kind == SourceKind.TABLE:
        return expand_paths(spec.path)
    if spec.kind == SourceKind.TFDS and spec.tfds_folder:
        return [Path(spec.tfds_folder).expanduser()]
    return []


def source_fingerprint(spec: SourceSpec) -> dict[str, Any]:
    """What the source is right now, JSON-able: another value means other rows.

    Tables: every file with size in bytes and mtime in nanoseconds. TFDS: full name
    with version and folder. Shop: rows, seed and this package's version.
    """
    if spec.kind == SourceKind.TABLE:
        stats = [(path, path.stat()) for path in expand_paths(spec.path)]
        files = [
            {"path": str(path), "size": stat.st_size, "mtime_ns": stat.st_mtime_ns}
            for path, stat in stats
        ]
        return {"kind": spec.kind.value, "files": files}
    if spec.kind == SourceKind.TFDS:
        from reviewintent_jax.data.tfds_rows import tfds_identity  # as above

        return {"kind": spec.kind.value, **tfds_identity(spec)}
    return {
        "kind": spec.kind.value,
        "rows": spec.shop_rows,
        "seed": spec.shop_seed,
        "version": reviewintent_jax.__version__,
    }
