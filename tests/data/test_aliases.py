import pytest

from reviewintent_jax.data.aliases import parse_aliases
from reviewintent_jax.data.labels import LabelKind, LabelSpec, fit_labels
from reviewintent_jax.schema import NO_LABEL, InputError


def spec(kind=LabelKind.NAMES, **changes):
    stars = {"negative_stars": (1.0,), "neutral_stars": (), "positive_stars": (5.0,)}
    return LabelSpec(kind, **{**stars, "classes": (), "aliases": (), **changes})


def test_seven_spellings_become_three_classes():
    counts = {"undefined": 790, "yes": 462, "no": 426, "Undefined": 157}
    counts |= {"PI": 151, "Yes": 85, "No": 37}
    chosen = spec(classes=("no", "undefined", "yes"), aliases=("PI -> yes",))
    fitted = fit_labels(counts, chosen)
    assert {raw: fitted.encode(raw) for raw in counts} == {
        **{"no": 0, "No": 0, "undefined": 1, "Undefined": 1},
        **{"yes": 2, "Yes": 2, "PI": 2},
    }
    assert fitted.encode("pi") == 2
    assert "PI" in fitted.describe()
    assert "(698 rows)" in fitted.describe()


def test_an_alias_of_a_number_serves_stars_and_flags():
    stars = fit_labels(
        {"awful": 3, "1": 2, "5": 4}, spec(LabelKind.STARS, aliases=("awful -> 1",))
    )
    assert [stars.encode(raw) for raw in ("awful", "1", "5")] == [0, 0, 1]
    flags = fit_labels(
        {"bought": 3, "0": 2}, spec(LabelKind.AUTO, aliases=("bought -> 1",))
    )
    assert flags.kind is LabelKind.BINARY
    assert [flags.encode(raw) for raw in ("bought", "0", "1")] == [1, 0, 1]


def test_an_alias_of_a_left_out_label_is_left_out():
    chosen = spec(classes=("a", "b"), aliases=("x -> c",))
    fitted = fit_labels({"a": 2, "b": 2, "x": 1}, chosen)
    assert fitted.encode("x") == NO_LABEL
    assert "not one of" in fitted.reason("x")


@pytest.mark.parametrize("wrong", [("PI yes",), ("PI ->",), ("a -> b", "A -> c")])
def test_what_is_no_alias_is_refused(wrong):
    with pytest.raises(InputError, match="alias"):
        spec(aliases=wrong)


def test_a_chain_of_aliases_is_refused():
    with pytest.raises(InputError, match="alias itself"):
        parse_aliases(("a -> b", "b -> c"))


def test_an_alias_that_no_row_carries_is_a_misspelling():
    with pytest.raises(InputError, match="'pj'"):
        fit_labels({"PI": 2, "no": 2}, spec(aliases=("PJ -> yes",)))
