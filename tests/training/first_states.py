"""What must hold of the first state and the batches of every task."""

import chex
import jax
import numpy as np

from reviewintent_jax.data.batches import Position
from reviewintent_jax.training.placement import Placement


def layout_is_that_of_the_state(experiment):
    """Shapes, types and places are known before anything is drawn."""
    first = experiment.first_state(experiment.make_optimizer())
    state = first.draw()
    chex.assert_trees_all_equal_shapes_and_dtypes(first.layout, state)
    places = jax.tree.map(lambda leaf: leaf.sharding, first.layout)
    assert places == jax.tree.map(lambda leaf: leaf.sharding, state)
    ahead = experiment.first_state(experiment.make_optimizer())
    ahead.compile_ahead()
    chex.assert_trees_all_equal(ahead.draw(), state)


def blank_is_shaped_as_batches_are(experiment):
    """So an update that is compiled for one takes the others."""
    data = experiment.train_batches()
    rows = Placement(experiment.mesh).rows(data.size, experiment.train.accumulate)
    blank = data.blank(rows)
    batch, _, items = next(data.batches(Position(0, 0), rows))
    chex.assert_trees_all_equal_shapes_and_dtypes(blank, batch)
    assert items
    totals = experiment.totals(blank)
    # Nothing weighs in it; what is divided by is 1 at least.
    assert all(np.asarray(leaf) <= 1 for leaf in jax.tree.leaves(totals))
