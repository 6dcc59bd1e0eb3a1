"""PyTorch's ``pytorch_model.bin`` without PyTorch, and without running what is in it.

In: a file written by ``torch.save(model.state_dict(), path)``, as a zip archive (since
1.6) or in the older stream format. Out: names and NumPy arrays.

Such a file is a pickle, and a pickle can call anything. This reader allows seven names
(an ordered dict, two functions that rebuild tensors, the storage types), checks every
opcode before any is run, and takes no memory that the file itself does not hold: arrays
are views of the file's own bytes, no view may have more elements than its storage, and
nothing but text is hashed or shown (a few bytes can describe a tuple of tuples whose
hash would take years).
"""

import collections
import io
import math
import mmap
import pickle
import pickletools
import struct
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

import jax.numpy as jnp
import numpy as np

from reviewintent_jax.schema import InputError

_DTYPES = {
    f"{name}Storage": np.dtype(code)
    for name, code in {
        **{"Double": "<f8", "Float": "<f4", "Half": "<f2", "BFloat16": jnp.bfloat16},
        **{"Long": "<i8", "Int": "<i4", "Short": "<i2", "Char": "i1", "Byte": "u1"},
        "Bool": "?",
    }.items()
}
_LEGACY_MAGIC = 0x1950A86A20F9469CFC6C
_LEGACY_PROTOCOL = 1001
_MAX_PICKLE = 1 << 26  # names and shapes only; a BERT-large needs 60 kB
_SHOWN = 80  # characters of a name in an error
# What torch.save writes, in both formats; a pickle knows many more.
_OPCODES = frozenset(
    [
        *("PROTO", "STOP", "MARK", "GLOBAL", "REDUCE", "BUILD", "BINPERSID"),
        *("PUT", "BINPUT", "LONG_BINPUT", "GET", "BINGET", "LONG_BINGET"),
        *("NONE", "NEWTRUE", "NEWFALSE", "BININT", "BININT1", "BININT2", "LONG1"),
        *("BINUNICODE", "EMPTY_DICT", "SETITEM", "SETITEMS"),
        *("EMPTY_LIST", "APPEND", "APPENDS"),
        *("EMPTY_TUPLE", "TUPLE", "TUPLE1", "TUPLE2", "TUPLE3"),
    ]
)


class _Storage(NamedTuple):
    """A flat run of numbers somewhere in the file."""

    key: str
    dtype: np.dtype
    count: int


class _Tensor(NamedTuple):
    """A tensor before its numbers are looked up."""

    storage: _Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]


# What reading a file that is not what it should be may raise.
_DAMAGE = (
    *(pickle.UnpicklingError, zipfile.BadZipFile, struct.error, EOFError),
    *(
        ValueError,
        TypeError,
        LookupError,
        AttributeError,
        ArithmeticError,
        RuntimeError,
    ),
)


def read_torch(path: Path) -> dict[str, np.ndarray]:
    """Read a state dict: names and read-only arrays.

    Raises:
      InputError: the file is damaged, is no state dict, or holds anything but plain
        tensors (in which case nothing of it has been run).
    """
    try:
        with path.open("rb") as file:
            data = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        is_zip = data[:4] == b"PK\x03\x04"
        entries, numbers = _read_zip(path) if is_zip else _read_legacy(data)
        return {name: _array(tensor, numbers) for name, tensor in entries.items()}
    except _DAMAGE as error:
        raise InputError(
            f"Not a plain PyTorch state dict: {error}.",
            where=str(path),
            fix="Convert the checkpoint to model.safetensors where PyTorch is at hand.",
        ) from None


def _require(fine: bool, what: str) -> None:
    if not fine:
        raise pickle.UnpicklingError(what)


class _RebuildTensor:
    """Stands for ``torch._utils._rebuild_tensor_v2``.

    An instance without attributes, since a pickle may set those of what it can name.
    """

    __slots__ = ()

    def __call__(
        self, storage: Any, offset: int, shape: Any, strides: Any, *_: Any
    ) -> _Tensor:
        _require(isinstance(storage, _Storage), "a tensor without storage")
        shape, strides = tuple(shape), tuple(strides)
        numbers = (offset, *shape, *strides)
        _require(all(type(n) is int and n >= 0 for n in numbers), "a negative size")
        steps = [(n - 1) * s for n, s in zip(shape, strides, strict=True)]
        count = math.prod(shape)
        inside = not count or offset + sum(steps) < storage.count
        _require(inside, "a tensor outside its storage")
        _require(count <= storage.count, "a tensor larger than its storage")
        return _Tensor(storage, offset, shape, strides)


class _RebuildParameter:
    """Stands for ``torch._utils._rebuild_parameter``."""

    __slots__ = ()

    def __call__(self, tensor: _Tensor, *_: Any) -> _Tensor:
        return tensor


class _OrderedDict:
    """Stands for ``collections.OrderedDict``, which is always made empty."""

    __slots__ = ()

    def __call__(self, *items: Any) -> collections.OrderedDict:
        _require(not items, "a mapping that is not filled entry by entry")
        return collections.OrderedDict()


_ALLOWED: dict[tuple[str, str], Any] = {
    ("collections", "OrderedDict"): _OrderedDict(),
    ("torch._utils", "_rebuild_tensor_v2"): _RebuildTensor(),
    ("torch._utils", "_rebuild_parameter"): _RebuildParameter(),
    **{("torch", name): name for name in _DTYPES},
}


class _Unpickler(pickle._Unpickler):
    """The unpickler in Python: the one in C lets nobody see a key before it is hashed.

    It reads names and shapes only, so its speed does not matter.
    """

    dispatch: ClassVar[dict[int, Callable[..., None]]] = dict(
        pickle._Unpickler.dispatch  # pyright: ignore[reportAttributeAccessIssue]
    )
    stack: list[Any]
    pop_mark: Callable[[], list[Any]]

    def find_class(self, module: str, name: str) -> Any:
        allowed = (module, name) in _ALLOWED
        _require(
            allowed, f"it asks for {f'{module}.{name}'[:_SHOWN]}, which is refused"
        )
        return _ALLOWED[module, name]

    def persistent_load(self, pid: Any) -> _Storage:
        tag, kind, key, _, count, *view = pid
        known = tag == "storage" and type(kind) is str and kind in _DTYPES
        _require(known, "an unknown object")
        _require(
            type(key) is str and type(count) is int and count >= 0, "a bad storage"
        )
        _require(not view or view == [None], "a view of a storage")
        return _Storage(key, _DTYPES[kind], count)

    def _set(self, items: list[Any]) -> None:
        mapping = self.stack[-1]
        _require(isinstance(mapping, dict), "an entry of something that is no mapping")
        for key, value in zip(items[::2], items[1::2], strict=True):
            _require(type(key) is str, "an entry whose name is no text")
            mapping[key] = value

    def _load_setitem(self) -> None:
        value, key = self.stack.pop(), self.stack.pop()
        self._set([key, value])

    def _load_setitems(self) -> None:
        self._set(self.pop_mark())

    dispatch[pickle.SETITEM[0]] = _load_setitem
    dispatch[pickle.SETITEMS[0]] = _load_setitems


def _unpickle(stream: Any) -> Any:
    """Check the opcodes up to the first STOP, then load them."""
    start = stream.tell()
    for step, (opcode, argument, position) in enumerate(pickletools.genops(stream)):
        _require((position or 0) - start < _MAX_PICKLE, "a pickle far too large")
        known = opcode.name in _OPCODES
        _require(known, f"opcode {opcode.name}, which PyTorch does not write")
        if "PUT" in opcode.name:  # the memo grows to the index that is asked for
            _require(int(argument or 0) <= 2 * step, "a memo index out of range")
    stream.seek(start)
    return _Unpickler(stream, encoding="utf-8").load()


def _entries(loaded: Any) -> dict[str, _Tensor]:
    _require(isinstance(loaded, dict), "no mapping of names to tensors")
    for name, value in dict.items(loaded):
        fine = isinstance(value, _Tensor)
        _require(fine, f"the entry {name[:_SHOWN]!r} is no named tensor")
    return loaded


Numbers = Callable[[_Storage], np.ndarray]


def _array(tensor: _Tensor, numbers: Numbers) -> np.ndarray:
    flat = numbers(tensor.storage)
    strides = [stride * flat.dtype.itemsize for stride in tensor.strides]
    return np.lib.stride_tricks.as_strided(
        flat[tensor.offset :], tensor.shape, strides, writeable=False
    )


def _read_zip(path: Path) -> tuple[dict[str, _Tensor], Numbers]:
    """``archive/data.pkl`` and the numbers in ``archive/data/0``, ``1``, ..."""
    archive = zipfile.ZipFile(path)
    members = {info.filename: info for info in archive.infolist()}
    stored = all(info.compress_type == zipfile.ZIP_STORED for info in members.values())
    _require(stored, "a compressed archive, which PyTorch does not write")
    total = sum(info.file_size for info in members.values())
    _require(total <= path.stat().st_size, "an archive that claims more than it holds")
    pickles = [name for name in members if name.endswith("/data.pkl")]
    _require(len(pickles) == 1, "an archive without exactly one data.pkl")
    root = pickles[0].removesuffix("data.pkl")
    if f"{root}byteorder" in members:
        order = archive.read(f"{root}byteorder")
        _require(order == b"little", "numbers in big-endian order")
    _require(members[pickles[0]].file_size < _MAX_PICKLE, "a pickle far too large")
    entries = _entries(_unpickle(io.BytesIO(archive.read(pickles[0]))))
    cache: dict[str, bytes] = {}

    def numbers(storage: _Storage) -> np.ndarray:
        name = f"{root}data/{storage.key}"
        size = storage.count * storage.dtype.itemsize
        _require(name in members and members[name].file_size == size, f"bad {name}")
        if name not in cache:
            cache[name] = archive.read(name)
        return np.frombuffer(cache[name], storage.dtype, count=storage.count)

    return entries, numbers


def _read_legacy(data: mmap.mmap) -> tuple[dict[str, _Tensor], Numbers]:
    """Five pickles (magic, protocol, system, state dict, keys), then the numbers."""
    _require(
        _unpickle(data) == _LEGACY_MAGIC, "neither a zip archive nor the old format"
    )
    _require(_unpickle(data) == _LEGACY_PROTOCOL, "an unknown protocol")
    system = _unpickle(data)
    _require(system["little_endian"] is True, "numbers in big-endian order")
    entries = _entries(_unpickle(data))
    places = _legacy_places(data, _unpickle(data), entries)

    def numbers(storage: _Storage) -> np.ndarray:
        return np.frombuffer(data, storage.dtype, storage.count, places[storage.key])

    return entries, numbers


def _legacy_places(
    data: mmap.mmap, keys: list[str], entries: Mapping[str, _Tensor]
) -> dict[str, int]:
    """Byte at which every storage starts; each is preceded by its count (int64)."""
    named = isinstance(keys, list) and all(type(key) is str for key in keys)
    _require(named, "a list of storages that is none")
    storages = {tensor.storage.key: tensor.storage for tensor in entries.values()}
    _require(
        set(keys) == set(storages), "storages and tensors that do not belong together"
    )
    position, places = data.tell(), {}
    for key in keys:
        (count,) = struct.unpack_from("<q", data, position)
        _require(
            count == storages[key].count, "a storage of another size than declared"
        )
        places[key] = position + 8
        position += 8 + count * storages[key].dtype.itemsize
        _require(position <= len(data), "a truncated file")
    return places
