"""Stage 1, raw, from TensorFlow Datasets, without TensorFlow -> RawRow.

Data prepared on disk as array_record are used as they are; otherwise TFDS downloads and
prepares them in that format, which it can read and write without TensorFlow.
"""

import contextlib
import difflib
import importlib
import logging
import re
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from reviewintent_jax.data.sources import SourceSpec
from reviewintent_jax.schema import InputError, RawRow

_log = logging.getLogger(__name__)

_ROWS_AT_ONCE = 256
_FIRST_SPLITS = ("train", "validation", "test")
_IGNORED_SPLITS = frozenset({"unsupervised"})  # imdb_reviews: texts without labels
# Builders that TFDS knows by name only after their module was imported.
_MODULES = {"yelp_polarity_reviews": "tensorflow_datasets.text.yelp_polarity"}
_LOCAL_COPY = (
    "Or point at a local copy: --config.data.kind=table --config.data.path=FILE for a "
    "CSV, JSONL or Parquet file, or --config.data.tfds_folder=FOLDER for a TFDS data "
    "folder that holds it, prepared as array_record."
)


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
        source = _data_source(builder, split, name)
        for start in range(0, len(source), _ROWS_AT_ONCE):
            stop = min(start + _ROWS_AT_ONCE, len(source))
            for record in source.__getitems__(list(range(start, stop))):
                line += 1
                fields = {key: _plain(one, undo) for key, one in _flat(record).items()}
                yield RawRow(name, line, {**fields, "split": split})


def tfds_columns(spec: SourceSpec) -> tuple[str, ...]:
    """Fields that the rows will have; downloads nothing.

    Raises:
      InputError: the dataset is unknown.
    """
    types = _builder(spec).info.features.np_dtype  # a dict, nested where features are
    return (*dict.fromkeys([*_flat(types), "split"]),)


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
        importlib.import_module(_MODULES.get(_base(name), "tensorflow_datasets.text"))
    except Exception as error:
        raise _cannot(name, error, "cannot be opened") from error
    try:
        return tfds.builder(name, data_dir=folder)
    except tfds.core.registered.DatasetNotFoundError as error:
        raise _unknown(tfds, name) from error
    except Exception as error:
        raise _cannot(name, error, "cannot be opened") from error


def _base(name: str) -> str:
    return re.split("[/:]", name)[0]


def _unknown(tfds: Any, name: str) -> InputError:
    known = tfds.list_builders(with_community_datasets=False)
    near = difflib.get_close_matches(_base(name), known, n=3, cutoff=0.6)
    hint = f"Did you mean {' or '.join(near)}? " if near else ""
    return InputError(
        f"TensorFlow Datasets has no dataset {name!r}.", fix=hint + _LOCAL_COPY
    )


def _prepared(spec: SourceSpec) -> Any:
    """The builder with its data on disk, fetched and prepared where they are not."""
    builder = _builder(spec)
    if builder.info.splits:
        return builder
    _log.info("Preparing %s in %s", builder.info.full_name, builder.data_path)
    try:
        with _quick_and_quiet():
            builder.download_and_prepare(file_format="array_record")
    except Exception as error:  # TFDS lets through whatever its builders raise
        raise _cannot(spec.tfds_name, error, "cannot be prepared here") from error
    return builder


@contextlib.contextmanager
def _quick_and_quiet() -> Iterator[None]:
    """Downloads give up after seconds, not minutes, and print one message, not ten."""
    from tensorflow_datasets.core.download import downloader

    log = logging.getLogger("urllib3.connectionpool")
    level, retries = log.level, downloader.MAX_RETRIES
    log.setLevel(logging.ERROR)
    downloader.MAX_RETRIES = 3
    try:
        # What TFDS prints belongs to the log: stdout may be a file of scores.
        with contextlib.redirect_stdout(sys.stderr):
            yield
    finally:
        log.setLevel(level)
        downloader.MAX_RETRIES = retries


def _cannot(name: str, error: Exception, what: str) -> InputError:
    """One message for no network, a withdrawn source and a need for TensorFlow."""
    chain: list[BaseException] = [error]
    while (cause := chain[-1].__cause__ or chain[-1].__context__) is not None:
        chain.append(cause)
    told = [" ".join(str(each).split()) for each in chain]
    if any("tensorflow" in each.lower() for each in told) and any(
        isinstance(each, ImportError) for each in chain
    ):
        why = "its builder needs TensorFlow, which is not installed"
        fix = "Prepare it once where TensorFlow is installed. "
    else:
        why = f"{type(chain[-1]).__name__}: {told[-1][:300]}"
        fix = "Check the network; some datasets were withdrawn by their owners. "
    return InputError(
        f"The TensorFlow dataset {name!r} {what} ({why}).", fix=fix + _LOCAL_COPY
    )


def _in_order(splits: Mapping[str, Any]) -> Sequence[str]:
    named = [split for split in _FIRST_SPLITS if split in splits]
    others = sorted(set(splits) - set(named) - _IGNORED_SPLITS)
    return [*named, *others]


def _data_source(builder: Any, split: str, name: str) -> Any:
    try:
        return builder.as_data_source(split=split)
    except Exception as error:
        format_ = builder.info.file_format
        raise InputError(
            f"The prepared dataset {name!r} cannot be read without TensorFlow "
            f"(its files are {format_.value if format_ else 'of unknown format'}).",
            where=str(builder.data_path),
            fix="Prepare it as array_record: remove that folder, or set another "
            "--config.data.tfds_folder. " + _LOCAL_COPY,
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
