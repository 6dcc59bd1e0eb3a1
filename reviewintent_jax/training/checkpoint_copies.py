"""Copies of checkpoints in a bucket that Orbax cannot write to itself (S3).

In: folders of finished checkpoints on a disk, which Orbax renames when they are whole.
Out: the same in the bucket, each with a mark that is written last, so that a copy that
was broken off does not count. A run on a new machine begins with fetching them.
"""

import logging
import threading

from etils import epath

from reviewintent_jax.schema import InputError, TransientError
from reviewintent_jax.training.checkpoint_folder import finished_steps, first_line

log = logging.getLogger("reviewintent")

_KINDS = ("best", "latest")  # the state remembers the best, so the best goes first
_MARK = "COMPLETE"
_EVERY_SECONDS = 5.0
_FETCHED = ".orbax-checkpoint-tmp-fetched"  # known as unfinished, should it stay


class BucketCopies:
    """Keeps a bucket like a folder of checkpoints, in the background.

    Args:
      root: the folder; holds ``best`` and ``latest``.
      url: of the place in the bucket, such as ``s3://bucket/run``.

    Raises:
      InputError: the file system of the bucket is not installed, or refuses.
    """

    def __init__(self, root: epath.Path, url: str) -> None:
        import fsspec  # slow, and needed by nobody whose checkpoints lie on a disk

        self._root, self._url = root, url
        try:
            self._remote, self._place = fsspec.core.url_to_fs(url)
            self._remote.invalidate_cache()
            self._remote.exists(self._place)
        except Exception as error:
            raise InputError(
                f"The folder of the checkpoints cannot be reached: {first_line(error)}",
                where=url,
                fix="Install what reads it with pip install '.[remote]', and set the "
                "credentials of its owner.",
            ) from None
        self._copying, self._ended = threading.Lock(), threading.Event()
        self._thread: threading.Thread | None = None

    def fetch(self) -> None:
        """Brings what is newer in the bucket than in the folder.

        Raises:
          TransientError: the bucket cannot be read.
        """
        try:
            for kind in _KINDS:
                here = [int(step.name) for step in finished_steps(self._root / kind)]
                for step in self._copied(kind):
                    if int(step) > max(here, default=-1):
                        self._fetch(kind, step)
        except Exception as error:
            raise TransientError(
                f"Checkpoints cannot be fetched: {first_line(error)}", where=self._url
            ) from error

    def start(self) -> None:
        """Copies what is finished every few seconds, until :meth:`close`."""
        self._thread = threading.Thread(target=self._go_on, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Ends the copying in the background."""
        self._ended.set()
        if self._thread is not None:
            self._thread.join()
            self._thread = None

    def close(self) -> None:
        """Copies the rest, and ends.

        Raises:
          TransientError: the bucket cannot be written to; the folder is whole.
        """
        self.stop()
        try:
            self.copy()
        except Exception as error:
            raise TransientError(
                f"Checkpoints cannot be copied: {first_line(error)}",
                where=self._url,
                fix=f"They are whole in {self._root}; the same command copies them.",
            ) from error

    def copy(self) -> None:
        """Copies what is finished and not there yet; removes what is no longer here."""
        with self._copying:
            self._remote.invalidate_cache()
            for kind in _KINDS:
                here = {step.name: step for step in finished_steps(self._root / kind)}
                there = self._copied(kind)
                for name, step in here.items():
                    if name not in there:
                        target = f"{self._place}/{kind}/{name}"
                        self._remote.put(f"{step}/", f"{target}/", recursive=True)
                        self._remote.pipe_file(f"{target}/{_MARK}", b"")
                if here:
                    self._remove_others(kind, set(here))

    def try_to_copy(self) -> None:
        """Copies as far as the bucket can be reached; warns where it cannot."""
        try:
            self.copy()
        except Exception as error:
            log.warning(
                "Checkpoints are not all copied to %s: %s. They are whole in %s; the "
                "same command copies them.",
                *(self._url, first_line(error), self._root),
            )

    def _go_on(self) -> None:
        while not self._ended.wait(_EVERY_SECONDS):
            try:
                self.copy()
            except FileNotFoundError:
                continue  # an old one was removed while it was read
            except Exception as error:
                log.warning(
                    "Checkpoints are not copied to %s yet: %s",
                    *(self._url, first_line(error)),
                )

    def _remove_others(self, kind: str, names: set[str]) -> None:
        """Removes steps that are not among ``names``, broken copies included."""
        for each in self._remote.ls(f"{self._place}/{kind}", detail=False):
            if each.rstrip("/").split("/")[-1] not in names:
                mark = f"{each.rstrip('/')}/{_MARK}"
                if self._remote.exists(mark):
                    self._remote.rm_file(mark)  # first: half of it is not a copy
                self._remote.rm(each, recursive=True)

    def _copied(self, kind: str) -> list[str]:
        """Names of the steps in the bucket that are whole."""
        place = f"{self._place}/{kind}"
        if not self._remote.exists(place):
            return []
        marks = self._remote.glob(f"{place}/*/{_MARK}")
        return sorted(mark.rstrip("/").split("/")[-2] for mark in marks)

    def _fetch(self, kind: str, step: str) -> None:
        target = self._root / kind / f"{step}{_FETCHED}"
        target.mkdir(parents=True, exist_ok=True)
        source = f"{self._place}/{kind}/{step}/"
        self._remote.get(source, f"{target}/", recursive=True)
        (target / _MARK).unlink()
        target.rename(self._root / kind / step)
        log.info("Fetched the checkpoint of step %d from %s.", int(step), self._url)
