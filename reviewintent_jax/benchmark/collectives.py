"""What devices say to each other, read from a compiled program.

In: the text of an XLA program (``compiled.as_text()``). Out: its collectives, each with
its bytes and with who takes part. XLA lists one collective several times where it cuts
it into asynchronous steps; all of them carry one channel, by which they are counted
once.
"""

import dataclasses
import math
import re
from collections.abc import Iterable, Iterator

import numpy as np

_KINDS: tuple[str, ...] = (
    "all-gather",
    "all-reduce",
    "reduce-scatter",
    "all-to-all",
    "collective-permute",
)
_LINE = re.compile(
    rf"= (?P<shape>.*?) (?P<kind>{'|'.join(_KINDS)})(?P<start>-start)?\("
)
_HEADER = re.compile(r"^(?:ENTRY )?%?([\w.-]+) \(.*\{$")
_BODY = re.compile(r"\bbody=%?([\w.-]+)")
_CALLED = re.compile(r"\b(?:calls|to_apply|body|condition)=%?([\w.-]+)")
_CHANNEL = re.compile(r"channel_id=(\d+)")
_OPERATION = re.compile(r'op_name="([^"]*)"')
_ARRAY = re.compile(r"\b(pred|[a-z]+\d+(?:e\d+m\d+\w*)?)\[([\d,]*)\]")
_LISTED = re.compile(r"(?:replica_groups|source_target_pairs)=\{\{(.*?)\}\}")
_COUNTED = re.compile(r"replica_groups=\[([\d,]+)\]<=\[([\d,]+)\](?:T\(([\d,]+)\))?")
_NAMED = re.compile(
    r"replica_groups=mesh\[(?P<axes>[^\]]*)\]"
    r"(?:, device_ids=\(\[(?P<shape>[\d,]+)\](?:T\((?P<order>[\d,]+)\))?\))?"
    r" \{(?P<taken>[^}]*)\}"
)


@dataclasses.dataclass(frozen=True)
class Collective:
    """One message of an update.

    Attributes:
      kind: ``all-gather``, ``all-reduce``, ``reduce-scatter``, ``all-to-all`` or
        ``collective-permute``.
      whole_bytes: of the array that all who take part have together: what a gather
        returns, what a sum and a scatter take; of an exchange, what one device sends.
      group: the devices of the first group; all groups are of one size.
      operation: the operation of the model that it belongs to, as XLA names it.
      in_loop: whether it is inside a loop, and so said more than once.
    """

    kind: str
    whole_bytes: int
    group: tuple[int, ...]
    operation: str
    in_loop: bool


def read_collectives(program: str) -> list[Collective]:
    """Every collective of a program, in its order.

    Raises:
      ValueError: a line that names a collective cannot be read.
    """
    looped = _looped(program)
    found: dict[object, Collective] = {}
    for computation, line in _lines(program):
        match = _LINE.search(line)
        if match is None:
            continue
        channel = _CHANNEL.search(line)
        key: object = (match["kind"], channel[1]) if channel else line
        if key not in found:
            found[key] = _collective(line, match, computation in looped)
    return [each for each in found.values() if len(each.group) > 1]


def bytes_by_kind(collectives: Iterable[Collective]) -> dict[str, int]:
    """Bytes of all messages of a kind, by kind; kinds without any are left out."""
    totals: dict[str, int] = dict.fromkeys(_KINDS, 0)
    for each in collectives:
        totals[each.kind] += each.whole_bytes
    return {kind: total for kind, total in totals.items() if total}


def _lines(program: str) -> Iterator[tuple[str, str]]:
    """Each line with the name of the computation that it stands in."""
    computation = ""
    for line in program.splitlines():
        if header := _HEADER.match(line):
            computation = header[1]
        yield computation, line


def _looped(program: str) -> set[str]:
    """Names of the computations that a loop runs, directly or through others."""
    calls: dict[str, set[str]] = {}
    bodies: set[str] = set()
    for computation, line in _lines(program):
        calls.setdefault(computation, set()).update(_CALLED.findall(line))
        bodies.update(_BODY.findall(line))
    waiting, reached = list(bodies), set[str]()
    while waiting:
        name = waiting.pop()
        if name not in reached:
            reached.add(name)
            waiting += calls.get(name, ())
    return reached


def _collective(line: str, match: re.Match[str], in_loop: bool) -> Collective:
    kind, group = match["kind"], _group(line)
    sizes = [_array_bytes(*array) for array in _ARRAY.findall(match["shape"])]
    if match["start"] and kind == "collective-permute":
        sizes = sizes[1:2]  # operand, result and two counters
    elif match["start"] and kind != "all-reduce":
        sizes = sizes[len(sizes) // 2 :]  # operands, then results
    whole = sum(sizes) * (len(group) if kind == "reduce-scatter" else 1)
    operation = _OPERATION.search(line)
    return Collective(kind, whole, group, operation[1] if operation else "", in_loop)


def _array_bytes(kind: str, shape: str) -> int:
    """Bytes of an array. Example: ``bf16``, ``2,3`` -> 12."""
    bits = 8 if kind == "pred" else int(re.findall(r"\d+", kind)[0])
    return math.prod(_numbers(shape)) * bits // 8


def _numbers(text: str) -> list[int]:
    return [int(number) for number in text.split(",") if number]


def _group(line: str) -> tuple[int, ...]:
    """The first group of devices, in any of the ways in which XLA writes them.

    Example: ``{{0,8},{1,9}}`` -> (0, 8); ``[2,8]<=[16]`` -> (0, ..., 7);
    ``mesh['a'=2,'b'=8] {'a'}`` -> (0, 8).
    """
    if listed := _LISTED.search(line):
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
        index = tuple(slice(None) if name in taken else 0 for name, _ in axes)
        return tuple(np.ravel(ids[index]).tolist())
    raise ValueError(f"no devices in: {line.strip()[:300]}")


def _arranged(shape: str, order: str | None) -> np.ndarray:
    ids = np.arange(math.prod(_numbers(shape))).reshape(_numbers(shape))
    return ids.transpose(_numbers(order)) if order else ids
