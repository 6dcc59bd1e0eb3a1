import json

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reviewintent_jax.data.labels import (
    LabelKind,
    LabelMap,
    LabelSpec,
    fit_labels,
)
from reviewintent_jax.schema import NO_LABEL, InputError


def spec(**changes) -> LabelSpec:
    fields = {
        "kind": LabelKind.AUTO,
        "negative_stars": (1.0, 2.0),
        "neutral_stars": (),
        "positive_stars": (4.0, 5.0),
        "classes": (),
        "aliases": (),
    }
    return LabelSpec(**(fields | changes))


def test_stars_become_sentiments_and_the_middle_is_left_out():
    """The picture in LabelMap's docstring."""
    fitted = fit_labels({"1": 2, "3": 9, "5": 4}, spec())
    assert fitted.kind is LabelKind.STARS
    assert fitted.classes == ("negative", "positive")
    assert fitted.index == {"1": 0, "5": 1}
    assert fitted.left_out == {"3": "stars belong to no class"}


def test_describe_says_what_became_what():
    counts = {"5": 3337, "4": 3526, "3": 1461, "2": 927, "1": 749}
    assert fit_labels(counts, spec()).describe() == (
        "stars 1, 2 -> negative (1,676 rows); 4, 5 -> positive (6,863 rows); "
        "3 left out (1,461 rows)"
    )


def test_a_neutral_list_makes_three_classes():
    fitted = fit_labels({"1": 2, "3": 9, "5": 4}, spec(neutral_stars=(3.0,)))
    assert fitted.classes == ("negative", "neutral", "positive")
    assert [fitted.encode(raw) for raw in ("1", "3", "5")] == [0, 1, 2]


def test_half_stars_belong_to_the_list_that_encloses_them():
    fitted = fit_labels({"1.5": 3, "4.5": 3, "3.5": 2, "2.5": 1}, spec())
    assert [fitted.encode(r) for r in ("1.5", "4.5", "3.5", "2.5")] == [0, 1, -1, -1]


def test_ten_stars_are_an_error_until_the_lists_say_what_they_mean():
    counts = {str(stars): 5 for stars in range(1, 11)}
    with pytest.raises(InputError, match="not all lie in 1 to 5"):
        fit_labels(counts, spec())
    lists = {"negative_stars": (1.0, 4.0), "positive_stars": (7.0, 10.0)}
    fitted = fit_labels(counts, spec(kind=LabelKind.STARS, **lists))
    assert [fitted.encode(str(s)) for s in (1, 3, 5, 7, 10)] == [0, 0, -1, 1, 1]


def test_stray_stars_are_left_out_with_a_reason():
    counts = {"1": 5, "5": 9, "0": 1, "n/a": 1}
    fitted = fit_labels(counts, spec(kind=LabelKind.STARS))
    assert fitted.left_out == {
        "0": "stars lie outside the star lists",
        "n/a": "label is not a number of stars",
    }


def test_a_stray_number_is_told_with_its_rows_its_place_and_the_way_out():
    counts = {"1": 5, "5": 300, "9": 3}
    places = []

    def first(raws):
        places.extend(raws)
        return "r.csv, line 4"

    with pytest.raises(InputError, match=r"'9' \(3 of 308 labelled rows\)") as caught:
        fit_labels(counts, spec(), first=first)
    assert places == ["9"]
    assert caught.value.where == "r.csv, line 4"
    assert "--config.labels.kind=stars sets just such rows aside" in caught.value.fix
    assert fit_labels(counts, spec(kind=LabelKind.STARS)).left_out.keys() == {"9"}


@pytest.mark.parametrize("kind", [LabelKind.AUTO, LabelKind.STARS])
def test_a_flag_among_stars_is_no_star(kind):
    fitted = fit_labels({"1": 5, "5": 9, "true": 2}, spec(kind=kind))
    assert fitted.kind is LabelKind.STARS
    assert fitted.left_out == {"true": "label is not a number of stars"}


def test_flags_are_classes_named_by_word_or_by_number():
    counts = {"true": 5, "false": 9}
    assert fit_labels(counts, spec()).kind is LabelKind.BINARY
    named = fit_labels(counts, spec(kind=LabelKind.NAMES))
    assert named.classes == ("false", "true")
    numbered = fit_labels(counts, spec(kind=LabelKind.NAMES, classes=("0", "1")))
    assert [numbered.encode(raw) for raw in counts] == [1, 0]
    older = fit_labels({"0": 2, "1": 2}, spec(kind=LabelKind.NAMES))
    assert [older.encode(raw) for raw in counts] == [1, 0]


def test_mostly_stray_stars_are_a_mistake():
    counts = {"1": 5, "5": 9, "80": 40}
    with pytest.raises(InputError, match=r"not within the stars.*'80'"):
        fit_labels(counts, spec(kind=LabelKind.STARS))


def test_star_classes_can_be_renamed():
    fitted = fit_labels({"1": 5, "5": 9}, spec(classes=("bad", "good")))
    assert fitted.classes == ("bad", "good")
    with pytest.raises(InputError, match="2 star lists, but 3"):
        fit_labels({"1": 5, "5": 9}, spec(classes=("a", "b", "c")))


@pytest.mark.parametrize(
    "counts",
    [
        {"0": 3, "1": 2},
        {"0.0": 3, "1.0": 2},
        {"True": 2, "False": 2},
        {"yes": 2, "No": 2, "NO ": 1},
    ],
)
def test_truth_values_are_binary(counts):
    fitted = fit_labels(counts, spec())
    assert fitted.kind is LabelKind.BINARY
    assert fitted.classes == ("negative", "positive")
    assert all(fitted.encode(raw) == (raw[0] in "1Ty") for raw in counts)


def test_binary_classes_are_named_in_the_order_of_0_and_1():
    fitted = fit_labels({"0": 4, "1": 18}, spec(classes=("not recommended", "rec")))
    assert fitted.describe() == "0 -> not recommended (4 rows); 1 -> rec (18 rows)"


def test_binary_refuses_other_labels():
    with pytest.raises(InputError, match="'maybe'"):
        fit_labels({"0": 4, "1": 3, "maybe": 2}, spec(kind=LabelKind.BINARY))


def test_names_are_sorted_and_spellings_are_one_class():
    counts = {"yes ": 3, "Yes": 9, "no": 4, "UNDEFINED": 3, "un defined": 2}
    fitted = fit_labels(counts, spec())
    assert fitted.kind is LabelKind.NAMES
    assert fitted.classes == ("no", "un defined", "UNDEFINED", "Yes")
    assert fitted.encode("yes ") == fitted.encode("Yes") == fitted.encode(" YES") == 3
    assert "Yes, 'yes ' -> Yes (12 rows)" in fitted.describe()


def test_listed_classes_give_the_order_and_leave_out_the_rest():
    counts = {"happy": 9, "sad": 4, "Angry": 3}
    fitted = fit_labels(counts, spec(classes=("sad", "HAPPY")))
    assert fitted.classes == ("sad", "HAPPY")
    assert (fitted.encode("happy"), fitted.encode("Angry")) == (1, NO_LABEL)
    assert fitted.left_out == {"Angry": "label is not one of sad, HAPPY"}
    assert fitted.describe().endswith("Angry left out (3 rows)")


def test_a_listed_class_that_nobody_carries_is_an_error():
    with pytest.raises(InputError, match=r"'glad'.*there are 'happy', 'sad'"):
        fit_labels({"happy": 9, "sad": 4}, spec(classes=("sad", "glad")))


def test_a_few_strays_among_stars_are_no_classes():
    counts = {"1": 30, "5": 110, "N-A": 3, "unknown": 2}
    with pytest.raises(
        InputError, match=r"(?s)'N-A', 'unknown' \(5 of 145.*kind=stars"
    ):
        fit_labels(counts, spec())
    kept = fit_labels(counts, spec(kind=LabelKind.STARS))
    assert set(kept.left_out) == {"N-A", "unknown"}
    many = fit_labels(counts | {"unknown": 20}, spec())
    assert many.kind is LabelKind.NAMES


def test_numbers_can_be_names():
    fitted = fit_labels({"0": 3, "1": 4, "2": 5}, spec(kind=LabelKind.NAMES))
    assert fitted.classes == ("0", "1", "2")


@pytest.mark.parametrize("counts", [{}, {"": 7}, {" ": 2, "\t": 1}, {"5": 0}])
def test_no_labels_at_all_is_an_error(counts):
    with pytest.raises(InputError, match="No row has a label"):
        fit_labels(counts, spec())


@pytest.mark.parametrize(
    ("counts", "who"),
    [({"positive": 41}, "41 .*'positive'"), ({"1": 30, "": 2}, "30 .*'positive'")],
)
def test_one_class_is_an_error_that_names_it(counts, who):
    with pytest.raises(InputError, match=who):
        fit_labels(counts, spec())


def test_stars_of_one_sentiment_are_one_class():
    found = r"Labels found: stars 1, 2 -> negative \(60 rows\)\."
    with pytest.raises(InputError, match=found):
        fit_labels({"1": 30, "2": 30}, spec())
    with pytest.raises(InputError, match=r"found: stars 5 -> positive \(310 rows\)\."):
        fit_labels({"5": 310}, spec())


def test_a_class_of_one_row_is_an_error_that_names_it():
    with pytest.raises(InputError, match=r"'rare' has 1 row"):
        fit_labels({"common": 30, "often": 9, "rare": 1}, spec())


def test_many_different_labels_look_like_text():
    counts = {f"customer {i}": 1 for i in range(51)}
    with pytest.raises(InputError, match="free text, or an id"):
        fit_labels(counts, spec())


@pytest.mark.parametrize(
    "changes",
    [
        {"classes": ("a", "A ")},
        {"classes": ("a", "")},
        {"kind": LabelKind.BINARY, "classes": ("a", "b", "c")},
        {"negative_stars": (1.0, 4.0)},
        {"negative_stars": (4.0,), "positive_stars": (1.0,)},
    ],
)
def test_contradictory_settings_are_refused(changes):
    with pytest.raises(InputError):
        spec(**changes)


@pytest.mark.parametrize(
    ("counts", "unknown", "reason"),
    [
        ({"1": 2, "5": 2}, "3.5", "stars belong to no class"),
        ({"1": 2, "5": 2}, "9", "outside"),
        ({"0": 2, "1": 2}, "2", "not 0 or 1"),
        ({"good": 2, "bad": 2}, "ugly", "not one of bad, good"),
        ({"good": 2, "bad": 2}, " ", "no label"),
    ],
)
def test_labels_never_seen_have_no_class_but_a_reason(counts, unknown, reason):
    fitted = fit_labels(counts, spec())
    assert fitted.encode(unknown) == NO_LABEL
    assert reason in fitted.reason(unknown)


def test_stars_never_seen_are_understood():
    fitted = fit_labels({"1": 2, "5": 2}, spec())
    assert (fitted.encode("4.5 stars"), fitted.encode("2")) == (1, 0)
    assert fitted.reason("4.5 stars") == ""


@settings(deadline=None, max_examples=100)
@given(
    st.dictionaries(st.text(min_size=1, max_size=6), st.integers(2, 9), min_size=2),
)
def test_a_map_survives_json_and_every_label_has_a_class_or_a_reason(counts):
    try:
        fitted = fit_labels(counts, spec())
    except InputError:
        return
    again = LabelMap.from_dict(json.loads(json.dumps(fitted.to_dict())))
    assert again == fitted
    for raw in counts:
        assert (again.encode(raw) == NO_LABEL) == bool(again.reason(raw))


@pytest.mark.parametrize(
    ("file", "column", "classes"),
    [
        ("airline_tweets/tweets.csv.gz", "airline_sentiment", 3),
        ("womens_clothing/reviews.csv.gz", "Recommended IND", 2),
        ("yelp10k/yelp.csv.gz", "stars", 2),
    ],
)
def test_real_label_columns(shared_data, file, column, classes):
    raw = pd.read_csv(shared_data / file, dtype=str, usecols=[column])[column]
    counts = {str(k): int(v) for k, v in raw.dropna().value_counts().items()}
    assert len(fit_labels(counts, spec()).classes) == classes


@pytest.mark.parametrize(
    ("counts", "stray"),
    [
        ({"good": 5, "bad": 5}, [f"odd {i}" for i in range(1000)]),
        ({"0": 5, "1": 5}, [f"odd {i}" for i in range(1000)]),
        ({"1": 5, "5": 5}, [str(6 + i / 8) for i in range(1000)]),
        ({"1": 5, "5": 5}, [str(2.5 + i / 1e4) for i in range(1000)]),
    ],
    ids=["names", "binary", "off the scale", "in no class"],
)
def test_a_thousand_stray_labels_have_one_reason(counts, stray):
    fitted = fit_labels(counts, spec())
    assert len({fitted.reason(raw) for raw in stray}) == 1
    if fitted.kind is LabelKind.NAMES:
        many = counts | dict.fromkeys(stray, 1)
        named = fit_labels(many, spec(kind=LabelKind.NAMES, classes=("good", "bad")))
        assert len(named.left_out) == 1000
        assert len(set(named.left_out.values())) == 1
