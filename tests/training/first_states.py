"""What is known of the first state and the batches of any task, and what comes."""

import jax
import numpy as np

from reviewintent_jax.data.batches import Position
from reviewintent_jax.training.placement import Placement


def planned_and_drawn(experiment):
    """Shapes, types and places of the first state: as laid out, and as drawn."""
    first = experiment.first_state(experiment.make_optimizer())
    return [
        jax.tree.map(lambda leaf: (leaf.shape, leaf.dtype, leaf.sharding), state)
        for state in (first.layout, first.draw())
    ]


def blank_and_batch(experiment):
    """Shapes and types of a batch of nothing, and of the first batch."""
    data = experiment.train_batches()
    rows = Placement(experiment.mesh).rows(data.size, experiment.train.accumulate)
    first = next(data.batches(Position(0, 0), rows)).batch
    return [
        jax.tree.map(lambda leaf: (np.shape(leaf), leaf.dtype), batch)
        for batch in (data.blank(rows), first)
    ]
