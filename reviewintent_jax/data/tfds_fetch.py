"""Serves stage 1, raw: fetches a TensorFlow dataset, or says what to do instead.

In: a TFDS builder whose data are not on disk. Out: its data on disk, as array_record. A
failed attempt leaves TFDS's data folder as it was, and one message.
"""

import contextlib
import io
import logging
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from reviewintent_jax.data.sources import SourceSpec
from reviewintent_jax.schema import InputError

_log = logging.getLogger("reviewintent")

_WITHDRAWN = {
    "amazon_us_reviews": "Its owners withdrew it in 2023, so nobody can fetch it any "
    "more. Use Amazon Reviews 2023 instead, JSON lines as published: "
    "--config.data.kind=table --config.data.path=Musical_Instruments.jsonl.gz"
}
_ADVICE = {
    "sentiment140": "A network alone is not enough: TFDS needs TensorFlow to prepare "
    "this set. Without it, put the line polarity,id,date,query,user,text above the "
    "published training.1600000.processed.noemoticon.csv and read that: "
    "--config.data.kind=table --config.data.path=FILE",
}


def is_withdrawn(name: str) -> bool:
    """Whether a dataset's source is gone, so that only old copies can be read."""
    return base_name(name) in _WITHDRAWN


def base_name(name: str) -> str:
    """The dataset's name without its config and version."""
    return re.split("[/:]", name)[0]


def local_copy(spec: SourceSpec) -> str:
    """How to read a file of one's own instead, with the settings that it needs."""
    named = {"text": spec.text, "title": spec.title, "label": spec.label}
    named |= {"group": spec.group, "time": spec.time}
    columns = " ".join(f"--config.data.{k}={v}" for k, v in named.items() if v)
    split = ""
    if spec.split:
        split = (
            f"If no column {spec.split!r} names the split of every row: "
            "--config.data.split= --config.split.kind=stratified. "
        )
    return (
        "Or point at a local copy: --config.data.kind=table --config.data.path=FILE "
        "for a CSV, JSONL or Parquet file, with the names of its columns (now "
        f"{columns}). {split}If its labels are written otherwise than in this set: "
        "--config.labels.kind=auto (names, where 1 and 2 are two classes). Or "
        "--config.data.tfds_folder=FOLDER for a TFDS data folder that holds it, "
        "prepared as array_record."
    )


def not_here(builder: Any, spec: SourceSpec) -> InputError:
    """What to say of data that are not on this machine, before any attempt."""
    known = _known_advice(spec)
    fetched = "" if known else "They are fetched when there is a network. "
    return InputError(
        f"The TensorFlow dataset {spec.tfds_name!r} is not prepared on this machine.",
        where=str(builder.data_path),
        fix=known or fetched + local_copy(spec),
    )


def cannot(spec: SourceSpec, error: Exception, what: str) -> InputError:
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
        f"The TensorFlow dataset {spec.tfds_name!r} {what} ({why}).",
        fix=_known_advice(spec) or fix + local_copy(spec),
    )


def fetch(builder: Any, spec: SourceSpec) -> None:
    """Downloads and prepares the data of a builder.

    Raises:
      InputError: that is not possible here; what the attempt made is removed.
    """
    _log.info("Fetching %s into %s ...", builder.info.full_name, builder.data_path)
    try:
        with _nothing_left(builder), _quick_and_quiet():
            builder.download_and_prepare(file_format="array_record")
    except Exception as error:  # TFDS lets through whatever its builders raise
        raise cannot(spec, error, "cannot be prepared here") from error


def _known_advice(spec: SourceSpec) -> str:
    """The way that works for sets of which we know that fetching them does not."""
    name = base_name(spec.tfds_name)
    advice = _WITHDRAWN.get(name) or _ADVICE.get(name)
    if not advice:
        return ""
    return (
        f"{advice}. Or --config.data.tfds_folder=FOLDER for a TFDS data folder that "
        "holds it, prepared as array_record."
    )


@contextlib.contextmanager
def _quick_and_quiet() -> Iterator[None]:
    """Downloads give up after seconds, not minutes, and TFDS prints nothing."""
    from tensorflow_datasets.core.download import downloader

    log = logging.getLogger("urllib3.connectionpool")
    level, retries = log.level, downloader.MAX_RETRIES
    log.setLevel(logging.ERROR)
    downloader.MAX_RETRIES = 3
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            yield
    finally:
        log.setLevel(level)
        downloader.MAX_RETRIES = retries


@contextlib.contextmanager
def _nothing_left(builder: Any) -> Iterator[None]:
    """Removes, after a failure, what the attempt made and no more.

    That is: the folders of unfinished downloads, which TFDS never uses again; the note
    on the default config, where there was none; and folders that were not there before
    and are empty. Finished downloads stay, since they serve the next attempt.
    """
    root, last = Path(builder.data_dir_root), Path(builder.data_dir).parent
    downloads, note = root / "downloads", root / builder.name / ".config/metadata.json"
    places = [downloads / "extracted", downloads / builder.name, downloads]
    places += [note.parent, last, *last.parents]
    made = [place for place in dict.fromkeys(places) if not place.exists()]
    with _watched_downloads() as unfinished:
        try:
            yield
        except BaseException:
            for folder in unfinished:
                _remove_flat(folder)
            if note.parent in made:
                note.unlink(missing_ok=True)
            for place in sorted(made, key=lambda path: -len(path.parts)):
                with contextlib.suppress(OSError):  # not empty, or never made
                    place.rmdir()
            raise


@contextlib.contextmanager
def _watched_downloads() -> Iterator[list[Path]]:
    """Folders into which this process downloads, as TFDS begins with them."""
    from tensorflow_datasets.core.download import downloader

    folders: list[Path] = []
    original = downloader._Downloader.download

    def download(self: Any, url: str, destination_path: Any, *args: Any, **more: Any):
        folders.append(Path(destination_path))
        return original(self, url, destination_path, *args, **more)

    downloader._Downloader.download = download
    try:
        yield folders
    finally:
        downloader._Downloader.download = original


def _remove_flat(folder: Path) -> None:
    """Removes a folder of plain files; a finished download has removed it itself."""
    with contextlib.suppress(OSError):
        for file in folder.iterdir():
            file.unlink()
        folder.rmdir()
