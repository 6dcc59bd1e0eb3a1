"""Reviews -> groups x periods: the picture, pandas, and every kind of bad row."""

import json

import numpy as np
import pandas as pd
import pytest
from panel_cases import LABELS, read, written

from reviewintent_jax.data.labels import LabelKind
from reviewintent_jax.data.panels import MAX_CELLS, Panel, _refuse_too_many
from reviewintent_jax.data.periods import Period
from reviewintent_jax.data.sources import SourceKind
from reviewintent_jax.data.times import DateOrder
from reviewintent_jax.schema import InputError

NAN = np.nan

TEA = [
    ("tea", "2014-04-30", "1", "0"),
    ("tea", "2014-01-05", "5", "1"),
    ("tea", "2014-01-31T23:59:59+00:00", "2", ""),
    ("tea", "2014-03-01", "4", "yes"),
    ("tea", "2014-04-01T01:00:00+02:00", "3", "no"),  # still March in UTC
    ("tea", "2014-04-11", "5", "1"),
    ("milk", "2014-02-02", "5", "1"),
    ("milk", "2014-05-03", "5", "1"),  # May has just begun
]


def test_the_picture(tmp_path):
    panel, _ = read(written(tmp_path / "r.csv", TEA), tmp_path)
    assert panel.groups == ("milk", "tea")
    assert panel.measures == ("positive", "recommending", "log_volume")
    assert [panel.name(t) for t in (0, 3, 4)] == ["2014-01", "2014-04", "2014-05"]
    np.testing.assert_array_equal(panel.reviews_gt, [[0, 1, 0, 0], [2, 0, 2, 2]])
    milk, tea = panel.value_gts
    np.testing.assert_array_equal(tea[:, 0], [0.5, NAN, 0.5, 0.5])
    np.testing.assert_array_equal(tea[:, 1], [1.0, NAN, 0.5, 0.5])
    np.testing.assert_allclose(tea[:, 2], np.log([3, 1, 3, 3]))
    # Milk was not there in January; later months without a review have volume 0.
    np.testing.assert_array_equal(milk[:, 0], [NAN, 1.0, NAN, NAN])
    np.testing.assert_allclose(milk[:, 2], [NAN, np.log(2), 0, 0])
    assert panel.begin_g.tolist() == [1, 0]
    assert (panel.facts.incomplete, panel.facts.incomplete_period) == (1, "2014-05")


def test_unknown_values_are_carried_from_the_last_known_one(tmp_path):
    panel, _ = read(written(tmp_path / "r.csv", TEA), tmp_path)
    carried = panel.carried()
    np.testing.assert_array_equal(carried[0, :, 0], [NAN, 1.0, 1.0, 1.0])
    np.testing.assert_array_equal(carried[1, :, 1], [1.0, 1.0, 0.5, 0.5])


@pytest.mark.parametrize(
    ("period", "code"),
    [(Period.DAY, "D"), (Period.WEEK, "W-SUN"), (Period.MONTH, "M")],
)
def test_counts_and_shares_are_those_of_pandas(tmp_path, period, code):
    rng = np.random.default_rng(3)
    n = 400
    times = pd.Timestamp("2019-12-20") + pd.to_timedelta(
        rng.integers(0, 120, n) * 86400, unit="s"
    )
    table = pd.DataFrame(
        {
            "product": rng.choice(["a", "b", "ü"], n),
            "when": times.strftime("%Y-%m-%d"),
            "stars": rng.integers(1, 6, n),
            "again": rng.choice(["0", "1", ""], n),
        }
    )
    table.to_csv(tmp_path / "r.csv", index=False)
    panel, _ = read(tmp_path / "r.csv", tmp_path, period=period)
    start = times.to_period(code).start_time
    table["again"] = pd.to_numeric(table["again"])
    table["good"] = table["stars"] >= 4
    for g, group in enumerate(panel.groups):
        mine = table[table["product"] == group].groupby(
            start[table["product"] == group]
        )
        wanted = mine.agg(n=("stars", "size"), good=("good", "mean"))
        wanted["again"] = mine["again"].mean()
        columns = pd.to_datetime([panel.name(t) for t in range(panel.periods)])
        wanted = wanted.reindex(columns)
        np.testing.assert_array_equal(panel.reviews_gt[g], wanted["n"].fillna(0))
        np.testing.assert_allclose(panel.value_gts[g, :, 0], wanted["good"])
        np.testing.assert_allclose(panel.value_gts[g, :, 1], wanted["again"])


def test_every_row_that_counts_nowhere_is_set_aside_with_file_line_and_field(tmp_path):
    bad = [
        ("", "2014-02-02", "5", "1"),
        ("tea", "", "5", "1"),
        ("tea", "some day", "5", "1"),
        ("tea", "2999-01-01", "5", "1"),
        ("tea", "0", "5", "1"),
        ("tea", "2014-02-03", "five", "perhaps"),
    ]
    path = written(tmp_path / "r.csv", [*TEA, *bad])
    spec = LABELS.__class__(LabelKind.STARS, (1.0, 2.0), (3.0,), (4.0, 5.0), (), ())
    panel, log = read(path, tmp_path, labels=spec)
    lines = [json.loads(line) for line in log.path.read_text().splitlines()]
    said = [(each["line"], each["field"], each["reason"]) for each in lines]
    alone = "counted in volume alone: "
    flags = "label is not 0 or 1, true or false, yes or no"
    assert said == [
        (10, "product", "no group"),
        (11, "when", "no time"),
        (12, "when", "time not understood"),
        (13, "when", "dated in the future"),
        (14, "when", "dated before 1990"),
        (15, "stars", f"{alone}label is not a number of stars"),
        (4, "again", f"{alone}no label"),
        (15, "again", f"{alone}{flags}"),
    ]
    assert all(each["file"] == str(path) for each in lines)
    assert panel.facts.rows == 14
    assert sum(panel.facts.set_aside.values()) == 5
    assert panel.facts.unread["recommending"] == {"no label": 1, flags: 1}
    tea = panel.groups.index("tea")
    assert panel.reviews_gt[tea].tolist() == [2, 1, 2, 2]  # it was still written
    assert np.isnan(panel.value_gts[tea, 1, 0])


def test_small_groups_are_left_out_and_counted(tmp_path):
    path = written(tmp_path / "r.csv", TEA)
    panel, _ = read(path, tmp_path, min_reviews=2)
    assert panel.groups == ("tea",)
    assert (panel.facts.few, panel.facts.few_reviews) == (1, 1)
    with pytest.raises(InputError, match="None of the 2 groups of column 'product'"):
        read(path, tmp_path, min_reviews=9)


def test_without_a_column_of_groups_all_are_one_and_order_does_not_matter(tmp_path):
    panel, _ = read(written(tmp_path / "r.csv", TEA), tmp_path, group="")
    again, _ = read(written(tmp_path / "b.csv", TEA[::-1]), tmp_path, group="")
    assert panel.groups == ("all reviews",)
    assert panel.reviews_gt.tolist() == [[2, 1, 2, 2]]
    assert panel.fingerprint() == again.fingerprint()


def test_a_gap_of_years_is_years_of_volume_0(tmp_path):
    rows = [("tea", "2004-01-31", "5", "1"), ("tea", "2014-01-31", "1", "0")]
    panel, _ = read(written(tmp_path / "r.csv", rows * 2), tmp_path)
    assert panel.periods == 121
    assert panel.value_gts[0, 1:-1, 2].tolist() == [0.0] * 119
    assert np.isnan(panel.value_gts[0, 1:-1, 0]).all()


@pytest.mark.parametrize(
    ("column", "wanted"),
    [
        (["positive", "negative", "positive", "neutral"], "positive"),
        (["1", "0", "1", "0"], "positive"),
        (["gut", "schlecht", "gut", "schlecht"], "gut"),
    ],
)
def test_answers_may_be_predicted_classes_flags_or_names(tmp_path, column, wanted):
    rows = [("tea", "2014-01-31", text) for text in column * 2]
    path = written(tmp_path / "r.csv", rows, ("product", "when", "stars"))
    read_as = {"recommending": "", "positive_class": wanted}
    panel, _ = read(path, tmp_path, **read_as)
    assert panel.measures == ("positive", "log_volume")
    assert panel.value_gts[0, 0, 0] == 0.5
    with pytest.raises(InputError, match=r"No class .* is called 'great'"):
        read(path, tmp_path, recommending="", positive_class="great")


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"time": "wen"}, r"no column 'wen' \(named as the time\)(.|\n)*'when'"),
        ({"group": "shop"}, r"no column 'shop' \(named as the group\)"),
        ({"recommending": "when"}, "No answer of column 'when' can be read"),
        ({"positive": "when"}, r"column when|data\.positive"),
        ({"time": ""}, "column of the time is not named"),
        ({"path": ""}, "table to read is not named"),
        ({"kind": SourceKind.TFDS}, "table or shop, not from tfds"),
    ],
)
def test_mistakes_are_said_in_a_sentence(tmp_path, changes, said):
    path = written(tmp_path / "r.csv", TEA)
    with pytest.raises(InputError, match=said):
        read(changes.pop("path", path), tmp_path, **changes)


def test_a_table_without_a_usable_row_says_why(tmp_path):
    rows = [("tea", "once", "5", "1"), ("tea", "", "5", "1")]
    path = written(tmp_path / "r.csv", rows)
    with pytest.raises(InputError, match=r"None of the 2 rows.*time not understood"):
        read(path, tmp_path)
    half = written(tmp_path / "h.csv", [("tea", "2014-05-03", "5", "1")] * 2)
    with pytest.raises(InputError, match="lie in one month"):
        read(half, tmp_path, positive="")


def test_day_and_month_are_read_in_the_order_that_is_set_or_named_as_missing(tmp_path):
    days = [("tea", f"{day:02d}/02/2014", "5", "1") for day in range(1, 29)]
    path = written(tmp_path / "r.csv", days)
    with pytest.raises(InputError, match=r"(?s)None of the 28 .*Set.*date_order=day"):
        read(path, tmp_path)
    order, daily = DateOrder.DAY_FIRST, Period.DAY
    panel, _ = read(path, tmp_path, date_order=order, period=daily)
    assert panel.periods == 28


def test_free_text_is_no_column_of_answers(tmp_path):
    rows = [("tea", "2014-01-31", f"text {n}", "1") for n in range(1500)]
    with pytest.raises(InputError, match=r"more than 1,000 different values"):
        read(written(tmp_path / "r.csv", rows), tmp_path)


def test_more_cells_than_memory_should_hold_are_refused():
    with pytest.raises(InputError, match="more than are held at once"):
        _refuse_too_many((MAX_CELLS, 2), 1)


def test_the_built_in_shop_needs_no_file(tmp_path):
    names = {"time": "time", "group": "category", "recommending": "recommended"}
    panel, _ = read("", tmp_path, kind=SourceKind.SHOP, **names)
    assert panel.reviews_gt.sum() + panel.facts.incomplete == 100


def test_a_stored_panel_is_the_same_one(tmp_path):
    panel, _ = read(written(tmp_path / "r.csv", TEA), tmp_path)
    panel.save(tmp_path / "panel.npz")
    again = Panel.load(tmp_path / "panel.npz")
    assert again.fingerprint() == panel.fingerprint()
    assert again.facts == panel.facts
    assert again.period is Period.MONTH
