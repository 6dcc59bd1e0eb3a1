import numpy as np
import pytest
from scipy.stats import pearsonr, spearmanr
from sklearn.metrics import matthews_corrcoef

from reviewintent_jax.evaluation.correlation import correlation, mean_ranks

RNG = np.random.default_rng(0)
A_N = RNG.normal(size=70).round(1)
B_N = (A_N + RNG.normal(size=70)).round(1)
GROUP_N = RNG.integers(11, size=70) * 3
HOW = {"samples": 40, "seed": 5, "group_n": GROUP_N}


def test_ranks_are_the_picture_in_their_docstring():
    found = mean_ranks(np.array([5, 3, 5]), np.array([[1, 2, 1]]))
    np.testing.assert_array_equal(found, [[3.5, 1.5, 3.5]])


@pytest.mark.parametrize(("ranks", "twin"), [(False, pearsonr), (True, spearmanr)])
def test_value_and_interval_are_those_of_scipy_on_the_drawn_rows(ranks, twin):
    found = correlation(A_N, B_N, ranks=ranks, **HOW)
    assert found["value"] == pytest.approx(twin(A_N, B_N)[0])
    rng, names = np.random.default_rng(5), np.unique(GROUP_N)
    plain = []
    for _ in range(40):
        drawn = names[rng.integers(len(names), size=len(names))]
        rows = np.concatenate([np.flatnonzero(name == GROUP_N) for name in drawn])
        plain.append(twin(A_N[rows], B_N[rows])[0])
    low, high = np.percentile(plain, (2.5, 97.5))
    assert (found["low"], found["high"]) == pytest.approx((low, high))
    assert found["n"] == 70


def test_pearson_of_flags_is_phi():
    a_n, b_n = A_N > 0, B_N > 0.3
    found = correlation(a_n * 1.0, b_n * 1.0, ranks=False, **HOW)
    assert found["value"] == pytest.approx(matthews_corrcoef(a_n, b_n))


def test_what_never_changes_has_no_correlation():
    same = np.full(70, 0.1)
    for ranks in (False, True):
        found = correlation(same, B_N, ranks=ranks, **HOW)
        assert found == {"value": None, "low": None, "high": None, "n": 70}
    nobody = {"samples": 9, "seed": 0, "group_n": np.zeros(0, int)}
    assert correlation(A_N[:0], B_N[:0], ranks=True, **nobody)["n"] == 0
