"""What a system consists of, without running it: parameters, bytes, operations."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from reviewintent_jax.benchmark.systems import build_system

_FLOAT = 4  # bytes of a parameter; states of Adam have three such numbers


def measure_sizes(
    *, values: Mapping[str, Any], folder: str, lengths: Sequence[int]
) -> Iterator[dict[str, Any]]:
    """Yields the sizes of the system of a config.

    ``parameters`` by part, ``parameter_bytes``, ``state_bytes`` (with both moments of
    Adam), and ``flops`` of an answer by length, for one item.
    """
    system = build_system(values, folder)
    parameters = system.parameters()
    total = sum(parameters.values())
    lengths = system.lengths(lengths)
    flops = {str(length): system.question(1, length).flops for length in lengths}
    yield {
        "items": system.items,
        "reads": system.reads,
        "parameters": parameters,
        "parameter_bytes": total * _FLOAT,
        "state_bytes": 3 * total * _FLOAT,
        "flops": flops,
    }
