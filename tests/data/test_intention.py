import numpy as np
import pytest

from reviewintent_jax.data.histories import order_reviews
from reviewintent_jax.data.intention import Covariate, IntentReason, find_intention
from reviewintent_jax.data.splits import NO_TIME
from reviewintent_jax.schema import NO_LABEL, InputError
from tests.data.intention_cases import DAY, START, intention_spec

NO = NO_LABEL


def find(kind, day, *, subject=None, stars=None, stated=None, **changes):
    count = len(day)
    subject_n = np.array(subject or [0] * count, np.int64)
    time_n = START + np.array(day, np.int64) * DAY
    stars_n = np.array([np.nan] * count if stars is None else stars, np.float32)
    spec = intention_spec(kind=kind, stars="stars", **changes)
    return find_intention(
        spec,
        order_n=order_reviews(subject_n, time_n),
        subject_n=subject_n,
        time_n=time_n,
        stars_n=stars_n,
        stated_n=np.array([NO] * count if stated is None else stated, np.int32),
        stated_classes=("no", "yes"),
    )


def reasons(found):
    return [IntentReason(reason) for reason in found.reason_n]


def test_repurchase_is_the_picture():
    """The picture in the module's docstring; another shopper's review ends the data."""
    found = find("repurchase", [0, 9, 50, 60], subject=[0, 0, 0, 1])
    assert found.label_n.tolist() == [1, 0, NO, NO]
    assert found.classes == ("no repurchase", "repurchase")
    assert reasons(found)[2] is IntentReason.CENSORED


def test_next_positive_is_the_picture():
    found = find("next_positive", [0, 9, 50], stars=[5, 2, 4])
    assert found.label_n.tolist() == [0, 1, NO]
    assert reasons(found)[2] is IntentReason.NO_LATER


def test_the_horizon_includes_its_last_second():
    assert find("repurchase", [0, 30, 90]).label_n[0] == 1
    assert find("repurchase", [0, 31, 90]).label_n[0] == 0


def test_a_short_follow_up_is_censored_whatever_was_seen_of_it():
    found = find("repurchase", [0, 40, 45])
    assert found.label_n.tolist() == [0, NO, NO]
    assert reasons(found)[1:] == [IntentReason.CENSORED] * 2


def test_only_the_last_review_of_a_moment_is_an_anchor():
    found = find("repurchase", [0, 0, 20, 100], subject=[0, 0, 0, 1])
    assert found.label_n.tolist() == [NO, 1, 0, NO]
    assert reasons(found)[0] is IntentReason.NOT_LAST


def test_the_answer_lies_strictly_later_and_is_known_then():
    found = find("next_positive", [3, 3, 7], stars=[1, 1, 5])
    assert found.label_n.tolist() == [NO, 1, NO]
    assert found.known_n.tolist() == [NO_TIME, START + 7 * DAY, NO_TIME]
    found = find("repurchase", [0, 5, 60])
    assert found.known_n[:2].tolist() == [START + 30 * DAY, START + 35 * DAY]


def test_three_stars_are_not_positive_and_no_stars_no_answer():
    found = find("next_positive", [0, 1, 2], stars=[5, 3, np.nan])
    assert found.label_n.tolist() == [0, NO, NO]
    assert reasons(found)[1] is IntentReason.NO_STARS


def test_a_stated_intention_is_the_reviews_own():
    found = find("stated", [0, 1, 2], subject=None, stated=[1, NO, 0])
    assert found.label_n.tolist() == [1, NO, 0]
    assert found.known_n[0] == START
    assert reasons(found)[1] is IntentReason.NO_STATEMENT


def test_the_proxy_is_the_reviews_own_stars_and_called_circular():
    found = find("proxy_rating", [0, 1, 2], stars=[5, 3, np.nan])
    assert found.label_n.tolist() == [1, 0, NO]
    spec = intention_spec(kind="proxy_rating", stars="stars")
    assert spec.circular
    assert "circular" in spec.describe()
    assert not intention_spec().circular


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"horizon_days": 0}, "horizon_days"),
        ({"window": 0}, "window"),
        ({"cut_fraction": 1.0}, "cut_fraction"),
        ({"subject": ""}, "subject"),
        ({"kind": "next_positive"}, "stars"),
        (
            {"kind": "next_positive", "stars": "s", "positive_stars": ()},
            "positive_stars",
        ),
        ({"covariates": (Covariate.STARS,)}, "stars"),
        ({"covariates": (Covariate.HELPFUL,)}, "helpful"),
        ({"covariates": (Covariate.GAP, Covariate.GAP)}, "covariates"),
        ({"kind": "stated", "subject": "", "covariates": (Covariate.GAP,)}, "subject"),
        (
            {"kind": "proxy_rating", "stars": "s", "covariates": (Covariate.STARS,)},
            "covariates",
        ),
    ],
)
def test_settings_that_mean_nothing_are_refused_by_their_field(changes, field):
    with pytest.raises(InputError) as caught:
        intention_spec(**changes)
    assert caught.value.where == f"field intention.{field}"


def test_the_names_of_covariates_are_as_many_as_their_numbers():
    spec = intention_spec(covariates=(Covariate.SEASON, Covariate.GAP))
    assert spec.covariate_names == ("season_sin", "season_cos", "gap")
