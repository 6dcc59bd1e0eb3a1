"""Windows against a plain loop over rows; batches against the rule of their order."""

import itertools

import numpy as np
import pytest

from reviewintent_jax.data.batches import Position
from reviewintent_jax.data.series import Series
from reviewintent_jax.data.series_windows import (
    ScaleFit,
    ScaleKind,
    WindowBatches,
    Windows,
    WindowSpec,
    fit_scale,
    latest_window,
)
from reviewintent_jax.data.splits import TEST, TRAIN, VALIDATION
from reviewintent_jax.schema import InputError

SPEC = WindowSpec(3, 2, 0.6, 0.2, ScaleKind.NONE, ScaleFit.TRAIN)


def series(rows, width=2, seed=0):
    value_ts = np.random.default_rng(seed).normal(size=(rows, width))
    return Series("here.csv", tuple("abcde"[:width]), value_ts, None)


def spec(**changes):
    return WindowSpec(**{**vars(SPEC), **changes})


def test_the_picture_of_the_docstring():
    windows = Windows(series(10), SPEC)
    assert windows.targets(TRAIN).tolist() == [4, 5]
    assert windows.targets(VALIDATION).tolist() == [6, 7]
    assert windows.targets(TEST).tolist() == [8, 9]
    batch = windows.batch(np.array([6, 9]), 2)
    values = windows.series.value_ts.astype(np.float32)
    np.testing.assert_array_equal(batch.value_bts, [values[2:5], values[5:8]])
    np.testing.assert_array_equal(batch.target_bs, values[[6, 9]])


@pytest.mark.parametrize("window", [1, 4])
@pytest.mark.parametrize("horizon", [1, 3])
@pytest.mark.parametrize("rows", [31, 40])
def test_windows_are_those_of_the_authors_loop(rows, window, horizon):
    table = series(rows)
    windows = Windows(table, spec(window=window, horizon=horizon))
    train, validation = int(0.6 * rows), int((0.6 + 0.2) * rows)
    wanted = {
        TRAIN: range(window + horizon - 1, train),
        VALIDATION: range(train, validation),
        TEST: range(validation, rows),
    }
    for split, row_n in wanted.items():
        assert windows.targets(split).tolist() == list(row_n)
        batch = windows.batch(windows.targets(split), len(row_n))
        for place, row in enumerate(row_n):
            end = row - horizon + 1
            read = table.value_ts[end - window : end].astype(np.float32)
            np.testing.assert_array_equal(batch.value_bts[place], read)


def test_the_scale_sees_no_row_that_is_not_of_training():
    table = series(40)
    changed = Series(table.file, table.names, table.value_ts.copy(), None)
    changed.value_ts[24:] *= 50  # from the first row of validation on
    scales = [Windows(t, spec(scale=ScaleKind.MAX)).scale for t in (table, changed)]
    np.testing.assert_array_equal(*(scale.spread_s for scale in scales))
    fit = {"scale": ScaleKind.MAX, "scale_fit": ScaleFit.ALL}
    for each in (table, changed):
        most = np.abs(each.value_ts).max(axis=0)
        np.testing.assert_array_equal(Windows(each, spec(**fit)).scale.spread_s, most)


@pytest.mark.parametrize("kind", list(ScaleKind))
def test_a_scale_goes_there_and_back_and_divides_by_no_zero(kind):
    value_ts = np.stack([np.full(9, 0.1), np.zeros(9), np.arange(9) - 4.0], axis=1)
    scale = fit_scale(value_ts, kind)
    scaled = scale.forward(value_ts)
    assert np.isfinite(scaled).all()
    np.testing.assert_allclose(scale.back(scaled), value_ts, atol=1e-12)
    if kind is ScaleKind.STANDARD:
        np.testing.assert_allclose(scaled[:, 2].std(), 1)
        np.testing.assert_allclose(scaled.mean(axis=0), 0, atol=1e-12)
    if kind is ScaleKind.MAX:
        np.testing.assert_array_equal(np.abs(scaled).max(axis=0), [1, 0, 1])


def test_constant_series_are_named():
    table = series(40)
    table.value_ts[:24, 1] = 3.0  # it moves only later
    assert Windows(table, SPEC).constant() == ["b"]


@pytest.mark.parametrize("window", [2, 3, 6])
@pytest.mark.parametrize("horizon", [1, 2, 5])
def test_the_rows_said_to_be_needed_are_enough_and_one_fewer_is_not(window, horizon):
    few = spec(window=window, horizon=horizon)
    with pytest.raises(InputError, match="too few") as error:
        Windows(series(4), few)
    needed = int(error.value.fix.split("needs ")[1].split(" rows")[0])
    Windows(series(needed), few)
    with pytest.raises(InputError, match="too few"):
        Windows(series(needed - 1), few)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("window", 0),
        ("horizon", 0),
        ("train_fraction", 0.0),
        ("validation_fraction", 0.4),
    ],
)
def test_impossible_settings_are_refused(field, value):
    with pytest.raises(InputError, match=field):
        spec(**{field: value})


def test_values_beyond_32_bits_are_refused():
    table = series(20)
    table.value_ts[3, 0] = 1e300
    with pytest.raises(InputError, match="32 bits"):
        Windows(table, SPEC)
    Windows(table, spec(scale=ScaleKind.MAX))


@pytest.mark.parametrize("size", [1, 4, 5, 50])
def test_an_epoch_holds_every_window_once_and_batches_keep_their_shape(size):
    windows = Windows(series(40), SPEC)
    batches = WindowBatches(windows, batch_windows=size, seed=3)
    stream = batches.batches(Position(0, 0))
    epochs = []
    for epoch in range(2):
        seen = []
        for batch, position, _ in stream:
            assert batch.value_bts.shape == (size, 3, 2)
            np.testing.assert_array_equal(batch.weight_b, batch.row_b >= 0)
            seen += batch.row_b[batch.row_b >= 0].tolist()
            if position == Position(epoch + 1, 0):
                break
        assert sorted(seen) == windows.targets(TRAIN).tolist()
        epochs.append(seen)
    assert epochs[0] != epochs[1]


def test_batches_go_on_from_any_position():
    windows = Windows(series(40), SPEC)
    batches = WindowBatches(windows, batch_windows=6, seed=3)
    whole = list(itertools.islice(batches.batches(Position(0, 0)), 9))
    for done in range(1, 9):
        again = WindowBatches(windows, batch_windows=6, seed=3)
        batch, *_ = next(again.batches(whole[done - 1][1]))
        np.testing.assert_array_equal(batch.row_b, whole[done][0].row_b)


@pytest.mark.parametrize("max_steps", [0, 1, 4, 7, 100])
def test_items_within_are_those_that_the_batches_hold(max_steps):
    windows = Windows(series(40), SPEC)
    batches = WindowBatches(windows, batch_windows=6, seed=3)
    seen = steps = 0
    for batch, position, _ in batches.batches(Position(0, 0)):
        seen, steps = seen + int((batch.row_b >= 0).sum()), steps + 1
        if position.epoch >= 3 or steps == max_steps:
            break
    assert batches.items_within(3, max_steps) == seen


def test_the_latest_window_is_the_end_of_the_table():
    table = series(5)
    scale = fit_scale(table.value_ts, ScaleKind.STANDARD)
    wanted = scale.forward(table.value_ts)[2:].astype(np.float32)
    np.testing.assert_array_equal(latest_window(table, SPEC, scale), wanted[None])
    with pytest.raises(InputError, match="reads the last 3"):
        latest_window(series(2), SPEC, scale)
