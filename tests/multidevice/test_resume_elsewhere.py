"""8, then 4, then 1 device: the curve of a run that had one device all along."""

import json

import jax
import numpy as np
import optax
import pytest

from configs import forecast
from reviewintent_jax.build import plain_values
from reviewintent_jax.build_forecast import build_forecast
from reviewintent_jax.data.batches import Position
from reviewintent_jax.schema import RunFolder
from reviewintent_jax.training.loop import train
from reviewintent_jax.training.placement import Placement
from reviewintent_jax.training.pmap_step import (
    make_pmap_step,
    on_every_device,
    split_over,
)
from reviewintent_jax.training.step import make_train_step

pytestmark = pytest.mark.slow


@pytest.fixture
def config(tmp_path):
    """Of a small forecast; batches of 13 windows, which no mesh divides."""
    t = np.arange(150)
    values = np.stack([5 + np.sin(t / 3), 9 * np.cos(t / 2), t % 7], 1)
    np.savetxt(tmp_path / "t.csv", values, delimiter=",", header="a,b,c", comments="")
    config = forecast.get_config()
    config.data.path = str(tmp_path / "t.csv")
    config.windows.update(window=9, horizon=2)
    config.lstnet.update(kernel_sizes=(3,), channels=5, recurrent_features=4)
    config.lstnet.update(skip_period=0, skip_features=0, highway_window=4)
    config.train.update(
        batch_windows=13, log_every_steps=1, checkpoint_every_steps=3, epochs=3
    )
    config.evaluation.update(batch_windows=10, season=6)
    return config


def losses(run):
    records = [json.loads(line) for line in run.log.read_text().splitlines()]
    return {r["step"]: r["loss"] for r in records if r["kind"] == "train"}


def test_fewer_devices_go_on_with_the_same_curve_and_repeat_nothing(config, tmp_path):
    found = []
    plans = {"whole": ((1, 17),), "moved": ((8, 5), (4, 11), (1, 17))}
    for name, plan in plans.items():
        run = RunFolder(tmp_path / name)
        for devices, steps in plan:
            config.mesh.data = devices
            config.train.max_steps = steps
            result = train(build_forecast(plain_values(config), run), run)
        found.append(losses(run))
        assert list(found[-1]) == list(range(1, 18))
        # Three epochs and a bit: every window was counted as often as in one piece.
        data = build_forecast(plain_values(config), run).train_batches()
        assert result.tracker.seen == data.items_within(3, 17)
    np.testing.assert_allclose(
        list(found[0].values()), list(found[1].values()), atol=1e-5, rtol=0
    )


def test_pmap_gives_the_losses_of_jit(config, tmp_path):
    config.lstnet.dropout = 0.0
    config.train.batch_windows = 16
    config.mesh.data = 8
    task = build_forecast(plain_values(config), RunFolder(tmp_path / "run"))
    optimizer = optax.sgd(0.05)
    state = task.first_state(optimizer).draw()
    copies = jax.device_get(on_every_device(state, 8))
    jitted = make_train_step(task, optimizer, state, accumulate=1)
    pmapped = make_pmap_step(task, optimizer)
    placement, stream = (
        Placement(task.mesh),
        task.train_batches().batches(Position(0, 0)),
    )
    said = []
    for _ in range(5):
        batch = next(stream).batch
        state, metrics = jitted(state, placement.put(batch, placement.rows(16)))
        copies, of_devices = pmapped(copies, split_over(batch, 8))
        assert len(set(np.asarray(of_devices).tolist())) == 1
        said.append((float(metrics.loss), float(of_devices[0])))
    jit_losses, pmap_losses = zip(*said, strict=True)
    assert len(set(jit_losses)) == 5
    np.testing.assert_allclose(jit_losses, pmap_losses, atol=1e-6, rtol=0)
