"""How long an update must take at least, from what it computes, reads and sends.

In: the work of one device in an update and what its maker says of the device. Out:
seconds, and what follows from them. A roofline (Williams et al. 2009, CACM 52(4)) is a
bound and no forecast: no program is faster, real ones are slower.
"""

import dataclasses
from collections.abc import Iterable
from typing import NamedTuple

from reviewintent_jax.benchmark.collectives import Collective
from reviewintent_jax.benchmark.devices import Device

_PASSES = {
    "all-gather": 1.0,
    "reduce-scatter": 1.0,
    "all-reduce": 2.0,  # a scatter of sums, and a gather of them
    "all-to-all": 1.0,
}
"""How often the bytes of the whole array go round a ring of all who take part."""


class Traffic(NamedTuple):
    """Bytes that one device sends, of one kind and to groups of one shape.

    Attributes:
      kind: of the collectives.
      members: devices of a group.
      inside: those of them that are in one node.
      sent_bytes: by each of them.
    """

    kind: str
    members: int
    inside: int
    sent_bytes: float


def traffic_of(collectives: Iterable[Collective], neighbours: int) -> list[Traffic]:
    """Sums what a device sends over rings, by kind and shape of the group.

    Example: 800 bytes summed over 8 devices -> 2 * 7 / 8 * 800 = 1,400 bytes.

    Args:
      collectives: of a program.
      neighbours: devices of a node.

    Raises:
      ValueError: a collective inside a loop, whose repetitions are not known.
    """
    sent: dict[tuple[str, int, int], float] = {}
    for each in collectives:
        if each.in_loop:
            raise ValueError(f"{each.kind} inside a loop: {each.operation}")
        members, node = len(each.group), each.group[0] // neighbours
        share = _PASSES.get(each.kind, 1.0)
        if each.kind in _PASSES:
            share *= (members - 1) / members
        inside = sum(member // neighbours == node for member in each.group)
        key = each.kind, members, inside
        sent[key] = sent.get(key, 0.0) + share * each.whole_bytes
    return [Traffic(*key, total) for key, total in sent.items()]


def bandwidth(device: Device, members: int, inside: int) -> float:
    """Bytes a second that a device sends within a group.

    Where a group reaches over several nodes, its members in a node share the way out:
    each brings its own adapter. Example: 8 GPUs of each of two nodes -> 8 adapters.
    """
    if inside == members:
        return device.fast_bandwidth
    return min(device.fast_bandwidth, inside * device.slow_bandwidth)


@dataclasses.dataclass(frozen=True)
class Roofline:
    """Least times of an update, in seconds.

    Attributes:
      compute: of the matrix products, at the device's peak.
      memory: of what is read and written, at the device's bandwidth.
      network: of what is sent, one message after another.
    """

    compute: float
    memory: float
    network: float

    @property
    def hidden(self) -> float:
        """Where all that is sent hides behind the work."""
        return max(self.compute, self.memory, self.network)

    @property
    def exposed(self) -> float:
        """Where nothing that is sent does."""
        return max(self.compute, self.memory) + self.network


def roofline(
    device: Device, flops: float, memory_bytes: float, traffic: Iterable[Traffic]
) -> Roofline:
    """Least times of an update on one device.

    Args:
      device: what it runs on.
      flops: of its matrix products.
      memory_bytes: that it reads and writes.
      traffic: that it sends.
    """
    return Roofline(
        compute=flops / device.flops,
        memory=memory_bytes / device.memory_bandwidth,
        network=sum(
            each.sent_bytes / bandwidth(device, each.members, each.inside)
            for each in traffic
        ),
    )
