"""Any mesh gives the losses of one device, and what should be cut is cut.

Plain SGD, because Adam turns the last digit of a gradient that is nearly zero into a
whole step of the learning rate.
"""

import chex
import jax
import numpy as np
import optax
import pytest

from reviewintent_jax.training.placement import whole
from tests.multidevice.runs import STEPS, run_of
from tests.training.first_states import (
    blank_and_batch,
    planned_and_drawn,
)

MESHES = [(1, 1, 1), (8, 1, 1), (1, 8, 1), (1, 1, 8), (2, 2, 2)]


@pytest.fixture(scope="module")
def wanted():
    """What one device said, kept for the comparisons with it."""
    return {}


@pytest.mark.slow
@pytest.mark.parametrize("sizes", MESHES, ids=str)
def test_losses_and_parameters_are_those_of_one_device(built, wanted, sizes):
    experiment = built(sizes)
    losses, state, *_ = run_of(experiment, optax.sgd(0.01))
    params = whole(state.params)
    if not wanted:
        assert sizes == (1, 1, 1)
        wanted.update(losses=losses, params=params)
    assert len(set(losses)) == STEPS
    np.testing.assert_allclose(losses, wanted["losses"], atol=1e-6, rtol=0)
    chex.assert_trees_all_close(params, wanted["params"], atol=1e-5, rtol=0)


@pytest.mark.parametrize("sizes", MESHES[1:], ids=str)
def test_places_are_known_before_anything_is_drawn(built, sizes):
    experiment = built(sizes)
    planned, drawn = planned_and_drawn(experiment)
    assert planned == drawn
    blank, batch = blank_and_batch(experiment)
    assert blank == batch


@pytest.mark.slow
def test_a_kept_program_of_many_devices_makes_the_same_update(built, anew_and_kept):
    anew, kept = anew_and_kept(built((2, 2, 2)))
    chex.assert_trees_all_equal(anew, kept)


@pytest.mark.slow
def test_micro_batches_hold_the_same_on_any_mesh(built):
    found = [
        run_of(built(sizes, accumulate=2), optax.sgd(0.01))[0]
        for sizes in ((1, 1, 1), (2, 2, 1))
    ]
    np.testing.assert_allclose(*found, atol=1e-6, rtol=0)


@pytest.mark.slow
def test_blocks_side_by_side_are_the_same_on_any_mesh(tiny_config, built):
    tiny_config.pages.max_tokens = tiny_config.pages.chunk_tokens
    experiments = [built(sizes) for sizes in ((1, 1, 1), (2, 2, 2))]
    assert all(each.model.spec.whole for each in experiments)
    found = [run_of(each, optax.sgd(0.01))[0] for each in experiments]
    np.testing.assert_allclose(*found, atol=1e-6, rtol=0)


def bytes_on_first(tree):
    """Bytes that the first device holds, and bytes of the whole tree."""
    leaves = jax.tree.leaves(tree)
    held = sum(leaf.addressable_shards[0].data.nbytes for leaf in leaves)
    return held, sum(leaf.nbytes for leaf in leaves)


@pytest.mark.slow
def test_big_tensors_moments_and_batch_are_cut_and_stay_so(built):
    experiment = built((2, 2, 2))
    optimizer = experiment.make_optimizer()
    before = experiment.first_state(optimizer).draw()
    places = jax.tree.map(lambda leaf: leaf.sharding, before)
    _, state, step, batch = run_of(experiment, optimizer)
    # A step keeps every sharding, and one compilation serves them all.
    chex.assert_trees_all_equal(jax.tree.map(lambda leaf: leaf.sharding, state), places)
    assert step._program._cache_size() == 1
    for tree in (state.params["encoder"], *adam(state.moments)):
        query = tree["layer_0"]["attention"]["query"]["kernel"]
        assert query.shape == (32, 32)
        assert {part.data.shape for part in query.addressable_shards} == {(16, 16)}
        down = tree["layer_1"]["feed_forward"]["down"]["kernel"]
        assert down.shape == (48, 32)
        assert {part.data.shape for part in down.addressable_shards} == {(24, 16)}
        held, all_of_it = bytes_on_first(tree)
        assert held < 0.4 * all_of_it
    pages = {part.data.shape[0] for part in batch.token_ids_bt.addressable_shards}
    assert pages == {len(batch.token_ids_bt) // 4}
    step(state, batch)  # what a step is given it may write over
    assert all(leaf.is_deleted() for leaf in jax.tree.leaves(state))


def adam(moments):
    """The encoder's first and second moments."""
    state = next(
        leaf
        for leaf in jax.tree.leaves(
            moments, is_leaf=lambda x: isinstance(x, optax.ScaleByAdamState)
        )
        if isinstance(leaf, optax.ScaleByAdamState)
    )
    return state.mu["encoder"], state.nu["encoder"]


@pytest.mark.slow
def test_validation_says_the_same_on_any_mesh(built):
    found = []
    for sizes in ((1, 1, 1), (2, 2, 2)):
        experiment = built(sizes)
        state = experiment.first_state(optax.sgd(0.01)).draw()
        found.append(experiment.validation()(state.params))
    one, many = found
    assert one.keys() == many.keys()
    np.testing.assert_allclose(
        list(one.values()), list(many.values()), atol=1e-5, rtol=0
    )
