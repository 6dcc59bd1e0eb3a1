"""Operations of MSDP-Net, from its spec alone; see ``flops.py``.

Apart from the others, which a machine with few packages counts too.
"""

from reviewintent_jax.benchmark.part_flops import (
    Flops,
    Products,
    Work,
    dense_products,
    flops_of,
    lstnet_products,
)
from reviewintent_jax.data.msdp_features import EVENT_NUMBERS
from reviewintent_jax.models.msdp_net import SOURCES, MsdpSpec


def count_case_flops(spec: MsdpSpec, cases: int, events: int, texts: int) -> Flops:
    """Operations of MSDP-Net for ``cases`` cases.

    By part: the sources that are read, ``fusion``, ``trunk`` and ``heads``.

    Args:
      spec: of the network.
      cases: how many.
      events: of each that are read.
      texts: of each; their vectors are there already.
    """
    parts: dict[str, list[Products]] = {}
    size, (text, behaviour, structured) = spec.features, spec.use
    if text:
        # Scaled before they are read, so that their gradient is asked for.
        parts["text"] = [
            *dense_products(cases * texts, spec.text_features, size),
            *_masked_attention(cases, texts, size),
            *dense_products(cases, size, size),
        ]
    if behaviour:
        # Of a kind 4 numbers are learned; of an event itself, others are known.
        width = 4 + spec.item_features + len(EVENT_NUMBERS)
        work = Work(cases * events, 0, cases, cases * events, cases * events, 0)
        parts["behaviour"] = lstnet_products(spec.lstnet, width, work, learned=True)
    if structured:
        width = spec.numbers + len(spec.categories) * spec.category_features
        learned = bool(spec.categories)
        up, down = dense_products(cases, width, 2 * size, size)
        parts["structured"] = [Products.of(up.forward, 1 + learned), down]
    parts["fusion"] = _masked_attention(cases, SOURCES, size)
    parts["trunk"] = dense_products(cases, size, size)
    answers = spec.intents + int(spec.value) + spec.intervals
    parts["heads"] = dense_products(cases, size, answers)
    return flops_of(parts)


def _masked_attention(cases: int, places: int, size: int) -> list[Products]:
    """Of attention over some vectors of a case: question, keys, scores and mean."""
    keys = dense_products(cases * places, size, size, 1)
    joined = Products.of(2 * cases * places * size)
    return [*dense_products(cases, size, size), *keys, joined]
