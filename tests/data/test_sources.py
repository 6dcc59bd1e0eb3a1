"""One door to raw data: tables, the shop, and clear words for a wrong column."""

import json
import os

import pytest

from reviewintent_jax.data.checks import CheckSpec, check_row
from reviewintent_jax.data.sources import (
    SourceKind,
    SourceSpec,
    check_columns,
    read_rows,
    source_columns,
    source_fingerprint,
)
from reviewintent_jax.data.times import DateOrder
from reviewintent_jax.schema import InputError


def spec(**changes):
    plain = {
        **{"kind": SourceKind.TABLE, "path": "", "text": "text", "title": ""},
        **{
            "label": "",
            "group": "",
            "time": "",
            "date_order": DateOrder.ISO,
            "split": "",
            "slice": "",
            "tfds_name": "",
        },
        **{"tfds_folder": "", "shop_rows": 5, "shop_seed": 3},
    }
    return SourceSpec(**{**plain, **changes})


def test_table_rows_of_a_glob_come_in_order(tmp_path):
    (tmp_path / "b.csv").write_text("text\nthree\n")
    (tmp_path / "a.csv").write_text("text\none\ntwo\n")
    rows = read_rows(spec(path=f"{tmp_path}/*.csv"))
    assert [row.fields["text"] for row in rows] == ["one", "two", "three"]


@pytest.mark.parametrize(
    ("wrong", "nearest"),
    [("review_text", "Review Text"), ("reviw", "Review Text"), ("Star", "stars")],
)
def test_wrong_column_lists_the_columns_and_the_nearest(tmp_path, wrong, nearest):
    (tmp_path / "r.csv").write_text("id,Review Text,stars\n1,good,5\n")
    with pytest.raises(InputError) as caught:
        read_rows(spec(path=f"{tmp_path}/r.csv", text=wrong))
    assert f"Did you mean {nearest!r}?" in caught.value.fix
    assert "id, Review Text, stars" in caught.value.fix
    assert "--config.data.text=" in caught.value.fix


@pytest.mark.parametrize("field", ["title", "label", "group", "time", "split"])
def test_every_named_column_is_checked_before_any_row(tmp_path, field):
    (tmp_path / "r.csv").write_text("text,stars\ngood,5\n")
    with pytest.raises(InputError, match=f"named as the {field}"):
        read_rows(spec(path=f"{tmp_path}/r.csv", **{field: "absent"}))


def test_column_missing_in_a_later_file_is_told_with_that_file(tmp_path):
    (tmp_path / "1.jsonl").write_text('{"text": "good"}\n')
    (tmp_path / "2.jsonl").write_text('{"body": "good"}\n')
    with pytest.raises(InputError, match=r"2\.jsonl"):
        read_rows(spec(path=f"{tmp_path}/*.jsonl"))


def test_column_unlike_any_has_no_nearest():
    with pytest.raises(InputError) as caught:
        check_columns({"text": "zzz"}, ["body", "stars"], "r.csv")
    assert "Did you mean" not in caught.value.fix


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"path": " "}, "table to read"),
        ({"path": "r.csv", "text": ""}, "column of the text"),
        ({"kind": SourceKind.TFDS}, "dataset is not named"),
    ],
)
def test_spec_that_names_nothing_is_refused(changes, words):
    with pytest.raises(InputError, match=words):
        spec(**changes)


def test_shop_rows_carry_the_shop_s_columns():
    shop = spec(kind=SourceKind.SHOP, label="stars", group="user_id", time="time")
    rows = list(read_rows(shop))
    assert [(row.file, row.line) for row in rows] == [
        ("shop:3", n) for n in range(1, 6)
    ]
    assert tuple(rows[0].fields) == source_columns(shop)
    with pytest.raises(InputError, match="Did you mean 'stars'"):
        read_rows(spec(kind=SourceKind.SHOP, label="star"))


def test_columns_of_a_table(tmp_path):
    (tmp_path / "r.tsv").write_text("text\tstars\ngood\t5\n")
    assert source_columns(spec(path=f"{tmp_path}/r.tsv")) == ("text", "stars")


def test_fingerprint_changes_with_the_file_and_is_json(tmp_path):
    path = tmp_path / "r.csv"
    path.write_text("text\ngood\n")
    source = spec(path=str(path))
    first = source_fingerprint(source)
    assert json.loads(json.dumps(first)) == first == source_fingerprint(source)
    stat = path.stat()
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns + 1))
    assert source_fingerprint(source) != first


def test_fingerprint_of_the_shop_names_rows_and_seed():
    prints = [
        source_fingerprint(spec(kind=SourceKind.SHOP, shop_rows=rows, shop_seed=seed))
        for rows, seed in [(5, 3), (6, 3), (5, 4)]
    ]
    assert len({json.dumps(each) for each in prints}) == 3


def test_amazon_reviews_2023_are_read_as_published(tmp_path):
    published = {
        **{"rating": 4.0, "title": "Nice tea", "text": "Would buy again.<br />Yes."},
        **{"images": [{"small_image_url": "s", "hi_res_image_url": None}]},
        **{"asin": "B00YQ6X8EO", "parent_asin": "B00YQ6X8EO"},
        **{"user_id": "AGKHLEW2SOWHNMFQIJGBECAF7INQ", "timestamp": 1588687728923},
        **{"helpful_vote": 0, "verified_purchase": True},
    }
    (tmp_path / "Grocery.jsonl").write_text(json.dumps(published) + "\n")
    amazon = spec(
        path=f"{tmp_path}/Grocery.jsonl",
        title="title",
        label="rating",
        group="user_id",
        time="timestamp",
    )
    (raw,) = read_rows(amazon)
    review = check_row(raw, 0, amazon, CheckSpec(max_characters=0))
    assert review.text == "Nice tea. Would buy again.<br />Yes."
    assert (review.label, review.group) == ("4", "AGKHLEW2SOWHNMFQIJGBECAF7INQ")
    assert review.time == 1588687728


def test_real_reviews_all_have_a_known_fate(shared_data):
    reviews = rejected = 0
    source = spec(
        path=str(shared_data / "womens_clothing/reviews.csv.gz"),
        text="Review Text",
        title="Title",
        label="Recommended IND",
    )
    for row, raw in enumerate(read_rows(source)):
        checked = check_row(raw, row, source, CheckSpec(max_characters=0))
        if hasattr(checked, "reason"):
            rejected += 1
            assert checked.reason == "no text"
        else:
            reviews += 1
    assert (reviews, rejected) == (22_641, 845)


def test_a_setting_of_several_columns_says_how_to_name_them():
    with pytest.raises(InputError, match=r"named in data\.numbers") as raised:
        check_columns({"data.numbers": "age,spend"}, ["age", "spend"], "r.csv")
    assert "--config.data.numbers=COLUMN, or \"('A','B')\" for several." in str(
        raised.value
    )
