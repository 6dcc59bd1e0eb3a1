"""What devices say to each other, read from a compiled program.

In: the text of an XLA program (``compiled.as_text()``). Out: its collectives, each with
its bytes and with who takes part. XLA lists one collective several times where it cuts
it into asynchronous steps; all of them carry one channel, by which they are counted
once.
"""

import dataclasses
import math
import re
from collections.abc import Iterable

import numpy as np

_KINDS = (
    "all-gather",
    "all-reduce",
    "reduce-scatter",
    "all-to-all",
    "collective-permute",
)
_LINE = re.compile(
    rf"= (?P<shape>.*?) (?P<kind>{'|'.join(_KINDS)})(?P<start>-start)?\("
)
_CHANNEL = re.compile(r"channel_id=(\d+)")
_OPERATION = re.compile(r'op_name="([^"]*)"')
_ARRAY = re.compile(r"\b(pred|[a-z]+\d+(?:e\d+m\d+\w*)?)\[([\d,]*)\]")
_LISTED = re.compile(r"replica_groups=\{\{(.*?)\}\}")
_COUNTED = re.compile(
    r"replica_groups=\[([\d,]+)\]<=\[([\d,]+)\](?:T\(([\d,]+)\))?"
)
_NAMED = re.compile(
    r"replica_groups=mesh\[(?P<axes>[^\]]*)\]"
    r"(?:, device_ids=\(\[(?P<shape>[\d,]+)\](?:T\((?P<order>[\d,]+)\))?\))?"
    r" \{(?P<taken>[^}]*)\}"
)
_PAIRS = re.compile(r"source_target_pairs=\{\{(.*?)\}\}")
_BITS = re.compile(r"\d+")


@dataclasses.dataclass(frozen=True)
class Collective:
    """One message of an update.

    Attributes:
      kind: ``all-gather``, ``all-reduce``, ``reduce-scatter``, ``all-to-all`` or
        ``collective-permute``.
      whole_bytes: of the array that all who take part have together: what a gather
        returns, what a sum takes, what a scatter takes.
      group: the devices of the first group; all groups are of one size.
      operation: the operation of the model that it belongs to, as XLA names it.
    """

    kind: str
    whole_bytes: int
    group: tuple[int, ...]
    operation: str


def read_collectives(program: str) -> list[Collective]:
    """Every collective of a program, in its order.

    Raises:
      ValueError: a line that names a collective cannot be read.
    """
    found: dict[object, Collective] = {}
    for line in program.splitlines():
        match = _LINE.search(line)
        if match is None:
            continue
        channel = _CHANNEL.search(line)
        key: object = (match["kind"], channel[1]) if channel else line
        if key not in found:
            found[key] = _collective(line, match)
    return [each for each in found.values() if len(each.group) > 1]


def _collective(line: str, match: re.Match[str]) -> Collective:
    kind, group = match["kind"], _group(line)
    sizes = [_array_bytes(*array) for array in _ARRAY.findall(match["shape"])]
    if match["start"] and kind != "all-reduce":
        # An asynchronous one returns its operands beside its results.
        sizes = _results(kind, sizes, len(group))
    whole = sum(sizes) * (len(group) if kind == "reduce-scatter" else 1)
    operation = _OPERATION.search(line)
    return Collective(kind, whole, group, operation[1] if operation else "")


def _results(kind: str, sizes: list[int], members: int) -> list[int]:
    """The results among operands and results, in the order (operands, results)."""
    if kind == "collective-permute":  # operand, result and two counters
        return sizes[1:2]
    return sizes[len(sizes) // 2 :]


def _array_bytes(kind: str, shape: str) -> int:
    bits = 8 if kind == "pred" else int(_BITS.search(kind)[0])  # type: ignore[index]
    return math.prod(_numbers(shape)) * bits // 8


def _numbers(text: str) -> list[int]:
    return [int(number) for number in text.split(",") if number]


def _group(line: str) -> tuple[int, ...]:
    """The first group of devices, in any of the ways in which XLA writes them.

    Example: ``{{0,8},{1,9}}`` -> (0, 8); ``[2,8]<=[16]`` -> (0, ..., 7);
    ``mesh['a'=2,'b'=8] {'a'}`` -> (0, 8).
    """
    if listed := _LISTED.search(line) or _PAIRS.search(line):
        return tuple(_numbers(listed[1].split("},{")[0]))
    if counted := _COUNTED.search(line):
        groups, ids = _numbers(counted[1]), _arranged(counted[2], counted[3])
        return tuple(ids.reshape(groups[0], -1)[0].tolist())
    if named := _NAMED.search(line):
        axes = re.findall(r"'([^']+)'=(\d+)", named["axes"])
        sizes = [int(size) for _, size in axes]
        taken = re.findall(r"'([^']+)'", named["taken"])
        whole = named["shape"] or str(math.prod(sizes))
        ids = _arranged(whole, named["order"]).reshape(sizes)
        index = tuple(
            slice(None) if name in taken else 0 for name, _ in axes
        )
        return tuple(np.ravel(ids[index]).tolist())
    raise ValueError(f"no devices in: {line.strip()[:300]}")


def _arranged(shape: str, order: str | None) -> np.ndarray:
    ids = np.arange(math.prod(_numbers(shape))).reshape(_numbers(shape))
    return ids.transpose(_numbers(order)) if order else ids


def bytes_by_kind(collectives: Iterable[Collective]) -> dict[str, int]:
    """Bytes of all messages of a kind, by kind."""
    totals = dict.fromkeys(_KINDS, 0)
    for each in collectives:
        totals[each.kind] += each.whole_bytes
    return {kind: total for kind, total in totals.items() if total}
