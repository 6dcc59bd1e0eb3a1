"""The parts of the benchmark: a config -> what each process does."""

import importlib
import json
import os
from pathlib import Path
from typing import Any

from ml_collections import ConfigDict

from launch.layer_uses import uses, whole_uses
from reviewintent_jax.benchmark.runner import Job, Part
from reviewintent_jax.build import plain_values


def parts_of(config: ConfigDict) -> list[Part]:
    """All parts, in the order in which they are measured."""
    given: Any = config  # a ConfigDict has no types to check
    claimed = {"values": _values(given, "yelp")}
    parts = [
        _single("peaks", "device", Job("peaks", {"dtype": "float32"}), 5),
        _single("claimed costs", "counted", Job("claimed", claimed), 0),
    ]
    for name, file in given.systems.items():
        own = {"values": _values(given, file), "folder": _folder(given, file)}
        sizes = {**own, **_plain(given.sizes)}
        parts += [
            _single(f"sizes of {name}", "model", Job("sizes", sizes), 0),
            _single(
                f"training of {name}",
                "model",
                Job("training", {**own, **_plain(given.training)}),
                given.rounds,
            ),
            _single(
                f"latency of {name}",
                "model",
                Job("latency", {**own, **_plain(given.latency)}),
                1_000,
            ),
        ]
    for name in given.starts:
        file = given.systems[name]
        own = {
            "values": _values(given, file),
            "folder": f"{_folder(given, file)}-start",
        }
        start = Job("start", own)
        parts.append(_single(f"start of {name}", "launch.train", start, given.rounds))
    return [*parts, *_peer_parts(given), *_layer_parts(given), *_cost_parts(given)]


def _peer_parts(config: Any) -> list[Part]:
    """Ours beside what people would use, on published data sets."""
    found, peers = [], config.peers
    for file, pieces in zip(peers.data, peers.accumulate, strict=True):
        changes = {"pages__max_tokens": peers.cap, "train__accumulate": pieces}
        own = {
            "values": _values(config, file, **changes),
            "folder": f"{_folder(config, file)}-{peers.cap}",
        }
        updates, rows = {**own, "updates": peers.updates}, {**own, "rows": peers.rows}
        torch = {**updates, "grouped": False, "compiled": False}
        training = {
            "ours": Job("training", updates),
            "PyTorch, padded": Job("torch training", torch),
            "PyTorch, grouped by length": Job(
                "torch training", {**torch, "grouped": True}
            ),
            "PyTorch, torch.compile, padded": Job(
                "torch training", {**torch, "compiled": True}
            ),
            "PyTorch, torch.compile, grouped by length": Job(
                "torch training", {**torch, "grouped": True, "compiled": True}
            ),
        }
        sizes = list(peers.batch_sizes)
        scoring = {
            "ours": Job("scoring", rows),
            "transformers pipeline": Job(
                "pipeline scoring", {**rows, "batch_sizes": sizes}
            ),
            "onnxruntime, equal head": Job(
                "onnx scoring", {**rows, "batch_sizes": sizes}
            ),
        }
        found += [
            Part(f"peers in training: {file}", training, config.rounds),
            Part(f"peers in scoring: {file}", scoring, config.rounds),
        ]
    return found


def _layer_parts(config: Any) -> list[Part]:
    """Recurrent layers beside others, and encoding once beside every time."""
    layers = {
        "uses": [list(use) for use in uses()],
        "rounds": config.recurrent.rounds,
        "unrolls": list(config.recurrent.unrolls),
    }
    windows = {
        "values": _values(config, "shop_intention"),
        "folder": _folder(config, "shop_intention"),
    }
    whole = {"uses": whole_uses(), "rounds": config.recurrent.rounds}
    return [
        _single("whole LSTNets", "systems", Job("whole lstnet", whole), 1_000),
        _single("recurrent layers", "systems", Job("recurrent", layers), 1_000),
        _single("windows once", "model", Job("windows once", windows), config.rounds),
    ]


def _cost_parts(config: Any) -> list[Part]:
    """How cost grows with one size at a time."""
    found, cost = [], config.cost
    for over in ("tokens", "window", "classes", "hidden"):
        file = "shop_intention" if over == "window" else "demo"
        given = {
            "values": _values(config, file),
            "over": over,
            "sizes": list(cost[over]),
            "tokens": cost.read,
            "rounds": cost.rounds,
        }
        found.append(_single(f"cost by {over}", "model", Job("cost", given), 1_000))
    rows = {
        "config": json.dumps(_values(config, "demo")),
        "sizes": list(cost.reviews),
        "rounds": cost.rounds,
    }
    return [*found, _single("cost by reviews", "preparing", Job("rows", rows), 1_000)]


def _values(config: Any, file: str, **changes: Any) -> dict[str, Any]:
    """Plain values of a file of ``configs/``; its data lie in ``REVIEWINTENT_DATA``.

    Args:
      config: of the benchmark.
      file: name of the file, without ``.py``.
      **changes: settings, with two underscores for a dot.
    """
    own = importlib.import_module(f"configs.{file}").get_config()
    dotted = {name.replace("__", "."): value for name, value in changes.items()}
    own.update_from_flattened_dict(dotted)
    if own.data.get("kind") == "shop":
        own.data.shop_rows = config.shop_rows
    data = Path(os.environ.get("REVIEWINTENT_DATA", ""))
    if file in config.data:
        own.data.path = str(data / config.data[file])
    if "corpus" in own:
        own.corpus.path = str(data / own.corpus.path)
    return plain_values(own)


def _folder(config: Any, file: str) -> str:
    return str(Path(config.work) / file)


def _plain(config: ConfigDict) -> dict[str, Any]:
    return plain_values(config)


def _single(name: str, worker: str, job: Job, rounds: int) -> Part:
    return Part(name, {worker: job}, rounds)
