"""Numeric tables as people have them: every layout, and every mistake by name."""

import gzip

import numpy as np
import pandas as pd
import pytest
import zstandard

from reviewintent_jax.data.series import Header, Series, SeriesSpec, read_series
from reviewintent_jax.data.times import DateOrder
from reviewintent_jax.schema import InputError

HOURS = ("2016-07-01 22:00:00", "2016-07-01 23:00:00", "2016-07-02 00:00:00")
VALUES = np.array([[1.5, -2.0], [3.0, 4e2], [0.0, 7.25]])


def spec(path, header=Header.AUTO, time="auto", columns=(), order=DateOrder.ISO):
    return SeriesSpec(str(path), header, time, order, tuple(columns))


def write(path, text):
    path.write_text(text)
    return path


def rows(*, dates, delimiter=","):
    lines = []
    for hour, values in zip(HOURS, VALUES, strict=True):
        cells = [hour] * dates + [repr(float(v)) for v in values]
        lines.append(delimiter.join(cells) + "\n")
    return "".join(lines)


def refusal(tmp_path, text, name="table.csv", **changes):
    with pytest.raises(InputError) as error:
        read_series(spec(write(tmp_path / name, text), **changes))
    return error.value


@pytest.mark.parametrize(
    ("name", "header", "dates", "delimiter"),
    [
        ("a.csv", "date,tea,coffee\n", True, ","),
        ("a.csv", "", True, ","),
        ("a.csv", "tea,coffee\n", False, ","),
        ("a.txt", "", False, ","),
        ("a.txt", "", False, " "),
        ("a.tsv", "when\ttea\tcoffee\n", True, "\t"),
        ("a.csv", "when;tea;coffee\n", True, ";"),
    ],
)
def test_text_tables_are_read_whatever_their_layout(
    tmp_path, name, header, dates, delimiter
):
    text = header + rows(dates=dates, delimiter=delimiter)
    series = read_series(spec(write(tmp_path / name, text)))
    np.testing.assert_array_equal(series.value_ts, VALUES)
    first = 2 if dates else 1
    unnamed = (f"column_{first}", f"column_{first + 1}")
    assert series.names == (("tea", "coffee") if header else unnamed)
    assert series.step_seconds == (3600 if dates else None)
    if dates:
        assert series.time_t[0] == pd.Timestamp(HOURS[0]).timestamp()


@pytest.mark.parametrize("ending", ["csv.gz", "csv.zst", "parquet", "jsonl"])
def test_packed_tables_and_other_formats_hold_the_same(tmp_path, ending):
    path = tmp_path / f"table.{ending}"
    frame = pd.DataFrame(VALUES, columns=["tea", "coffee"])
    frame.insert(0, "when", HOURS)
    text = frame.to_csv(index=False).encode()
    if ending == "parquet":
        frame["when"] = pd.to_datetime(frame["when"])
        frame.to_parquet(path)
    elif ending == "jsonl":
        frame.to_json(path, orient="records", lines=True)
    else:
        packed = gzip.compress(text) if "gz" in ending else zstandard.compress(text)
        path.write_bytes(packed)
    series = read_series(spec(path))
    assert series.names == ("tea", "coffee")
    np.testing.assert_array_equal(series.value_ts, VALUES)
    assert series.step_seconds == 3600


def test_the_named_series_are_taken_in_the_order_given(tmp_path):
    path = write(tmp_path / "a.csv", "when,tea,note,coffee\n2020-01-01,1,x,2\n")
    series = read_series(spec(path, time="when", columns=("coffee", "tea")))
    assert series.names == ("coffee", "tea")
    np.testing.assert_array_equal(series.value_ts, [[2, 1]])


STAMPS = [1.7e9, *np.linspace(1.71e9, 1.72e9, 11).astype(int)]


@pytest.mark.parametrize(
    ("name", "clock", "said"),
    [
        ("", np.arange(12), "Column 'column_1' rises by 1 in every row"),
        ("step", 0.1 * np.arange(12), "Column 'step' rises by 0.1 in every row"),
        ("timestamp", STAMPS, "Column 'timestamp' rises and never falls"),
        ("Year", 2010 + np.arange(12) // 4, "Column 'Year' rises and never falls"),
    ],
)
def test_an_index_or_a_clock_is_a_series_only_if_it_is_named(
    tmp_path, name, clock, said
):
    tea, milk = np.random.default_rng(0).normal(size=(2, 12))
    table = np.stack([clock, tea, milk], 1)
    path = tmp_path / "a.csv"
    np.savetxt(path, table, delimiter=",", header=f"{name},tea,milk", comments="")
    with pytest.raises(InputError) as error:
        read_series(spec(path))
    assert error.value.what.startswith(said)
    assert """--config.data.columns="('tea', 'milk')".""" in error.value.fix
    assert ("data.time=timestamp" in error.value.fix) == (name == "timestamp")
    assert read_series(spec(path, columns=("tea", "milk"))).names == ("tea", "milk")
    kept = (name or "column_1", "tea")
    assert read_series(spec(path, columns=kept)).names == kept


def test_what_rises_as_sales_do_is_a_series(tmp_path):
    sales = np.cumsum(np.random.default_rng(0).integers(0, 9, 12))
    np.savetxt(tmp_path / "a.csv", sales, fmt="%d", header="sold", comments="")
    assert read_series(spec(tmp_path / "a.csv")).names == ("sold",)


def test_a_header_of_numbers_is_a_header_if_one_says_so(tmp_path):
    path = write(tmp_path / "a.csv", "101,102\n1,2\n3,4\n")
    assert read_series(spec(path)).value_ts.shape == (3, 2)
    named = read_series(spec(path, header=Header.YES))
    assert named.names == ("101", "102")
    assert named.value_ts.shape == (2, 2)


def test_files_are_read_one_after_the_other(tmp_path):
    write(tmp_path / "y1.csv", "when,tea\n2020-01-01,1\n")
    write(tmp_path / "y2.csv", "when,tea\n2020-01-02,2\n")
    series = read_series(spec(tmp_path / "y*.csv"))
    np.testing.assert_array_equal(series.value_ts[:, 0], [1, 2])
    write(tmp_path / "y2.csv", "when,milk\n2020-01-02,2\n")
    with pytest.raises(InputError, match="when, milk"):
        read_series(spec(tmp_path / "y*.csv"))


@pytest.mark.parametrize(
    ("cell", "what"),
    [
        ("", "missing"),
        ("NA", "missing"),
        ("nan", "missing"),
        ("inf", "infinite"),
        ("-1e999", "infinite"),
        ("broken", "'broken' is no number"),
        ("1_000", "'1_000' is no number"),
    ],
)
def test_a_cell_that_is_no_finite_number_is_named(tmp_path, cell, what):
    error = refusal(tmp_path, f"tea,coffee\n1,2\n3,{cell}\n")
    assert what in error.what
    assert error.where.endswith("table.csv, line 3, column coffee")
    assert error.fix


def test_a_row_of_nothing_is_missing_values_and_no_blank_line(tmp_path):
    assert "missing" in refusal(tmp_path, "tea,coffee\n1,2\n,\n3,4\n").what


def test_a_null_in_parquet_is_named_with_its_row(tmp_path):
    pd.DataFrame({"tea": [1.0, None]}).to_parquet(tmp_path / "a.parquet")
    with pytest.raises(InputError, match=r"(?s)missing.*row 2, column tea"):
        read_series(spec(tmp_path / "a.parquet"))


def test_a_date_in_a_series_is_told_from_a_typing_error(tmp_path):
    error = refusal(tmp_path, "tea,day\n1,2020-01-01\n", time="")
    assert "--config.data.time=day" in error.fix


@pytest.mark.parametrize(
    ("dates", "what", "line"),
    [
        (("2020-01-01", "2020-01-03", "2020-01-02"), "go backwards", 4),
        (("2020-01-01", "2020-01-01", "2020-01-02"), "is there twice", 3),
        (("2020-01-01", "someday", "2020-01-02"), "no date", 3),
    ],
)
def test_dates_rise_or_the_row_is_named(tmp_path, dates, what, line):
    text = "day,tea\n" + "".join(f"{day},1\n" for day in dates)
    error = refusal(tmp_path, text)
    assert what in error.what
    assert f"line {line}, column day" in error.where


DAILY = "01/02/2014,1\n02/02/2014,2\n03/02/2014,3\n"


@pytest.mark.parametrize("header", ["", "day,tea\n"])
def test_day_and_month_are_read_in_the_order_that_is_set_or_refused(tmp_path, header):
    error = refusal(tmp_path, header + DAILY)
    assert "'01/02/2014' is no date that is understood: the day or" in error.what
    assert "--config.data.date_order=day_first or month_first" in error.fix
    path = write(tmp_path / "a.csv", header + DAILY)
    assert read_series(spec(path, order=DateOrder.DAY_FIRST)).step_seconds == 86400
    months = read_series(spec(path, order=DateOrder.MONTH_FIRST)).time_t
    assert months[2] == pd.Timestamp("2014-03-02").timestamp()


@pytest.mark.parametrize(
    ("cell", "why", "fix"),
    [
        ("28/02/2014", "the day or the month may come first", "data.date_order="),
        ("2014-02-28 10:00 IST", "the time zone IST is not known", "2016-07-01"),
        ("2014-28-02", "there is no month 28", "2016-07-01"),
    ],
)
@pytest.mark.parametrize("header", ["", "day,tea\n"])
def test_an_unclear_date_is_no_typing_error_in_a_number(
    tmp_path, header, cell, why, fix
):
    error = refusal(tmp_path, f"{header}{cell},1\n2014-03-01,2\n")
    assert error.what == f"{cell!r} is no date that is understood: {why}."
    assert fix in error.fix


@pytest.mark.parametrize(
    "cell", ["1,234", "1,234,567.5", "1.234.567", "1 234,5", "1'234"]
)
def test_thousands_are_told_from_dates(tmp_path, cell):
    error = refusal(tmp_path, f"tea;milk\n{cell};2\n", time="")
    assert error.fix.startswith("Write thousands without separators")
    assert refusal(tmp_path, f"tea;milk\n{cell};2\n").fix == error.fix


def test_equal_moments_in_two_zones_are_one_date(tmp_path):
    text = "day,tea\n2020-01-01T12:00+00:00,1\n2020-01-01T13:00+01:00,2\n"
    assert "twice" in refusal(tmp_path, text).what


def test_gaps_are_counted(tmp_path):
    days = ("2020-01-01", "2020-01-02", "2020-01-03", "2020-01-09")
    text = "day,tea\n" + "".join(f"{day},1\n" for day in days)
    assert read_series(spec(write(tmp_path / "a.csv", text))).irregular_steps == 1


@pytest.mark.parametrize("field", ["time", "columns"])
def test_an_unknown_column_is_refused_with_the_nearest(tmp_path, field):
    named = {"time": "dya"} if field == "time" else {"columns": ("dya",)}
    error = refusal(tmp_path, "day,tea\n2020-01-01,1\n", **named)
    assert "Did you mean 'day'?" in error.fix


def test_short_rows_empty_files_and_tables_of_dates_alone_are_refused(tmp_path):
    assert "3 cells" in refusal(tmp_path, "tea,milk\n1,2\n1,2,3\n").what
    assert "empty" in refusal(tmp_path, "").what
    assert "no rows" in refusal(tmp_path, "tea,milk\n").what
    assert "No series" in refusal(tmp_path, "day\n2020-01-01\n").what


def test_a_saved_table_comes_back_with_the_same_fingerprint(tmp_path):
    series = read_series(spec(write(tmp_path / "a.csv", rows(dates=True))))
    series.save(tmp_path / "kept.npz")
    back = Series.load(tmp_path / "kept.npz")
    assert back.names == series.names
    assert back.fingerprint() == series.fingerprint()
    changed = Series(back.file, back.names, back.value_ts + 1e-9, back.time_t)
    assert changed.fingerprint() != series.fingerprint()
    undated = Series(back.file, back.names, back.value_ts, None)
    undated.save(tmp_path / "undated.npz")
    assert Series.load(tmp_path / "undated.npz").time_t is None
