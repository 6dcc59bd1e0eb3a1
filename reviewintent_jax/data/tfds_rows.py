"""Stage 1, raw, from TensorFlow Datasets, without TensorFlow -> RawRow.

Data prepared on disk as array_record are used as they are; otherwise TFDS downloads and
prepares them in that format, which it can read and write without TensorFlow.
"""

import difflib
import importlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from reviewintent_jax.data.sources import SourceSpec
from reviewintent_jax.data.tfds_fetch import (
    base_name,
    cannot,
    fetch,
    is_withdrawn,
    local_copy,
    not_here,
)
from reviewintent_jax.schema import InputError, RawRow

_ROWS_AT_ONCE = 256
_FIRST_SPLITS = ("train", "validation", "test")
_IGNORED_SPLITS = frozenset({"unsupervised"})  # imdb_reviews: texts without labels
# Builders that TFDS knows by name only after their module was imported.
_MODULES = {"yelp_polarity_reviews": "tensorflow_datasets.text.yelp_polarity"}


def read_tfds(spec: SourceSpec) -> Iterator[RawRow]:
    """Rows of every named split: train, validation, test, then any others.

    Fields are the dataset's features with bytes decoded to str and arrays made lists;
    features within one group are called by their own name. ``split`` is added (a
    feature of that name is replaced). Lines count rows from 1 across the splits.

    Raises:
      InputError: the dataset is unknown, or cannot be fetched or prepared here.
    """
    builder = _prepared(spec)
    name = f"tfds:{spec.tfds_name}"
    undo = _ESCAPES.get(builder.name, str)
    line = 0
    for split in _in_order(builder.info.splits):
        source = _data_source(builder, split, spec)
        for start in range(0, len(source), _ROWS_AT_ONCE):
            stop = min(start + _ROWS_AT_ONCE, len(source))
            for record in source.__getitems__(list(range(start, stop))):
                line += 1
                fields = {key: _plain(one, undo) for key, one in _flat(record).items()}
                yield RawRow(name, line, {**fields, "split": split})


def tfds_columns(spec: SourceSpec) -> tuple[str, ...]:
    """Fields that the rows will have; downloads nothing that can wait.

    A withdrawn dataset is tried first: where it is not there, its columns are no help.

    Raises:
      InputError: the dataset is unknown, or withdrawn and not here.
    """
    builder = _prepared(spec) if is_withdrawn(spec.tfds_name) else _builder(spec)
    types = builder.info.features.np_dtype  # a dict, nested where features are
    return (*dict.fromkeys([*_flat(types), "split"]),)


def require_tfds(spec: SourceSpec) -> None:
    """Sees whether the data lie prepared on this machine; downloads nothing.

    Raises:
      InputError: the dataset is unknown, or not prepared here.
    """
    builder = _builder(spec)
    if not builder.info.splits:
        raise not_here(builder, spec)


def tfds_identity(spec: SourceSpec) -> dict[str, str]:
    """Full name with config and version, and folder, of the dataset; downloads nothing.

    Raises:
      InputError: the dataset is unknown.
    """
    builder = _builder(spec)
    return {"name": builder.info.full_name, "folder": str(builder.data_path)}


def unescape_yelp(text: str) -> str:
    r"""Yelp polarity's text as it was before its authors wrote it to CSV.

    TFDS cuts their lines by position, so their escapes stay in: a doubled quote for a
    quote, and backslash n for a new line.

    >>> print(unescape_yelp(r'The ""best"" tacos.\nWill return.'))
    The "best" tacos.
    Will return.
    """
    return text.replace('""', '"').replace("\\n", "\n")


_ESCAPES: dict[str, Callable[[str], str]] = {"yelp_polarity_reviews": unescape_yelp}


def _tfds() -> Any:
    import tensorflow_datasets as tfds  # slow to import, and only needed here

    tfds.disable_progress_bar()
    return tfds


def _builder(spec: SourceSpec) -> Any:
    tfds = _tfds()
    folder = str(Path(spec.tfds_folder).expanduser()) if spec.tfds_folder else None
    if folder and (Path(folder) / "dataset_info.json").is_file():
        return tfds.builder_from_directory(folder)
    name = spec.tfds_name
    try:
        return tfds.builder(name, data_dir=folder)
    except tfds.core.registered.DatasetNotFoundError:
        importlib.import_module(
            _MODULES.get(base_name(name), "tensorflow_datasets.text")
        )
    except Exception as error:
        raise cannot(spec, error, "cannot be opened") from error
    try:
        return tfds.builder(name, data_dir=folder)
    except tfds.core.registered.DatasetNotFoundError as error:
        raise _unknown(tfds, spec) from error
    except Exception as error:
        raise cannot(spec, error, "cannot be opened") from error


def _unknown(tfds: Any, spec: SourceSpec) -> InputError:
    name = spec.tfds_name
    known = tfds.list_builders(with_community_datasets=False)
    near = difflib.get_close_matches(base_name(name), known, n=3, cutoff=0.6)
    hint = f"Did you mean {' or '.join(near)}? " if near else ""
    return InputError(
        f"TensorFlow Datasets has no dataset {name!r}.", fix=hint + local_copy(spec)
    )


def _prepared(spec: SourceSpec) -> Any:
    """The builder with its data on disk, fetched and prepared where they are not."""
    builder = _builder(spec)
    if not builder.info.splits:
        fetch(builder, spec)
    return builder


def _in_order(splits: Mapping[str, Any]) -> Sequence[str]:
    named = [split for split in _FIRST_SPLITS if split in splits]
    others = sorted(set(splits) - set(named) - _IGNORED_SPLITS)
    return [*named, *others]


def _data_source(builder: Any, split: str, spec: SourceSpec) -> Any:
    try:
        return builder.as_data_source(split=split)
    except Exception as error:
        written = builder.info.file_format
        format_ = written.value if written else "of unknown format"
        raise InputError(
            f"The prepared dataset 'tfds:{spec.tfds_name}' cannot be read without "
            f"TensorFlow (its files are {format_}).",
            where=str(builder.data_path),
            fix="Prepare it as array_record: remove that folder, or set another "
            "--config.data.tfds_folder. " + local_copy(spec),
        ) from error


def _flat(record: Mapping[str, Any]) -> dict[str, Any]:
    """Features by name; those of a group by their own names, unless taken.

    >>> _flat({"data": {"review_body": b"good", "star_rating": 5}})
    {'review_body': b'good', 'star_rating': 5}
    """
    flat: dict[str, Any] = {}
    for key, value in record.items():
        inner = _flat(value) if isinstance(value, Mapping) else {key: value}
        for name, one in inner.items():
            taken = name in flat or (
                inner is not value and name in record and name != key
            )
            flat[f"{key}/{name}" if taken else name] = one
    return flat


def _plain(value: Any, undo: Callable[[str], str]) -> Any:
    if isinstance(value, np.ndarray):
        value = value.tolist()
    elif isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, bytes):
        value = value.decode("utf-8", "replace")
    if isinstance(value, list):
        return [_plain(one, undo) for one in value]
    return undo(value) if isinstance(value, str) else value
