"""Windows of a panel: the picture, what the future may touch, masks, directions."""

import dataclasses

import numpy as np
import pytest

from reviewintent_jax.data.panel_windows import (
    PanelWindows,
    PanelWindowSpec,
    WindowReader,
    directions,
    fit_past,
)
from reviewintent_jax.data.panels import Facts, Panel
from reviewintent_jax.data.periods import Period
from reviewintent_jax.data.splits import TEST, TRAIN, VALIDATION
from reviewintent_jax.schema import InputError

SPEC = PanelWindowSpec(
    window=3,
    horizon=1,
    min_reviews=1,
    min_periods=1,
    train_fraction=0.6,
    validation_fraction=0.2,
    share_tolerance=0.02,
    volume_tolerance=0.1,
)
NAN = np.nan


def panel_of(reviews_gt, share_gt):
    reviews_gt = np.array(reviews_gt, np.int32)
    exists = np.maximum.accumulate(reviews_gt > 0, axis=1)
    volume_gt = np.where(exists, np.log1p(reviews_gt), NAN)
    return Panel(
        period=Period.MONTH,
        first=528,
        groups=("milk", "tea", "oats")[: len(reviews_gt)],
        measures=("positive", "log_volume"),
        reviews_gt=reviews_gt,
        value_gts=np.stack([np.array(share_gt, float), volume_gt], -1),
        facts=Facts(0, {}, {}, 0, "", 0, 0, ""),
    )


def random_panel(seed=0, groups=3, periods=20):
    rng = np.random.default_rng(seed)
    reviews = rng.integers(0, 5, (groups, periods))
    reviews[:, 0] = (1, 0, 2)[:groups]
    share = np.where(reviews > 0, rng.random((groups, periods)), NAN)
    return panel_of(reviews, share)


def test_the_picture():
    tea = [1, 1, 1, 1, 1, 1, 1, 1, 1]
    milk = [0, 2, 0, 0, 0, 4, 1, 1, 1]
    share = [[NAN, 0.5, NAN, NAN, NAN, 1.0, 0, 0, 0.5], [0, 1, 0, 1, 0, 1, 0, 1, 0]]
    windows = PanelWindows(panel_of([milk, tea], share), SPEC)
    ends = list(zip(*(column.tolist() for column in windows.places), strict=True))
    # Milk: one period old at column 1; silent for three at column 4, so no window.
    assert [end for group, end in ends if group == 0] == [1, 2, 3, 5, 6, 7]
    assert [end for group, end in ends if group == 1] == list(range(8))
    assert windows.target_n.tolist() == sorted(windows.target_n.tolist())
    row = ends.index((0, 2))
    assert windows.reader.raw(windows.some(np.array([row])))[1].tolist() == [2]
    value_nts, length_n = windows.reader.raw(windows.some(np.array([row])))
    np.testing.assert_array_equal(value_nts[0, :, 0], [NAN, 0.5, 0.5])
    np.testing.assert_allclose(value_nts[0, :, 1], [NAN, np.log(3), 0])
    assert length_n.tolist() == [2]
    batch = windows.batch(np.array([row]), 2)
    assert batch.value_bts[0, 0].tolist() == [0.0, 0.0]  # masked
    assert batch.known_bs.tolist() == [[0.0, 1.0], [0.0, 0.0]]  # no share; empty place
    assert batch.direction_bs[0].tolist() == [-1, 1]
    assert batch.row_b.tolist() == [row, -1]


def test_borders_are_the_same_for_all_groups_and_lie_in_time():
    windows = PanelWindows(random_panel(), SPEC)
    first, second = windows.borders
    target_n = windows.target_n
    assert (target_n[windows.targets(TRAIN)] < first).all()
    middle = target_n[windows.targets(VALIDATION)]
    assert ((middle >= first) & (middle < second)).all()
    assert (target_n[windows.targets(TEST)] >= second).all()
    sizes = [len(windows.targets(split)) for split in (TRAIN, VALIDATION, TEST)]
    assert sum(sizes) == len(target_n)
    assert abs(sizes[0] / sum(sizes) - 0.6) < 0.1


@pytest.mark.parametrize("horizon", [1, 2])
def test_what_comes_later_changes_no_window_no_scale_and_no_earlier_answer(horizon):
    spec = dataclasses.replace(SPEC, horizon=horizon)
    panel = random_panel()
    windows = PanelWindows(panel, spec)
    first = windows.borders[0]
    changed = random_panel(seed=9)
    changed.value_gts[:, :first] = panel.value_gts[:, :first]
    changed.reviews_gt[:, :first] = panel.reviews_gt[:, :first]
    reader, later = windows.reader, WindowReader(changed, spec)
    np.testing.assert_array_equal(
        reader.counts_gt[:, :first], later.counts_gt[:, :first]
    )
    before = np.flatnonzero(windows.places.end_n < first)
    old, new = (r.inputs(windows.some(before), windows.scale) for r in (reader, later))
    np.testing.assert_array_equal(old.value_nts, new.value_nts)
    np.testing.assert_array_equal(old.length_n, new.length_n)
    np.testing.assert_array_equal(windows.scale, fit_past(changed.value_gts[:, :first]))
    assert (windows.target_n[windows.targets(TRAIN)] < first).all()


def test_windows_never_reach_into_another_group():
    panel = random_panel()
    other = random_panel(seed=4)
    mixed = dataclasses.replace(
        panel,
        value_gts=np.concatenate([panel.value_gts[:1], other.value_gts[1:]]),
        reviews_gt=np.concatenate([panel.reviews_gt[:1], other.reviews_gt[1:]]),
    )
    readers = WindowReader(panel, SPEC), WindowReader(mixed, SPEC)
    np.testing.assert_array_equal(*(reader.carried_gts[0] for reader in readers))
    np.testing.assert_array_equal(*(reader.held_gt[0] for reader in readers))


def test_the_scale_is_that_of_the_known_past():
    panel = random_panel()
    windows = PanelWindows(panel, SPEC)
    past = panel.value_gts[:, : windows.borders[0]]
    for s in range(2):
        known = past[..., s][~np.isnan(past[..., s])]
        assert windows.scale.shift_s[s] == pytest.approx(known.mean())
        assert windows.scale.spread_s[s] == pytest.approx(known.std())
    still = fit_past(np.array([[[0.1, NAN], [0.1, NAN], [0.1, NAN]]]))
    assert still.spread_s.tolist() == [1.0, 1.0]
    assert still.shift_s.tolist() == [pytest.approx(0.1), 0.0]


def test_windows_with_few_reviews_or_periods_do_not_count():
    panel = panel_of([[3, 0, 0, 1, 5, 0, 0, 0]], [[0.5] * 8])
    spec = dataclasses.replace(SPEC, min_reviews=4, min_periods=2)
    reader = WindowReader(panel, spec)
    assert reader.held_gt[0].tolist() == [3, 3, 3, 1, 6, 6, 5, 0]
    assert np.flatnonzero(reader.counts_gt[0]).tolist() == [4, 5, 6]
    places, without = reader.latest()
    assert len(places.group_n) == 0
    assert without == {"fewer than 4 reviews in the last 3 months": 1}
    young = WindowReader(panel_of([[0] * 7 + [9]], [[NAN] * 7 + [0.5]]), spec)
    assert young.latest()[1] == {"first review less than 2 months ago": 1}


def test_directions_have_the_tolerance_in_their_middle():
    last = np.array([[0.50], [0.50], [0.50], [0.50], [NAN], [0.2]])
    value = np.array([[0.53], [0.52], [0.40], [0.48], [0.5], [NAN]])
    found = directions(last, value, np.array([0.02]))
    assert found[:, 0].tolist() == [2, 1, 0, 1, -1, -1]


def test_too_few_windows_are_a_sentence():
    with pytest.raises(InputError, match="training, validation and test need one each"):
        PanelWindows(panel_of([[1, 1, 1]], [[0.5, 0.5, 0.5]]), SPEC)
    silent = [[0.5] * 7 + [NAN] * 5]
    with pytest.raises(InputError, match="have a known positive to forecast in the"):
        PanelWindows(panel_of([[1] * 12], silent), SPEC)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("window", 0),
        ("min_reviews", 0),
        ("train_fraction", 0.9),
        ("share_tolerance", 1.0),
        ("volume_tolerance", -0.1),
    ],
)
def test_settings_out_of_range_are_refused(field, value):
    with pytest.raises(InputError, match="windows"):
        dataclasses.replace(SPEC, **{field: value})
