"""What is known of the first state and the batches of any task, and what comes."""

import jax
import numpy as np

from reviewintent_jax import kept_traces
from reviewintent_jax.data.batches import Position
from reviewintent_jax.kept_traces import TRACED_ANEW, KeptTraces
from reviewintent_jax.training.placement import Placement
from reviewintent_jax.training.step import make_train_step


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


def updates_anew_and_kept(experiment, monkeypatch):
    """First state and what an update makes of it: traced anew, and as it was kept.

    Traces are kept in the folder that JAX's settings name.
    """
    kept = KeptTraces({"run": experiment.identity()})
    first, update, batch = _begun(experiment, kept)
    update.lower(first.layout, batch, kept)
    anew = _updated(experiment, TRACED_ANEW)
    with monkeypatch.context() as patch:
        patch.delattr(kept_traces.export, "export")  # or it would be traced again
        return anew, _updated(experiment, kept)


def _begun(experiment, traces):
    """The first state, the update and a batch, as the loop makes them."""
    placement, data = Placement(experiment.mesh), experiment.train_batches()
    accumulate, optimizer = experiment.train.accumulate, experiment.make_optimizer()
    rows = placement.rows(data.size, accumulate)
    batch = placement.put(next(data.batches(Position(0, 0), rows)).batch, rows)
    first = experiment.first_state(optimizer).kept(traces)
    update = make_train_step(experiment, optimizer, first.layout, accumulate=accumulate)
    return first, update, batch


def _updated(experiment, traces):
    """The first state, the next one, and what the update tells of itself."""
    first, update, batch = _begun(experiment, traces)
    update.compile_ahead(first.layout, batch, traces)
    state = first.draw()
    before = jax.device_get(state)
    return before, jax.device_get(update(state, batch))
