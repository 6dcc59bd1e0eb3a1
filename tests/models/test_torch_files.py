"""PyTorch's files without PyTorch: every type and view, and every trick refused."""

import contextlib
import io
import os
import pickle
import struct
import time
import zipfile
from pathlib import Path

import numpy as np
import pytest

from reviewintent_jax.models.torch_files import read_torch
from reviewintent_jax.schema import InputError

GOLDEN = Path(__file__).parents[1] / "reference" / "golden"
MAGIC, PROTOCOL = 0x1950A86A20F9469CFC6C, 1001
SYSTEM = {"protocol_version": 1001, "little_endian": True, "type_sizes": {}}


class Named:
    """Pickled as the bare name ``module.name``, without importing anything."""

    def __init__(self, module, name):
        self.module, self.name = module, name


class Call:
    """Pickled as a call of a named function."""

    def __init__(self, module, name, *args):
        self.function, self.args = Named(module, name), args


class Stored:
    """Pickled as a persistent id."""

    def __init__(self, *pid):
        self.pid = pid


class Set:
    """Pickled as setting attributes of something, as ``__setstate__`` would."""

    def __init__(self, value, attributes):
        self.value, self.attributes = value, attributes


class Writer(pickle._Pickler):
    """The pickler in Python, because it lets us write names that do not exist."""

    def save(self, obj, save_persistent_id=True):
        if isinstance(obj, Named):
            self.write(f"c{obj.module}\n{obj.name}\n".encode())
        elif isinstance(obj, Call):
            self.save(obj.function)
            self.save(obj.args)
            self.write(pickle.REDUCE)
        elif isinstance(obj, Set):
            self.save(obj.value)
            self.save(obj.attributes)
            self.write(pickle.BUILD)
        elif isinstance(obj, Stored):
            self.save(obj.pid)
            self.write(pickle.BINPERSID)
        else:
            super().save(obj, save_persistent_id)


def dumps(value):
    stream = io.BytesIO()
    Writer(stream, 2).dump(value)
    return stream.getvalue()


def tensor(
    shape, strides, *, key="0", count=6, offset=0, kind="FloatStorage", legacy=False
):
    view = (None,) if legacy else ()
    storage = Stored("storage", Named("torch", kind), key, "cpu", count, *view)
    args = (storage, offset, shape, strides, False, Call("collections", "OrderedDict"))
    return Call("torch._utils", "_rebuild_tensor_v2", *args)


def write_zip(path, loaded, numbers, *, byteorder=b"little", **options):
    with zipfile.ZipFile(path, "w", **options) as archive:
        archive.writestr("archive/data.pkl", dumps(loaded))
        archive.writestr("archive/byteorder", byteorder)
        for key, data in numbers.items():
            archive.writestr(f"archive/data/{key}", data)
    return path


def write_legacy(path, loaded, numbers, *, magic=MAGIC, system=SYSTEM):
    parts = [dumps(value) for value in (magic, PROTOCOL, system, loaded, list(numbers))]
    for array in numbers.values():
        parts += [struct.pack("<q", array.size), array.tobytes()]
    path.write_bytes(b"".join(parts))
    return path


SIX = np.arange(6, dtype=np.float32)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "pytorch_model.bin"


# --- what PyTorch wrote -----------------------------------------------------------


@pytest.mark.parametrize("name", ["state_dict_zip.bin", "state_dict_legacy.bin"])
def test_every_type_and_view_that_pytorch_writes(name):
    found = read_torch(GOLDEN / name)
    base = np.arange(24, dtype=np.float32).reshape(4, 6)
    expected = {
        "plain": base,
        "shared": base[1:3],
        "transposed": base.T,
        "strided": base[::2, 1::3],
        "scalar": np.float32(7.5),
        "empty": np.zeros((0, 3), np.float32),
        "parameter": np.arange(3, dtype=np.float32),
        "double": np.arange(4, dtype=np.float64),
        "half": np.arange(5, dtype=np.float16),
        "long": np.arange(7)[None],
        "int": np.arange(8, dtype=np.int32),
        "short": np.arange(2, dtype=np.int16),
        "char": np.arange(-2, 2, dtype=np.int8),
        "byte": np.arange(250, 255, dtype=np.uint8),
        "bool": np.array([True, False, True]),
    }
    assert set(found) == {*expected, "bfloat16"}
    for key, array in expected.items():
        np.testing.assert_array_equal(found[key], array, strict=True, err_msg=key)
    assert found["bfloat16"].dtype.name == "bfloat16"
    np.testing.assert_array_equal(found["bfloat16"].astype(np.float32), SIX)


# --- what we wrote by hand --------------------------------------------------------


def test_zip_by_hand(path):
    write_zip(path, {"w": tensor((2, 3), (3, 1))}, {"0": SIX.tobytes()})
    np.testing.assert_array_equal(read_torch(path)["w"], SIX.reshape(2, 3))


def test_legacy_by_hand(path):
    write_legacy(path, {"w": tensor((3, 2), (1, 3), legacy=True)}, {"0": SIX})
    np.testing.assert_array_equal(read_torch(path)["w"], SIX.reshape(2, 3).T)


def test_arrays_are_read_only_views_of_the_file(path):
    write_zip(
        path,
        {"a": tensor((6,), (1,)), "b": tensor((2,), (1,), offset=4)},
        {"0": SIX.tobytes()},
    )
    found = read_torch(path)
    assert np.shares_memory(found["a"], found["b"])
    assert not found["a"].flags.writeable


# --- refusals ---------------------------------------------------------------------


@pytest.mark.parametrize("write", [write_zip, write_legacy])
@pytest.mark.parametrize(
    ("module", "name"),
    [("os", "system"), ("posix", "system"), ("builtins", "eval"), ("torch", "load")],
)
def test_a_malicious_pickle_is_refused_and_not_run(path, tmp_path, write, module, name):
    trace = tmp_path / "trace"
    loaded = {"w": Call(module, name, f"touch {trace}")}
    write(path, loaded, {"0": SIX.tobytes() if write is write_zip else SIX})
    with pytest.raises(InputError, match=f"{module}.{name}, which is refused"):
        read_torch(path)
    assert not trace.exists()


def test_the_same_malicious_pickle_does_run_in_plain_pickle(tmp_path):
    """Otherwise the test above would prove nothing."""
    trace = tmp_path / "trace"
    pickle.loads(dumps(Call("os", "mkdir", os.fspath(trace))))
    assert trace.exists()


BAD_TENSORS = {
    "outside its storage": tensor((2, 3), (3, 1), offset=1),
    "larger than its storage": tensor((1000, 1000), (0, 0)),
    "a negative size": tensor((2, -3), (3, 1)),
    "zip\\(\\)": tensor((2, 3), (3,)),
    "bad archive/data/0": tensor((2,), (1,), count=5),
    "bad archive/data/9": tensor((2,), (1,), key="9"),
    "torch.ComplexFloatStorage": tensor((2,), (1,), kind="ComplexFloatStorage"),
    "no named tensor": 3,
}


@pytest.mark.parametrize("reason", BAD_TENSORS)
def test_a_bad_tensor_is_refused(path, reason):
    write_zip(path, {"w": BAD_TENSORS[reason]}, {"0": SIX.tobytes()})
    with pytest.raises(InputError, match=reason):
        read_torch(path)


@pytest.mark.parametrize("state", [{"x": 1}, (None, {"__call__": 1, "__class__": 2})])
@pytest.mark.parametrize(
    ("module", "name"),
    [
        ("torch._utils", "_rebuild_tensor_v2"),
        ("torch._utils", "_rebuild_parameter"),
        ("torch", "FloatStorage"),
        ("collections", "OrderedDict"),
    ],
)
def test_a_pickle_cannot_change_what_it_can_name(path, module, name, state):
    write_zip(path, {"w": Set(Named(module, name), state)}, {"0": SIX.tobytes()})
    with pytest.raises(InputError, match=r"attribute|mappingproxy"):
        read_torch(path)
    test_zip_by_hand(path)


def test_a_storage_that_claims_a_terabyte_takes_no_memory(path):
    huge = 1 << 38
    write_zip(path, {"w": tensor((huge,), (1,), count=huge)}, {"0": SIX.tobytes()})
    with pytest.raises(InputError, match="bad archive/data/0"):
        read_torch(path)
    loaded = {"w": tensor((huge,), (1,), count=huge, legacy=True)}
    write_legacy(path, loaded, {"0": SIX})
    with pytest.raises(InputError, match="another size than declared"):
        read_torch(path)


def test_a_memo_index_of_four_billion_is_refused_before_it_is_run(path):
    bomb = b"\x80\x02}r\xff\xff\xff\xff."
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("archive/data.pkl", bomb)
    with pytest.raises(InputError, match="memo index"):
        read_torch(path)


def doubled(levels: int) -> bytes:
    """Opcodes of a tuple of two equal tuples of two ..., from the memo."""
    steps = [b"h" + bytes([n, 0x68, n, 0x86, 0x71, n + 1]) for n in range(1, levels)]
    return b")q\x01" + b"".join(steps)


@pytest.mark.parametrize(
    ("name", "around"),
    [
        ("setitem", (b"}", b"K\x01s")),
        ("setitems", (b"}(", b"K\x01u")),
        ("reduce", (b"ccollections\nOrderedDict\n]]", b"aK\x01aa\x85R")),
        ("key list", (b"]", b"a")),
        ("storage", (b"}X\x01\0\0\0w(X\x07\0\0\0storage", b"NNNtQs")),
    ],
)
def test_a_small_file_of_doubled_tuples_is_refused_at_once(path, name, around):
    before, after = around
    bomb = b"\x80\x02" + before + doubled(60) + after + b"."
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("archive/data.pkl", bomb)
    began = time.monotonic()
    with pytest.raises(InputError) as error:
        read_torch(path)
    assert len(str(error.value)) < 1_000
    assert time.monotonic() - began < 5  # 2 ** 60 steps would take centuries


@pytest.mark.parametrize("code", [b"}N2ss.", b"(ds.", b"\x8f(K\x01\x90."])
def test_opcodes_that_pytorch_does_not_write_are_refused(path, code):
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("archive/data.pkl", b"\x80\x02" + code)
    with pytest.raises(InputError, match="PyTorch does not write"):
        read_torch(path)


def test_a_compressed_archive_is_refused(path):
    write_zip(
        path,
        {"w": tensor((6,), (1,))},
        {"0": bytes(24)},
        compression=zipfile.ZIP_DEFLATED,
    )
    with pytest.raises(InputError, match="compressed"):
        read_torch(path)


def test_big_endian_numbers_are_refused(path):
    write_zip(path, {"w": tensor((6,), (1,))}, {"0": bytes(24)}, byteorder=b"big")
    with pytest.raises(InputError, match="big-endian"):
        read_torch(path)
    system = {**SYSTEM, "little_endian": False}
    write_legacy(
        path, {"w": tensor((6,), (1,), legacy=True)}, {"0": SIX}, system=system
    )
    with pytest.raises(InputError, match="big-endian"):
        read_torch(path)


@pytest.mark.parametrize("name", ["state_dict_zip.bin", "state_dict_legacy.bin"])
def test_a_file_cut_short_anywhere_is_refused(path, name):
    whole = (GOLDEN / name).read_bytes()
    for size in range(0, len(whole) - 1, 97):
        path.write_bytes(whole[:size])
        with pytest.raises(InputError, match="Not a plain PyTorch state dict"):
            read_torch(path)


def test_flipped_bytes_give_arrays_or_an_input_error(path):
    rng = np.random.default_rng(0)
    for name in ("state_dict_zip.bin", "state_dict_legacy.bin"):
        whole = np.frombuffer((GOLDEN / name).read_bytes(), np.uint8)
        for _ in range(150):
            broken = whole.copy()
            broken[rng.integers(broken.size, size=3)] = rng.integers(256, size=3)
            path.write_bytes(broken.tobytes())
            with contextlib.suppress(InputError):  # anything else fails the test
                assert isinstance(read_torch(path), dict)


def test_something_else_altogether_is_refused(path):
    for content in (b"", b"hello", b"PK\x03\x04 not a zip", dumps({"w": 1})):
        path.write_bytes(content)
        with pytest.raises(InputError):
            read_torch(path)
