"""Serves stages 3 to 5: columns of numbers that grow on disk and are read as arrays.

With hundreds of millions of reviews a few numbers of each are more than memory holds.
The files have no name: they are gone with the last array that reads them, whatever
happens to the process.
"""

import tempfile
from pathlib import Path
from typing import IO

import numpy as np


class ColumnFiles:
    """Columns by name, written a piece at a time.

    Args:
      folder: on the disk that is to hold them; None = the system's temporary folder.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self._folder = folder
        self._files: dict[str, IO[bytes]] = {}
        self._kinds: dict[str, tuple[np.dtype, tuple[int, ...]]] = {}

    def add(self, name: str, values: np.ndarray) -> None:
        """Appends to a column; type and trailing axes are those of its first piece."""
        kind = values.dtype, values.shape[1:]
        if self._kinds.setdefault(name, kind) != kind:
            raise ValueError(f"column {name!r} is of {self._kinds[name]}, not {kind}")
        if name not in self._files:
            self._files[name] = tempfile.TemporaryFile(dir=self._folder)  # noqa: SIM115
        self._files[name].write(np.ascontiguousarray(values).data)

    def finish(self) -> dict[str, np.ndarray]:
        """Every column as an array that is read from disk; it cannot be written to.

        Nothing can be added afterwards.
        """
        found = {name: self._mapped(name, file) for name, file in self._files.items()}
        self.close()
        return found

    def close(self) -> None:
        """Closes the files; arrays that read them stay good."""
        while self._files:
            self._files.popitem()[1].close()

    def __del__(self) -> None:
        self.close()

    def _mapped(self, name: str, file: IO[bytes]) -> np.ndarray:
        file.flush()
        dtype, rest = self._kinds[name]
        size = file.seek(0, 2)
        count = size // max(1, dtype.itemsize * int(np.prod(rest)))
        if not size:
            return np.zeros((0, *rest), dtype)
        mapped = np.memmap(file, dtype, "r", shape=(count, *rest))
        return np.asarray(mapped)  # a plain array, whose results are plain too
