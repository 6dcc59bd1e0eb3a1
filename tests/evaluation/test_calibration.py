import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy.special import log_softmax
from sklearn.metrics import f1_score

from reviewintent_jax.evaluation.calibration import (
    TEMPERATURE_RANGE,
    answers,
    best_threshold,
    confidence_bins,
    expected_calibration_error,
    fit_temperature,
    probabilities,
    reliability_curve,
)
from reviewintent_jax.schema import NO_LABEL


def drawn(n: int, y: int, scale: float, seed: int = 0):
    """Logits of a model that is too sure by ``scale``, and labels from the truth."""
    rng = np.random.default_rng(seed)
    true_ny = rng.normal(scale=1.5, size=(n, y))
    noise_ny = rng.gumbel(size=(n, y))
    return true_ny * scale, (true_ny + noise_ny).argmax(1)


def log_loss_at(logits_ny, label_n, temperature):
    log_prob_ny = log_softmax(logits_ny / temperature, axis=1)
    return -log_prob_ny[np.arange(len(label_n)), label_n].mean()


def test_probabilities_are_a_softmax_of_cooled_logits():
    logits = np.array([[1.0, 2.0, 4.0]])
    expected = np.exp([[0.5, 1.0, 2.0]]) / np.exp([0.5, 1.0, 2.0]).sum()
    np.testing.assert_allclose(probabilities(logits, 2.0), expected, rtol=1e-12)


@pytest.mark.parametrize("scale", [0.4, 1.0, 3.0])
def test_fit_temperature_recovers_a_planted_temperature(scale):
    logits_ny, label_n = drawn(6000, 3, scale)
    assert fit_temperature(logits_ny, label_n) == pytest.approx(scale, rel=0.06)


def test_fit_temperature_is_at_least_as_good_as_every_temperature_of_a_grid():
    logits_ny, label_n = drawn(500, 4, 2.5, seed=3)
    found = log_loss_at(logits_ny, label_n, fit_temperature(logits_ny, label_n))
    grid = [log_loss_at(logits_ny, label_n, t) for t in np.geomspace(0.1, 10, 400)]
    assert found <= min(grid) + 1e-4


def test_fit_temperature_ignores_rows_without_label():
    logits_ny, label_n = drawn(300, 3, 2.0)
    more = np.vstack([logits_ny, 50 * np.eye(3)])
    labels = np.append(label_n, [NO_LABEL] * 3)
    assert fit_temperature(more, labels) == fit_temperature(logits_ny, label_n)


def test_fit_temperature_is_one_without_labels():
    assert fit_temperature(np.ones((4, 2)), np.full(4, NO_LABEL)) == 1.0


def test_fit_temperature_stays_sane_when_a_few_answers_are_all_right():
    logits_ny = 3.0 * np.eye(2)[[0, 1, 0, 1, 1]]
    temperature = fit_temperature(logits_ny, np.array([0, 1, 0, 1, 1]))
    assert 0.4 < temperature < 1


@settings(deadline=None, max_examples=60)
@given(
    logits=hnp.arrays(np.float32, (7, 3), elements=st.floats(-1e4, 1e4, width=32)),
    label=hnp.arrays(np.int64, 7, elements=st.integers(-1, 2)),
)
def test_fit_temperature_stays_in_its_range(logits, label):
    low, high = TEMPERATURE_RANGE
    assert low <= fit_temperature(logits, label) <= high


def test_confidence_bins_own_their_upper_border():
    top = np.array([0.25, 0.26, 0.5, 1.0])
    prob_ny = np.stack([top, np.zeros(4)], axis=1)
    edges, bin_n, confidence_n = confidence_bins(prob_ny, 4)
    np.testing.assert_array_equal(bin_n, [0, 1, 1, 3])
    np.testing.assert_array_equal(edges, [0, 0.25, 0.5, 0.75, 1])
    np.testing.assert_array_equal(confidence_n, top)


def test_reliability_curve_is_the_picture_in_its_docstring():
    first = np.array([0.6, 0.7, 0.9, 0.9])
    prob_ny = np.stack([first, 1 - first], axis=1)
    curve = reliability_curve(prob_ny, np.array([0, 1, 0, 0]), 4)
    nan = np.nan
    np.testing.assert_allclose(curve.confidence, [nan, nan, 0.65, 0.9])
    np.testing.assert_allclose(curve.accuracy, [nan, nan, 0.5, 1])
    np.testing.assert_array_equal(curve.count, [0, 0, 2, 2])


def plain_calibration_error(prob_ny, label_n, bins):
    groups: dict[int, list[tuple[float, bool]]] = {}
    for prob, label in zip(prob_ny, label_n, strict=True):
        if label == NO_LABEL:
            continue
        where = next(b for b in range(bins) if prob.max() <= (b + 1) / bins + 1e-15)
        groups.setdefault(where, []).append((prob.max(), prob.argmax() == label))
    total = sum(map(len, groups.values()))
    error = 0.0
    for group in groups.values():
        sure, right = np.array(group, float).mean(axis=0)
        error += len(group) / total * abs(sure - right)
    return error


@pytest.mark.parametrize("bins", [1, 4, 15])
def test_calibration_error_equals_a_plain_loop(bins):
    logits_ny, label_n = drawn(211, 3, 2.0)
    label_n[::10] = NO_LABEL
    prob_ny = probabilities(logits_ny, 1.0)
    expected = plain_calibration_error(prob_ny, label_n, bins)
    found = expected_calibration_error(prob_ny, label_n, bins)
    assert found == pytest.approx(expected, abs=1e-12)


def test_calibration_error_falls_when_the_planted_temperature_is_taken_out():
    logits_ny, label_n = drawn(4000, 3, 3.0)
    before = expected_calibration_error(probabilities(logits_ny, 1.0), label_n)
    after = expected_calibration_error(probabilities(logits_ny, 3.0), label_n)
    assert after < 0.03 < 0.1 < before


def test_calibration_error_of_nothing_is_undefined():
    assert np.isnan(expected_calibration_error(np.zeros((0, 2)), np.zeros(0, int)))


@settings(deadline=None, max_examples=25)
@given(
    pairs=st.lists(
        st.tuples(st.integers(0, 20).map(lambda k: k / 20), st.integers(0, 1)),
        min_size=2,
        max_size=25,
    )
)
def test_best_threshold_beats_every_other_threshold(pairs):
    score_n, label_n = np.array(pairs).T
    label_n = label_n.astype(int)

    def macro_f1(threshold):
        answer_n = (score_n >= threshold).astype(int)
        return f1_score(
            label_n, answer_n, labels=[0, 1], average="macro", zero_division=0
        )

    found = best_threshold(score_n, label_n)
    assert 0 <= found <= 1
    if len(set(label_n)) == 2:
        others = [macro_f1(t) for t in np.linspace(0.025, 0.975, 20)]
        assert macro_f1(found) >= max(others) - 1e-9


def test_best_threshold_prefers_the_middle_among_equals():
    assert best_threshold(np.array([0.1, 0.9]), np.array([0, 1])) == 0.5


@pytest.mark.parametrize("labels", [[1, 1, 1], [0, 0, 0], [NO_LABEL] * 3])
def test_best_threshold_is_one_half_unless_both_classes_occur(labels):
    assert best_threshold(np.array([0.2, 0.7, 0.9]), np.array(labels)) == 0.5


def test_answers_are_the_picture_in_the_docstring():
    prob_ny = np.array([[0.6, 0.4], [0.8, 0.2]])
    np.testing.assert_array_equal(answers(prob_ny, None), [0, 0])
    np.testing.assert_array_equal(answers(prob_ny, 0.4), [1, 0])
