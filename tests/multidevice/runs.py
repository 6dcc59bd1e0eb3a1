"""Updates of an experiment, as the loop makes them."""

import numpy as np

from reviewintent_jax.data.batches import Position
from reviewintent_jax.training.placement import Placement
from reviewintent_jax.training.step import make_train_step

STEPS = 4


def run_of(experiment, optimizer, steps=STEPS):
    """Losses, the last state and the compiled step, as the loop makes them."""
    placement, data = Placement(experiment.mesh), experiment.train_batches()
    pieces = experiment.train.accumulate
    rows = placement.rows(data.size, pieces)
    state = experiment.first_state(optimizer).draw()
    step = make_train_step(experiment, optimizer, state, accumulate=pieces)
    stream, losses = data.batches(Position(0, 0), rows), []
    for _ in range(steps):
        batch = placement.put(next(stream).batch, rows)
        state, metrics = step(state, batch)
        losses.append(float(metrics.loss))
    return np.array(losses), state, step, batch
