import numpy as np
import pytest
from scipy.special import softmax
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.metrics import roc_auc_score

from reviewintent_jax.evaluation import intention_baselines as beside
from reviewintent_jax.evaluation.evaluate import EvaluationSpec, Threshold
from reviewintent_jax.evaluation.intention_baselines import Absent, Sides
from reviewintent_jax.evaluation.intention_windows import DAY, Windows
from reviewintent_jax.schema import NO_LABEL

SPEC = EvaluationSpec(2, Threshold.ARGMAX, 30, 10_000, 3)
CLASSES = ("no", "yes")


def side(n, seed, *, useful=2.0):
    """Windows of 3 steps; the chance of yes follows the covariate of the last step."""
    rng = np.random.default_rng(seed)
    step_nwx = rng.normal(size=(n, 3, 2)).astype(np.float32)
    seen_nw = np.arange(3) >= rng.integers(3, size=n)[:, None]
    step_nwx[~seen_nw] = np.nan
    gap_nw = rng.integers(1, 60, size=(n, 3)) * DAY
    time_nw = np.where(seen_nw, gap_nw.cumsum(axis=1), np.nan)
    chance_n = 1 / (1 + np.exp(-useful * step_nwx[:, 2, 0]))
    label_n = (rng.random(n) < chance_n).astype(np.int32)
    last_n = np.where(seen_nw[:, 1], gap_nw[:, 2] < 30 * DAY, -1).astype(np.int64)
    return Windows(step_nwx, seen_nw, time_nw, last_n, label_n), chance_n


@pytest.fixture(scope="module")
def sides():
    return Sides(side(1500, 0)[0], side(500, 1)[0], side(701, 2)[0])


def log_prob(found):
    return found.log_prob_ny


def test_every_baseline_answers_with_probabilities(sides):
    found = beside.fit_intention_baselines(sides, CLASSES, SPEC)
    names = ["majority", "last_value", "recency_frequency", "gradient_boosting"]
    assert list(found) == names
    for baseline in found.values():
        assert log_prob(baseline).shape == (701, 2)
        np.testing.assert_allclose(np.exp(log_prob(baseline)).sum(1), 1, rtol=1e-9)


def test_boosting_comes_near_the_known_optimum(sides):
    found = beside.gradient_boosting(sides, 2, SPEC)
    _, chance_n = side(701, 2)
    label_n = sides.test.label_n
    optimum = roc_auc_score(label_n, chance_n)
    assert optimum > 0.8
    assert roc_auc_score(label_n, log_prob(found)[:, 1]) > optimum - 0.02
    assert found.facts["rows"] == 1500
    assert found.facts["features"] == 3 * 2 + 3 + 1


def test_boosting_is_that_of_scikit_learn_with_the_settings_it_names(sides):
    found = beside.gradient_boosting(sides, 2, SPEC)

    def columns(windows):
        rows = []
        for n in range(len(windows.label_n)):
            row = [*windows.step_nwx[n].ravel(), *windows.seen_nw[n]]
            rows.append([*row, windows.seen_nw[n].sum()])
        return np.array(rows, np.float32)

    twin = HistGradientBoostingClassifier(
        learning_rate=0.06,
        max_iter=found.facts["trees"],
        max_leaf_nodes=found.facts["leaves"],
        early_stopping=False,
        random_state=3,
    ).fit(columns(sides.train), sides.train.label_n)
    logit_ny = np.log(twin.predict_proba(columns(sides.test)))
    wanted = softmax(logit_ny / found.facts["temperature"], axis=1)
    np.testing.assert_allclose(np.exp(log_prob(found)), wanted, rtol=1e-6)


def test_the_last_value_answers_with_shares_counted_in_a_loop(sides):
    found = beside.last_value(sides, 2, SPEC)
    train = sides.train
    overall = train.label_n.mean()
    for value in (-1, 0, 1):
        count = yes = 0
        for last, label in zip(train.last_n, train.label_n, strict=True):
            count, yes = count + (last == value), yes + (last == value) * label
        rate = (yes + overall) / (count + 1)
        logit = np.log([1 - rate, rate]) / found.facts["temperature"]
        rows = log_prob(found)[sides.test.last_n == value]
        assert len(rows)
        wanted = np.broadcast_to(softmax(logit), rows.shape)
        np.testing.assert_allclose(np.exp(rows), wanted, rtol=1e-9)


def test_without_earlier_reviews_the_last_value_is_absent_and_says_why(sides):
    alone = sides.train._replace(last_n=np.full(1500, -1))
    found = beside.last_value(sides._replace(train=alone), 2, SPEC)
    assert isinstance(found, Absent)
    assert "earlier" in found.reason


def test_without_times_recency_is_absent_and_says_why(sides):
    timeless = sides.train._replace(time_nw=np.full((1500, 3), np.nan))
    found = beside.recency_frequency_regression(sides._replace(train=timeless), 2, SPEC)
    assert found == Absent("The reviews have no times.")


def test_recency_tells_who_comes_back(sides):
    """The answer depends on the last gap alone; the regression must rank by it."""

    def by_gap(windows):
        gap_n = np.nan_to_num(windows.time_nw[:, 2] - windows.time_nw[:, 1])
        return windows._replace(label_n=(gap_n > 20 * DAY).astype(np.int32))

    sides = Sides(*(by_gap(each) for each in sides))
    found = beside.recency_frequency_regression(sides, 2, SPEC)
    assert roc_auc_score(sides.test.label_n, log_prob(found)[:, 1]) > 0.97


def test_unlabelled_anchors_teach_nothing_and_are_answered(sides):
    unknown = side(90, 7)[0]._replace(label_n=np.full(90, NO_LABEL, np.int32))
    more = [
        Windows(*(np.concatenate(pair) for pair in zip(each, unknown, strict=True)))
        for each in sides
    ]
    before = beside.fit_intention_baselines(sides, CLASSES, SPEC)
    after = beside.fit_intention_baselines(Sides(*more), CLASSES, SPEC)
    for name, found in after.items():
        assert log_prob(found).shape == (791, 2)
        np.testing.assert_allclose(log_prob(found)[:701], log_prob(before[name]))


def test_one_class_in_training_leaves_only_what_can_be_said(sides):
    same = sides.train._replace(label_n=np.ones(1500, np.int32))
    found = beside.fit_intention_baselines(sides._replace(train=same), CLASSES, SPEC)
    assert isinstance(found["gradient_boosting"], Absent)
    assert isinstance(found["recency_frequency"], Absent)
    assert np.isfinite(log_prob(found["last_value"])).all()


def test_a_class_that_training_lacks_is_improbable_not_impossible(sides):
    found = beside.fit_intention_baselines(sides, ("no", "yes", "never"), SPEC)
    for baseline in found.values():
        assert log_prob(baseline).shape == (701, 3)
        assert np.isfinite(log_prob(baseline)).all()
        assert log_prob(baseline)[:, 2].max() < -5


def test_without_validation_there_is_still_an_answer(sides):
    nobody = sides.validation.take(np.zeros(0, int))
    found = beside.fit_intention_baselines(
        sides._replace(validation=nobody), CLASSES, SPEC
    )
    assert found["gradient_boosting"].facts["temperature"] == 1.0
    score = roc_auc_score(
        sides.test.label_n, log_prob(found["gradient_boosting"])[:, 1]
    )
    assert score > 0.8


def test_a_threshold_is_chosen_on_validation_when_the_model_has_one(sides):
    spec = EvaluationSpec(2, Threshold.VALIDATION, 30, 10_000, 3)
    assert 0 < beside.gradient_boosting(sides, 2, spec).facts["threshold"] < 1
    assert "threshold" not in beside.gradient_boosting(sides, 2, SPEC).facts


def test_most_rows_is_kept(sides):
    spec = EvaluationSpec(2, Threshold.ARGMAX, 30, 200, 3)
    found = beside.fit_intention_baselines(sides, CLASSES, spec)
    assert found["gradient_boosting"].facts["rows"] == 200
