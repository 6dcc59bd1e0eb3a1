"""The shop's stated optimum, against integrals, brute force, outcomes and a learner."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import quad
from scipy.stats import norm
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.metrics import accuracy_score, log_loss, roc_auc_score

from reviewintent_jax.data import bazaar_truth as truth
from reviewintent_jax.data.bazaar import BLOCK, BazaarSpec, Shop
from reviewintent_jax.data.bazaar_truth import Plans, best_possible, count_codes
from reviewintent_jax.schema import InputError


def _plan(opening: int, closing: int, aspects: list[int]) -> Plans:
    full = aspects + [-1] * (truth.MAX_STATEMENTS - len(aspects))
    return Plans(*(np.array([part], np.int8) for part in (opening, closing, full)))


@pytest.fixture(scope="module")
def numbers() -> dict[str, np.ndarray]:
    """50,000 rows of numbers: what a shop draws before it writes."""
    shop = Shop(BazaarSpec(rows=50_000, seed=5))
    kept: dict[str, list] = {
        key: []
        for key in ("stars", "buys_again", "truth_positive", "truth_intent", "counts")
    }
    for start in range(0, 50_000, BLOCK):
        plans, columns = shop.draw_block(start)
        for key in kept:
            kept[key].extend(count_codes(plans) if key == "counts" else columns[key])
    return {key: np.array(values) for key, values in kept.items()}


def _chance(slope: float, shares: tuple[float, ...], which: int, s: float) -> float:
    """Ordered probit, written down a second time and one class at a time."""
    spread = (1 + slope**2) ** 0.5
    low = norm.ppf(sum(shares[:which])) * spread if which else -np.inf
    last = which == len(shares) - 1
    high = np.inf if last else norm.ppf(sum(shares[: which + 1])) * spread
    return norm.cdf(high - slope * s) - norm.cdf(low - slope * s)


def _plan_chance(opening: int, closing: int, aspects: list[int], s: float) -> float:
    chance = 1.0
    for code in (opening, closing):
        if code >= 0:
            chance *= _chance(truth.VERDICT_SLOPE, truth.CODE_SHARES, code, s)
    for code in aspects:
        chance *= _chance(truth.ASPECT_SLOPE, truth.CODE_SHARES, code, s)
    mean = truth.STATEMENTS_MEAN + truth.STATEMENTS_SLOPE * s
    count = len(aspects)
    below = [-np.inf if n == 0 else np.log(n) for n in (count, count + 1)]
    if count == truth.MAX_STATEMENTS:
        below[1] = np.inf
    upper, lower = (norm.cdf((b - mean) / truth.STATEMENTS_SPREAD) for b in below[::-1])
    return chance * (upper - lower)


@pytest.mark.parametrize(
    ("opening", "closing", "aspects"),
    [
        (4, -1, []),
        (-1, 1, [3]),
        (2, 3, [0, 5, 2]),
        (-1, -1, [4, 1, 1, 4, 3]),
        (5, 0, [2] * truth.MAX_STATEMENTS),
    ],
)
def test_truth_positive_is_the_integral_of_the_formula(opening, closing, aspects):
    def mass(stars):
        def density(s):
            given_s = sum(
                _chance(1 / truth.STAR_NOISE, truth.STAR_SHARES, star - 1, s)
                for star in stars
            )
            return norm.pdf(s) * _plan_chance(opening, closing, aspects, s) * given_s

        return quad(density, -6, 6, limit=400, epsabs=0, epsrel=1e-8)[0]

    positive, negative = mass((4, 5)), mass((1, 2))
    got = truth.positive_chance(count_codes(_plan(opening, closing, aspects)))
    assert got[0] == pytest.approx(positive / (positive + negative), abs=2e-6)


@pytest.mark.parametrize(
    ("opening", "closing", "aspects"), [(3, -1, []), (-1, 2, []), (-1, -1, [2])]
)
def test_truth_positive_agrees_with_brute_force(opening, closing, aspects):
    rng = np.random.default_rng(1)
    s = rng.standard_normal(400_000)
    plans, stars = truth.draw_plans(s, rng), truth.draw_stars(s, rng)
    counts, wanted = count_codes(plans), count_codes(_plan(opening, closing, aspects))
    labels = stars[(counts == wanted).all(axis=1) & (stars != 3)] > 3
    p = truth.positive_chance(wanted)[0]
    assert len(labels) > 700
    assert abs(labels.mean() - p) < 4 * (p * (1 - p) / len(labels)) ** 0.5


def _assert_calibrated(p: np.ndarray, labels: np.ndarray, bins: int) -> None:
    for part in np.array_split(np.argsort(p), bins):
        error = (p[part] * (1 - p[part])).sum() ** 0.5
        assert abs(labels[part].sum() - p[part].sum()) < 4 * error + 1


def test_truth_positive_is_calibrated(numbers):
    binary = numbers["stars"] != 3
    labels = numbers["stars"][binary] > 3
    _assert_calibrated(numbers["truth_positive"][binary], labels, bins=25)


def test_truth_intent_is_calibrated(numbers):
    _assert_calibrated(numbers["truth_intent"], numbers["buys_again"], bins=25)


def test_no_learner_that_sees_the_plan_beats_the_optimum(numbers):
    binary = np.flatnonzero(numbers["stars"] != 3)
    counts, labels = numbers["counts"][binary], numbers["stars"][binary] > 3
    p, cut = numbers["truth_positive"][binary], 15_000
    learner = HistGradientBoostingClassifier(
        max_iter=25, learning_rate=0.2, max_leaf_nodes=12
    )
    guess = learner.fit(counts[:cut], labels[:cut]).predict_proba(counts[cut:])[:, 1]
    labels, p = labels[cut:], p[cut:]
    ours, theirs = (-np.log(np.where(labels, q, 1 - q)) for q in (p, guess))
    noise = (theirs - ours).std() / len(labels) ** 0.5
    assert (theirs - ours).mean() > -3 * noise
    correct = ((guess > 0.5) == labels).astype(int) - ((p > 0.5) == labels)
    assert correct.mean() < 3 * correct.std() / len(labels) ** 0.5
    assert theirs.mean() < ours.mean() + 0.03  # it is a learner worth beating


def _weighted_paths(window, month, soon, rng, paths=400_000):
    """Importance sampling over mood paths: estimate and its standard error."""
    mood, weight = rng.standard_normal(paths), np.ones(paths)
    persist, spread = truth.MOOD_PERSISTENCE, (1 - truth.MOOD_PERSISTENCE**2) ** 0.5
    for step, ((opening, closing, aspects), stars) in enumerate(window):
        rest = (1 - truth.MOOD_WEIGHT**2) ** 0.5
        s = truth.MOOD_WEIGHT * mood + rest * rng.standard_normal(paths)
        weight = weight * _plan_chance(opening, closing, aspects, s)
        weight *= _chance(1 / truth.STAR_NOISE, truth.STAR_SHARES, stars - 1, s)
        drive = truth.SOON_BASE + truth.SOON_MOOD * mood + truth.SOON_MONTH[month[step]]
        chance = norm.cdf(drive)
        if step == len(window) - 1:
            stay = 1 - (truth.LEAVE_FIRST if step == 0 else truth.LEAVE_LATER)
            weight /= weight.sum()
            mean = (weight * chance).sum()
            error = ((weight * (chance - mean)) ** 2).sum() ** 0.5
            return stay * mean, stay * error
        weight *= chance if soon[step] else 1 - chance
        mood = persist * mood + spread * rng.standard_normal(paths)
    raise AssertionError


@pytest.mark.parametrize("length", [1, 2, 4])
def test_truth_intent_agrees_with_brute_force(length):
    window = [
        ((1, -1, [2, 0]), 2),
        ((-1, -1, [3, 1]), 3),
        ((-1, 5, [4, 4]), 5),
        ((3, -1, [4]), 4),
    ][:length]
    month, soon = [11, 0, 4, 9][:length], [False, True, True, False][:length]
    plans = [_plan(*plan) for plan, _ in window]
    counts = np.concatenate([count_codes(plan) for plan in plans])
    evidence = np.ones((1, truth.WINDOW, len(truth.M_GRID)))
    seen = np.zeros((1, truth.WINDOW), bool)
    months, soons = np.zeros((2, 1, truth.WINDOW), int)
    stars = np.array([stars for _, stars in window])
    evidence[0, -length:] = truth.mood_evidence(counts, stars)
    seen[0, -length:], months[0, -length:] = True, month
    soons[0, -length:] = soon
    got = truth.intent_chance(evidence, seen, soons.astype(bool), months)[0]
    wanted, error = _weighted_paths(window, month, soon, np.random.default_rng(2))
    assert error < 0.02
    assert abs(got - wanted) < 4 * error


def test_the_answer_is_not_read():
    rng = np.random.default_rng(3)
    evidence = rng.random((5, truth.WINDOW, len(truth.M_GRID)))
    seen, month = np.ones((5, truth.WINDOW), bool), np.zeros((5, truth.WINDOW), int)
    soon = rng.random((5, truth.WINDOW)) < 0.5
    other = soon.copy()
    other[:, -1] = ~other[:, -1]
    np.testing.assert_array_equal(
        truth.intent_chance(evidence, seen, soon, month),
        truth.intent_chance(evidence, seen, other, month),
    )


@settings(deadline=None, max_examples=30)
@given(st.floats(-5, 5), st.floats(0.1, 6))
def test_chances_of_all_classes_sum_to_one(s, slope):
    table = truth.probit_table(slope, truth.CODE_SHARES, np.array([s]))
    assert (table >= 0).all()
    assert table.sum() == pytest.approx(1)
    assert truth.statements_table(np.array([s])).sum() == pytest.approx(1)


def test_best_possible_agrees_with_scikit_learn():
    rng = np.random.default_rng(4)
    p = rng.random(501).round(2)  # with ties
    labels = (rng.random(501) < p).astype(int)
    got = best_possible(p, labels)
    assert got["rows"] == 501
    assert got["accuracy"] == pytest.approx(accuracy_score(labels, p >= 0.5))
    assert got["auc"] == pytest.approx(roc_auc_score(labels, p))
    kept = np.clip(p, 1e-12, 1 - 1e-12)
    assert got["log_loss"] == pytest.approx(log_loss(labels, kept))


def test_best_possible_leaves_unlabelled_rows_out():
    assert best_possible([0.9, 0.2, 0.1], [1, -1, 0])["rows"] == 2


@pytest.mark.parametrize("labels", [[1, 1, -1], [0, 1]])
def test_best_possible_says_what_is_wrong(labels):
    with pytest.raises(InputError):
        best_possible([0.9, 0.2, 0.1], labels)


def test_no_learner_of_the_last_text_alone_beats_its_optimum(numbers):
    counts, again = numbers["counts"], numbers["buys_again"]
    optimum = truth.text_intent_chance(counts)
    half = len(again) // 2
    learner = HistGradientBoostingClassifier(max_iter=60, max_leaf_nodes=8)
    learner.fit(counts[:half], again[:half])
    learned = learner.predict_proba(counts[half:])[:, 1]
    best = roc_auc_score(again[half:], optimum[half:])
    assert best - 0.02 < roc_auc_score(again[half:], learned) < best + 0.005
    with_history = roc_auc_score(again[half:], numbers["truth_intent"][half:])
    assert best < with_history - 0.05
